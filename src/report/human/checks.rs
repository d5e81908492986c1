//! What the probes have shown: the verdict, where the way breaks and why, what to type, and only
//! then the evidence.

use std::fmt::Write;

use super::wrap::{shorten, wrap};
use crate::diagnose::{Code, Severity};
use crate::ui::{self, STRONG, Sign, sign};
use crate::verify::{Check, Outcome, Verification, Weakness, What};

mod evidence;
mod picture;

/// A name that is longer leaves too little room for its checks.
const LONGEST_NAME: usize = 16;

/// `verify`: one screen.
pub fn verification(verification: &Verification) -> String {
    verification_within(verification, ui::width())
}

/// The same on a screen of so many columns; without a number nothing is broken into lines.
pub fn verification_within(verification: &Verification, width: Option<usize>) -> String {
    let mut text = headline(verification, None);
    let _ = write!(text, "\n{}\n", picture::picture(verification, width));
    let reasons = reasons(verification, width);
    if !reasons.is_empty() {
        let _ = writeln!(text, "{reasons}");
    }
    text.push_str(&evidence::table(verification, width));
    text.push_str(&evidence::remarks(verification, width));
    let since = super::settings::since_setup(verification.since_setup.as_deref(), width);
    if !since.is_empty() {
        let _ = write!(text, "\n{since}");
    }
    let weak = weaknesses(verification, width);
    if !weak.is_empty() {
        let _ = write!(text, "\n{weak}");
    }
    // The last line is read by those who read nothing else.
    if verification.verdict != Outcome::Pass || verification.breaks_at().is_some() {
        let _ = write!(
            text,
            "\n{}",
            headline(
                verification,
                verification.cause.map(|cause| cause.to_string())
            )
        );
    }
    text
}

/// `verify --quiet`: verdict and cause, and what to type.
pub fn verdict(verification: &Verification) -> String {
    headline(verification, None) + &reasons(verification, ui::width())
}

fn headline(verification: &Verification, cause: Option<String>) -> String {
    let (mark, words) = in_words(verification);
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    format!("{} {words}{cause}\n", sign(mark))
}

/// The verdict in one line, without a mark.
pub fn verdict_in_words(verification: &Verification) -> String {
    in_words(verification).1
}

fn in_words(verification: &Verification) -> (Sign, String) {
    match verification.verdict {
        _ if only_ping6_lacks(verification) => {
            let passes = verification.verdict == Outcome::Pass;
            let mark = if passes { Sign::Good } else { Sign::Bad };
            (mark, "IPv6 works for TCP, but not for ping6".to_owned())
        }
        // Borne by setup: nothing that it could have done better.
        Outcome::Pass if verification.breaks_at().is_some() => (Sign::Weak, broken(verification)),
        Outcome::Pass => (Sign::Good, format!("IPv6 works{}", whence(verification))),
        Outcome::Fail => (Sign::Bad, broken(verification)),
        Outcome::Skip | Outcome::Unknown => (
            Sign::Unknown,
            "it is not clear whether IPv6 works".to_owned(),
        ),
    }
}

/// Whether something on the way carries no echoes, and everything else.
fn only_ping6_lacks(verification: &Verification) -> bool {
    let known = matches!(
        verification.cause,
        Some(Code::DriverWithoutIcmp6 | Code::IcmpFiltered | Code::HostPingGroupRange)
    );
    known && verification.only_echo_fails()
}

/// From where, unless a container is among that: then it is what everybody means.
fn whence(verification: &Verification) -> &'static str {
    let from = |name: &str| verification.checks.iter().any(|check| check.from == name);
    let container = verification
        .checks
        .iter()
        .any(|check| check.from.starts_with("container") && check.outcome != Outcome::Skip);
    match (container, from("netns")) {
        (true, _) => "",
        (false, true) => " from RootlessKit's netns, no container was tried",
        (false, false) => " from the host, no container was tried",
    }
}

