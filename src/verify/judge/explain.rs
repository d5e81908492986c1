//! The cause in words, and what to type: the finding's own, else what the checks showed.

use super::cause::{Blame, Fault, is_shut_in};
use super::{Case, echo, internet};
use crate::diagnose::{Code, Cure, Wanted, obstacle};
use crate::hostile::plain;
use crate::verify::observe::Observation;
use crate::verify::{Outcome, Vantage, What};

const OTHER_TARGET: &str = "`rootless6 verify --target ADDR|NAME` tries another target";

pub(super) fn blame(case: &Case<'_>, fault: &Fault<'_>) -> Blame {
    // That finding is of all such networks; the fault is of one.
    if fault.code != Code::NetworkWithoutIpv6 && case.has(fault.code) {
        return finding(case, fault.code);
    }
    Blame {
        code: Some(fault.code),
        why: Some(why(fault)),
        hints: hints(case, fault),
    }
}

/// A finding with its cure.
pub(super) fn finding(case: &Case<'_>, code: Code) -> Blame {
    let Some(found) = case.findings.iter().find(|finding| finding.code == code) else {
        return Blame {
            code: Some(code),
            ..Blame::default()
        };
    };
    let mut why = found.title.clone();
    let hints = match &found.cure {
        Cure::Setup => match obstacle(case.findings, Wanted::best(case.findings)) {
            Ok(()) => vec!["`rootless6 setup` changes that".to_owned()],
            Err(in_the_way) => {
                why = format!("{why}; {}", in_the_way.message);
                as_root(&in_the_way.needs_root)
                    .into_iter()
                    .chain(in_the_way.hints)
                    .collect()
            }
        },
        Cure::Root(lines) => as_root(lines).into_iter().collect(),
        Cure::Words(words) => words.lines().map(str::to_owned).collect(),
    };
    Blame {
        code: Some(code),
        why: Some(why),
        hints,
    }
}

fn as_root(lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| format!("as root: `{}`", lines.join(" && ")))
}

/// Where nothing failed: a target that proves nothing is the one thing that can be mended.
pub(super) fn unclear(case: &Case<'_>) -> Blame {
    let mut targets = case.all_seen().flat_map(|(_, seen)| &seen.targets);
    let worthless = targets.any(|target| internet::proves_nothing(case, target).is_some());
    Blame {
        hints: worthless
            .then(|| OTHER_TARGET.to_owned())
            .into_iter()
            .collect(),
        ..Blame::default()
    }
}

/// A vantage point as the subject of a sentence.
fn name(vantage: &Vantage) -> String {
    match vantage {
        Vantage::Host => "the host itself".to_owned(),
        Vantage::Netns => "RootlessKit's netns".to_owned(),
        Vantage::Container => "a container on docker0".to_owned(),
        Vantage::OnNetwork(network) => format!("a container on the network {}", plain(network)),
        Vantage::InContainer(container) => format!("the container {}", plain(container)),
    }
}

/// The last vantage point before this one: it works.
fn before(vantage: &Vantage) -> &'static str {
    match vantage {
        Vantage::Host => "",
        Vantage::Netns => "the host reaches the target and ",
        _ => "RootlessKit's netns reaches the target and ",
    }
}

fn why(fault: &Fault<'_>) -> String {
    let who = name(fault.vantage);
    let seen = fault.check.why.as_deref().unwrap_or("it fails");
    let whole = match fault.code {
        Code::HostNoIpv6Route => "the host itself has no IPv6 route to the target".to_owned(),
        Code::HostIpv6Unreachable => host_unreachable(fault, seen),
        Code::IcmpFiltered => {
            format!(
                "TCP gets through from {} and ICMPv6 echo does not: {seen}",
                short(fault.vantage)
            )
        }
        Code::ForgedReplies => forged(fault, seen),
        Code::NetworkWithoutIpv6 => match fault.vantage {
            Vantage::OnNetwork(network) => format!("the network {} has no IPv6", plain(network)),
            _ => format!("{who} is on no network with IPv6"),
        },
        Code::PmtuBlackHole => {
            format!(
                "large packets from {} are lost, so that connections hang: {seen}",
                short(fault.vantage)
            )
        }
        Code::DnsWithoutAaaa => {
            format!("{who} gets no IPv6 address of a name that has one: {seen}")
        }
        Code::PublishedPortDead => format!("a port that a container publishes is dead: {seen}"),
        Code::ContainerUnreachable if shut_in(fault) => {
            format!("{who} has IPv6 and no way out by it: its network may be internal")
        }
        _ => unreachable(fault, seen),
    };
    plain(&whole)
}

/// Whether that is why it does not get to the Internet.
fn shut_in(fault: &Fault<'_>) -> bool {
    matches!(fault.check.what, What::Echo | What::Tcp)
        && fault
            .seen
            .is_some_and(|seen| is_shut_in(fault.vantage, seen))
}

fn short(vantage: &Vantage) -> String {
    match vantage {
        Vantage::Host => "the host".to_owned(),
        other => name(other),
    }
}

fn host_unreachable(fault: &Fault<'_>, seen: &str) -> String {
    let gateway = fault.seen.map(beyond).unwrap_or_default();
    if fault.check.what == What::Tcp {
        return format!("echoes pass from the host and TCP connections do not: {seen}");
    }
    if fault.check.received > 0 {
        return format!("the host itself reaches the target badly: {seen}{gateway}");
    }
    format!("the host itself does not reach the target: {seen}{gateway}")
}

