//! The little that is asked about IPv4.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use rtnetlink::packet_route::route::RouteType;

use super::{Netlink, next_hops};
use crate::error::{Doing, Result};

impl Netlink {
    /// The IPv4 addresses by which others reach this namespace: those of the interfaces that a
    /// default route leads out of, all where there is none.
    ///
    /// # Errors
    /// When the kernel refuses to list them.
    pub async fn ipv4_addresses(&self) -> Result<Vec<Ipv4Addr>> {
        let outward = self.ipv4_ways_out().await?;
        let mut addresses = Vec::new();
        let mut messages = self.handle.address().get().execute();
        while let Some(message) = messages.try_next().await.doing(|| "list addresses")? {
            let leads_out = outward.is_empty() || outward.contains(&message.header.index);
            addresses.extend(global(&message).filter(|_| leads_out));
        }
        Ok(addresses)
    }

    /// Interfaces of the default routes, by index.
    async fn ipv4_ways_out(&self) -> Result<Vec<u32>> {
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let mut messages = self.handle.route().get(all).execute();
        let mut interfaces = Vec::new();
        while let Some(message) = messages.try_next().await.doing(|| "list routes")? {
            let header = &message.header;
            if header.destination_prefix_length == 0 && header.kind == RouteType::Unicast {
                let hops = next_hops(&message, &|index| index.to_string());
                interfaces.extend(
                    hops.iter()
                        .filter_map(|hop| hop.interface.parse::<u32>().ok()),
                );
            }
        }
        Ok(interfaces)
    }
}

fn global(message: &AddressMessage) -> Option<Ipv4Addr> {
    let header = &message.header;
    if header.family != AddressFamily::Inet || header.scope != AddressScope::Universe {
        return None;
    }
    // IFA_LOCAL is the interface's own; IFA_ADDRESS is the peer's on a point-to-point link.
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        })
}
