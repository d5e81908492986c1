//! Ways out of the network namespace: where a packet would go, from which address, over which link,
//! and whether the next hop has been found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourState};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteMetric};
use rtnetlink::packet_route::route::{RouteHeader, RouteType};

use super::{Netlink, ip, route_to};
use crate::error::{Doing, Result};
use crate::facts::RouteTo;

/// Where the kernel would send a packet, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub route: RouteTo,
    /// The address that the packet would come from.
    pub source: Option<Ipv6Addr>,
    /// The index of the interface that it would leave by.
    pub interface: Option<u32>,
    /// The route's MTU, if it has one: set by hand, or told by a router not long ago.
    pub mtu: Option<u32>,
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    pub mtu: Option<u32>,
    /// Its link-layer address, if that is one of Ethernet's length.
    pub address: Option<[u8; 6]>,
    /// Whether somebody is at its other end, and packets are no longer thrown away for that.
    pub is_running: bool,
}

impl Way {
    /// No way.
    fn none() -> Self {
        Self {
            route: RouteTo::none(),
            source: None,
            interface: None,
            mtu: None,
        }
    }
}

impl Netlink {
    /// The way that the kernel would take to a target; none when there is no route.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub async fn way_to(&self, target: Ipv6Addr) -> Result<Way> {
        let request = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(target, 128)
            .build();
        let answer = self.handle.route().get(request).execute().try_next().await;
        match answer {
            Ok(Some(message)) => Ok(way(&message)),
            Ok(None) => Ok(Way::none()),
            Err(rtnetlink::Error::NetlinkError(error)) if is_no_way(error.raw_code()) => {
                Ok(Way::none())
            }
            Err(error) => Err(error).doing(|| format!("ask for the way to {target}")),
        }
    }

    /// Whether IPv4 has a default route.
    ///
    /// # Errors
    /// When the kernel refuses to list the routes.
    pub async fn has_ipv4_default_route(&self) -> Result<bool> {
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let mut messages = self.handle.route().get(all).execute();
        let mut found = false;
        while let Some(message) = messages.try_next().await.doing(|| "list IPv4 routes")? {
            let header: &RouteHeader = &message.header;
            found |= header.destination_prefix_length == 0 && header.kind == RouteType::Unicast;
        }
        Ok(found)
    }

    /// What an interface is like; nothing is known of one that has gone.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub async fn link(&self, interface: u32) -> Result<Link> {
        let mut messages = self.handle.link().get().match_index(interface).execute();
        let message = messages.try_next().await.doing(|| "look at an interface")?;
        let mut link = Link::default();
        let Some(message) = message else {
            return Ok(link);
        };
        link.is_running = message.header.flags.contains(LinkFlags::Running);
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
                LinkAttribute::Address(address) => link.address = address.try_into().ok(),
                _ => {}
            }
        }
        Ok(link)
    }

    /// Whether an IPv6 neighbour has told its link-layer address, or needs none. Where nothing was
    /// sent to it yet, it has not.
    ///
    /// # Errors
    /// When the kernel refuses to list the neighbours.
    pub async fn has_found(&self, neighbour: Ipv6Addr, interface: u32) -> Result<bool> {
        let request = self.handle.neighbours().get();
        let mut messages = request.set_address_family(AddressFamily::Inet6).execute();
        let mut found = false;
        while let Some(message) = messages.try_next().await.doing(|| "list neighbours")? {
            let is_it = message.header.ifindex == interface
                && message.attributes.iter().any(|attribute| {
                    matches!(attribute, NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) if *address == neighbour)
                });
            found |= is_it && is_known(message.header.state);
        }
        Ok(found)
    }
}

/// The kernel answers with an error where there is none: no route, one of the kinds that lead nowhere
/// (ip-route(8): unreachable, prohibit, blackhole), or no IPv6 at all.
fn is_no_way(code: i32) -> bool {
    matches!(
        Errno::from_raw(-code),
        Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::EACCES
            | Errno::EINVAL
            | Errno::EAFNOSUPPORT
            | Errno::EOPNOTSUPP
    )
}

/// All states with a link-layer address, or without the need of one (linux:include/net/neighbour.h,
/// `NUD_VALID`).
fn is_known(state: NeighbourState) -> bool {
    matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Noarp
            | NeighbourState::Permanent
    )
}

fn way(message: &RouteMessage) -> Way {
    let mut way = Way {
        route: route_to(message),
        ..Way::none()
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::PrefSource(address) => way.source = ipv6(address),
            RouteAttribute::Oif(index) => way.interface = Some(*index),
            RouteAttribute::Metrics(metrics) => {
                way.mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    way
}

fn ipv6(address: &RouteAddress) -> Option<Ipv6Addr> {
    match ip(address) {
        Some(IpAddr::V6(address)) => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::kernel_tests::netns::{in_netns, ip};

    #[test]
    fn what_leads_nowhere_is_no_way_and_what_could_not_be_asked_is_an_error() {
        assert!(!is_no_way(-(Errno::ENOBUFS as i32)));
        assert!(!is_no_way(-(Errno::EBUSY as i32)));
        in_netns(|| {
            for kind in ["unreachable", "prohibit", "blackhole"] {
                ip(&format!("route add {kind} 3fff:{}::/32", kind.len()));
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let netlink = Netlink::open().unwrap();
                for target in ["3fff:1::1", "3fff:11::1", "3fff:8::1", "3fff:9::1"] {
                    let way = netlink.way_to(target.parse().unwrap()).await.unwrap();
                    assert_eq!(way, Way::none(), "{target}");
                }
            });
        });
    }
}
