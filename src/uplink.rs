//! The uplink: an IPv6 address and default route for RootlessKit's tap interface, where
//! RootlessKit itself gives none.
//!
//! RootlessKit 2.0–2.2 starts pasta without `--config-net` and configures IPv4 alone. pasta
//! forwards IPv6 all the same, and answers neighbour solicitations for any gateway: all that is
//! missing is an address and a route. The host's own global address is what pasta expects to see.
//!
//! slirp4netns announces a prefix of its own by router advertisement, which the kernel ignores as
//! soon as dockerd has switched forwarding on. Its addresses are fixed, and the same can be set by
//! hand.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Exit, Result};
use crate::facts::{Network, Seen};
use crate::host::netlink::Netlink;

/// The interface's name in every RootlessKit netns.
pub const TAP: &str = "tap0";

/// Any link-local next hop does; this one is what pasta itself announces in its local mode.
const PASTA_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// One address: everything else is reached through the gateway, the host's neighbours too.
const PASTA_PREFIX: u8 = 128;

/// libslirp's own network (libslirp: `vprefix_addr6`, `vhost6`), and in it the address that
/// corresponds to the 10.0.2.100 which RootlessKit gives tap0.
const SLIRP4NETNS: Request = Request {
    address: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100),
    prefix: 64,
    gateway: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
};

/// What the tap interface is to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its address.
    pub address: Ipv6Addr,
    /// The length of the address's prefix.
    pub prefix: u8,
    /// Where its default route leads.
    pub gateway: Ipv6Addr,
}

impl Request {
    /// What slirp4netns expects, whatever the host has.
    pub fn for_slirp4netns() -> Self {
        SLIRP4NETNS
    }

    /// What pasta expects: the address that the host itself would use: a global one of the interface that the default
    /// route leaves by, else any global one.
    ///
    /// # Errors
    /// When the host has no global address or no default route.
    pub fn for_pasta(host: &Seen<Network>) -> Result<Self> {
        let host = match host {
            Seen::Is(network) => network,
            Seen::Absent => return Err(nothing_to_bring("the host has no network")),
            Seen::Unknown(why) => return Err(nothing_to_bring(why)),
        };
        let Some(route) = host.default_routes.first() else {
            return Err(nothing_to_bring("the host has no IPv6 default route"));
        };
        let mut usable: Vec<_> = host.global().filter(|address| !address.tentative).collect();
        usable.sort_by_key(|address| address.interface != route.interface);
        match usable.first() {
            Some(address) => Ok(Self {
                address: address.address,
                prefix: PASTA_PREFIX,
                gateway: PASTA_GATEWAY,
            }),
            None => Err(nothing_to_bring("the host has no global IPv6 address")),
        }
    }
}

fn nothing_to_bring(why: &str) -> Error {
    Error::cannot(Exit::Bad, "give RootlessKit's netns IPv6").caused_by(why)
}

/// Brings the uplink about in the current network namespace and tells which addresses it added;
/// none when everything was there.
///
/// # Errors
/// When there is no tap interface, or the kernel refuses.
pub async fn bring(netlink: &Netlink, request: &Request) -> Result<Vec<Ipv6Addr>> {
    let Some(tap) = netlink.interface(TAP).await? else {
        return Err(Error::new(
            Exit::Bad,
            format!("there is no interface {TAP} in RootlessKit's netns"),
        ));
    };
    let before = netlink.network().await?;
    let mut added = Vec::new();
    if !before.global().any(|address| address.interface == TAP) {
        netlink
            .add_address(tap, request.address, request.prefix)
            .await?;
        added.push(request.address);
    }
    if !before
        .default_routes
        .iter()
        .any(|route| route.interface == TAP)
    {
        netlink.set_default_route(tap, request.gateway).await?;
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Address, Route};

    fn address(text: &str, interface: &str) -> Address {
        Address {
            address: text.parse().unwrap(),
            prefix: 64,
            interface: interface.to_owned(),
            tentative: false,
            deprecated: false,
        }
    }

    #[test]
    fn the_address_of_the_default_routes_interface_is_taken() {
        let host = Network {
            addresses: vec![
                address("fe80::1", "eth0"),
                address("fd12::1", "docker0"),
                address("2001:db8::2", "eth0"),
            ],
            default_routes: vec![Route {
                gateway: None,
                interface: "eth0".to_owned(),
                metric: 1,
            }],
        };
        let request = Request::for_pasta(&Seen::Is(host)).unwrap();
        assert_eq!(request.address, "2001:db8::2".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn a_host_without_a_default_route_has_nothing_to_bring() {
        let host = Network {
            addresses: vec![address("2001:db8::2", "eth0")],
            default_routes: Vec::new(),
        };
        let error = Request::for_pasta(&Seen::Is(host)).unwrap_err();
        assert_eq!(error.causes, ["the host has no IPv6 default route"]);
    }
}
