//! Which addresses should answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Targets;
use super::apart::apart;
use crate::error::{Error, Exit, Result};
use crate::hostile::plain;

/// Public resolvers that answer echo requests and listen on TCP port 53.
const WELL_KNOWN: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe),
];

/// The same resolvers over IPv4.
const WELL_KNOWN4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(9, 9, 9, 9),
];

/// More targets than these make no verdict surer.
const MOST: usize = 8;

/// For all names together. glibc waits 5 s for the first name server before it asks the second.
const LOOK_UP: Duration = Duration::from_secs(6);

/// Resolves what was asked for; the well-known resolvers when nothing was. Of more targets than make a
/// verdict surer the rest is checked, but not looked up.
///
/// # Errors
/// Exit 2 for a target that is no unicast IPv6 address and no name of one.
pub async fn resolve(asked: &[String]) -> Result<Targets> {
    if asked.is_empty() {
        return Ok(Targets {
            v6: WELL_KNOWN.to_vec(),
            v4: WELL_KNOWN4.to_vec(),
            names: Vec::new(),
        });
    }
    let deadline = Instant::now() + LOOK_UP;
    let mut targets = Targets::default();
    for text in asked {
        let text = text.trim();
        match text.parse() {
            Ok(IpAddr::V6(address)) => targets.add(address)?,
            Ok(IpAddr::V4(address)) => return Err(is_ipv4(address)),
            Err(_) if targets.v6.len() >= MOST => {}
            Err(_) => {
                targets.add_found(look_up(text, deadline).await?)?;
                targets.names.push(text.to_owned());
            }
        }
    }
    targets.v6.truncate(MOST);
    targets.v4.truncate(MOST);
    Ok(targets)
}

impl Targets {
    fn add(&mut self, address: Ipv6Addr) -> Result<()> {
        check(address)?;
        if !self.v6.contains(&address) {
            self.v6.push(address);
        }
        Ok(())
    }

    /// Of the addresses of a name those that can be targets: a router's name may have a link-local one
    /// too.
    fn add_found(&mut self, found: Vec<IpAddr>) -> Result<()> {
        let mut unusable = None;
        let mut is_usable = false;
        for address in found {
            match address {
                IpAddr::V6(address) => match self.add(address) {
                    Ok(()) => is_usable = true,
                    Err(why) => unusable = unusable.or(Some(why)),
                },
                IpAddr::V4(address) => self.add4(address),
            }
        }
        unusable.filter(|_| !is_usable).map_or(Ok(()), Err)
    }

    /// What could only answer from here or to all is left out: nobody has asked for IPv4.
    fn add4(&mut self, address: Ipv4Addr) {
        let is_target = !(address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.is_broadcast());
        if is_target && !self.v4.contains(&address) {
            self.v4.push(address);
        }
    }
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

/// All addresses of a name that has IPv6 ones, as any program here would find them.
async fn look_up(name: &str, deadline: Instant) -> Result<Vec<IpAddr>> {
    let shown = plain(name);
    let fail = |cause: String| {
        Error::cannot(Exit::Usage, format!("find the IPv6 address of {shown:?}"))
            .caused_by(cause)
            .hint("give an address instead: `--target ADDR`")
    };
    let asked = (name.to_owned(), 0);
    let found = apart(move || asked.to_socket_addrs().map(Vec::from_iter));
    let found = match timeout_at(deadline, found.end()).await {
        Ok(found) => found.map_err(|error| fail(plain(&error.to_string())))?,
        Err(_) => {
            let seconds = LOOK_UP.as_secs();
            return Err(fail(format!(
                "the resolver did not answer within {seconds} s"
            )));
        }
    };
    let addresses: Vec<IpAddr> = found.into_iter().map(|address| address.ip()).collect();
    if addresses.iter().all(IpAddr::is_ipv4) {
        return Err(fail("it has IPv4 addresses only".to_owned()));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_now(texts: &[&str]) -> Result<Targets> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(resolve(&texts))
    }

    fn addresses(texts: &[&str]) -> Vec<Ipv6Addr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_cannot_be_a_target_is_refused() {
        for text in ["192.0.2.1", "::", "ff02::1", "fe80::1", "::ffff:192.0.2.1"] {
            let error = resolve_now(&[text]).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
            assert!(!error.hints.is_empty(), "{text}");
        }
    }

    #[test]
    fn an_address_is_its_own_target_and_says_nothing_about_ipv4() {
        let targets = resolve_now(&["2001:db8::1", " 2001:db8::1 "]).unwrap();
        let expected = Targets {
            v6: addresses(&["2001:db8::1"]),
            ..Targets::default()
        };
        assert_eq!(targets, expected);
    }

    #[test]
    fn without_a_target_the_well_known_resolvers_are_asked_over_both() {
        let targets = resolve_now(&[]).unwrap();
        assert_eq!((targets.v6.len(), targets.v4.len()), (3, 3));
        assert_eq!(targets.names, Vec::<String>::new());
    }

    #[test]
    fn one_usable_address_of_a_name_is_enough() {
        let found = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let mut targets = Targets::default();
        targets
            .add_found(found(&[
                "fe80::1",
                "2001:db8::1",
                "198.51.100.53",
                "ff02::1",
            ]))
            .unwrap();
        assert_eq!(targets.v6, addresses(&["2001:db8::1"]));
        assert_eq!(targets.v4, [Ipv4Addr::new(198, 51, 100, 53)]);
        let error = targets
            .add_found(found(&["fe80::1", "198.51.100.53"]))
            .unwrap_err();
        assert!(error.message.contains("link-local"), "{error}");
    }

    #[test]
    fn what_ipv4_can_only_reach_here_or_everywhere_is_left_out() {
        let mut targets = Targets::default();
        for text in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"] {
            targets.add4(text.parse().unwrap());
        }
        targets.add4(Ipv4Addr::new(198, 51, 100, 53));
        targets.add4(Ipv4Addr::new(198, 51, 100, 53));
        assert_eq!(targets.v4, [Ipv4Addr::new(198, 51, 100, 53)]);
    }

    #[test]
    fn ten_thousand_targets_are_checked_and_a_few_are_asked() {
        let many: Vec<String> = (1..=10_000u32)
            .map(|n| format!("2001:db8::{n:x}"))
            .collect();
        let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(resolve_now(&many).unwrap().v6.len(), MOST);
        many.push("never.looked.up.invalid");
        assert_eq!(resolve_now(&many).unwrap().names, Vec::<String>::new());
        many.push("ff02::1");
        assert!(resolve_now(&many).is_err());
    }
}
