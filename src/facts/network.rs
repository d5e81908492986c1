use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Addresses and the default route of one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// IPv6 addresses other than loopback ones.
    pub addresses: Vec<Address>,
    /// IPv6 default routes, best first.
    pub default_routes: Vec<Route>,
}

impl Network {
    /// The part that belongs to one interface.
    #[must_use]
    pub fn of(&self, interface: &str) -> Self {
        let mut part = self.clone();
        part.addresses
            .retain(|address| address.interface == interface);
        part.default_routes
            .retain(|route| route.interface == interface);
        part
    }

    /// Whether packets can leave the link: a global address and a default route.
    pub fn reaches_out(&self) -> bool {
        self.global().next().is_some() && !self.default_routes.is_empty()
    }

    /// Whether it can be used at once: as [`Self::reaches_out`], with duplicate address detection
    /// over.
    pub fn is_online(&self) -> bool {
        self.global().any(|address| !address.tentative) && !self.default_routes.is_empty()
    }

    /// Addresses that reach beyond the link and may be used now, or as soon as duplicate address
    /// detection is over.
    pub fn global(&self) -> impl Iterator<Item = &Address> {
        self.addresses
            .iter()
            .filter(|address| !address.is_link_local() && !address.deprecated)
    }
}

/// An IPv6 address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: Ipv6Addr,
    /// Prefix length, 0–128.
    pub prefix: u8,
    /// The interface's name.
    pub interface: String,
    /// Still under duplicate address detection: the kernel does not use it yet.
    pub tentative: bool,
    /// Its preferred lifetime is over: not for new connections.
    pub deprecated: bool,
    /// When it was given, if the kernel has told: hundredths of a second since boot, not counting
    /// time asleep.
    #[serde(default)]
    pub created: Option<u64>,
}

impl Address {
    /// Whether it is within fe80::/10.
    pub fn is_link_local(&self) -> bool {
        self.address.is_unicast_link_local()
    }
}

/// A default route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The next hop, if the route names one.
    pub gateway: Option<IpAddr>,
    /// The outgoing interface's name.
    pub interface: String,
    /// The kernel's metric; the smaller wins.
    pub metric: u32,
}

/// What the kernel would do with a packet to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTo {
    /// Whether it leaves at all.
    pub kind: RouteKind,
    /// The next hop, where there is one.
    pub gateway: Option<Ipv6Addr>,
}

/// The kinds of route that matter to a prober.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Out through an interface.
    Unicast,
    /// Answered by this very namespace: an echo along it proves nothing.
    Local,
    /// Unreachable, prohibited, or no route at all.
    None,
}

impl RouteTo {
    /// No route.
    pub fn none() -> Self {
        Self {
            kind: RouteKind::None,
            gateway: None,
        }
    }
}
