//! Every fault by itself: named, not buried, and gone when what doctor prints for root is done.

use super::{Fault, Found, Lab, Said, State, lab};

macro_rules! each {
    ($($name:ident $suite:literal $state:ident;)*) => {$(
        #[test]
        fn $name() {
            each_is_named($suite, State::$state);
        }
    )*};
}

each! {
    on_trixie_each_fault_after_setup_is_named "trixie" SetUp;
    on_forky_each_fault_after_setup_is_named "forky" SetUp;
    on_trixie_each_fault_of_a_fresh_system_is_named "trixie" Fresh;
    on_forky_each_fault_of_a_fresh_system_is_named "forky" Fresh;
    on_bookworm_each_fault_of_a_fresh_system_is_named "bookworm" Fresh;
    on_bookworm_each_fault_after_setup_is_named "bookworm" SetUp;
}

fn each_is_named(suite: &str, state: State) {
    let Some(lab) = lab(suite, state) else { return };
    let before = Said::by(&lab, "").codes();
    let objections: Vec<_> = Fault::of(suite, state)
        .iter()
        .filter_map(|fault| {
            println!("\n=== {}", fault.name);
            let why = objection(&lab, fault, &before)?;
            println!("=== OBJECTION: {why}");
            Some(format!("{}: {why}", fault.name))
        })
        .collect();
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
}

fn objection(lab: &Lab, fault: &Fault, before: &[String]) -> Option<String> {
    fault.seed(lab, true);
    let said = Said::by(lab, &fault.environment);
    let why = not_named(fault, &said, before).or_else(|| not_mended_by_root(lab, fault, &said));
    fault.mend(lab, true);
    let after = Said::by(lab, "").codes();
    why.or_else(|| (after != before).then(|| format!("mended, there is still {after:?}")))
}

/// The code is there with its severity, nothing explains it away, and nothing else stands before it
/// but what is as true as it is.
fn not_named(fault: &Fault, said: &Said, before: &[String]) -> Option<String> {
    let seen = format!("{:?}", said.findings());
    let findings = said.findings();
    let Some(place) = findings.iter().position(|found| found.code == fault.code) else {
        return Some(format!("not named: {seen}"));
    };
    let found = &findings[place];
    if found.severity != fault.severity {
        return Some(format!("it is {}: {seen}", found.severity));
    }
    if !found.is_a_cause {
        return Some(format!("something else is said to bring it about: {seen}"));
    }
    let is_true = |other: &Found| {
        fault.also.contains(&other.code)
            || before.contains(&format!("{} {}", other.code, other.severity))
    };
    if findings[..place].iter().any(|other| !is_true(other)) {
        return Some(format!("buried: {seen}"));
    }
    let mut others = findings.iter().filter(|other| other.code != fault.code);
    if others.any(|other| other.severity == "broken" && !is_true(other)) {
        return Some(format!("something else is called broken: {seen}"));
    }
    said.objection()
}

/// Pasted twice, as it is printed.
fn not_mended_by_root(lab: &Lab, fault: &Fault, said: &Said) -> Option<String> {
    let is_ours = |found: &Found| found.code == fault.code && found.for_root;
    if !said.findings().iter().any(is_ours) {
        return None;
    }
    let block = said.lines_for_root().join("\n");
    for time in ["first", "second"] {
        let pasted = lab.root(&format!("sh -eu <<'BLOCK'\n{block}\nBLOCK"));
        if pasted.status != 0 {
            return Some(format!("the block for root fails the {time} time"));
        }
    }
    let after = Said::by(lab, &fault.environment);
    let is_there = after
        .findings()
        .iter()
        .any(|found| found.code == fault.code);
    is_there.then(|| {
        format!(
            "after the block for root there is still {:?}",
            after.codes()
        )
    })
}
