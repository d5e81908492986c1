//! What can be observed from one vantage point. Runs there: see [`crate::vantage`].

mod beside;
mod settle;
mod solicit;
mod target;

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tokio::join;

use self::target::Seen;
use super::Targets;
use crate::error::{Error, Result};
use crate::facts::{Network, RouteKind, RouteTo};
use crate::host::netlink::Netlink;
use crate::probe::dns::{DnsReport, DnsRequest};
use crate::probe::echo::{EchoOutcome, EchoReport, Loss};
use crate::probe::pmtu::{PathMtuOutcome, PathMtuReport};
use crate::probe::tcp::{TcpOutcome, TcpReport};

/// Ports that public resolvers and web servers listen on.
const PORTS: [u16; 3] = [53, 443, 80];

/// An answer that has not come by then, once the link is ready for use, does not come.
const DEADLINE_MS: u64 = 2000;

/// What a process here would ask, by resolv.conf(5).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What to probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Addresses that should answer.
    pub targets: Vec<Ipv6Addr>,
    /// An address that cannot answer.
    pub control: Ipv6Addr,
    /// Whether the other side of the link may have come up just now: docker0 does when its first
    /// container starts, and its address is under duplicate address detection then.
    pub fresh_link: bool,
    /// Addresses that should take a TCP connection over IPv4; none to leave IPv4 alone.
    #[serde(default)]
    pub targets4: Vec<Ipv4Addr>,
    /// What to ask the resolver.
    #[serde(default)]
    pub dns: Option<DnsRequest>,
    /// Whether to try how large a packet gets to the targets.
    #[serde(default)]
    pub path_mtu: bool,
    /// Another container on the same network.
    #[serde(default)]
    pub peer: Option<Ipv6Addr>,
    /// Whether the default gateway is to be asked too: where nothing beyond it answers, it tells
    /// the near half of the way from the far one.
    #[serde(default)]
    pub gateway: bool,
    /// Whether no echo is sent, because none can come back.
    #[serde(default)]
    pub without_echo: bool,
    /// Whether one answer is enough, and no loss is judged.
    #[serde(default)]
    pub glance: bool,
}

impl Request {
    /// Asks for these targets, with a control in the documentation prefix 3fff::/20 (RFC 9637):
    /// nobody owns an address there, so whoever answers forges.
    pub fn new(targets: &[Ipv6Addr]) -> Self {
        // Without random bits the control is still an address that nobody owns.
        let low = getrandom::u64().unwrap_or(6);
        Self {
            targets: targets.to_vec(),
            fresh_link: false,
            targets4: Vec::new(),
            dns: None,
            path_mtu: false,
            peer: None,
            gateway: false,
            without_echo: false,
            glance: false,
            control: Ipv6Addr::from_bits(0x3fff_0006_0006_0006 << 64 | u128::from(low)),
        }
    }

    /// Asks for these targets over IPv6 and IPv4, for how large a packet gets to them, and for
    /// their names.
    pub fn about(targets: &Targets) -> Self {
        let addresses = match targets.names.as_slice() {
            [] => targets.v6.clone(),
            _ => Vec::new(),
        };
        Self {
            targets4: targets.v4.clone(),
            dns: Some(DnsRequest {
                resolv_conf: RESOLV_CONF.into(),
                root: None,
                names: targets.names.clone(),
                addresses,
                deadline_ms: DEADLINE_MS,
            }),
            path_mtu: true,
            ..Self::new(&targets.v6)
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The vantage point's own addresses and default routes.
    pub network: Network,
    /// In the order in which they were decided.
    pub targets: Vec<TargetSeen>,
    /// IPv4, if it was asked for.
    #[serde(default)]
    pub tcp4: Option<Tcp4Seen>,
    /// The resolver, if it was asked.
    #[serde(default)]
    pub dns: Option<DnsReport>,
    /// Of the target that large packets come back from, else of the one that decided, if it answers and
    /// this was asked for.
    #[serde(default)]
    pub path_mtu: Option<(Ipv6Addr, PathMtuReport)>,
    /// The other container.
    #[serde(default)]
    pub peer: Option<EchoReport>,
    /// The default gateway, if it was asked.
    #[serde(default)]
    pub gateway: Option<(Ipv6Addr, EchoReport)>,
}

/// What was seen over IPv4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tcp4Seen {
    /// Whether there is an IPv4 default route at all.
    pub routed: bool,
    /// The target that answered, else the first.
    pub target: Ipv4Addr,
    /// TCP.
    pub tcp: TcpReport,
}

/// What was seen of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    /// The target.
    pub target: Ipv6Addr,
    /// Where the kernel would send a packet for it.
    pub route: RouteTo,
    /// The address that the kernel would send it from.
    #[serde(default)]
    pub source: Option<Ipv6Addr>,
    /// ICMPv6 echo.
    pub echo: EchoReport,
    /// TCP.
    pub tcp: TcpReport,
}

