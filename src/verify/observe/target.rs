//! The targets: echo, TCP and path MTU to each of them at once.

use std::net::Ipv6Addr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::join;

use super::super::apart::apart;
use super::{DEADLINE_MS, PORTS, Request, TargetSeen, is_decided, is_decided_by_tcp};
use crate::error::Result;
use crate::facts::RouteKind;
use crate::host::netlink::{Netlink, Way};
use crate::probe::echo::{self, EchoReport, EchoRequest};
use crate::probe::pmtu::{self, PathMtuReport, PathMtuRequest};
use crate::probe::tcp::{self, TcpRequest};

/// Answers wanted: enough to tell a path that loses one packet in ten from one that loses half.
const ECHOES: u32 = 10;

/// Between echoes that are not answered yet: a path of 200 ms is measured within a second.
const INTERVAL_MS: u64 = 50;

/// A target, and how large a packet gets to it if that was asked.
pub(super) type Seen = (TargetSeen, Option<PathMtuReport>);

/// Probes all targets until the matter is decided.
pub(super) async fn observe(netlink: &Netlink, request: &Request) -> Result<Vec<Seen>> {
    let mut under_way = FuturesUnordered::new();
    for &target in &request.targets {
        let way = netlink.way_to(target).await?;
        let link_mtu = match way.interface {
            Some(interface) if request.path_mtu => netlink.link(interface).await?.mtu,
            _ => None,
        };
        under_way.push(probe(target, way, link_mtu, request));
    }
    let mut seen = Vec::new();
    while let Some(one) = under_way.next().await {
        seen.push(one);
        if is_decided(&seen) || (request.without_echo && is_decided_by_tcp(&seen)) {
            break;
        }
    }
    Ok(seen)
}

async fn probe(target: Ipv6Addr, way: Way, link_mtu: Option<u32>, request: &Request) -> Seen {
    let echo = EchoRequest {
        control: Some(request.control),
        count: ECHOES,
        interval_ms: INTERVAL_MS,
        deadline_ms: DEADLINE_MS,
        glance: request.glance,
        ..EchoRequest::new(target)
    };
    let tcp = TcpRequest {
        deadline_ms: DEADLINE_MS,
        ..TcpRequest::new(target, PORTS.to_vec())
    };
    let path_mtu = PathMtuRequest {
        target,
        link_mtu,
        route_mtu: way.mtu,
        deadline_ms: DEADLINE_MS,
    };
    let echo = (!request.without_echo).then(|| apart(move || echo::run(&echo)));
    let echo = async {
        match echo {
            Some(echo) => echo.end().await,
            None => EchoReport::default(),
        }
    };
    let tcp = apart(move || tcp::run(&tcp));
    let sized = request.path_mtu && way.route.kind == RouteKind::Unicast;
    let path_mtu = sized.then(|| apart(move || pmtu::run(&path_mtu)));
    let path_mtu = async {
        match path_mtu {
            Some(path_mtu) => Some(path_mtu.end().await),
            None => None,
        }
    };
    let (echo, tcp, path_mtu) = join!(echo, tcp.end(), path_mtu);
    let seen = TargetSeen {
        target,
        route: way.route,
        source: way.source,
        echo,
        tcp,
    };
    (seen, path_mtu)
}
