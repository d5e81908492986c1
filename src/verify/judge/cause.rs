//! Why it does not work, as a code of a closed set.
//!
//! What is more basic comes first, and the vantage points in the order in which a packet leaves:
//! pasta is a layer-4 proxy that hides real errors, so the first one that fails names the cause. A
//! finding is the cause only where the checks show what it explains.

use super::{Case, DOWN, Judged, echo, explain, ipv4};
use crate::diagnose::Code;
use crate::facts::RouteKind;
use crate::probe::icmp_error::ErrorKind;
use crate::probe::tcp::TcpOutcome;
use crate::verify::observe::Observation;
use crate::verify::{Check, Outcome, Vantage, What};

/// Findings that explain a netns without IPv6.
const NETNS: &[Code] = &[
    Code::StartedBeforeIpv6,
    Code::DriverWithoutIpv6,
    Code::Ipv6FlagMissing,
    Code::RootlesskitWithoutIpv6Config,
];

/// Findings that explain echoes lost between the netns and the host while TCP passes.
const NETNS_ICMP: &[Code] = &[Code::DriverWithoutIcmp6, Code::HostPingGroupRange];

/// Findings that explain a container whose packets leave and do not return.
const CONTAINER: &[Code] = &[Code::IptablesOff, Code::Ip6tablesOff];

/// The cause with its words.
#[derive(Debug, Default)]
pub(super) struct Blame {
    pub(super) code: Option<Code>,
    pub(super) why: Option<String>,
    pub(super) hints: Vec<String>,
}

/// What failed, and where: all that the words need.
#[derive(Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) code: Code,
    pub(super) vantage: &'a Vantage,
    pub(super) check: &'a Check,
    pub(super) seen: Option<&'a Observation>,
}

pub(super) fn blame(
    case: &Case<'_>,
    verdict: Outcome,
    judged: &[Judged<'_>],
    published: &[Check],
) -> Blame {
    match verdict {
        Outcome::Fail => match fault(case, judged, published) {
            Some(fault) => explain::blame(case, &fault),
            None => Blame::default(),
        },
        Outcome::Unknown => unclear(case, judged),
        Outcome::Pass | Outcome::Skip => Blame::default(),
    }
}

fn fault<'a>(
    case: &Case<'a>,
    judged: &'a [Judged<'a>],
    published: &'a [Check],
) -> Option<Fault<'a>> {
    let of = |judged: &'a Judged<'a>| {
        let checks = judged.checks.iter();
        checks.map(move |check| (judged, check))
    };
    let is_dead = |(_, check): &(&Judged<'_>, &Check)| check.outcome == Outcome::Fail;
    let rank = |(_, check): &(&Judged<'_>, &Check)| check.what.rank();
    let asked = judged.iter().filter(|judged| judged.is_asked);
    let mut first = asked.flat_map(of).filter(is_dead).min_by_key(rank);
    if first.is_some_and(|(_, check)| check.what.is_reach()) {
        // What nobody asked for explains all the same.
        let reach = |(_, check): &(&Judged<'_>, &Check)| check.what.is_reach();
        first = judged.iter().flat_map(of).filter(reach).find(is_dead);
    }
    let Some((at, check)) = first else {
        let check = published
            .iter()
            .find(|check| check.outcome == Outcome::Fail)?;
        return Some(Fault {
            code: down(case, &Vantage::Container).unwrap_or_else(|| dead_port(case, check)),
            vantage: &Vantage::Container,
            check,
            seen: None,
        });
    };
    Some(Fault {
        code: code(case, judged, at, check),
        vantage: at.vantage,
        check,
        seen: case.seen(at.vantage),
    })
}

/// Why there is nobody to ask. A vantage point that reported is not down, whatever else is found.
fn down(case: &Case<'_>, vantage: &Vantage) -> Option<Code> {
    case.first(DOWN).filter(|_| case.seen(vantage).is_none())
}

fn code(case: &Case<'_>, judged: &[Judged<'_>], at: &Judged<'_>, check: &Check) -> Code {
    let elsewhere = case.elsewhere().filter(|_| *at.vantage != Vantage::Host);
    if let Some(finding) = elsewhere {
        return finding.code;
    }
    if let Some(code) = down(case, at.vantage) {
        return code;
    }
    match check.what {
        What::Echo | What::Tcp => reach(case, judged, at),
        What::PathMtu => Code::PmtuBlackHole,
        What::Names => Code::DnsWithoutAaaa,
        What::Peer
            if case
                .seen(at.vantage)
                .and_then(|seen| seen.peer.as_ref())
                .is_some_and(echo::is_forged) =>
        {
            Code::ForgedReplies
        }
        What::Peer => Code::ContainerUnreachable,
        What::Tcp4 => over_ipv4(case),
        What::Published6 | What::Published4 => dead_port(case, check),
    }
}

/// Where nobody masquerades, pasta takes a container's IPv6 address for that of all RootlessKit, and
/// sends there what comes in for a port.
fn dead_port(case: &Case<'_>, check: &Check) -> Code {
    match check.what {
        What::Published6 => case.first(CONTAINER),
        _ => None,
    }
    .unwrap_or(Code::PublishedPortDead)
}

fn over_ipv4(case: &Case<'_>) -> Code {
    let netns = case
        .seen(&Vantage::Netns)
        .and_then(|seen| seen.tcp4.as_ref());
    match netns.and_then(ipv4::works) {
        Some(false) => Code::NetnsUnreachable,
        _ => Code::ContainerUnreachable,
    }
}

/// Why a vantage point does not get to the Internet, or not by both ways.
fn reach(case: &Case<'_>, judged: &[Judged<'_>], at: &Judged<'_>) -> Code {
    let seen = case.seen(at.vantage);
    let targets = seen.map_or(&[][..], |seen| &seen.targets);
    if targets.iter().any(|target| echo::is_forged(&target.echo))
        && at.outcome(What::Echo) == Some(Outcome::Fail)
    {
        return Code::ForgedReplies;
    }
    let unreachable = match at.vantage {
        Vantage::Host => Code::HostIpv6Unreachable,
        Vantage::Netns => Code::NetnsUnreachable,
        _ => Code::ContainerUnreachable,
    };
    // A refusal by TCP is an answer; one that rejects echoes as well is a router's (tcp(7) has the
    // same errno for both).
    let refused = targets.iter().any(|target| {
        let rejected = target
            .echo
            .errors
            .iter()
            .any(|error| error.kind == ErrorKind::PortUnreachable);
        target.tcp.outcome == TcpOutcome::Refused && !rejected
    });
    let tcp = at.outcome(What::Tcp);
    let tcp_passes = tcp == Some(Outcome::Pass) || (tcp == Some(Outcome::Skip) && refused);
    // Loss and delay are no filter's, and no setting's.
    if targets.iter().any(|target| echo::is_answered(&target.echo)) {
        return unreachable;
    }
    if at.outcome(What::Echo) == Some(Outcome::Fail) && tcp_passes {
        return echoes_lost(case, judged, at).unwrap_or(Code::IcmpFiltered);
    }
    if tcp_passes {
        return unreachable;
    }
    let no_route = !targets.is_empty()
        && targets
            .iter()
            .all(|target| target.route.kind == RouteKind::None);
    if seen.is_some_and(|seen| is_shut_in(at.vantage, seen)) {
        return unreachable;
    }
    let explained = match at.vantage {
        Vantage::Host if no_route => case
            .first(&[Code::HostIpv6Disabled])
            .or(Some(Code::HostNoIpv6Route)),
        Vantage::Host => None,
        Vantage::Netns => case.first(NETNS),
        Vantage::Container if no_route => case
            .first(&[Code::BridgeWithoutIpv6])
            .or(Some(Code::NetworkWithoutIpv6)),
        _ if no_route => Some(Code::NetworkWithoutIpv6),
        _ => behind_the_netns(case, at.vantage),
    };
    explained.unwrap_or(unreachable)
}

