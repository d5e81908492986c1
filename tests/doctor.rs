//! What `doctor` shows of systems on record, as people read it, and what its last line says.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;

use anstream::adapter::strip_str;
use rootless6::diagnose::{Code, Examination, Failed, examine, intent};
use rootless6::facts::Facts;
use rootless6::report::human;

fn facts(name: &str) -> Facts {
    let text = fs::read_to_string(format!("tests/facts/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn examined(facts: &Facts, asked: &[Code]) -> Examination {
    examine(facts, &intent(facts), asked)
}

fn shown(facts: &Facts, examination: &Examination) -> String {
    strip_str(&human::examination(facts, examination)).to_string()
}

#[test]
fn each_screen_has_the_cause_first_and_the_sum_last() {
    for name in [
        "debian-14-fresh",
        "debian-14-set-up",
        "debian-12-crash-looping-from-the-copied-recipe",
        "docker-desktop",
        "everything-that-only-root-can-mend",
        "drop-in-that-sorts-after-ours",
        "subids-missing",
        "user-namespaces-unknown",
    ] {
        let facts = facts(name);
        insta::assert_snapshot!(name, shown(&facts, &examined(&facts, &[])));
    }
}

#[test]
fn whoever_asks_for_one_code_is_not_told_that_all_is_well() {
    let facts = facts("debian-14-fresh");
    for (asked, last) in [
        (
            Code::MtuTrap,
            "not found: mtu-trap; `rootless6 doctor` looks for everything",
        ),
        (
            Code::PmtuBlackHole,
            "not found as far as could be seen: pmtu-black-hole; `rootless6 doctor` looks for everything",
        ),
        (
            Code::DriverWithoutIpv6,
            "1 broken, 0 weak; `rootless6 explain driver-without-ipv6` says more",
        ),
    ] {
        let text = shown(&facts, &examined(&facts, &[asked]));
        let line = text.lines().last().unwrap();
        assert!(line.ends_with(last) && !text.starts_with('\n'), "{text}");
    }
}

#[test]
fn a_rule_that_failed_is_no_reason_to_call_all_well() {
    let facts = facts("debian-14-set-up");
    let failed = Failed {
        codes: vec![Code::MtuTrap],
        why: "an odd\x1b[2J value".to_owned(),
    };
    let examination = Examination {
        failed: vec![failed],
        ..Examination::default()
    };
    let text = shown(&facts, &examination);
    assert!(text.contains("mtu-trap: its rule failed, a fault of rootless6: an odd[2J value"));
    let last = text.lines().last().unwrap();
    assert!(last.contains("nothing that could be seen"), "{text}");
}
