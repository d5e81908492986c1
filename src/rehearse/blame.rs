//! Why RootlessKit has not started, in the words of those who were there. Pure.

use super::GO_AHEAD;
use crate::diagnose::{self, Cure, Finding};
use crate::error::{Error, Exit};
use crate::facts::Facts;
use crate::hostile::plain;
use crate::uplink::TAP;

/// The reason stands in the last lines.
const LAST_LINES: usize = 4;

/// What is said beside the reason: RootlessKit's warnings, which it always prints, and what it adds
/// with `--debug`.
const TALK: [&str; 3] = ["level=debug", "level=info", "level=warning"];

/// In the words of the library that reads RootlessKit's command line; it ends before all else.
const UNKNOWN_OPTION: &str = "flag provided but not defined";

/// The error of a RootlessKit that did not start: a finding where the cause is known.
pub(super) fn not_started(said: &str, late: Option<String>, facts: &Facts) -> Error {
    let lines = last_lines(said);
    let what = "RootlessKit does not start with the new settings";
    if lines.iter().any(|line| line.contains(UNKNOWN_OPTION)) {
        return because(what, None, lines).hint("leave it out of `--flag` and of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS: this RootlessKit does not know it").hint(GO_AHEAD);
    }
    let finding = diagnose::of_start(&lines, facts);
    let causes = late.into_iter().chain(lines).collect();
    because(what, finding, causes).hint(GO_AHEAD)
}

/// The error of a driver's program that is not where RootlessKit thinks that it is: RootlessKit 2.0
/// does not look after pasta, and dockerd would start without any network.
pub(super) fn not_attached(said: &str, facts: &Facts) -> Error {
    let lines = driver_says(said);
    let finding = diagnose::of_start(&lines, facts);
    let what = "with the new settings there would be no network";
    let unserved = format!("nobody serves {TAP}");
    let causes = std::iter::once(unserved).chain(lines).collect();
    because(what, finding, causes).hint(GO_AHEAD)
}

fn because(what: &str, finding: Option<Finding>, causes: Vec<String>) -> Error {
    let found = finding.as_ref();
    let code = found.map_or_else(String::new, |finding| {
        format!(": {} ({})", finding.title, finding.code)
    });
    let exit = match found.map(|finding| &finding.cure) {
        Some(Cure::Root(_)) => Exit::Blocked,
        _ => Exit::NotApplied,
    };
    let message = format!("{what}, as a rehearsal beside dockerd shows{code}; nothing was changed");
    let mut error = Error::new(exit, message);
    error.causes = causes;
    match finding {
        Some(finding) => {
            error.causes.extend(finding.evidence.iter().cloned());
            finding.advise(error)
        }
        None => error,
    }
}

/// What the driver's program said, as RootlessKit passes it on.
pub(super) fn driver_says(said: &str) -> Vec<String> {
    last(said.lines().flat_map(of_the_driver))
}

/// What RootlessKit and the driver's program said last.
fn last_lines(said: &str) -> Vec<String> {
    let is_talk = |line: &str| TALK.iter().any(|talk| line.contains(talk));
    last(said.lines().flat_map(|line| match of_the_driver(line) {
        words if !words.is_empty() => words,
        _ if is_talk(line) || line.trim().is_empty() => Vec::new(),
        _ => vec![plain(line)],
    }))
}

fn last(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.split_off(from)
}

/// `time="…" level=debug msg="[rootlesskit:parent] network/pasta: WORDS"`
/// (rootlesskit:cmd/rootlesskit/main.go).
fn of_the_driver(line: &str) -> Vec<String> {
    let said = line.split_once("msg=\"[rootlesskit:parent] network/");
    let Some((_, words)) = said.and_then(|(_, said)| said.split_once(": ")) else {
        return Vec::new();
    };
    let words = words.strip_suffix('"').unwrap_or(words);
    let lines = words.split("\\n").filter(|line| !line.trim().is_empty());
    lines
        .map(|line| plain(&line.replace("\\\"", "\"")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RootlessKit 2.0.2 prints it with `--debug`.
    const SAID: &str = r#"time="2026-11-22T12:39:00Z" level=warning msg="[rootlesskit:parent] ipv6 is experimental"
time="2026-11-22T12:39:00Z" level=debug msg="[rootlesskit:parent] network/pasta: can't open \"/dev/net/tun\""
open: No such file or directory
time="2026-11-22T12:39:00Z" level=debug msg="[rootlesskit:child ] executing [ip link set lo up]"

[rootlesskit:child ] error: EOF
"#;

    #[test]
    fn talk_is_no_reason_and_the_drivers_words_are() {
        let driver = r#"can't open "/dev/net/tun""#;
        assert_eq!(driver_says(SAID), [driver]);
        let expected = [
            driver,
            "open: No such file or directory",
            "[rootlesskit:child ] error: EOF",
        ];
        assert_eq!(last_lines(SAID), expected);
    }
}
