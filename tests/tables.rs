//! Facts in, findings and plan out, as people read them. A new case is a new file in `tests/facts`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use rootless6::diagnose::{Finding, Wanted, diagnose, obstacle};
use rootless6::facts::Facts;
use rootless6::plan::{self, Given, Plan};
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
    ] {
        let mut facts = facts(format!("tests/facts/{name}.json").as_ref());
        for change in planned(&facts).unwrap().files {
            let text = rootless6::facts::Seen::Is(change.after);
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
    let keep = Request::from_toml("net = 'keep'\nmtu = 'keep'").unwrap();
    let plan = plan::plan(&facts, &keep.resolve(), &given()).unwrap();
    assert!(plan.is_empty(), "{plan:?}");
}

#[test]
fn a_tap0_that_no_start_would_help_is_no_reason_for_one() {
    let lost = "tests/facts/debian-14-set-up-but-tap0-has-lost-its-address.json";
    let mut facts = facts(lost.as_ref());
    let never = Request::from_toml("uplink = 'never'").unwrap().resolve();
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
    }
}

fn facts(path: &Path) -> Facts {
    serde_json::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn planned(facts: &Facts) -> rootless6::error::Result<Plan> {
    plan::plan(facts, &Request::default().resolve(), &given())
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
    match obstacle(&findings, Wanted::default()).and_then(|()| planned(facts)) {
        Ok(plan) => text.push_str(&shown(&plan)),
        Err(error) => {
            let _ = writeln!(text, "no plan, exit {}: {error}", error.exit as u8);
            for hint in error.needs_root.iter().chain(&error.hints) {
                let _ = writeln!(text, "  {hint}");
            }
        }
    }
    text
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
