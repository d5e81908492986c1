//! Patience, measured: until the link can be used, or will not become so.
//!
//! An address under duplicate address detection is not used, and answers no neighbour solicitation
//! (RFC 4862 section 5.4). So our own addresses tell about this side of the link, and what the kernel
//! finds out about the next hop tells about the other side: docker0 comes up with its first
//! container.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use tokio::time::Instant;

use super::solicit::solicit;
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
        let way = netlink.way_to(neighbour).await?;
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
    if netlink.has_found(neighbour, interface).await? {
        return Ok(true);
    }
    if let Some(from) = netlink.link(interface).await?.address {
        // Where we may not, the kernel's own ones have to do.
        let _ = solicit(neighbour, interface, from);
    }
    netlink.has_found(neighbour, interface).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::kernel_tests::netns::{Neighbour, PEER, in_netns, ip, set_sysctl};

    fn with_netlink(look: impl AsyncFnOnce(Netlink)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { look(Netlink::open().unwrap()).await });
    }

    async fn veth0(netlink: &Netlink) -> u32 {
        netlink.interface("veth0").await.unwrap().unwrap()
    }

    /// Duplicate address detection in 600 ms, so that a busy machine is in time.
    const QUICK: [(&str, &str); 2] = [
        ("neigh/LINK/retrans_time_ms", "600"),
        ("conf/LINK/router_solicitation_delay", "0"),
    ];

    /// Gives it its address anew, which answers nobody for a while.
    fn renew(neighbour: &Neighbour) {
        for (name, value) in QUICK {
            let name = name.replace("LINK", "veth1");
            neighbour.run(&format!("sysctl -qw net/ipv6/{name}={value}"));
        }
        neighbour.ip(&format!("addr add {PEER}/64 dev veth1"));
    }

    fn without_address() -> Neighbour {
        let neighbour = Neighbour::new(&[]);
        neighbour.ip(&format!("addr del {PEER}/64 dev veth1"));
        neighbour
    }

    #[test]
    fn a_gateway_that_has_just_come_up_is_waited_for_where_the_link_is_fresh() {
        in_netns(|| {
            let neighbour = without_address();
            with_netlink(async |netlink| {
                let gateway: Ipv6Addr = PEER.parse().unwrap();
                let interface = veth0(&netlink).await;
                assert!(!is_found(&netlink, gateway, interface).await.unwrap());
                renew(&neighbour);
                link(&netlink, true).await.unwrap();
                assert!(netlink.has_found(gateway, interface).await.unwrap());
            });
        });
    }

    #[test]
    fn an_address_of_ones_own_is_waited_for_everywhere() {
        in_netns(|| {
            let _neighbour = Neighbour::new(&[]);
            for (name, value) in QUICK {
                set_sysctl(&format!("ipv6/{}", name.replace("LINK", "veth0")), value);
            }
            ip("addr del 3fff:1::1/64 dev veth0");
            ip("addr add 3fff:1::1/64 dev veth0");
            ip(&format!("route replace default via {PEER}"));
            with_netlink(async |netlink| {
                link(&netlink, false).await.unwrap();
                let network = netlink.network().await.unwrap();
                assert!(!network.global().any(|address| address.tentative));
            });
        });
    }

    #[test]
    fn a_peer_that_has_just_come_up_is_waited_for() {
        in_netns(|| {
            let peer = without_address();
            renew(&peer);
            with_netlink(async |netlink| {
                let address: Ipv6Addr = PEER.parse().unwrap();
                neighbour(&netlink, address).await.unwrap();
                let interface = veth0(&netlink).await;
                assert!(netlink.has_found(address, interface).await.unwrap());
            });
        });
    }
}
