//! Facts in, findings and plan out, as people read them. A new case is a new file in `tests/facts`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;
use rootless6::diagnose::{Finding, Wanted, diagnose, obstacle};
use rootless6::error::Error;
use rootless6::facts::{Facts, Seen, Unit, UnitFile};
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
        let mut facts = named(name);
        let plan = planned(&facts).unwrap();
        for change in &plan.files {
            put(&mut facts, &change.path, &change.after, &plan);
        }
        assert_eq!(planned(&facts).unwrap().files, [], "{name}");
    }
}

#[test]
fn what_was_printed_to_paste_is_accepted_where_it_was_pasted() {
    for (asked, otherwise) in [
        ("", "uplink = 'never'"),
        ("", "wait-online = 30"),
        ("wait-online = 30", "wait-online = 0"),
        ("uplink = 'never'\nmtu = 1500", ""),
    ] {
        let mut facts = named("config-read-only");
        let plan = asking(&facts, asked).unwrap();
        let printed = snippet::snippets(&facts, &plan);
        assert_eq!(printed.len(), 2);
        for (change, snippet) in plan.files.iter().zip(&printed) {
            put(&mut facts, &change.path, &snippet.text, &plan);
        }
        assert_eq!(asking(&facts, asked).unwrap().files, [], "{asked}");
        // What is wanted otherwise afterwards is printed again, and so is what systemd has not read.
        let other = asking(&facts, otherwise).unwrap().files;
        assert_eq!(other.len(), 1, "{asked}, then {otherwise}");
        unit(&mut facts).needs_reload = true;
        assert_eq!(asking(&facts, asked).unwrap().files.len(), 1, "{asked}");
    }
}

#[test]
fn a_wait_is_for_pasta_unless_it_is_asked_for() {
    for (name, asked, waits) in [
        ("before-the-host-had-ipv6", "", Some("for 60")),
        ("before-the-host-had-ipv6", "net = 'slirp4netns'", None),
        (
            "before-ipv6-for-all-its-waiting",
            "net = 'slirp4netns'",
            None,
        ),
        (
            "before-ipv6-for-all-its-waiting",
            "net = 'slirp4netns'\nwait-online = 30",
            Some("for 30"),
        ),
    ] {
        let mut facts = named(&format!("debian-14-started-{name}"));
        facts.tools.slirp4netns = facts.tools.rootlesskit.clone();
        let asked = asked.replace("'slirp4netns'", "'slirp4netns'\nport-driver = 'builtin'");
        let plan = asking(&facts, &asked).unwrap();
        let after = &plan.files[0].after;
        match waits {
            Some(seconds) => assert!(after.contains(seconds), "{name} {asked}: {after}"),
            None => assert!(!after.contains("wait-online"), "{name} {asked}: {after}"),
        }
        let noted = plan.notes.iter().any(|note| note.contains("waits up to"));
        assert_eq!(noted, asked.is_empty(), "{name} {asked}");
        // What was asked for stays.
        put(&mut facts, &plan.files[0].path, after, &plan);
        let again = asking(&facts, asked.split("\nwait").next().unwrap()).unwrap();
        assert_eq!(again.files, [], "{name} {asked}");
    }
}

#[test]
fn a_wait_that_others_have_written_needs_none_of_ours() {
    let wait = "[Service]\nExecStartPre=-/nix/store/abc/bin/rootless6 wait-online --for 60\n";
    for name in ["config-read-only-and-set-up-by-hand", "debian-14-set-up"] {
        let mut facts = named(name);
        let unit = unit(&mut facts);
        unit.files[0].text.push_str(wait);
        for (asked, changes) in [("", 0), ("wait-online = 60", 0), ("wait-online = 30", 1)] {
            let plan = asking(&facts, asked).unwrap();
            assert_eq!(plan.files.len(), changes, "{name} {asked}");
        }
    }
}

#[test]
fn our_commands_are_those_that_are_in_force() {
    let codes = |facts: &Facts| -> Vec<String> {
        let findings = diagnose(facts);
        findings.iter().map(|it| it.code.to_string()).collect()
    };
    let later = |facts: &mut Facts, text: &str| {
        let path = "/home/alice/.config/systemd/user/docker.service.d/zzz.conf".into();
        let text = format!("[Service]\n{text}\n");
        unit(facts).files.push(UnitFile { path, text });
    };
    let early = "started-before-ipv6".to_owned();
    let shadowed = "dropin-shadowed".to_owned();
    let mut facts = named("debian-14-started-before-ipv6-for-all-its-waiting");
    assert!(codes(&facts).contains(&early));

    // Root's drop-in does as well as ours.
    let mut roots = facts.clone();
    unit(&mut roots).files[1].path = "/etc/systemd/user/docker.service.d/zz-rootless6.conf".into();
    roots.our_drop_in.text = Seen::Absent;
    assert!(codes(&roots).contains(&early));

    let mut emptied = facts.clone();
    later(&mut emptied, "ExecStartPost=");
    let found = codes(&emptied);
    assert!(
        found.contains(&shadowed) && !found.contains(&early),
        "{found:?}"
    );

    later(&mut facts, "ExecStartPre=");
    assert!(codes(&facts).contains(&shadowed));
    later(&mut facts, "ExecStartPre=/r/rootless6 wait-online --for 5");
    assert!(!codes(&facts).contains(&shadowed), "{:?}", codes(&facts));
}

#[test]
fn what_a_specifier_stands_for_is_systemds_to_say() {
    let mut facts = named("pasta-not-on-the-units-path");
    let plan = planned(&facts).unwrap();
    for change in &plan.files {
        put(&mut facts, &change.path, &change.after, &plan);
    }
    let path = "/home/alice/.config/systemd/user/docker.service.d/zzz.conf".into();
    let text = "[Service]\nEnvironment=PATH=%h/bin:/opt\n".to_owned();
    unit(&mut facts).files.push(UnitFile { path, text });
    let shadowed = |facts: &Facts| {
        let findings = diagnose(facts);
        let codes = findings.iter().map(|finding| finding.code.to_string());
        codes.filter(|code| code == "dropin-shadowed").count() == 1
    };
    assert!(!shadowed(&facts), "it stands for what is planned");
    let set = &mut unit(&mut facts).environment;
    set.retain(|(name, _)| name != "PATH");
    set.push(("PATH".to_owned(), "/home/alice/bin:/opt".to_owned()));
    assert!(shadowed(&facts));
    unit(&mut facts).needs_reload = true;
    assert!(!shadowed(&facts), "nobody knows");
}

/// The facts once this file says this, and systemd has read it.
fn put(facts: &mut Facts, path: &Path, text: &str, plan: &Plan) {
    let text = text.to_owned();
    if path == facts.daemon_json.path {
        facts.daemon_json.text = Seen::Is(text);
        return;
    }
    facts.our_drop_in.text = Seen::Is(text.clone());
    let unit = unit(facts);
    unit.files.retain(|file| file.path != path);
    unit.drop_ins = vec![path.to_owned()];
    let path = path.to_owned();
    unit.files.push(UnitFile { path, text });
    let planned = |name: &String| plan.environment.iter().any(|(known, _)| known == name);
    unit.environment.retain(|(name, _)| !planned(name));
    unit.environment.extend(plan.environment.clone());
}

fn unit(facts: &mut Facts) -> &mut Unit {
    match &mut facts.unit {
        Seen::Is(unit) => unit,
        other => panic!("{other:?}"),
    }
}

fn named(name: &str) -> Facts {
    facts(format!("tests/facts/{name}.json").as_ref())
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
