//! Whether what a rehearsal has seen is reason enough not to restart dockerd. Pure.
//!
//! No more than what the restart would meet as well: the host gets there, and from inside nothing at
//! all comes back. Loss and delay are no reason, nor is what could not be looked at.

use super::within::Rehearsed;
use super::{GO_AHEAD, Wanted};
use crate::diagnose::{ALLOW_PING, Code, Cure, Finding};
use crate::error::{Error, Exit};
use crate::facts::Facts;
use crate::plan::Rehearsal;
use crate::probe::tcp::TcpOutcome;
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
    let inside = rehearsed.observation.as_ref()?;
    let verification = judged(facts, host, inside);
    let lost = |what: &What| is_lost(&verification, inside, *what);
    if !needed(wanted.proof).iter().any(lost) {
        return None;
    }
    Some(told(wanted.rehearsal, &verification, rehearsed, inside))
}

/// Whether nothing is missing, whatever the host gets.
pub(super) fn is_well(wanted: &Wanted<'_>, rehearsed: &Rehearsed) -> bool {
    let came = |inside: &Observation| {
        let needed = needed(wanted.proof).iter();
        needed.copied().all(|what| has_come(inside, what))
    };
    rehearsed.observation.as_ref().is_some_and(came)
}

fn needed(proof: Proof) -> &'static [What] {
    match proof {
        Proof::Whole => &[What::Echo, What::Tcp],
        Proof::WithoutEcho => &[What::Tcp],
    }
}

/// Whether anything has come back that proves something.
fn has_come(inside: &Observation, what: What) -> bool {
    let mut targets = inside.targets.iter();
    match what {
        What::Echo => {
            targets.any(|target| target.echo.received > 0 && !target.echo.control_answered)
        }
        _ => targets.any(|target| matches!(target.tcp.outcome, TcpOutcome::Connected { .. })),
    }
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
    ends(&Vantage::Host, Outcome::Pass)
        && ends(&Vantage::Netns, Outcome::Fail)
        && !has_come(inside, what)
}

fn told(
    rehearsal: &Rehearsal,
    verification: &Verification,
    rehearsed: &Rehearsed,
    inside: &Observation,
) -> Error {
    let (code, needs_root) = cause(verification, inside);
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
fn cause(verification: &Verification, inside: &Observation) -> (Code, Vec<String>) {
    if !inside.network.of(TAP).reaches_out() {
        return (Code::RootlesskitWithoutIpv6Config, Vec::new());
    }
    let code = verification.cause.unwrap_or(Code::NetnsUnreachable);
    if code == Code::HostPingGroupRange {
        let lines = ALLOW_PING.iter().map(|&line| line.to_owned()).collect();
        return (code, lines);
    }
    (code, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Address, NetDriver, Network, Route, RouteKind, RouteTo};
    use crate::probe::echo::{EchoOutcome, EchoReport, Loss};
    use crate::probe::tcp::TcpReport;
    use crate::verify::observe::TargetSeen;

    /// `answers` of ten echoes came back, and from the control none.
    fn seen(answers: u32, tcp: TcpOutcome) -> Observation {
        let target = "2001:db8:53::53".parse().unwrap();
        let echo = EchoReport {
            outcome: if answers > 0 {
                EchoOutcome::Answered
            } else {
                EchoOutcome::Silent
            },
            sent: 10,
            received: answers,
            loss: if answers < 5 {
                Loss::Heavy
            } else {
                Loss::Bearable
            },
            rtt_us: vec![100; answers as usize],
            control_sent: 3,
            ..EchoReport::default()
        };
        Observation {
            network: Network {
                addresses: vec![Address {
                    address: "2001:db8:1::2".parse().unwrap(),
                    prefix: 128,
                    interface: TAP.to_owned(),
                    tentative: false,
                    deprecated: false,
                    created: None,
                }],
                default_routes: vec![Route {
                    gateway: None,
                    interface: TAP.to_owned(),
                    metric: 0,
                }],
            },
            targets: vec![TargetSeen {
                target,
                route: RouteTo {
                    kind: RouteKind::Unicast,
                    ..RouteTo::none()
                },
                source: None,
                echo,
                tcp: TcpReport {
                    outcome: tcp,
                    ports: Vec::new(),
                    elapsed_us: 0,
                },
            }],
            ..Observation::default()
        }
    }

    #[test]
    fn only_what_the_host_gets_and_the_rehearsal_never_does_is_refused() {
        let connected = || TcpOutcome::Connected {
            port: 53,
            micros: 100,
        };
        let well = || seen(10, connected());
        let (whole, without) = (Proof::Whole, Proof::WithoutEcho);
        for (host, inside, proof, well, refused) in [
            (well(), well(), whole, true, false),
            (well(), seen(0, connected()), whole, false, true),
            (well(), seen(0, connected()), without, true, false),
            (well(), seen(0, TcpOutcome::Silent), without, false, true),
            (well(), seen(10, TcpOutcome::Silent), whole, false, true),
            // Loss is no reason, nor is what the host does not get either.
            (well(), seen(1, connected()), whole, true, false),
            (
                seen(0, connected()),
                seen(0, connected()),
                whole,
                false,
                false,
            ),
            (
                seen(10, TcpOutcome::Refused),
                seen(10, TcpOutcome::Refused),
                whole,
                false,
                false,
            ),
        ] {
            let rehearsal = Rehearsal {
                options: Vec::new(),
                net: NetDriver::Pasta,
                uplink: Wish::Auto,
                forwards: true,
                helper: None,
            };
            let wanted = Wanted {
                rehearsal: &rehearsal,
                path: None,
                probe: None,
                proof,
            };
            let rehearsed = Rehearsed {
                is_attached: true,
                tap: Network::default(),
                uplink: None,
                observation: Some(inside.clone()),
            };
            let refusal = refusal(&Facts::default(), &wanted, &host, &rehearsed);
            assert_eq!(refusal.is_some(), refused, "{inside:?} {proof:?}");
            assert_eq!(is_well(&wanted, &rehearsed), well, "{inside:?} {proof:?}");
        }
    }
}
