//! Whether what a rehearsal has seen is reason enough not to restart dockerd. Pure.
//!
//! No more than what the restart would meet as well: the host gets there, and from inside nothing at
//! all comes back. Loss and delay are no reason, nor is what could not be looked at.

use super::within::Rehearsed;
use super::{GO_AHEAD, Wanted};
use crate::diagnose::{ALLOW_PING, Code, Cure, Finding};
use crate::error::{Error, Exit};
use crate::facts::{Facts, NetDriver};
use crate::plan::Rehearsal;
use crate::report::human;
use crate::request::{Proof, Uplink as Wish};
use crate::uplink::{Outcome as Uplink, TAP};
use crate::verify::observe::Observation;
use crate::verify::{Evidence, Outcome, Vantage, Verification, What, judge};

/// Why this is not to be restarted, if so: what the host gets to and the rehearsal does not.
pub(super) fn refusal(
    facts: &Facts,
    wanted: &Wanted<'_>,
    host: &Observation,
    rehearsed: &Rehearsed,
) -> Option<Error> {
    let rehearsal = wanted.rehearsal;
    let inside = rehearsed.observation.as_ref()?;
    if !rehearsal.is_whole {
        return None;
    }
    let verification = judged(facts, host, inside);
    let wanted: &[What] = match wanted.proof {
        Proof::Whole => &[What::Echo, What::Tcp],
        Proof::WithoutEcho => &[What::Tcp],
    };
    let lost = |what: &What| is_lost(&verification, inside, *what);
    if !wanted.iter().any(lost) {
        return None;
    }
    Some(told(facts, rehearsal, &verification, rehearsed, inside))
}

/// What the restart will change explains nothing here.
fn judged(facts: &Facts, host: &Observation, inside: &Observation) -> Verification {
    let evidence = Evidence {
        reports: vec![
            (Vantage::Host, Ok(host.clone())),
            (Vantage::Netns, Ok(inside.clone())),
        ],
        unit: facts.typed_unit(),
        ..Evidence::default()
    };
    let stays = |finding: &Finding| finding.cure != Cure::Setup;
    let findings: Vec<Finding> = crate::diagnose::diagnose(facts)
        .into_iter()
        .filter(stays)
        .collect();
    judge::judge(&evidence, &[Vantage::Host, Vantage::Netns], &findings)
}

fn is_lost(verification: &Verification, inside: &Observation, what: What) -> bool {
    let ends = |vantage: &Vantage, outcome| {
        let mut checks = verification.checks.iter();
        checks.any(|check| {
            check.from == vantage.id() && check.what == what && check.outcome == outcome
        })
    };
    let something_came = match what {
        What::Echo => inside
            .targets
            .iter()
            .any(|target| target.echo.received > 0 && !target.echo.control_answered),
        _ => false,
    };
    ends(&Vantage::Host, Outcome::Pass) && ends(&Vantage::Netns, Outcome::Fail) && !something_came
}

fn told(
    facts: &Facts,
    rehearsal: &Rehearsal,
    verification: &Verification,
    rehearsed: &Rehearsed,
    inside: &Observation,
) -> Error {
    let (code, needs_root) = cause(facts, rehearsal, verification, inside);
    let exit = if needs_root.is_empty() {
        Exit::NotApplied
    } else {
        Exit::Blocked
    };
    let mut error = Error::new(
        exit,
        format!(
            "with the new settings IPv6 would not work ({code}), as a rehearsal beside dockerd shows; nothing was changed"
        ),
    )
    .caused_by(human::checks_in_words(verification));
    error.needs_root = needs_root;
    if code == Code::RootlesskitWithoutIpv6Config {
        error = error.caused_by(format!(
            "RootlessKit gives {TAP} no IPv6 address and route of its own"
        ));
    } else if let Some(why) = &verification.explanation {
        error = error.caused_by(why);
    }
    error = match &rehearsed.uplink {
        Some(Ok(Uplink::Deaf)) => {
            error.caused_by(format!("{} answers nobody on {TAP}", rehearsal.net.name()))
        }
        Some(Err(why)) => error.caused_by(why),
        Some(Ok(Uplink::Brought(_))) | None => error,
    };
    if code == Code::RootlesskitWithoutIpv6Config && rehearsal.uplink == Wish::Never {
        error = error.hint("`--uplink auto` gives tap0 IPv6 at each start");
    }
    error.hint(GO_AHEAD)
}

/// The cause, and what root can do about it.
fn cause(
    facts: &Facts,
    rehearsal: &Rehearsal,
    verification: &Verification,
    inside: &Observation,
) -> (Code, Vec<String>) {
    if !inside.network.of(TAP).reaches_out() {
        return (Code::RootlesskitWithoutIpv6Config, Vec::new());
    }
    let code = verification.cause.unwrap_or(Code::NetnsUnreachable);
    let by_range = code == Code::HostPingGroupRange
        || (code == Code::IcmpFiltered && may_be_the_range(facts, rehearsal));
    if by_range {
        let lines = ALLOW_PING.iter().map(|&line| line.to_owned()).collect();
        return (Code::HostPingGroupRange, lines);
    }
    (code, Vec::new())
}

/// pasta keeps none of the user's groups but the first (passt:isolation.c), so that a range that has
/// only another one is none for it.
fn may_be_the_range(facts: &Facts, rehearsal: &Rehearsal) -> bool {
    let everybody = facts.host.ping_group_range.is();
    rehearsal.net == NetDriver::Pasta
        && everybody.is_some_and(|(low, high)| low > &0 || *high < i32::MAX.unsigned_abs())
}
