//! IPv4 from a container: it must not be worse than the host's, nor than it was.

use super::Case;
use crate::hostile::plain;
use crate::probe::tcp::TcpOutcome;
use crate::verify::observe::{Observation, Tcp4Seen};
use crate::verify::{Check, Outcome, RoundTrips, Vantage};

pub(super) fn check(case: &Case<'_>, check: Check, seen: &Observation) -> Check {
    let Some(tcp4) = &seen.tcp4 else {
        let why = "no IPv4 address was asked for";
        return check.ends(Outcome::Skip, why.to_owned());
    };
    let check = Check {
        to: Some(tcp4.target.into()),
        sent: tcp4.tcp.ports.iter().map(|port| port.tries).sum(),
        ..check
    };
    let why = match &tcp4.tcp.outcome {
        TcpOutcome::Connected { port, micros } => {
            return Check {
                received: 1,
                rtt_ms: RoundTrips::of_micros(&[*micros]),
                ..check.ends(Outcome::Pass, format!("port {port}"))
            };
        }
        TcpOutcome::Failed(why) => return check.ends(Outcome::Unknown, plain(why)),
        _ if !tcp4.routed => "no IPv4 route".to_owned(),
        TcpOutcome::Unreachable(why) => plain(why),
        TcpOutcome::Refused => "connection refused".to_owned(),
        TcpOutcome::Silent => "no answer over IPv4".to_owned(),
    };
    let host = case
        .seen(&Vantage::Host)
        .and_then(|host| host.tcp4.as_ref());
    match (host.and_then(works), case.evidence.ipv4_before) {
        (_, Some(false)) => check.ends(
            Outcome::Skip,
            format!("{why}, nor was there any before the change"),
        ),
        (Some(true), _) => check.ends(Outcome::Fail, why),
        (Some(false), _) => check.ends(
            Outcome::Skip,
            format!("{why}, and none from the host either"),
        ),
        (None, Some(true)) => check.ends(
            Outcome::Fail,
            format!("{why}, and it worked before the change"),
        ),
        (None, None) => check.ends(Outcome::Unknown, why),
    }
}

/// Whether there is IPv4 there; none where nobody knows.
pub(super) fn works(tcp4: &Tcp4Seen) -> Option<bool> {
    match tcp4.tcp.outcome {
        TcpOutcome::Connected { .. } => Some(true),
        TcpOutcome::Failed(_) => None,
        _ => Some(false),
    }
}
