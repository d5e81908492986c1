//! Why RootlessKit has not started, in the words of those who were there. Pure.

use crate::diagnose::{self, Cure};
use crate::error::{Error, Exit};
use crate::facts::{Facts, InTheWay};
use crate::hostile::plain;

/// The reason stands in the last lines.
const LAST_LINES: usize = 4;

/// What is said beside the reason: RootlessKit's warnings, which it always prints, and what it adds
/// with `--debug`.
const TALK: [&str; 3] = ["level=debug", "level=info", "level=warning"];

/// In the words of the library that reads RootlessKit's command line; it ends before all else.
const UNKNOWN_OPTION: &str = "flag provided but not defined";

/// The error of a RootlessKit that did not start: a finding where the cause is known.
pub(super) fn not_started(
    said: &str,
    late: Option<String>,
    in_the_way: &InTheWay,
    facts: &Facts,
) -> Error {
    let lines = last_lines(said);
    let unknown_option = lines.iter().any(|line| line.contains(UNKNOWN_OPTION));
    let finding = diagnose::of_start(&lines, in_the_way, facts).filter(|_| !unknown_option);
    let (exit, what) = match &finding {
        Some(finding) => {
            let only_root_can = matches!(finding.cure, Cure::Root(_));
            let exit = if only_root_can {
                Exit::Blocked
            } else {
                Exit::NotApplied
            };
            (exit, format!(": {} ({})", finding.title, finding.code))
        }
        None => (Exit::NotApplied, String::new()),
    };
    let message = format!(
        "RootlessKit does not start with the new settings, as a rehearsal beside dockerd shows{what}; nothing was changed"
    );
    let mut error = Error::new(exit, message);
    error.causes.extend(late);
    error.causes.extend(lines);
    if let Some(finding) = finding {
        error.causes.extend(finding.evidence.iter().cloned());
        error = finding.advise(error);
    }
    if unknown_option {
        error = error.hint("leave it out of `--flag` and of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS: this RootlessKit does not know it");
    }
    error.hint(super::GO_AHEAD)
}

/// What the driver's program said, as RootlessKit passes it on.
pub(super) fn driver_says(said: &str) -> Vec<String> {
    last(said.lines().filter_map(of_the_driver))
}

/// What RootlessKit and the driver's program said last.
fn last_lines(said: &str) -> Vec<String> {
    let is_talk = |line: &str| TALK.iter().any(|talk| line.contains(talk));
    last(said.lines().filter_map(|line| match of_the_driver(line) {
        Some(words) => Some(words),
        None if is_talk(line) || line.trim().is_empty() => None,
        None => Some(plain(line)),
    }))
}

fn last(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.split_off(from)
}

/// `time="…" level=debug msg="[rootlesskit:parent] network/pasta: WORDS"`
/// (rootlesskit:cmd/rootlesskit/main.go).
fn of_the_driver(line: &str) -> Option<String> {
    let (_, said) = line.split_once("msg=\"[rootlesskit:parent] network/")?;
    let (_, words) = said.split_once(": ")?;
    let words = words.strip_suffix('"').unwrap_or(words);
    Some(plain(&words.replace("\\\"", "\"")))
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
