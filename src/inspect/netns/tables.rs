//! The kernel's lists of IPv6 addresses and routes (linux:net/ipv6/addrconf.c `if6_seq_show`,
//! linux:net/ipv6/route.c and ip6_fib.c `ipv6_route_seq_show`): columns of hexadecimal digits, then the
//! interface's name, which has no blank in it.

use std::net::{IpAddr, Ipv6Addr};

use crate::facts::{Address, Network, Route};

/// Flags of an address (linux:include/uapi/linux/if_addr.h).
const DADFAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;

/// Flags of a route that leads nowhere, or ends here (linux:include/uapi/linux/route.h and
/// ipv6_route.h): `REJECT`, `ANYCAST`, `LOCAL`.
const NOT_UNICAST: u32 = 0x0000_0200 | 0x0010_0000 | 0x8000_0000;

/// `::/0`, and `2000::/3` as in [`crate::host::netlink`], which lists the same.
const DEFAULTS: [(Ipv6Addr, u8); 2] = [
    (Ipv6Addr::UNSPECIFIED, 0),
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3),
];

/// What `if_inet6` and `ipv6_route` say; none where that is not to be understood, or does not decide:
/// of several default routes the list does not tell in which tables they are.
///
/// Nor does it tell when an address was given. It is in the order of a hash: here, those that reach
/// farthest come first.
pub(super) fn network(addresses: &str, routes: &str) -> Option<Network> {
    let mut listed = Vec::new();
    for line in whole_lines(addresses)? {
        listed.extend(address(line)?);
    }
    listed.sort_by_key(|address| {
        let unfit = address.is_link_local() || address.deprecated;
        (unfit, address.interface.clone(), address.address)
    });
    let mut default_routes = Vec::new();
    for line in whole_lines(routes)? {
        default_routes.extend(default_route(line)?);
    }
    (default_routes.len() <= 1).then_some(Network {
        addresses: listed,
        default_routes,
    })
}

/// None where the last line has no end.
fn whole_lines(list: &str) -> Option<std::str::Lines<'_>> {
    (list.is_empty() || list.ends_with('\n')).then(|| list.lines())
}

/// None where it is no such line; none within where it is of no account.
#[expect(clippy::option_option, reason = "not understood, and nothing to see")]
fn address(line: &str) -> Option<Option<Address>> {
    let [address, _index, prefix, _scope, flags, interface] = columns(line)?;
    let (address, flags) = (ip(address)?, number(flags)?);
    if address.is_loopback() || flags & DADFAILED != 0 {
        return Some(None);
    }
    Some(Some(Address {
        address,
        prefix: length(prefix)?,
        interface: interface.to_owned(),
        tentative: flags & TENTATIVE != 0,
        deprecated: flags & DEPRECATED != 0,
        created: None,
    }))
}

#[expect(clippy::option_option, reason = "not understood, and nothing to see")]
fn default_route(line: &str) -> Option<Option<Route>> {
    let [to, prefix, _, _, gateway, metric, _, _, flags, interface] = columns(line)?;
    let (to, gateway, flags) = ((ip(to)?, length(prefix)?), ip(gateway)?, number(flags)?);
    if !DEFAULTS.contains(&to) || flags & NOT_UNICAST != 0 {
        return Some(None);
    }
    Some(Some(Route {
        gateway: (!gateway.is_unspecified()).then_some(IpAddr::V6(gateway)),
        interface: interface.to_owned(),
        metric: number(metric)?,
    }))
}

fn columns<const N: usize>(line: &str) -> Option<[&str; N]> {
    let columns: Vec<_> = line.split_ascii_whitespace().take(N + 1).collect();
    columns.try_into().ok()
}

fn ip(digits: &str) -> Option<Ipv6Addr> {
    let whole = digits.len() == 32;
    let bits = u128::from_str_radix(digits, 16).ok().filter(|_| whole)?;
    Some(Ipv6Addr::from_bits(bits))
}

