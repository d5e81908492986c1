//! Facts in, findings and plan out, as people read them. A new case is a new file in `tests/facts`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;
use rootless6::diagnose::{Finding, Wanted, diagnose, obstacle};
use rootless6::error::Error;
use rootless6::facts::{Facts, Seen};
use rootless6::plan::{self, Given, Plan, snippet};
use rootless6::report::human;
use rootless6::request::Request;
use similar::TextDiff;

#[test]
fn every_system_on_record_gets_its_findings_and_its_plan() {
    let mut cases: Vec<PathBuf> = fs::read_dir("tests/facts")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() > 20, "the table has been lost");
    for case in cases {
        let name = case.file_stem().unwrap().to_str().unwrap().to_owned();
        insta::assert_snapshot!(name, judged(&facts(&case)));
    }
}

#[test]
fn a_plan_carried_out_leaves_nothing_to_do() {
    for name in [
        "debian-13-fresh",
        "debian-14-fresh",
        "engine-27-with-rootlesskit-2.3",
        "engine-29-with-the-port-driver-pesto",
        "pasta-not-on-the-units-path",
    ] {
        let mut facts = facts(format!("tests/facts/{name}.json").as_ref());
        for change in planned(&facts).unwrap().files {
            let text = Seen::Is(change.after);
            if change.path == facts.daemon_json.path {
                facts.daemon_json.text = text;
            } else {
                facts.our_drop_in.text = text;
            }
        }
        assert_eq!(planned(&facts).unwrap().files, [], "{name}");
    }
}

#[test]
fn to_keep_the_drivers_is_to_keep_ours_too() {
    let facts = facts("tests/facts/debian-14-set-up.json".as_ref());
    let plan = asking(&facts, "net = 'keep'\nmtu = 'keep'").unwrap();
    assert!(plan.is_empty(), "{plan:?}");
}

#[test]
fn what_a_rehearsal_shows_overrules_the_table_of_versions() {
    let uplink = |name: &str, rehearsed: &str| {
        let facts = facts(format!("tests/facts/{name}.json").as_ref());
        let tap = crate::facts(format!("tests/facts/{rehearsed}.json").as_ref()).tap;
        let given = Given {
            rehearsed: tap,
            ..given()
        };
        let intent = Request::default().resolve(facts.rootlesskit_version());
        let plan = plan::plan(&facts, &intent, &given).unwrap();
        plan.files[0].after.contains("uplink")
    };
    let with_ipv6 = "debian-14-set-up";
    assert!(uplink("debian-14-fresh", "debian-14-fresh"));
    assert!(!uplink("debian-14-fresh", with_ipv6));
    assert!(uplink("engine-27-with-rootlesskit-2.3", "debian-14-fresh"));
    assert!(
        uplink("debian-12-fresh", with_ipv6),
        "slirp4netns loses again what it shows then"
    );
}

#[test]
fn a_port_driver_of_pastas_own_is_left_alone_unless_another_is_asked_for() {
    let facts = facts("tests/facts/engine-29-with-the-port-driver-pesto.json".as_ref());
    for (asked, drop_in, note) in [
        ("", Some("PORT_DRIVER=pesto"), None),
        ("net = 'pasta'", Some("PORT_DRIVER=pesto"), None),
        ("net = 'keep'\nport-driver = 'keep'", None, None),
        (
            "port-driver = 'implicit'",
            Some("PORT_DRIVER=implicit"),
            Some("PORT_DRIVER=pesto is overruled by implicit"),
        ),
    ] {
        let text = shown(&asking(&facts, asked).unwrap());
        match drop_in {
            Some(line) => assert!(text.contains(line), "{asked}: {text}"),
            None => assert!(!text.contains("PORT_DRIVER"), "{asked}: {text}"),
        }
        assert!(text.contains("FLAGS=--ipv6"), "{asked}: {text}");
        match note {
            Some(note) => assert!(text.contains(note), "{asked}: {text}"),
            None => assert!(!text.contains("note:"), "{asked}: {text}"),
        }
    }
}

#[test]
fn gvisor_tap_vsock_is_not_given_the_ipv6_flag_that_would_stop_it() {
    let facts = facts("tests/facts/engine-29-with-gvisor-tap-vsock.json".as_ref());
    for asked in ["net = 'keep'", "net = 'keep'\nport-driver = 'implicit'"] {
        let error = asking(&facts, asked).unwrap_err();
        assert!(error.to_string().contains("gvisor-tap-vsock"), "{error}");
    }
}

fn asking(facts: &Facts, toml: &str) -> rootless6::error::Result<Plan> {
    let request = Request::from_toml(toml).unwrap();
    let intent = request.resolve(facts.rootlesskit_version());
    plan::plan(facts, &intent, &given())
}

#[test]
fn a_tap0_that_no_start_would_help_is_no_reason_for_one() {
    let lost = "tests/facts/debian-14-set-up-but-tap0-has-lost-its-address.json";
    let mut facts = facts(lost.as_ref());
    let never = Request::from_toml("uplink = 'never'").unwrap();
    let never = never.resolve(facts.rootlesskit_version());
    let plan = plan::plan(&facts, &never, &given()).unwrap();
    let after = plan.files.into_iter().next().unwrap().after;
    facts.our_drop_in.text = rootless6::facts::Seen::Is(after);
    let plan = plan::plan(&facts, &never, &given()).unwrap();
    assert!(plan.is_empty(), "{plan:?}");
}

fn given() -> Given {
    Given {
        program: "/home/alice/.local/bin/rootless6".into(),
        global_id: [0x12, 0x34, 0x56, 0x78, 0x9a],
        rehearsed: Seen::Absent,
    }
}

fn facts(path: &Path) -> Facts {
    serde_json::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn planned(facts: &Facts) -> rootless6::error::Result<Plan> {
    asking(facts, "")
}

fn judged(facts: &Facts) -> String {
    let findings = diagnose(facts);
    let mut text = String::new();
    for finding in &findings {
        show(&mut text, finding);
    }
    if findings.is_empty() {
        text.push_str("nothing found\n");
    }
    text.push('\n');
    match obstacle(&findings, Wanted::best(&findings)).and_then(|()| planned(facts)) {
        Ok(plan) => match snippet::locked(facts, &plan) {
            Some(error) => {
                let snippets = snippet::snippets(facts, &plan);
                refused(&mut text, &error);
                let pasted = human::snippets(&snippets);
                text.push_str(&strip_str(&pasted).to_string());
            }
            None => text.push_str(&shown(&plan)),
        },
        Err(error) => refused(&mut text, &error),
    }
    text
}

fn refused(text: &mut String, error: &Error) {
    let _ = writeln!(text, "no plan, exit {}: {error}", error.exit as u8);
    for hint in error.needs_root.iter().chain(&error.hints) {
        let _ = writeln!(text, "  {hint}");
    }
}

fn show(text: &mut String, finding: &Finding) {
    let _ = writeln!(
        text,
        "{:?} {}: {}",
        finding.severity, finding.code, finding.title
    );
    for seen in &finding.evidence {
        let _ = writeln!(text, "    {seen}");
    }
}

fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for change in &plan.files {
        let before = change.before.clone().unwrap_or_default();
        let diff = TextDiff::from_lines(before.as_str(), change.after.as_str());
        let path = change.path.display();
        let _ = writeln!(
            text,
            "{path}\n{}",
            diff.unified_diff().to_string().trim_end()
        );
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let restart = plan
        .restart
        .map_or_else(|| "no".to_owned(), |why| why.to_string());
    let _ = writeln!(text, "restart: {restart}");
    text
}
