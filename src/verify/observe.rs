//! What can be observed from one vantage point. Runs there: see [`crate::vantage`].

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::facts::{Network, RouteKind, RouteTo};
use crate::host::netlink::Netlink;
use crate::probe::dns::{DnsReport, DnsRequest};
use crate::probe::echo::{self, EchoOutcome, EchoReport, EchoRequest};
use crate::probe::pmtu::PathMtuReport;
use crate::probe::tcp::{self, TcpOutcome, TcpReport, TcpRequest};

/// Ports that public resolvers and web servers listen on.
const PORTS: [u16; 3] = [53, 443, 80];

/// An answer that has not come by then does not come.
const DEADLINE_MS: u64 = 2500;

/// Duplicate address detection takes one second and a random delay of up to another (RFC 4861,
/// RetransTimer; RFC 4862 section 5.4.2).
const SETTLE_MS: u64 = 2200;

/// Longer than any path on Earth takes without a satellite, shorter than duplicate address detection.
const SLOW_US: u64 = 500_000;

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
            control: Ipv6Addr::from_bits(0x3fff_0006_0006_0006 << 64 | u128::from(low)),
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
    /// Of the target that decided, if it answers and this was asked for.
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

/// Probes all targets at once, from where this process is, and ends as soon as one of them has
/// decided the matter: a dead one beside it holds nothing up, and is then not told of.
///
/// # Errors
/// When the kernel does not tell addresses and routes.
pub async fn observe(netlink: &Netlink, request: &Request) -> Result<Observation> {
    let network = netlink.network().await?;
    let settles = request.fresh_link || network.global().any(|address| address.tentative);
    let mut routes = Vec::new();
    for target in &request.targets {
        routes.push(netlink.route_to(*target).await);
    }
    let mut probes: Vec<(Option<EchoReport>, Option<TcpReport>)> =
        vec![(None, None); request.targets.len()];
    let mut targets = Vec::new();
    for (index, part) in start(request, &routes, settles) {
        match part {
            Part::Echo(report) => probes[index].0 = Some(report),
            Part::Tcp(report) => probes[index].1 = Some(report),
        }
        if let (Some(echo), Some(tcp)) = &probes[index] {
            targets.push(TargetSeen {
                target: request.targets[index],
                route: routes[index].clone(),
                source: None,
                echo: echo.clone(),
                tcp: tcp.clone(),
            });
        }
        if targets.last().is_some_and(TargetSeen::decides) {
            break;
        }
    }
    Ok(Observation {
        network,
        targets,
        ..Observation::default()
    })
}

enum Part {
    Echo(EchoReport),
    Tcp(TcpReport),
}

/// Starts a thread for each probe; those that nobody waits for any more end with the process.
///
/// Where there is no route, no waiting brings one about.
fn start(request: &Request, routes: &[RouteTo], settles: bool) -> Receiver<(usize, Part)> {
    let (sender, receiver) = channel();
    let control = request.control;
    for (index, (&target, route)) in request.targets.iter().zip(routes).enumerate() {
        let settle_ms = if settles && route.kind != RouteKind::None {
            SETTLE_MS
        } else {
            0
        };
        // Nobody listens any more once the matter is decided.
        let send = sender.clone();
        thread::spawn(move || {
            let _ = send.send((index, Part::Echo(echo(target, control, settle_ms))));
        });
        let send = sender.clone();
        thread::spawn(move || {
            let _ = send.send((index, Part::Tcp(tcp(target, settle_ms))));
        });
    }
    receiver
}

/// An answer that has waited for duplicate address detection, on this side or on the bridge's,
/// tells nothing about the path: the round trips are then measured again.
fn echo(target: Ipv6Addr, control: Ipv6Addr, settle_ms: u64) -> EchoReport {
    let request = EchoRequest {
        control: Some(control),
        deadline_ms: DEADLINE_MS + settle_ms,
        settle_ms,
        ..EchoRequest::new(target)
    };
    let first = echo::run(&request);
    let settled_late = first.rtt_us.iter().any(|rtt| *rtt > SLOW_US);
    if !settled_late || first.control_answered {
        return first;
    }
    let again = echo::run(&request);
    match again.outcome {
        EchoOutcome::Answered => again,
        _ => first,
    }
}

/// As with echoes, a connection that has waited tells nothing about the path.
fn tcp(target: Ipv6Addr, settle_ms: u64) -> TcpReport {
    let request = TcpRequest {
        deadline_ms: DEADLINE_MS + settle_ms,
        settle_ms,
        ..TcpRequest::new(target, PORTS.to_vec())
    };
    let first = tcp::run(&request);
    if !matches!(first.outcome, TcpOutcome::Connected { micros, .. } if micros > SLOW_US) {
        return first;
    }
    let again = tcp::run(&request);
    match again.outcome {
        TcpOutcome::Connected { .. } => again,
        _ => first,
    }
}

impl TargetSeen {
    /// Whether no other target can change the picture.
    fn decides(&self) -> bool {
        let echoes = self.echo.outcome == EchoOutcome::Answered && !self.echo.control_answered;
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
