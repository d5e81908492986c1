//! What is asked beside the targets: IPv4, the resolver, the other container, the gateway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::apart::{Apart, apart};
use super::{DEADLINE_MS, PORTS, Tcp4Seen, settle};
use crate::error::Result;
use crate::facts::Network;
use crate::host::netlink::Netlink;
use crate::probe::dns::{self, DnsReport, DnsRequest};
use crate::probe::echo::{self, EchoReport, EchoRequest};
use crate::probe::tcp::{self, TcpOutcome, TcpRequest};

/// TCP to each of the targets: the first that connects, else the first that refuses, else the first.
pub(super) async fn tcp4(routed: bool, targets: &[Ipv4Addr]) -> Option<Tcp4Seen> {
    let mut under_way: FuturesUnordered<_> = targets
        .iter()
        .enumerate()
        .map(|(place, &target)| {
            let request = TcpRequest {
                deadline_ms: DEADLINE_MS,
                ..TcpRequest::new(target, PORTS.to_vec())
            };
            let probe = apart(move || tcp::run(&request));
            async move { (place, target, probe.end().await) }
        })
        .collect();
    let mut seen = Vec::new();
    while let Some((place, target, tcp)) = under_way.next().await {
        let rank = match tcp.outcome {
            TcpOutcome::Connected { .. } => 0,
            TcpOutcome::Refused => 1,
            _ => 2,
        };
        let decides = rank == 0;
        seen.push((
            (rank, place),
            Tcp4Seen {
                routed,
                target,
                tcp,
            },
        ));
        if decides {
            break;
        }
    }
    let best = seen.into_iter().min_by_key(|(rank, _)| *rank);
    best.map(|(_, seen)| seen)
}

pub(super) async fn dns(request: Option<DnsRequest>) -> Option<DnsReport> {
    let request = request?;
    Some(apart(move || dns::run(&request)).end().await)
}

/// The other container may be as new as this one: its address is waited for.
pub(super) async fn peer(netlink: &Netlink, peer: Option<Ipv6Addr>) -> Result<Option<EchoReport>> {
    let Some(peer) = peer else {
        return Ok(None);
    };
    settle::neighbour(netlink, peer).await?;
    let request = EchoRequest {
        deadline_ms: DEADLINE_MS,
        ..EchoRequest::new(peer)
    };
    Ok(Some(apart(move || echo::run(&request)).end().await))
}

/// The gateway of the first default route, if it is to be asked.
pub(super) struct Gateway(Option<(Ipv6Addr, Apart<EchoReport>)>);

pub(super) async fn gateway(netlink: &Netlink, network: &Network, wanted: bool) -> Result<Gateway> {
    let hop = network.default_routes.first().filter(|_| wanted);
    let Some((IpAddr::V6(gateway), interface)) =
        hop.and_then(|route| Some((route.gateway?, &route.interface)))
    else {
        return Ok(Gateway(None));
    };
    let request = EchoRequest {
        scope_id: netlink.interface(interface).await?.unwrap_or(0),
        deadline_ms: DEADLINE_MS,
        ..EchoRequest::new(gateway)
    };
    let probe = apart(move || echo::run(&request));
    Ok(Gateway(Some((gateway, probe))))
}

impl Gateway {
    /// What it said. Many routers never answer an echo: nobody waits for them once a target has
    /// decided.
    pub(super) async fn answer(self, decided: bool) -> Option<(Ipv6Addr, EchoReport)> {
        let (gateway, probe) = self.0?;
        let report = if decided {
            probe.now()?
        } else {
            probe.end().await
        };
        Some((gateway, report))
    }
}
