//! The uplink: an IPv6 address and default route for RootlessKit's tap interface, where
//! RootlessKit itself gives none.
//!
//! RootlessKit 2.0–2.2 starts pasta without `--config-net` and configures IPv4 alone. pasta
//! forwards IPv6 all the same, and answers neighbour solicitations for any gateway: all that is
//! missing is an address and a route. The host's own global address is what pasta expects to see,
//! and so that it stays the host's own, a follower ([`crate::commands::follow`]) stays behind and
//! brings it again when it changes.
//!
//! pasta forwards whatever address a packet comes from, and sends what comes in from outside to the
//! address that it last saw. So every change ends with a packet from the address that is right now,
//! a neighbour solicitation; its answer tells besides whether pasta listens at all. One that was
//! started while the host had no IPv6 may have none for good (passt before 2025_12_08), and an
//! address on tap0 would be a lie then.
//!
//! slirp4netns announces a prefix of its own by router advertisement, which the kernel ignores as
//! soon as dockerd has switched forwarding on: what came by one before that goes away, the route at
//! once and the address a day later. slirp4netns's addresses are fixed, so tap0 gets one that stays.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Exit, Result};
use crate::facts::{Address, Network, Seen};
use crate::host::netlink::Netlink;

mod solicit;

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
    host: Vec::new(),
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
    /// What the host has beyond its links, where tap0 is to have one of these and none that the
    /// host has lost; none where the address is fixed.
    #[serde(default)]
    pub host: Vec<Address>,
}

/// What has become of the tap interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The address that it was given, if it lacked one.
    pub added: Option<Ipv6Addr>,
    /// Addresses that it had of ours and the host has no longer.
    pub removed: Vec<Ipv6Addr>,
    /// Whether it was given a default route.
    pub routed: bool,
}

/// What came of bringing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// tap0 is as it should be.
    Brought(Brought),
    /// pasta was asked and does not answer: tap0 is as it was.
    Deaf,
}

impl Request {
    /// What slirp4netns expects, whatever the host has.
    pub fn for_slirp4netns() -> Self {
        SLIRP4NETNS
    }

    /// What pasta expects: the address that the host itself would use, a global one of the
    /// interface that the default route leaves by, else any global one.
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
                host: host
                    .addresses
                    .iter()
                    .filter(|address| !address.is_link_local())
                    .cloned()
                    .collect(),
            }),
            None => Err(nothing_to_bring("the host has no global IPv6 address")),
        }
    }
}

fn nothing_to_bring(why: &str) -> Error {
    Error::cannot(Exit::Bad, "give RootlessKit's netns IPv6").caused_by(why)
}

/// Brings the uplink about in the current network namespace and tells what that took; nothing when
/// everything was there.
///
/// # Errors
/// When there is no tap interface, or the kernel refuses.
pub async fn bring(netlink: &Netlink, request: &Request) -> Result<Outcome> {
    let Some(tap) = netlink.interface(TAP).await? else {
        return Err(Error::new(
            Exit::Bad,
            format!("there is no interface {TAP} in RootlessKit's netns"),
        ));
    };
    let before = netlink.network().await?.of(TAP);
    let brought = request.changes(&before);
    if let Some(address) = brought.added {
        netlink.add_address(tap, address, request.prefix).await?;
    }
    if !request.is_fixed()
        && brought != Brought::default()
        && !is_heard(tap, request, &before, &brought)?
    {
        if let Some(address) = brought.added {
            netlink.remove_address(tap, address, request.prefix).await?;
        }
        return Ok(Outcome::Deaf);
    }
    if brought.routed {
        netlink.set_default_route(tap, request.gateway).await?;
    }
    for address in &brought.removed {
        netlink
            .remove_address(tap, *address, request.prefix)
            .await?;
    }
    Ok(Outcome::Brought(brought))
}

/// Shows pasta the address that is right from now on; tells whether it listens, as far as it could
/// be asked.
fn is_heard(tap: u32, request: &Request, before: &Network, brought: &Brought) -> Result<bool> {
    let kept = before
        .addresses
        .iter()
        .find(|address| request.is_host_own(address));
    let address = brought.added.or(kept.map(|address| address.address));
    let from = address.unwrap_or(request.address);
    Ok(solicit::answered(tap, from, request.gateway)? != Some(false))
}

impl Request {
    /// What the tap interface lacks, and what it has too much.
    fn changes(&self, tap: &Network) -> Brought {
        if self.is_fixed() {
            self.lacking(tap)
        } else {
            self.changes_with_the_host(tap)
        }
    }

    /// Neither an address by router advertisement nor a route to the advertising router counts:
    /// they do not last.
    fn lacking(&self, tap: &Network) -> Brought {
        let has_address = tap
            .addresses
            .iter()
            .any(|address| address.address == self.address);
        let has_route = tap
            .default_routes
            .iter()
            .any(|route| route.gateway == Some(self.gateway.into()));
        Brought {
            added: (!has_address).then_some(self.address),
            removed: Vec::new(),
            routed: !has_route,
        }
    }

    fn changes_with_the_host(&self, tap: &Network) -> Brought {
        let global = || {
            tap.addresses
                .iter()
                .filter(|address| !address.is_link_local())
        };
        let ours = |address: &Address| address.prefix == self.prefix;
        // What RootlessKit or somebody else has given it serves, and is not ours to touch.
        let serves = |address: &Address| !ours(address) || self.is_usable(address);
        Brought {
            added: (!global().any(serves)).then_some(self.address),
            removed: global()
                .filter(|address| ours(address) && !self.is_host_own(address))
                .map(|address| address.address)
                .collect(),
            routed: tap.default_routes.is_empty(),
        }
    }

    /// Whether the address is the same on every host.
    fn is_fixed(&self) -> bool {
        self.host.is_empty()
    }

    /// Whether the host has this address, if only for connections that it had before.
    fn is_host_own(&self, address: &Address) -> bool {
        self.host.iter().any(|own| own.address == address.address)
    }

    fn is_usable(&self, address: &Address) -> bool {
        self.host
            .iter()
            .any(|own| own.address == address.address && !own.deprecated)
    }
}

#[cfg(test)]
mod tests;