/// Probes everything that was asked for at once, from where this process is. Of the targets it ends
/// with the first that decides the matter: a dead one beside it holds nothing up, and is then not
/// told of.
///
/// # Errors
/// When the kernel does not tell addresses and routes.
pub async fn observe(netlink: &Netlink, request: &Request) -> Result<Observation> {
    let routed = netlink.has_ipv4_default_route().await?;
    // A netlink socket lists one thing at a time (EBUSY: linux:net/netlink/af_netlink.c).
    let apart = Netlink::open()?;
    let (seen, tcp4, peer) = join!(
        over_ipv6(netlink, request),
        beside::tcp4(routed, &request.targets4),
        beside::peer(&apart, request.peer),
    );
    Ok(Observation {
        tcp4,
        peer: peer?,
        ..seen?
    })
}

/// What needs a link that is ready for use; name servers may be reached over IPv6 too.
async fn over_ipv6(netlink: &Netlink, request: &Request) -> Result<Observation> {
    settle::link(netlink, request.fresh_link).await?;
    let network = netlink.network().await?;
    let asked = async {
        let gateway = beside::gateway(netlink, &network, request.gateway).await?;
        let seen = target::observe(netlink, request).await?;
        let decided = seen.iter().any(|(target, _)| target.decides());
        Ok::<_, Error>((seen, gateway.answer(decided).await))
    };
    let (asked, dns) = join!(asked, beside::dns(request.dns.clone()));
    let (seen, gateway) = asked?;
    Ok(Observation {
        path_mtu: path_mtu(&seen),
        targets: seen.into_iter().map(|(target, _)| target).collect(),
        network,
        dns,
        gateway,
        ..Observation::default()
    })
}

/// Of the first target that large packets go to and come back from: some answer small ones alone.
/// Else of the one that decided, else of the first that answers.
fn path_mtu(seen: &[Seen]) -> Option<(Ipv6Addr, PathMtuReport)> {
    let answering = || {
        let answers = |(target, _): &&Seen| target.echo.outcome == EchoOutcome::Answered;
        seen.iter().filter(answers)
    };
    let passes = |(target, path_mtu): &&Seen| {
        let passes = path_mtu
            .as_ref()
            .is_some_and(|report| report.outcome.passes());
        passes && target.proves_nothing().is_none()
    };
    let decided = answering().find(|(target, _)| target.decides());
    let chosen = answering().find(passes).or(decided);
    let (target, path_mtu) = chosen.or_else(|| answering().next())?;
    Some((target.target, path_mtu.clone()?))
}

/// Whether no other target can change the picture.
fn is_decided(seen: &[Seen]) -> bool {
    let is_sized = path_mtu(seen).is_none_or(|(_, report)| {
        use PathMtuOutcome::{BlackHole, CutShort};
        !matches!(report.outcome, BlackHole { .. } | CutShort { .. })
    });
    is_sized && seen.iter().any(|(target, _)| target.decides())
}

/// Where no echo is sent.
fn is_decided_by_tcp(seen: &[Seen]) -> bool {
    let connects = |target: &TargetSeen| matches!(target.tcp.outcome, TcpOutcome::Connected { .. });
    seen.iter()
        .any(|(target, _)| connects(target) && target.proves_nothing().is_none())
}

impl TargetSeen {
    /// Whether no other target can change the picture of echoes and TCP.
    fn decides(&self) -> bool {
        let echoes = self.echo.outcome == EchoOutcome::Answered
            && self.echo.loss != Loss::Heavy
            && !self.echo.control_answered;
        let connects = matches!(self.tcp.outcome, TcpOutcome::Connected { .. });
        echoes && connects && self.proves_nothing().is_none()
    }

    /// Why an answer from this target would prove nothing, if that is so.
    pub fn proves_nothing(&self) -> Option<&'static str> {
        if self.route.kind == RouteKind::Local {
            return Some("the route to the target is local: the packet never leaves");
        }
        (self.route.gateway == Some(self.target))
            .then_some("the target is the gateway: pasta and slirp4netns answer for it themselves")
    }
}

#[cfg(test)]
mod tests;
