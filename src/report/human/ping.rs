//! Echo requests as they are answered, and what has come of them.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::time::Duration;

use super::checks::milliseconds;
use crate::hostile::plain;
use crate::ping::{DestinationSummary, From, Summary, Target};
use crate::probe::echo::Rejected;
use crate::probe::icmp_error::ErrorSeen;
use crate::probe::ping::PingEvent;
use crate::ui::{BAD, FAINT, STRONG, Sign, WEAK, sign};

/// Where echo requests are sent from, in words.
pub fn vantage_point(from: &From) -> String {
    match from {
        From::Host => "this host".to_owned(),
        From::Netns => "RootlessKit's netns".to_owned(),
        From::Container(name) => format!("the container {}", plain(name)),
    }
}

/// One line about one echo request.
pub fn ping_event(event: &PingEvent, targets: &[Target], wait: Duration) -> String {
    let line = |place: usize, sequence: u32, rest: String| {
        let to = targets.get(place).map(shown).unwrap_or_default();
        let width = widest(targets);
        format!("{to:<width$}  seq {sequence}  {rest}\n")
    };
    match event {
        PingEvent::Answer {
            destination,
            sequence,
            rtt_us,
            hop_limit,
            late,
            duplicate,
        } => {
            let hops = hop_limit.map(|hops| format!("hop limit {hops}  "));
            let mut rest = hops.unwrap_or_default();
            rest.push_str(&in_milliseconds(*rtt_us));
            if *late {
                let _ = write!(
                    rest,
                    "  {WEAK}late: after more than {}{WEAK:#}",
                    seconds(wait)
                );
            }
            if *duplicate {
                let _ = write!(rest, "  {WEAK}duplicate{WEAK:#}");
            }
            line(*destination, *sequence, rest)
        }
        PingEvent::Error {
            destination,
            sequence,
            error,
        } => line(
            *destination,
            *sequence,
            format!("{BAD}{}{BAD:#}", words(error)),
        ),
        PingEvent::Lost {
            destination,
            sequence,
        } => {
            let rest = format!("{BAD}no answer within {}{BAD:#}", seconds(wait));
            line(*destination, *sequence, rest)
        }
    }
}

/// What has come of it: a line for each target, and one for all of them. `shown` says that there
/// are lines about single echo requests above.
pub fn pinged(targets: &[Target], summary: &Summary, shown: bool) -> String {
    let mut text = String::new();
    if shown {
        text.push('\n');
    }
    let width = widest(targets);
    for seen in &summary.destinations {
        if let Some(target) = targets.get(seen.place) {
            text.push_str(&target_lines(target, seen, width));
        }
    }
    if let Some(rejected) = not_believed(&summary.rejected) {
        let _ = writeln!(text, "  not believed: {rejected}");
    }
    if summary.destinations.len() > 1 {
        text.push_str(&total(summary));
    }
    if let Some(target) = worth_a_verify(targets, summary) {
        let _ = writeln!(
            text,
            "{STRONG}hint{STRONG:#}: `rootless6 verify --target {target}` tells where the way breaks, and why"
        );
    }
    text
}