fn broken(verification: &Verification) -> String {
    let Some(check) = verification.breaks_at() else {
        return "IPv6 does not work".to_owned();
    };
    let from = place(check);
    match check.what {
        What::Echo | What::Tcp if verification.cause == Some(Code::ForgedReplies) => {
            format!("what answers ping6 from {from} is forged")
        }
        What::Echo | What::Tcp if check.received > 0 => format!("IPv6 works badly from {from}"),
        What::Echo | What::Tcp => format!("IPv6 does not work from {from}"),
        What::PathMtu => format!("IPv6 works for small packets only from {from}"),
        What::Tcp4 => format!("IPv6 works, but IPv4 does not from {from}"),
        What::Names => format!("IPv6 works, but {from} gets no IPv6 address of a name"),
        What::Peer => "IPv6 works, but not from container to container".to_owned(),
        What::Published6 | What::Published4 => {
            "IPv6 works, but a published port does not answer".to_owned()
        }
    }
}

fn place(check: &Check) -> String {
    match check.from.as_str() {
        "host" => "the host itself".to_owned(),
        "netns" => "RootlessKit's netns".to_owned(),
        "container" => "a container".to_owned(),
        other => label(other).to_owned(),
    }
}

/// A vantage point as the picture and the table call it: `container[web]` is web.
fn label(from: &str) -> &str {
    let name = from
        .strip_prefix("container[")
        .and_then(|name| name.strip_suffix(']'));
    name.unwrap_or(from)
}

/// Why, and what to do.
fn reasons(verification: &Verification, width: Option<usize>) -> String {
    let mut text = String::new();
    if let Some(explanation) = &verification.explanation {
        let code = verification
            .cause
            .map(|cause| cause.to_string())
            .unwrap_or_default();
        let used = code.len() + 4;
        let words = wrap(explanation, used, 4, width);
        let _ = writeln!(text, "  {STRONG}{code}{STRONG:#}: {words}");
    }
    for hint in &verification.hints {
        let _ = writeln!(
            text,
            "  {STRONG}hint{STRONG:#}: {}",
            wrap(hint, 8, 4, width)
        );
    }
    if let Some(note) = &verification.note {
        let _ = writeln!(
            text,
            "  {STRONG}note{STRONG:#}: {}",
            wrap(note, 8, 4, width)
        );
    }
    text
}

fn weaknesses(verification: &Verification, width: Option<usize>) -> String {
    let mut text = String::new();
    // What is broken comes before what is good to know.
    let passes = verification.passes();
    let matters = |weak: &&Weakness| passes || weak.severity != Severity::Note;
    for weakness in verification.weak.iter().filter(matters) {
        let (mark, word) = match weakness.severity {
            Severity::Broken => (Sign::Bad, "broken"),
            Severity::Weak => (Sign::Weak, "weak"),
            Severity::Note => (Sign::Weak, "note"),
        };
        let words = format!("{word}  {}: {}", weakness.code, weakness.explanation);
        let _ = writeln!(text, "  {} {}", sign(mark), wrap(&words, 4, 4, width));
    }
    text
}

/// What did not pass, in one line.
pub fn checks_in_words(verification: &Verification) -> String {
    let bad: Vec<_> = verification
        .checks
        .iter()
        .filter(|check| matches!(check.outcome, Outcome::Fail | Outcome::Unknown))
        .map(|check| {
            let why = check.why.as_deref().unwrap_or("failed");
            format!("{}: {why}", check.id)
        })
        .collect();
    bad.join("; ")
}

fn mark(outcome: Outcome) -> String {
    sign(match outcome {
        Outcome::Pass => Sign::Good,
        Outcome::Fail => Sign::Bad,
        Outcome::Skip => Sign::Weak,
        Outcome::Unknown => Sign::Unknown,
    })
}

/// Below 10 µs the clock readings themselves are most of it.
pub(super) fn milliseconds(value: f64) -> String {
    if value < 0.01 {
        return "<0.01 ms".to_owned();
    }
    format!("{value:.2} ms")
}