/// What the gateway says of the far half of the way.
fn beyond(host: &Observation) -> String {
    let Some((gateway, report)) = &host.gateway else {
        return String::new();
    };
    let far = host
        .targets
        .iter()
        .any(|target| echo::is_answered(&target.echo));
    if far {
        return String::new();
    }
    if echo::is_answered(report) {
        format!("; the gateway {gateway} answers, nothing beyond it does")
    } else {
        format!("; the gateway {gateway} does not answer either")
    }
}

fn forged(fault: &Fault<'_>, seen: &str) -> String {
    let controlled = fault.seen.is_some_and(|seen| {
        seen.targets
            .iter()
            .any(|target| target.echo.control_answered)
    });
    let where_ = short(fault.vantage);
    if controlled {
        format!("echo replies at {where_} are forged: an address that does not exist answers too")
    } else {
        format!("replies come to {where_} that answer none of its echoes: {seen}")
    }
}

fn unreachable(fault: &Fault<'_>, seen: &str) -> String {
    let (who, before) = (name(fault.vantage), before(fault.vantage));
    match fault.check.what {
        What::Peer => {
            format!("containers on the same network as {who} do not reach each other: {seen}")
        }
        What::Tcp4 if fault.code == Code::NetnsUnreachable => {
            format!("IPv4 does not get out of RootlessKit's netns: {seen}")
        }
        What::Tcp4 => format!("IPv4 does not get out of {who}: {seen}"),
        What::Tcp if fault.check.outcome == Outcome::Fail && echoes(fault) => {
            format!("echoes pass from {who} and TCP connections do not: {seen}")
        }
        _ if fault.check.received > 0 => format!("{who} reaches the target badly: {seen}"),
        _ => format!("{before}{who} does not: {seen}"),
    }
}

fn echoes(fault: &Fault<'_>) -> bool {
    let mut targets = fault.seen.iter().flat_map(|seen| &seen.targets);
    targets.any(|target| echo::is_answered(&target.echo))
}

/// Commands, or sentences with one in them.
fn hints(case: &Case<'_>, fault: &Fault<'_>) -> Vec<String> {
    let unit = &case.evidence.unit;
    let target = fault
        .check
        .to
        .map_or_else(|| "ADDR".to_owned(), |to| to.to_string());
    let way = format!("`ip -6 route get {target}` shows the way that packets take");
    let anew =
        format!("`systemctl --user restart {unit}` sets it up anew, and stops its containers");
    let log = format!("`journalctl --user -u {unit} -n 50` may say why");
    match (fault.code, fault.vantage) {
        (Code::HostNoIpv6Route, _) => {
            vec![
                "`ip -6 route` shows what routes there are".to_owned(),
                OTHER_TARGET.to_owned(),
            ]
        }
        (Code::HostIpv6Unreachable, _)
        | (Code::ForgedReplies | Code::IcmpFiltered, Vantage::Host) => {
            vec![way, OTHER_TARGET.to_owned()]
        }
        (Code::ForgedReplies, _) => {
            vec![
                "`rootless6 status` shows RootlessKit's network driver; pasta forges nothing"
                    .to_owned(),
            ]
        }
        (Code::NetworkWithoutIpv6, Vantage::OnNetwork(network)) => {
            let network = plain(network);
            vec![format!(
                "`docker network rm {network} && docker network create --ipv6 {network}` makes it again"
            )]
        }
        (Code::NetworkWithoutIpv6, Vantage::InContainer(container)) => vec![format!(
            "`docker network connect NETWORK {}` adds one that has it",
            plain(container)
        )],
        (Code::NetworkWithoutIpv6, _) => {
            vec!["`docker network inspect bridge` shows its settings".to_owned()]
        }
        (Code::PmtuBlackHole, _) => vec![
            "as root: `sysctl -w net.ipv4.tcp_mtu_probing=1` has TCP find the size by itself"
                .to_owned(),
        ],
        (Code::DnsWithoutAaaa, _) => {
            vec![
                "`docker run --dns ADDR …` tries another resolver, \"dns\" in daemon.json sets it"
                    .to_owned(),
            ]
        }
        (Code::PublishedPortDead, _) => {
            let mut hint = "`rootless6 status` shows the port driver".to_owned();
            // Where setup has nothing to change, it has chosen already.
            if case
                .findings
                .iter()
                .any(|finding| finding.cure == Cure::Setup)
            {
                hint.push_str("; `rootless6 setup` chooses one for both families");
            }
            vec![hint]
        }
        (Code::ContainerUnreachable, vantage) if shut_in(fault) => vec![match vantage {
            Vantage::InContainer(container) => {
                let container = plain(container);
                format!(
                    "`docker inspect {container}` shows its networks, `docker network inspect NETWORK` whether one is \"Internal\""
                )
            }
            Vantage::OnNetwork(network) => {
                let network = plain(network);
                format!("`docker network inspect {network}` shows whether it is \"Internal\"")
            }
            _ => "`docker network inspect bridge` shows whether it is \"Internal\"".to_owned(),
        }],
        _ if fault.check.what == What::Peer => {
            let network = match fault.vantage {
                Vantage::OnNetwork(network) => plain(network),
                _ => "bridge".to_owned(),
            };
            vec![format!(
                "`docker network inspect {network}` shows whether enable_icc is off"
            )]
        }
        _ => vec![anew, log],
    }
}