fn target_lines(target: &Target, summary: &DestinationSummary, width: usize) -> String {
    let seen = &summary.seen;
    let (mark, word) = verdict(summary);
    let to = shown(target);
    let mut text = format!("{} {word:<7} {to:<width$}  {}", sign(mark), counts(summary));
    if let Some(rtt) = summary.rtt {
        let [min, median, max] = [rtt.min, rtt.median, rtt.max].map(milliseconds);
        let _ = write!(
            text,
            "  {FAINT}min{FAINT:#} {min}  {FAINT}median{FAINT:#} {median}  {FAINT}max{FAINT:#} {max}"
        );
    }
    text.push('\n');
    for error in &seen.errors {
        let times = match error.count {
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
        let _ = writeln!(text, "  {}, {times}", words(error));
    }
    if let Some(rejected) = not_believed(&seen.rejected) {
        let _ = writeln!(text, "  not believed: {rejected}");
    }
    text
}

fn verdict(summary: &DestinationSummary) -> (Sign, &'static str) {
    let seen = &summary.seen;
    if summary.answered() {
        match (summary.lost(), seen.late) {
            (0, 0) => (Sign::Good, "ok"),
            (0, _) => (Sign::Weak, "late"),
            _ => (Sign::Weak, "lossy"),
        }
    } else if seen.late > 0 {
        (Sign::Bad, "late")
    } else if not_believed(&seen.rejected).is_some() {
        (Sign::Bad, "forged")
    } else if !seen.errors.is_empty() {
        (Sign::Bad, "error")
    } else if summary.lost() == 0 {
        (Sign::Unknown, "waiting")
    } else {
        (Sign::Bad, "silent")
    }
}

fn counts(summary: &DestinationSummary) -> String {
    let seen = &summary.seen;
    let mut text = format!("{} sent, {} received", seen.sent, seen.received);
    for (count, word) in [
        (seen.late, "late"),
        (seen.duplicates, "duplicate"),
        (seen.reordered, "out of order"),
        (seen.waiting, "still under way"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {word}");
        }
    }
    text.push_str(&lost(summary.settled(), summary.lost()));
    text
}

/// In percent, and never none or all of them where it was not.
fn lost(settled: u32, lost: u32) -> String {
    if settled == 0 {
        return String::new();
    }
    let share = f64::from(lost) * 100.0 / f64::from(settled);
    let share = match lost {
        0 => "0".to_owned(),
        lost if lost == settled => "100".to_owned(),
        _ if share < 0.1 => "<0.1".to_owned(),
        _ if share > 99.9 => ">99.9".to_owned(),
        _ if (share - share.round()).abs() < 0.05 => format!("{share:.0}"),
        _ => format!("{share:.1}"),
    };
    format!(", {share} % lost")
}

fn total(summary: &Summary) -> String {
    let all = summary.destinations.len();
    let answered = summary.answered();
    let sum = |count: fn(&DestinationSummary) -> u32| {
        let counts = summary.destinations.iter().map(count);
        counts.fold(0, u32::saturating_add)
    };
    let sent = sum(|one| one.seen.sent);
    let received = sum(|one| one.seen.received);
    let mark = sign(if answered < all {
        Sign::Bad
    } else {
        Sign::Good
    });
    format!(
        "{mark} {answered} of {all} targets answer: {sent} sent, {received} received{}\n",
        lost(
            sum(DestinationSummary::settled),
            sum(DestinationSummary::lost)
        )
    )
}

/// The first target without an answer, lost or in error rather than late or under way, of which a
/// verification can tell more.
fn worth_a_verify(targets: &[Target], summary: &Summary) -> Option<Ipv6Addr> {
    let mut silent = summary.destinations.iter().filter(|one| {
        let has_failed = one.lost() > 0 || !one.seen.errors.is_empty();
        has_failed && !one.answered()
    });
    silent.find_map(|seen| {
        let address = targets.get(seen.place)?.destination.address;
        (!address.is_loopback() && !address.is_unicast_link_local()).then_some(address)
    })
}

/// What says that somebody answers in another's name, or that something alters what it forwards.
/// Echoes of other processes and errors about their packets say nothing of the kind.
fn not_believed(rejected: &Rejected) -> Option<String> {
    let reasons: Vec<_> = [
        (rejected.foreign_source, "from another address"),
        (
            rejected.unknown_sequence,
            "to an echo request never sent, or too long ago",
        ),
        (rejected.wrong_nonce, "with a wrong nonce"),
        (rejected.altered_payload, "with altered bytes"),
        (rejected.truncated, "cut short"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, reason)| format!("{count} {reason}"))
    .collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

fn words(error: &ErrorSeen) -> String {
    let kind = plain(&error.kind.to_string());
    match error.offender {
        Some(offender) => format!("{kind}, says {offender}"),
        None => format!("not sent: {kind}"),
    }
}

fn shown(target: &Target) -> String {
    let to = plain(&target.destination.to_string());
    match target.names.first() {
        Some(name) => format!("{to} ({})", plain(name)),
        None => to,
    }
}

fn widest(targets: &[Target]) -> usize {
    let widths = targets.iter().map(|target| shown(target).chars().count());
    widths.max().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a round trip are few"
)]
fn in_milliseconds(micros: u64) -> String {
    milliseconds(micros as f64 / 1000.0)
}

fn seconds(wait: Duration) -> String {
    format!("{} s", wait.as_secs_f64())
}

#[cfg(test)]
mod tests;
