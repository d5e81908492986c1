//! The Internet over IPv6, by echo and by TCP.

use std::net::Ipv6Addr;

use super::{Case, echo};
use crate::facts::RouteKind;
use crate::hostile::plain;
use crate::probe::tcp::TcpOutcome;
use crate::verify::observe::{Observation, TargetSeen};
use crate::verify::{Check, Outcome, RoundTrips, Vantage, What};

/// Judges each of these targets and keeps the best result: one that answers is enough.
fn best<'a>(
    case: &Case<'_>,
    targets: impl IntoIterator<Item = &'a TargetSeen>,
    blank: &Check,
    judge: impl Fn(&TargetSeen, Check) -> Check,
) -> Check {
    targets
        .into_iter()
        .map(|target| {
            let mut check = blank.clone();
            check.to = Some(target.target.into());
            let check = judge(target, check);
            match proves_nothing(case, target) {
                Some(why) if check.outcome != Outcome::Skip => check.ends(Outcome::Unknown, why),
                _ => check,
            }
        })
        .min_by_key(|check| match check.outcome {
            Outcome::Pass => 0,
            Outcome::Fail => 1,
            Outcome::Unknown => 2,
            Outcome::Skip => 3,
        })
        .unwrap_or_else(|| {
            let why = "no target was tried".to_owned();
            blank.clone().ends(Outcome::Unknown, why)
        })
}

/// Who forges answers for one target may do so for all: then the others prove nothing.
pub(super) fn echo(case: &Case<'_>, vantage: &Vantage, seen: &Observation) -> Check {
    let is_forged = |target: &TargetSeen| target.echo.control_answered;
    let any_forged = seen.targets.iter().any(is_forged);
    let targets = seen.targets.iter();
    best(
        case,
        targets.filter(|target| is_forged(target) || !any_forged),
        &Check::new(vantage, What::Echo),
        |target, check| {
            let check = echo::judged(check, &target.echo);
            let controlled = target.echo.control_sent > 0 || !target.echo.control_errors.is_empty();
            match check.outcome {
                Outcome::Pass if !controlled => {
                    let why = "nobody tried whether an address that does not exist answers too";
                    check.ends(Outcome::Unknown, why.to_owned())
                }
                Outcome::Fail if !echo::is_forged(&target.echo) => without_route(check, target),
                _ => check,
            }
        },
    )
}

pub(super) fn tcp(case: &Case<'_>, vantage: &Vantage, seen: &Observation) -> Check {
    let host = case.seen(&Vantage::Host);
    best(
        case,
        &seen.targets,
        &Check::new(vantage, What::Tcp),
        |target, check| {
            let check = Check {
                sent: target.tcp.ports.iter().map(|port| port.tries).sum(),
                ..check
            };
            let same = |host: &'_ &TargetSeen| host.target == target.target;
            let hosts = host.and_then(|host| host.targets.iter().find(same));
            match &target.tcp.outcome {
                TcpOutcome::Connected { port, micros } => Check {
                    received: 1,
                    rtt_ms: RoundTrips::of_micros(&[*micros]),
                    ..check.ends(Outcome::Pass, format!("port {port}"))
                },
                _ if hosts.is_some_and(takes_no_connection) => check.ends(
                    Outcome::Skip,
                    "the target takes no TCP connection on these ports".to_owned(),
                ),
                TcpOutcome::Refused if host.is_none() => check.ends(
                    Outcome::Skip,
                    "the target refuses TCP connections on these ports".to_owned(),
                ),
                TcpOutcome::Refused => check.ends(Outcome::Fail, "connection refused".to_owned()),
                TcpOutcome::Unreachable(why) => check.ends(Outcome::Fail, plain(why)),
                TcpOutcome::Silent => {
                    without_route(check.ends(Outcome::Fail, "no answer".to_owned()), target)
                }
                TcpOutcome::Failed(why) => check.ends(Outcome::Unknown, plain(why)),
            }
        },
    )
}

fn without_route(check: Check, target: &TargetSeen) -> Check {
    match target.route.kind {
        RouteKind::None => check.ends(Outcome::Fail, "no route".to_owned()),
        RouteKind::Unicast | RouteKind::Local => check,
    }
}

/// A target that takes no connection from the host either says nothing about the way to it.
fn takes_no_connection(host: &TargetSeen) -> bool {
    let echoes = echo::is_answered(&host.echo) && !echo::is_forged(&host.echo);
    match host.tcp.outcome {
        TcpOutcome::Refused => true,
        TcpOutcome::Silent => echoes,
        _ => false,
    }
}

/// Why no answer from this target, nor the lack of one, proves anything: RootlessKit's netns may
/// have the host's own addresses, and answers for them itself, and so does pasta for the gateway's.
pub(super) fn proves_nothing(case: &Case<'_>, target: &TargetSeen) -> Option<String> {
    if let Some(why) = target.proves_nothing() {
        return Some(why.to_owned());
    }
    worthless(case, target.target)
}

pub(super) fn worthless(case: &Case<'_>, target: Ipv6Addr) -> Option<String> {
    case.all_seen().find_map(|(vantage, seen)| {
        let own = seen
            .network
            .addresses
            .iter()
            .any(|own| own.address == target);
        let local = seen
            .targets
            .iter()
            .any(|other| other.target == target && other.route.kind == RouteKind::Local);
        if own || local {
            let whose = match vantage {
                Vantage::Host => "this host's own".to_owned(),
                Vantage::Netns => "one that RootlessKit's netns has itself".to_owned(),
                other => format!("one that {} has itself", other.id()),
            };
            return Some(format!(
                "the target's address is {whose}: the packet never leaves"
            ));
        }
        let gateways = &seen.network.default_routes;
        let is_gateway = gateways
            .iter()
            .any(|route| route.gateway == Some(target.into()))
            || seen
                .targets
                .iter()
                .any(|other| other.route.gateway == Some(target));
        is_gateway.then(|| {
            "the target is the gateway: pasta and slirp4netns answer for it themselves".to_owned()
        })
    })
}
