use super::*;
use crate::facts::{Address, Route};

fn address(text: &str, interface: &str) -> Address {
    Address {
        address: text.parse().unwrap(),
        prefix: 64,
        interface: interface.to_owned(),
        tentative: false,
        deprecated: false,
        created: None,
    }
}

fn host(addresses: &[&str]) -> Network {
    Network {
        addresses: addresses.iter().map(|text| address(text, "eth0")).collect(),
        default_routes: vec![Route {
            gateway: None,
            interface: "eth0".to_owned(),
            metric: 1,
        }],
    }
}

/// What changes on a tap interface with these addresses, `ADDRESS/PREFIX`.
fn changes(request: &Request, tap: &[&str]) -> (Option<String>, Vec<String>) {
    let tap = Network {
        addresses: tap
            .iter()
            .map(|text| {
                let (text, prefix) = text.split_once('/').unwrap();
                Address {
                    prefix: prefix.parse().unwrap(),
                    ..address(text, TAP)
                }
            })
            .collect(),
        default_routes: Vec::new(),
    };
    let brought = request.changes(&tap);
    let text = |address: Ipv6Addr| address.to_string();
    (
        brought.added.map(text),
        brought.removed.into_iter().map(text).collect(),
    )
}

#[test]
fn tap0_has_one_address_of_the_hosts_and_none_that_the_host_has_lost() {
    let two = Request::for_pasta(&Seen::Is(host(&["2001:db8:2::2", "2001:db8:2::3"]))).unwrap();
    for (tap, added, removed) in [
        (&["fe80::5/64"][..], Some("2001:db8:2::2"), &[][..]),
        (&["2001:db8:2::2/128"], None, &[]),
        // The host would choose another today, but this one still is its own.
        (&["2001:db8:2::3/128"], None, &[]),
        (
            &["2001:db8:1::2/128"],
            Some("2001:db8:2::2"),
            &["2001:db8:1::2"],
        ),
        (
            &["2001:db8:1::2/128", "2001:db8:2::3/128"],
            None,
            &["2001:db8:1::2"],
        ),
        // Copied by pasta, or given by hand.
        (&["2001:db8:1::2/64"], None, &[]),
        (&["fd00::100/64"], None, &[]),
    ] {
        let removed: Vec<_> = removed.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(
            changes(&two, tap),
            (added.map(str::to_owned), removed),
            "{tap:?}"
        );
    }
}

#[test]
fn an_address_that_the_host_phases_out_stays_beside_its_successor() {
    let mut host = host(&["2001:db8:1::2", "2001:db8:2::2"]);
    host.addresses[0].deprecated = true;
    let request = Request::for_pasta(&Seen::Is(host)).unwrap();
    let expected = (Some("2001:db8:2::2".to_owned()), Vec::new());
    assert_eq!(changes(&request, &["2001:db8:1::2/128"]), expected);
}

#[test]
fn a_fixed_network_counts_on_nothing_that_a_router_has_advertised() {
    let request = Request::for_slirp4netns();
    let route = |gateway: &str| Route {
        gateway: Some(gateway.parse().unwrap()),
        interface: TAP.to_owned(),
        metric: 1024,
    };
    for (addresses, gateways, added, routed) in [
        (&["fe80::5"][..], &[][..], true, true),
        (&["fe80::5", "fd00::5"], &["fe80::2"], true, true),
        (&["fd00::5", "fd00::100"], &["fe80::2"], false, true),
        (&["fd00::100"], &["fe80::2", "fd00::2"], false, false),
    ] {
        let tap = Network {
            addresses: addresses.iter().map(|text| address(text, TAP)).collect(),
            default_routes: gateways.iter().map(|text| route(text)).collect(),
        };
        let expected = Brought {
            added: added.then_some(request.address),
            removed: Vec::new(),
            routed,
        };
        assert_eq!(
            request.changes(&tap),
            expected,
            "{addresses:?} {gateways:?}"
        );
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
