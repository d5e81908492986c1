//! Addresses and routes of the network namespace that this process is in, by rtnetlink(7).

use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use rtnetlink::{AddressMessageBuilder, Handle, RouteMessageBuilder, new_connection};

pub use changes::Changes;
pub use way::{Link, Way};

use crate::error::{Doing, Result};
use crate::facts::{Address, Network, Route, RouteKind, RouteTo};

mod changes;
mod ipv4;
mod way;

/// Of the prefix 2000::/3 (RFC 4291 section 2.4).
const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// Asked after the main table (linux:include/uapi/linux/rtnetlink.h).
const RT_TABLE_DEFAULT: u8 = 253;

/// A route netlink socket in the current network namespace; needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn open() -> Result<Self> {
        let (connection, handle, _) = new_connection().doing(|| "open a netlink socket")?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// The IPv6 addresses and default routes.
    ///
    /// # Errors
    /// When the kernel refuses to list them.
    pub async fn network(&self) -> Result<Network> {
        let interfaces = self.interfaces().await?;
        let name = |index: u32| {
            interfaces
                .iter()
                .find(|(known, _)| *known == index)
                .map_or_else(|| index.to_string(), |(_, name)| name.clone())
        };
        let mut addresses = Vec::new();
        let mut messages = self.handle.address().get().execute();
        while let Some(message) = messages.try_next().await.doing(|| "list addresses")? {
            addresses.extend(address_from(&message, &name));
        }
        Ok(Network {
            addresses,
            default_routes: self.default_routes(&name).await?,
        })
    }

    async fn default_routes(&self, name: &impl Fn(u32) -> String) -> Result<Vec<Route>> {
        let all = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let mut messages = self.handle.route().get(all).execute();
        let mut defaults = Vec::new();
        while let Some(message) = messages.try_next().await.doing(|| "list routes")? {
            if is_default(&message) {
                defaults.push(message);
            }
        }
        let mut routes: Vec<_> = of_ordinary_tables(defaults)
            .iter()
            .flat_map(|message| next_hops(message, name))
            .collect();
        routes.sort_by_key(|route| route.metric);
        Ok(routes)
    }

    /// The index of an interface by its name.
    ///
    /// # Errors
    /// When the interfaces cannot be listed.
    pub async fn interface(&self, name: &str) -> Result<Option<u32>> {
        let interfaces = self.interfaces().await?;
        Ok(interfaces
            .into_iter()
            .find(|(_, known)| known == name)
            .map(|(index, _)| index))
    }

    /// Gives an interface an address that skips duplicate address detection; an address that is
    /// already there stays.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn add_address(&self, interface: u32, address: Ipv6Addr, prefix: u8) -> Result<()> {
        let mut message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(interface)
            .address(address, prefix)
            .build();
        message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad));
        let mut request = self
            .handle
            .address()
            .add(interface, IpAddr::V6(address), prefix)
            .replace();
        *request.message_mut() = message;
        request
            .execute()
            .await
            .doing(|| format!("add address {address}/{prefix}"))
    }

    /// Takes an address from an interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove_address(
        &self,
        interface: u32,
        address: Ipv6Addr,
        prefix: u8,
    ) -> Result<()> {
        let message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(interface)
            .address(address, prefix)
            .build();
        self.handle
            .address()
            .del(message)
            .execute()
            .await
            .doing(|| format!("remove address {address}/{prefix}"))
    }

    /// Points the IPv6 default route at a gateway on an interface, replacing an equal one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_default_route(&self, interface: u32, gateway: Ipv6Addr) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv6Addr>::new()
            .gateway(gateway)
            .output_interface(interface)
            .build();
        self.handle
            .route()
            .add(route)
            .replace()
            .execute()
            .await
            .doing(|| format!("add the default route via {gateway}"))
    }

    async fn interfaces(&self) -> Result<Vec<(u32, String)>> {
        let mut messages = self.handle.link().get().execute();
        let mut interfaces = Vec::new();
        while let Some(message) = messages.try_next().await.doing(|| "list interfaces")? {
            let name = message
                .attributes
                .iter()
                .find_map(|attribute| match attribute {
                    LinkAttribute::IfName(name) => Some(name.clone()),
                    _ => None,
                });
            interfaces.extend(name.map(|name| (message.header.index, name)));
        }
        Ok(interfaces)
    }
}

