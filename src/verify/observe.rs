//! What can be observed from one vantage point. Runs there: see [`crate::vantage`].

use std::net::Ipv6Addr;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::facts::{Network, RouteKind, RouteTo};
use crate::host::netlink::Netlink;
use crate::probe::echo::{self, EchoOutcome, EchoReport, EchoRequest};
use crate::probe::tcp::{self, TcpReport, TcpRequest};

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
}

impl Request {
    /// Asks for these targets, with a control in the documentation prefix 3fff::/20 (RFC 9637):
    /// nobody owns an address there, so whoever answers forges.
    pub fn new(targets: &[Ipv6Addr]) -> Self {
        // Without random bits the control is still an address that nobody owns.
        let low = getrandom::u64().unwrap_or(6);
        Self {
            targets: targets.to_vec(),
            control: Ipv6Addr::from_bits(0x3fff_0006_0006_0006 << 64 | u128::from(low)),
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The vantage point's own addresses and default routes.
    pub network: Network,
    /// One for each target, in the order of the request.
    pub targets: Vec<TargetSeen>,
}

/// What was seen of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    /// The target.
    pub target: Ipv6Addr,
    /// Where the kernel would send a packet for it.
    pub route: RouteTo,
    /// ICMPv6 echo.
    pub echo: EchoReport,
    /// TCP.
    pub tcp: TcpReport,
}

/// Probes all targets at once, from where this process is.
///
/// # Errors
/// When the kernel does not tell addresses and routes.
pub async fn observe(netlink: &Netlink, request: &Request) -> Result<Observation> {
    let network = netlink.network().await?;
    let settle_ms = if network.addresses.iter().any(|address| address.tentative) {
        SETTLE_MS
    } else {
        0
    };
    let mut routes = Vec::new();
    for target in &request.targets {
        routes.push(netlink.route_to(*target).await);
    }
    let probes: Vec<(EchoReport, TcpReport)> = thread::scope(|scope| {
        let running: Vec<_> = request
            .targets
            .iter()
            .map(|target| {
                let control = request.control;
                (
                    scope.spawn(move || echo(*target, control, settle_ms)),
                    scope.spawn(move || tcp(*target, settle_ms)),
                )
            })
            .collect();
        running
            .into_iter()
            .filter_map(|(echo, tcp)| Some((echo.join().ok()?, tcp.join().ok()?)))
            .collect()
    });
    Ok(Observation {
        network,
        targets: request
            .targets
            .iter()
            .zip(routes)
            .zip(probes)
            .map(|((target, route), (echo, tcp))| TargetSeen {
                target: *target,
                route,
                echo,
                tcp,
            })
            .collect(),
    })
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

fn tcp(target: Ipv6Addr, settle_ms: u64) -> TcpReport {
    tcp::run(&TcpRequest {
        deadline_ms: DEADLINE_MS + settle_ms,
        settle_ms,
        ..TcpRequest::new(target, PORTS.to_vec())
    })
}

impl TargetSeen {
    /// Why an answer from this target would prove nothing, if that is so.
    pub fn proves_nothing(&self) -> Option<&'static str> {
        if self.route.kind == RouteKind::Local {
            return Some("the route to the target is local: the packet never leaves");
        }
        (self.route.gateway == Some(self.target))
            .then_some("the target is the gateway: pasta and slirp4netns answer for it themselves")
    }
}
