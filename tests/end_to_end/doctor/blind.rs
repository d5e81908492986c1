//! Faults two at a time, drawn by lot: the first finding is one of the two, and nothing that was not
//! seeded is called broken. A round takes up to ten seconds, so that these are few.
//!
//! `ROOTLESS6_BLIND_ROUNDS=100 ROOTLESS6_BLIND_SEED=7 cargo nextest run -E 'test(blind)'` draws more,
//! or others.

use std::env;

use super::fault::Needs;
use super::{Fault, Lab, Said, State, lab};
use crate::random::Random;

const ROUNDS: usize = 8;
const SEED: u64 = 6;

#[test]
fn on_trixie_of_two_faults_one_is_named_first_and_nothing_else_is_broken() {
    blind("trixie");
}

#[test]
fn on_forky_of_two_faults_one_is_named_first_and_nothing_else_is_broken() {
    blind("forky");
}

fn blind(suite: &str) {
    let Some(lab) = lab(suite, State::SetUp) else {
        return;
    };
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("ROOTLESS6_BLIND_ROUNDS").unwrap_or(ROUNDS);
    let seed = env::var("ROOTLESS6_BLIND_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(SEED);
    println!("{rounds} rounds with seed {seed}");
    let mut random = Random::new(seed);
    let mut faults = Fault::of(suite, State::SetUp);
    faults.retain(|fault| !fault.is_alone);
    let before = Said::by(&lab, "").codes();
    let objections: Vec<_> = (0..rounds)
        .filter_map(|_| {
            let (first, second) = draw(&mut random, &faults);
            println!("\n=== {} and {}", first.name, second.name);
            let why = objection(&lab, first, second, &before)?;
            println!("=== OBJECTION: {why}");
            Some(format!("{} and {}: {why}", first.name, second.name))
        })
        .collect();
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
}

/// What stops dockerd is seeded last, or the other one could not be.
fn draw<'a>(random: &mut Random, faults: &'a [Fault]) -> (&'a Fault, &'a Fault) {
    let faults: Vec<&Fault> = faults.iter().collect();
    loop {
        let (one, other) = (random.one_of(&faults), random.one_of(&faults));
        if one.code != other.code {
            return if one.needs <= other.needs {
                (one, other)
            } else {
                (other, one)
            };
        }
    }
}

fn objection(lab: &Lab, first: &Fault, second: &Fault, before: &[String]) -> Option<String> {
    // One restart is enough for both.
    let both_restart = first.needs >= Needs::Restart;
    first.seed_beside(lab, !both_restart);
    second.seed_beside(lab, true);
    let said = Said::by(lab, "");
    // The last one restarts, where none of the two stands any more: a start leaves its traces.
    let restarting = if first.needs == Needs::Nothing {
        second
    } else {
        first
    };
    second.mend(lab, false);
    first.mend(lab, false);
    restarting.mend(lab, true);
    let after = Said::by(lab, "").codes();
    not_told_apart(first, second, &said)
        .or_else(|| (after != before).then(|| format!("mended, there is still {after:?}")))
}

fn not_told_apart(first: &Fault, second: &Fault, said: &Said) -> Option<String> {
    let seen = format!("{:?}", said.codes());
    let findings = said.findings();
    let Some(named) = findings.first() else {
        return Some("nothing is found".to_owned());
    };
    if named.code != first.code && named.code != second.code {
        return Some(format!("{} is named first: {seen}", named.code));
    }
    let seeded = |code: &String| {
        let of = |fault: &Fault| fault.code == *code || fault.also.contains(code);
        of(first) || of(second)
    };
    let mut others = findings.iter().filter(|found| !seeded(&found.code));
    if others.any(|found| found.severity == "broken") {
        return Some(format!("something else is called broken: {seen}"));
    }
    said.objection()
}
