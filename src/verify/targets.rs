//! Which addresses should answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::lookup_host;

use super::Targets;
use crate::error::{Error, Exit, Result};
use crate::hostile::plain;

/// Public resolvers that answer echo requests and listen on TCP port 53.
const WELL_KNOWN: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe),
];

/// More targets than these make no verdict surer.
const MOST: usize = 8;

/// Resolves what was asked for; the well-known resolvers when nothing was.
///
/// # Errors
/// Exit 2 for a target that is no unicast IPv6 address and no name of one.
pub async fn resolve(asked: &[String]) -> Result<Targets> {
    if asked.is_empty() {
        return Ok(Targets {
            v6: WELL_KNOWN.to_vec(),
            ..Targets::default()
        });
    }
    let mut targets = Vec::new();
    for text in asked {
        let text = text.trim();
        let addresses = match text.parse() {
            Ok(IpAddr::V6(address)) => vec![address],
            Ok(IpAddr::V4(address)) => return Err(is_ipv4(address)),
            Err(_) => look_up(text).await?,
        };
        for address in addresses {
            check(address)?;
            if !targets.contains(&address) {
                targets.push(address);
            }
        }
    }
    targets.truncate(MOST);
    Ok(Targets {
        v6: targets,
        ..Targets::default()
    })
}

fn is_ipv4(address: Ipv4Addr) -> Error {
    Error::new(
        Exit::Usage,
        format!("{address} is an IPv4 address, and this is about IPv6"),
    )
    .hint("give an IPv6 address, or a name that has one: `--target ADDR|NAME`")
}

fn check(address: Ipv6Addr) -> Result<()> {
    let why = if address.is_unspecified() {
        "is nobody's address"
    } else if address.is_multicast() {
        "is a multicast address: an answer would come from somebody else"
    } else if address.is_unicast_link_local() {
        "is link-local: it proves nothing about the way off the link"
    } else if address.to_ipv4_mapped().is_some() {
        "is an IPv4 address in IPv6 notation"
    } else {
        return Ok(());
    };
    Err(Error::new(Exit::Usage, format!("{address} {why}"))
        .hint("give a global IPv6 address, or a name that has one: `--target ADDR|NAME`"))
}

async fn look_up(name: &str) -> Result<Vec<Ipv6Addr>> {
    let shown = plain(name);
    let fail = |cause: String| {
        Error::cannot(Exit::Usage, format!("find the IPv6 address of {shown:?}"))
            .caused_by(cause)
            .hint("give an address instead: `--target ADDR`")
    };
    let found = lookup_host((name, 0))
        .await
        .map_err(|error| fail(plain(&error.to_string())))?;
    let addresses: Vec<_> = found
        .filter_map(|address| match address.ip() {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        })
        .collect();
    if addresses.is_empty() {
        return Err(fail("it has IPv4 addresses only".to_owned()));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_now(text: &str) -> Result<Targets> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(resolve(&[text.to_owned()]))
    }

    #[test]
    fn what_cannot_be_a_target_is_refused() {
        for text in ["192.0.2.1", "::", "ff02::1", "fe80::1", "::ffff:192.0.2.1"] {
            let error = resolve_now(text).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn an_address_is_its_own_target() {
        assert_eq!(
            resolve_now("2001:db8::1").unwrap().v6,
            ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]
        );
    }
}