/// Whether a container has IPv6 and no way out by it, as on an internal network.
pub(super) fn is_shut_in(vantage: &Vantage, seen: &Observation) -> bool {
    !matches!(vantage, Vantage::Host | Vantage::Netns)
        && seen.network.global().next().is_some()
        && seen
            .targets
            .iter()
            .all(|target| target.route.kind == RouteKind::None)
}

/// A finding explains lost echoes where the netns, if it was looked at, loses them too.
fn echoes_lost(case: &Case<'_>, judged: &[Judged<'_>], at: &Judged<'_>) -> Option<Code> {
    if *at.vantage == Vantage::Host {
        return None;
    }
    let netns = judged
        .iter()
        .find(|judged| *judged.vantage == Vantage::Netns);
    let passes = netns.and_then(|netns| netns.outcome(What::Echo)) == Some(Outcome::Pass);
    case.first(NETNS_ICMP).filter(|_| !passes)
}

/// What keeps a container with a route from the Internet: the netns, where nobody looked at it, or
/// the packet filter in it.
fn behind_the_netns(case: &Case<'_>, vantage: &Vantage) -> Option<Code> {
    let netns = case
        .first(NETNS)
        .filter(|_| case.seen(&Vantage::Netns).is_none());
    let docker0: &[Code] = match vantage {
        Vantage::Container => &[Code::SubnetCollides],
        _ => &[],
    };
    netns
        .or_else(|| case.first(CONTAINER))
        .or_else(|| case.first(docker0))
}

/// Nothing failed, and something was not proved: is there a finding that says why?
fn unclear(case: &Case<'_>, judged: &[Judged<'_>]) -> Blame {
    if let Some(finding) = case.elsewhere() {
        return explain::finding(case, finding.code);
    }
    let asked = || judged.iter().filter(|judged| judged.is_asked);
    let host_cannot_ping = asked().any(|judged| {
        *judged.vantage == Vantage::Host
            && judged.outcome(What::Echo) == Some(Outcome::Unknown)
            && case.seen(judged.vantage).is_some_and(|seen| {
                seen.targets
                    .iter()
                    .any(|target| target.echo.socket.is_none())
            })
    });
    if host_cannot_ping && case.has(Code::HostPingGroupRange) {
        return explain::finding(case, Code::HostPingGroupRange);
    }
    explain::unclear(case)
}
