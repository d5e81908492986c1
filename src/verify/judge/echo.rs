//! What echo requests to one address have come to.

use crate::hostile::plain;
use crate::probe::echo::{EchoOutcome, EchoReport, Loss};
use crate::probe::icmp_error::ErrorSeen;
use crate::verify::{Check, Outcome, RoundTrips};

/// An answer that takes longer is of no use to a program that tries again after a second, as TCP
/// does (RFC 6298 section 2).
const TOO_SLOW_US: u64 = 1_000_000;

/// Whether answers are forged: somebody answers for an address that cannot, or from the target's
/// address comes what answers none of our echoes, and nothing else does.
pub(super) fn is_forged(echo: &EchoReport) -> bool {
    echo.control_answered || (!is_answered(echo) && forgeries(echo) > 0)
}

/// Whether a genuine answer has come, by the report's own count too.
pub(super) fn is_answered(echo: &EchoReport) -> bool {
    echo.outcome == EchoOutcome::Answered && echo.received > 0 && !echo.rtt_us.is_empty()
}

fn forgeries(echo: &EchoReport) -> u32 {
    let rejected = &echo.rejected;
    rejected.wrong_nonce + rejected.altered_payload + rejected.truncated
}

/// The same check with what this report says.
pub(super) fn judged(check: Check, echo: &EchoReport) -> Check {
    let check = Check {
        sent: echo.sent,
        received: echo.received,
        rtt_ms: RoundTrips::of_micros(&echo.rtt_us),
        ..check
    };
    if echo.control_answered {
        let why = "somebody also answers for an address that does not exist";
        return check.ends(Outcome::Fail, why.to_owned());
    }
    if is_answered(echo) {
        return answered(check, echo);
    }
    match echo.outcome {
        EchoOutcome::NoSocket => check.ends(Outcome::Unknown, plain(&echo.socket_notes.join("; "))),
        EchoOutcome::Error if !echo.errors.is_empty() => {
            check.ends(Outcome::Fail, errors(&echo.errors))
        }
        _ if echo.sent == 0 => check.ends(Outcome::Unknown, "no echo was sent".to_owned()),
        _ => check.ends(Outcome::Fail, silence(echo)),
    }
}

fn answered(check: Check, echo: &EchoReport) -> Check {
    let count = format!("{} of {} echoes answered", echo.received, echo.sent);
    match echo.loss {
        Loss::Heavy => return check.ends(Outcome::Fail, count),
        Loss::Undecided if echo.sent > 3 && 4 * echo.received < 3 * echo.sent => {
            // With a delay beyond the wait between echoes most are still under way at the end.
            let why = format!("{count}, too few to tell");
            return slow(check.ends(Outcome::Unknown, why), echo);
        }
        Loss::Undecided if echo.received < echo.sent => {
            return slow(check.ends(Outcome::Pass, count), echo);
        }
        Loss::Undecided | Loss::Bearable => {}
    }
    slow(check.ends(Outcome::Pass, None), echo)
}

/// The first answer may have waited for duplicate address detection; the others must not.
fn slow(check: Check, echo: &EchoReport) -> Check {
    let is_slow = |micros: &u64| *micros > TOO_SLOW_US;
    let seconds = |micros: u64| format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10);
    match echo.rtt_us.as_slice() {
        [only] if is_slow(only) => {
            let why = format!("the only answer took {}", seconds(*only));
            check.ends(Outcome::Unknown, why)
        }
        [_, others @ ..] if !others.is_empty() && others.iter().all(is_slow) => {
            let fastest = others.iter().min().copied().unwrap_or_default();
            let why = format!("answers take {} and longer", seconds(fastest));
            check.ends(Outcome::Fail, why)
        }
        _ => check,
    }
}

/// What came instead of an answer, if anything.
fn silence(echo: &EchoReport) -> String {
    let rejected = &echo.rejected;
    let strange: Vec<String> = [
        (rejected.wrong_nonce, "had a wrong nonce"),
        (rejected.altered_payload, "had other bytes in them"),
        (rejected.truncated, "were cut short"),
        (rejected.unknown_sequence, "answered what was never sent"),
        (rejected.foreign_source, "came from another address"),
        // Answers to another prober as well: worth telling only where there is nothing else.
        (rejected.other_identifier, "had another identifier"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let strange = match strange.as_slice() {
        [told @ .., _] if !told.is_empty() && rejected.other_identifier > 0 => told,
        all => all,
    };
    let none = format!("no answer to {} echoes", echo.sent);
    if strange.is_empty() {
        return none;
    }
    format!("{none}; of the replies {}", strange.join(", "))
}

/// The errors in words, each once, with type and code as RFC 4443 has them and who sent them.
pub(super) fn errors(errors: &[ErrorSeen]) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in errors {
        let mut word = error.kind.to_string();
        if let (Some(icmp_type), Some(code)) = (error.icmp_type, error.icmp_code) {
            word = format!("{word} (type {icmp_type} code {code})");
        }
        if let Some(offender) = error.offender {
            word = format!("{word} from {offender}");
        }
        let word = plain(&word);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}
