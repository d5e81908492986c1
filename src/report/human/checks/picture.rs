//! The way of a packet, with a mark on each part of it.

use std::fmt::Write;
use std::net::IpAddr;

use super::{LONGEST_NAME, label, shorten};
use crate::ui::{FAINT, Sign, sign, unicode};
use crate::verify::{Check, Outcome, Verification};

/// More containers than these are told of by their number.
const MOST_CONTAINERS: usize = 4;

/// Strokes, with their twins where the locale is not UTF-8.
struct Strokes {
    line: &'static str,
    fork: &'static str,
    branch: &'static str,
    last: &'static str,
}

const UNICODE: Strokes = Strokes {
    line: "─",
    fork: "┬",
    branch: "├",
    last: "└",
};
const ASCII: Strokes = Strokes {
    line: "-",
    fork: ".",
    branch: "|",
    last: "`",
};

/// `Internet ─✓─ host ─✓─ netns ─✗─ container`, a line for each further container.
pub(super) fn picture(verification: &Verification, width: Option<usize>) -> String {
    let strokes = if unicode() { &UNICODE } else { &ASCII };
    let stops = stops(&verification.checks);
    let is_container = |stop: &(&str, Sign)| stop.0.starts_with("container");
    let (containers, chain): (Vec<_>, Vec<_>) = stops.into_iter().partition(is_container);
    let targets = target(&verification.checks)
        .map(|to| format!(" {to}"))
        .unwrap_or_default();
    // The strokes, the names on the way and that of a container.
    let fits = width.is_none_or(|width| targets.len() + 52 <= width);
    let targets = if fits { targets } else { String::new() };
    let mut text = format!("  Internet{FAINT}{targets}{FAINT:#}");
    let mut column = 10 + targets.len();
    for (from, mark) in chain {
        let _ = write!(text, " {0}{1}{0} {from}", strokes.line, sign(mark));
        column += 5 + from.len();
    }
    let ends = ends(&containers);
    for (place, (name, mark)) in ends.iter().enumerate() {
        let line = strokes.line;
        let is_last = place + 1 == ends.len();
        let corner = match place {
            0 if is_last => "",
            0 => strokes.fork,
            _ if is_last => strokes.last,
            _ => strokes.branch,
        };
        if place == 0 {
            let _ = write!(text, " {line}");
            let _ = write!(text, "{corner}");
        } else {
            let _ = write!(text, "\n{}{corner}", " ".repeat(column + 2));
        }
        let more = if corner.is_empty() { "" } else { line };
        let _ = write!(text, "{more}{}{line} {name}", sign(*mark));
    }
    text.push('\n');
    text
}

/// Each vantage point and whether it gets to the Internet; what is skipped has no place on the way.
fn stops(checks: &[Check]) -> Vec<(&str, Sign)> {
    let mut stops: Vec<(&str, Vec<Outcome>)> = Vec::new();
    for check in checks.iter().filter(|check| check.what.is_reach()) {
        match stops.iter_mut().find(|(from, _)| *from == check.from) {
            Some((_, outcomes)) => outcomes.push(check.outcome),
            None => stops.push((&check.from, vec![check.outcome])),
        }
    }
    let signs = stops
        .into_iter()
        .filter_map(|(from, outcomes)| Some((from, gets_there(&outcomes)?)));
    signs.collect()
}

/// Of echo and TCP, one that is skipped does not count.
fn gets_there(outcomes: &[Outcome]) -> Option<Sign> {
    let has = |outcome| outcomes.contains(&outcome);
    match (has(Outcome::Pass), has(Outcome::Fail)) {
        (true, true) => Some(Sign::Weak),
        (false, true) => Some(Sign::Bad),
        _ if has(Outcome::Unknown) => Some(Sign::Unknown),
        (true, false) => Some(Sign::Good),
        (false, false) => None,
    }
}

/// What fails is always named; of the others only as many as there is room for.
fn ends(containers: &[(&str, Sign)]) -> Vec<(String, Sign)> {
    let named = |stop: &(&str, Sign)| (shorten(label(stop.0), LONGEST_NAME), stop.1);
    if containers.len() <= MOST_CONTAINERS {
        return containers.iter().map(named).collect();
    }
    let (good, bad): (Vec<_>, Vec<_>) = containers
        .iter()
        .copied()
        .partition(|stop| stop.1 == Sign::Good);
    let mut ends: Vec<_> = bad.iter().take(MOST_CONTAINERS).map(named).collect();
    if let Some(left) = bad.get(MOST_CONTAINERS) {
        ends.push((format!("{} more", bad.len() - MOST_CONTAINERS), left.1));
    }
    match good.as_slice() {
        [] => {}
        [only] => ends.push(named(only)),
        more => ends.push((format!("{} containers", more.len()), Sign::Good)),
    }
    ends
}

/// The target, where there is but one.
fn target(checks: &[Check]) -> Option<IpAddr> {
    let mut targets = checks
        .iter()
        .filter(|check| check.what.is_reach())
        .filter_map(|check| check.to);
    let first = targets.next()?;
    targets.all(|target| target == first).then_some(first)
}