fn address_from(message: &AddressMessage, name: &impl Fn(u32) -> String) -> Option<Address> {
    let address = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Address(IpAddr::V6(address)) => Some(*address),
            _ => None,
        })?;
    let flags = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Flags(flags) => Some(*flags),
            _ => None,
        })
        .unwrap_or(AddressFlags::empty());
    // What duplicate address detection has found at somebody else's is never used, and stays
    // tentative for good (linux:net/ipv6/addrconf.c, `addrconf_dad_stop`).
    if address.is_loopback() || flags.contains(AddressFlags::Dadfailed) {
        return None;
    }
    let created = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::CacheInfo(times) => Some(u64::from(times.cstamp)),
            _ => None,
        });
    Some(Address {
        address,
        prefix: message.header.prefix_len,
        interface: name(message.header.index),
        tentative: flags.contains(AddressFlags::Tentative),
        deprecated: flags.contains(AddressFlags::Deprecated),
        created,
    })
}

/// `::/0`, or `2000::/3`, which is all of the Internet and what some sites route instead.
fn is_default(message: &RouteMessage) -> bool {
    let destination = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet6(network)) => Some(*network),
            _ => None,
        });
    let whole = match message.header.destination_prefix_length {
        0 => true,
        3 => destination == Some(GLOBAL_UNICAST),
        _ => false,
    };
    whole
        && message.header.address_family == AddressFamily::Inet6
        && message.header.kind == RouteType::Unicast
}

/// Those of the tables that every packet is looked up in, if there are any. Of another table only a
/// rule says which packets it is for (ip-rule(8)); a VPN keeps its default route in one.
fn of_ordinary_tables(mut routes: Vec<RouteMessage>) -> Vec<RouteMessage> {
    let is_ordinary = |route: &RouteMessage| {
        [RT_TABLE_DEFAULT, RouteHeader::RT_TABLE_MAIN].contains(&route.header.table)
    };
    if routes.iter().any(is_ordinary) {
        routes.retain(is_ordinary);
    }
    routes
}

/// One entry for each next hop: a multipath default route has several.
fn next_hops(message: &RouteMessage, name: &impl Fn(u32) -> String) -> Vec<Route> {
    let mut gateway = None;
    let mut interface = None;
    let mut metric = 0;
    let mut hops = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(hop) => gateway = ip(hop),
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::MultiPath(several) => hops.clone_from(several),
            _ => {}
        }
    }
    let route = |gateway, index| Route {
        gateway,
        interface: name(index),
        metric,
    };
    if let Some(index) = interface {
        return vec![route(gateway, index)];
    }
    hops.iter()
        .map(|hop| {
            let gateway = hop.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Gateway(hop) => ip(hop),
                _ => None,
            });
            route(gateway, hop.interface_index)
        })
        .collect()
}

fn route_to(message: &RouteMessage) -> RouteTo {
    RouteTo {
        kind: match message.header.kind {
            RouteType::Unicast => RouteKind::Unicast,
            RouteType::Local | RouteType::Anycast => RouteKind::Local,
            _ => RouteKind::None,
        },
        gateway: message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Gateway(RouteAddress::Inet6(hop)) => Some(*hop),
                _ => None,
            }),
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_of_another_table_counts_only_where_there_is_no_other() {
        let tables = |tables: &[u8]| {
            let route = |table: &u8| {
                let mut route = RouteMessage::default();
                route.header.table = *table;
                route
            };
            let routes = of_ordinary_tables(tables.iter().map(route).collect());
            routes
                .iter()
                .map(|route| route.header.table)
                .collect::<Vec<_>>()
        };
        assert_eq!(tables(&[100, 254, 253]), [254, 253]);
        assert_eq!(tables(&[100, 252]), [100, 252]);
    }

    #[test]
    fn an_address_that_is_somebody_elses_is_not_waited_for() {
        let named = |flags| {
            let mut message = AddressMessage::default();
            let address = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
            message.attributes = vec![
                AddressAttribute::Address(address),
                AddressAttribute::Flags(flags),
            ];
            address_from(&message, &|index| index.to_string())
        };
        assert!(named(AddressFlags::Tentative).unwrap().tentative);
        assert!(!named(AddressFlags::Permanent).unwrap().tentative);
        assert_eq!(
            named(AddressFlags::Tentative | AddressFlags::Dadfailed),
            None
        );
    }
}
