//! How large a packet gets to the Internet and back.

use super::{Case, echo, internet};
use crate::hostile::plain;
use crate::probe::icmp_error::ErrorKind;
use crate::probe::pmtu::{PathMtuOutcome, PathMtuReport};
use crate::verify::observe::Observation;
use crate::verify::{Check, Outcome, RoundTrips};

/// Every link takes this much (RFC 8200 section 5). A router that says less will not get packets
/// that small: the kernel keeps to this.
const LEAST: u32 = 1280;

/// What can be told of sizes depends on echoes that come back.
pub(super) fn check(case: &Case<'_>, check: Check, seen: &Observation, echo: Outcome) -> Check {
    if matches!(echo, Outcome::Fail | Outcome::Skip) {
        let why = "it needs echoes that come back";
        return check.ends(Outcome::Skip, why.to_owned());
    }
    let Some((target, report)) = &seen.path_mtu else {
        let why = "no large packet was tried";
        return check.ends(Outcome::Unknown, why.to_owned());
    };
    let check = Check {
        to: Some((*target).into()),
        sent: report.sent,
        received: report.received,
        rtt_ms: RoundTrips::of_micros(&report.rtt_us),
        ..check
    };
    match internet::worthless(case, *target) {
        Some(why) => check.ends(Outcome::Unknown, why),
        None => judged(check, report),
    }
}

/// Whether large packets are lost.
pub(super) fn fails(report: &PathMtuReport) -> bool {
    too_small(report).is_some() || matches!(report.outcome, PathMtuOutcome::BlackHole { .. })
}

fn judged(check: Check, report: &PathMtuReport) -> Check {
    if let Some(words) = too_small(report) {
        return check.ends(Outcome::Fail, words);
    }
    match &report.outcome {
        _ if says_nothing(report) => {
            check.ends(Outcome::Unknown, "no large packet was answered".to_owned())
        }
        PathMtuOutcome::Whole { bytes } => check.ends(Outcome::Pass, format!("{bytes} bytes")),
        PathMtuOutcome::Told { bytes, mtu } if u32::from(*bytes) == *mtu => check.ends(
            Outcome::Pass,
            format!("{bytes} bytes: a router takes no more at once, and says so"),
        ),
        PathMtuOutcome::Told { bytes, mtu } => check.ends(
            Outcome::Pass,
            format!("{bytes} bytes in fragments: a router takes {mtu} at once, and says so"),
        ),
        PathMtuOutcome::BlackHole { passes, lost } => check.ends(
            Outcome::Fail,
            format!("packets of {passes} bytes come back and those of {lost} do not"),
        ),
        PathMtuOutcome::CutShort { bytes } => check.ends(
            Outcome::Skip,
            format!("packets of {bytes} bytes arrive, and the target sends only a part back"),
        ),
        PathMtuOutcome::Unanswered => {
            let why = "no packet of any size came back";
            check.ends(Outcome::Unknown, why.to_owned())
        }
        PathMtuOutcome::Failed(why) => check.ends(Outcome::Unknown, plain(why)),
    }
}

/// A report of success without a single large packet that came back.
fn says_nothing(report: &PathMtuReport) -> bool {
    report.outcome.passes() && report.received == 0
}

/// Who says that less than every link has to take is too big.
fn too_small(report: &PathMtuReport) -> Option<String> {
    let mut small = report
        .errors
        .iter()
        .filter(|error| matches!(error.kind, ErrorKind::PacketTooBig { mtu } if mtu < LEAST));
    match (small.next(), &report.outcome) {
        (Some(error), _) => Some(echo::errors(std::slice::from_ref(error))),
        (None, PathMtuOutcome::Told { mtu, .. }) if *mtu < LEAST => {
            Some(format!("a router takes {mtu} bytes at most"))
        }
        _ => None,
    }
}