fn number(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

fn length(digits: &str) -> Option<u8> {
    let length = u8::from_str_radix(digits, 16).ok();
    length.filter(|length| *length <= 128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDRESSES: &str = "\
fe800000000000000000000000000001 04 40 20 80  docker0
20010db8000100000000000000000002 02 80 00 82     tap0
00000000000000000000000000000001 01 80 10 80       lo
20010db8000100000000000000000003 02 40 00 48     tap0
20010db8000100000000000000000004 02 40 00 60     tap0
fe80000000000000185c54fffeef50b3 02 40 20 c0     tap0
";

    const ROUTES: &str = "\
20010db8000100000000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     tap0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     tap0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn shown(network: &Network) -> String {
        let address = |address: &Address| {
            let mut text = format!(
                "{}/{} {}",
                address.address, address.prefix, address.interface
            );
            for (is, word) in [
                (address.tentative, " tentative"),
                (address.deprecated, " deprecated"),
            ] {
                text += if is { word } else { "" };
            }
            text
        };
        let route = |route: &Route| {
            let gateway = route.gateway.map(|gateway| gateway.to_string());
            let gateway = gateway.unwrap_or_else(|| "link".to_owned());
            format!("{gateway} {} {}", route.interface, route.metric)
        };
        let addresses = network.addresses.iter().map(address);
        addresses
            .chain(network.default_routes.iter().map(route))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn the_lists_of_a_netns_are_read() {
        assert_eq!(
            shown(&network(ADDRESSES, ROUTES).unwrap()),
            "2001:db8:1::2/128 tap0, fe80::1/64 docker0, \
             2001:db8:1::4/64 tap0 tentative deprecated, \
             fe80::185c:54ff:feef:50b3/64 tap0 tentative, fe80::1 tap0 1024"
        );
        assert_eq!(network("", ""), Some(Network::default()));
    }

    #[test]
    fn a_default_route_is_told_from_what_only_looks_like_one() {
        let zeros = "0".repeat(32);
        let line = |to: &str, prefix: &str, flags: &str| {
            format!(
                "{to:0<32} {prefix} {zeros} 00 {zeros} 00000100 00000001 00000000 {flags}     tap0\n"
            )
        };
        for (line, routes) in [
            (line("", "00", "00000001"), 1),
            (line("2", "03", "00000001"), 1),
            (line("2", "04", "00000001"), 0),
            (line("3", "03", "00000001"), 0),
            (line("", "00", "00000200"), 0),
            (line("", "00", "80200001"), 0),
            (line("", "00", "00300001"), 0),
        ] {
            let network = network("", &line).unwrap();
            assert_eq!(network.default_routes.len(), routes, "{line}");
        }
        let two = line("", "00", "00000001") + &line("2", "03", "00000001");
        assert_eq!(network("", &two), None);
    }

    #[test]
    fn what_is_no_such_list_is_not_guessed_at() {
        let odd = [
            ADDRESSES.trim_end(),
            &ADDRESSES[..60],
            "\n",
            "nonsense\n",
            "20010db8000100000000000000000002 02 80 00 82\n",
            "20010db8000100000000000000000002 02 81 00 82 tap0\n",
            "20010db8000100000000000000000002 02 80 00 zz tap0\n",
            "20010db800010000000000000000002 02 80 00 82 tap0\n",
            "+0010db8000100000000000000000002 02 +8 00 82 tap0 more\n",
        ];
        for odd in odd {
            assert_eq!(network(odd, ROUTES), None, "{odd:?}");
        }
        for odd in [ADDRESSES, ROUTES.trim_end(), &ROUTES[..170], "\n"] {
            assert_eq!(network(ADDRESSES, odd), None, "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn no_list_brings_it_down(addresses: String, routes: String) {
            let _ = network(&addresses, &routes);
            let _ = network(&(addresses + "\n"), &(routes + "\n"));
        }
    }
}
