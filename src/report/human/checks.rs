//! What the probes have shown.

use std::fmt::Write;

use crate::ui::{FAINT, STRONG, Sign, sign, unicode};
use crate::verify::{Check, Outcome, Verification};

/// `verify`: verdict, cause, checks.
pub fn verification(verification: &Verification) -> String {
    let mut text = match verification.verdict {
        Outcome::Pass if verification.only_echo_fails() => format!(
            "{} IPv6 works for TCP, but not for ping6\n",
            sign(Sign::Good)
        ),
        Outcome::Pass => format!("{} IPv6 works\n", sign(Sign::Good)),
        Outcome::Fail if verification.only_echo_fails() => {
            format!(
                "{} IPv6 works for TCP, but not for ping6\n",
                sign(Sign::Bad)
            )
        }
        Outcome::Fail => format!("{} IPv6 does not work\n", sign(Sign::Bad)),
        Outcome::Skip | Outcome::Unknown => {
            format!(
                "{} it is not clear whether IPv6 works\n",
                sign(Sign::Unknown)
            )
        }
    };
    if let (Some(cause), Some(explanation)) = (verification.cause, &verification.explanation) {
        let _ = writeln!(text, "  {STRONG}{cause}{STRONG:#}: {explanation}");
    }
    if let Some(note) = &verification.note {
        let _ = writeln!(text, "  {STRONG}note{STRONG:#}: {note}");
    }
    let _ = writeln!(text);
    for check in &verification.checks {
        let _ = writeln!(text, "  {}", check_line(check));
    }
    for weakness in &verification.weak {
        let mark = sign(Sign::Weak);
        let _ = writeln!(
            text,
            "  {mark} weak    {}: {}",
            weakness.code, weakness.explanation
        );
    }
    text
}

fn check_line(check: &Check) -> String {
    let mark = sign(match check.outcome {
        Outcome::Pass => Sign::Good,
        Outcome::Fail => Sign::Bad,
        Outcome::Skip => Sign::Weak,
        Outcome::Unknown => Sign::Unknown,
    });
    let word = match check.outcome {
        Outcome::Pass => "ok",
        Outcome::Fail => "failed",
        Outcome::Skip => "skipped",
        Outcome::Unknown => "unknown",
    };
    let arrow = if unicode() { "→" } else { "->" };
    let to = check
        .to
        .map(|to| format!(" {arrow} {to}"))
        .unwrap_or_default();
    let time = check
        .rtt_ms
        .map(|rtt| format!("  {}", milliseconds(rtt.median)))
        .unwrap_or_default();
    let why = check
        .why
        .as_ref()
        .map(|why| format!("  {FAINT}{why}{FAINT:#}"))
        .unwrap_or_default();
    format!(
        "{mark} {word:<7} {:<10} {:<5}{to}{time}{why}",
        check.from, check.proto
    )
}

/// Below 10 µs the clock readings themselves are most of it.
pub(super) fn milliseconds(value: f64) -> String {
    if value < 0.01 {
        return "<0.01 ms".to_owned();
    }
    format!("{value:.2} ms")
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
