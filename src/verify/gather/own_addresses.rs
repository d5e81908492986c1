//! The host's own addresses: where a published port should answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::capability;
use crate::facts::{Address, Facts, NetDriver};
use crate::host::netlink::Netlink;

/// Of each family. More make no verdict surer, and some hosts have hundreds.
const MOST: usize = 8;

/// `::1` if this host has it, 127.0.0.1, then those by which others reach this host.
pub(super) async fn own_addresses(facts: &Facts) -> Vec<IpAddr> {
    // Without them the loopback addresses tell as much of IPv4.
    let v4 = match Netlink::open() {
        Ok(netlink) => netlink.ipv4_addresses().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    // Where IPv6 is switched off, nobody can be reached there, whoever listens.
    let has_loopback6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    listed(has_loopback6, ipv6(facts), v4)
}

fn listed(has_loopback6: bool, v6: Vec<Ipv6Addr>, v4: Vec<Ipv4Addr>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    if has_loopback6 {
        addresses.push(Ipv6Addr::LOCALHOST.into());
    }
    addresses.push(Ipv4Addr::LOCALHOST.into());
    addresses.extend(v6.into_iter().take(MOST).map(IpAddr::from));
    addresses.extend(v4.into_iter().take(MOST).map(IpAddr::from));
    addresses
}

/// Those of the interfaces that a default route leads out of, all where there is none. One under
/// duplicate address detection takes no connection yet.
///
/// A connection from an address that RootlessKit's netns has too enters there from a link-local one
/// (passt: fwd.c), which not every Engine can serve. It would only tell of connections that this host
/// makes to itself, so it is left out there. Behind pasta that is each of the host's addresses: one
/// that is not in there yet may be a moment later.
fn ipv6(facts: &Facts) -> Vec<Ipv6Addr> {
    let Some(network) = facts.host.network.is() else {
        return Vec::new();
    };
    let routes = &network.default_routes;
    let leads_out = |address: &Address| {
        let mut interfaces = routes.iter().map(|route| &route.interface);
        routes.is_empty() || interfaces.any(|interface| *interface == address.interface)
    };
    let serves_shared = facts
        .engine
        .is()
        .is_none_or(|engine| capability::publishes_to_link_local(engine.version));
    let inside = facts.tap.is();
    let mut kit = facts.rootlesskit.is().into_iter();
    let is_copied = kit.any(|kit| kit.net == NetDriver::Pasta);
    let is_shared = |address: &Address| {
        let mut inside = inside.into_iter().flat_map(|network| &network.addresses);
        inside.any(|other| other.address == address.address)
    };
    network
        .global()
        .filter(|address| !address.tentative && leads_out(address))
        .filter(|address| serves_shared || !(is_copied || is_shared(address)))
        .map(|address| address.address)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Engine, Network, RootlessKit, Route, Seen, Version};

    fn network(addresses: &[(&str, &str)], ways_out: &[&str]) -> Network {
        Network {
            addresses: addresses
                .iter()
                .map(|(address, interface)| Address {
                    address: address.parse().unwrap(),
                    prefix: 64,
                    interface: (*interface).to_owned(),
                    tentative: false,
                    deprecated: false,
                    created: None,
                })
                .collect(),
            default_routes: ways_out
                .iter()
                .map(|interface| Route {
                    gateway: None,
                    interface: (*interface).to_owned(),
                    metric: 0,
                })
                .collect(),
        }
    }

    fn facts(host: Network, inside: Network, engine: Version) -> Facts {
        let mut facts = Facts::default();
        facts.host.network = Seen::Is(host);
        facts.tap = Seen::Is(inside);
        facts.engine = Seen::Is(Engine {
            version: engine,
            ..Engine::default()
        });
        facts
    }

    #[test]
    fn others_reach_the_host_where_its_default_routes_lead_out() {
        let new = Version::new(28, 5, 2);
        let addresses = [
            ("2001:db8::1", "eth0"),
            ("fd00::1", "virbr0"),
            ("fe80::1", "eth0"),
        ];
        for (ways_out, expected) in [
            (&["eth0"][..], &["2001:db8::1"][..]),
            (&["eth0", "virbr0"], &["2001:db8::1", "fd00::1"]),
            (&[], &["2001:db8::1", "fd00::1"]),
            (&["ppp0"], &[]),
        ] {
            let facts = facts(network(&addresses, ways_out), Network::default(), new);
            let seen: Vec<String> = ipv6(&facts).iter().map(ToString::to_string).collect();
            assert_eq!(seen, expected, "{ways_out:?}");
        }
    }

    #[test]
    fn a_host_without_ipv6_on_its_loopback_is_not_tried_there() {
        let seen = |has_loopback6| {
            let v6 = vec!["2001:db8::1".parse().unwrap()];
            let v4 = vec![Ipv4Addr::new(192, 0, 2, 1)];
            let listed = listed(has_loopback6, v6, v4);
            listed.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(seen(true), ["::1", "127.0.0.1", "2001:db8::1", "192.0.2.1"]);
        assert_eq!(seen(false), ["127.0.0.1", "2001:db8::1", "192.0.2.1"]);
    }

    #[test]
    fn an_address_that_the_netns_has_too_is_tried_only_where_the_engine_can_serve_it() {
        let host = network(
            &[("2001:db8::1", "eth0"), ("2001:db8::2", "eth0")],
            &["eth0"],
        );
        let inside = network(&[("2001:db8::1", "tap0")], &["tap0"]);
        for (engine, expected) in [((26, 1, 5), 1), ((28, 0, 0), 2)] {
            let engine = Version::new(engine.0, engine.1, engine.2);
            let mut facts = facts(host.clone(), inside.clone(), engine);
            assert_eq!(ipv6(&facts).len(), expected, "{engine:?}");
            // Behind pasta the other one is in there, too, or will be.
            facts.rootlesskit = Seen::Is(RootlessKit {
                net: NetDriver::Pasta,
                ..RootlessKit::default()
            });
            let expected = if expected == 1 { 0 } else { 2 };
            assert_eq!(ipv6(&facts).len(), expected, "{engine:?}");
        }
    }
}
