//! Patience, measured: until the link can be used, or will not become so.
//!
//! An address under duplicate address detection is not used, and answers no neighbour solicitation
//! (RFC 4862 section 5.4). So our own addresses tell about this side of the link, and what the kernel
//! finds out about the next hop tells about the other side: docker0 comes up with its first
//! container.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Result;
use crate::host::netlink::{Changes, Netlink};

/// Duplicate address detection takes one second and a random delay of up to another (RFC 4861,
/// RetransTimer; RFC 4862 section 5.4.2).
const LONGEST: Duration = Duration::from_millis(2200);

/// Between questions to the kernel where it does not tell of a change by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Nobody listens there, and where somebody does, he discards (RFC 863).
const DISCARD: u16 = 9;

/// Waits until no address of the way out is tentative and, where the other side may have come up
/// just now, until the next hop is found; at most for as long as duplicate address detection takes.
///
/// # Errors
/// When the kernel does not tell addresses, routes or neighbours.
pub(super) async fn link(netlink: &Netlink, fresh: bool) -> Result<()> {
    wait(async || {
        let network = netlink.network().await?;
        // Where there is no way out, no waiting brings one about.
        let Some(route) = network.default_routes.first() else {
            return Ok(true);
        };
        let own = network.of(&route.interface);
        if own.global().any(|address| address.tentative) {
            return Ok(false);
        }
        match route.gateway {
            Some(IpAddr::V6(gateway)) if fresh => {
                let interface = netlink.interface(&route.interface).await?;
                is_found(netlink, gateway, interface.unwrap_or(0)).await
            }
            _ => Ok(true),
        }
    })
    .await
}

/// Waits until a neighbour is found; no longer than for the link.
///
/// # Errors
/// When the kernel does not tell routes or neighbours.
pub(super) async fn neighbour(netlink: &Netlink, neighbour: Ipv6Addr) -> Result<()> {
    wait(async || {
        let way = netlink.way_to(neighbour).await;
        match way.interface {
            Some(interface) => {
                let hop = way.route.gateway.unwrap_or(neighbour);
                is_found(netlink, hop, interface).await
            }
            None => Ok(true),
        }
    })
    .await
}

async fn wait(is_settled: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LONGEST;
    let mut changes = Changes::of_neighbours()?;
    while !is_settled().await? && Instant::now() < deadline {
        changes
            .next(deadline.min(Instant::now() + LOOK_AGAIN))
            .await?;
    }
    Ok(())
}

/// Has the kernel look for a neighbour, and tells whether it has found it.
async fn is_found(netlink: &Netlink, neighbour: Ipv6Addr, interface: u32) -> Result<bool> {
    let to = SocketAddrV6::new(neighbour, DISCARD, 0, interface);
    // Without an address to send from there is nothing to find yet.
    let _ = UdpSocket::bind("[::]:0").and_then(|socket| socket.send_to(&[], to));
    netlink.has_found(neighbour, interface).await
}
