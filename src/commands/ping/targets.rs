//! From what was typed to addresses. Names are looked up on the host, wherever the echo requests go
//! out: the question is which way answers, not whose resolver does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::error::{Error, Exit, Result};
use crate::hostile::plain;
use crate::ping::{Destination, From, Target};

/// A resolver that is alive takes milliseconds, and libc asks the next one after five seconds
/// (resolv.conf(5)); with all of them dead it takes half a minute.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names that are looked up at once.
const AT_ONCE: usize = 16;

/// What was typed, in its order, each address once.
///
/// # Errors
/// Exit 2 for a target that is no unicast IPv6 address and no name of one.
pub(super) async fn resolve(typed: &[String], from: &From) -> Result<Vec<Target>> {
    let typed: Vec<_> = typed
        .iter()
        .map(|text| Typed::read(text))
        .collect::<Result<_>>()?;
    let names = typed.iter().filter_map(|typed| match typed {
        Typed::Name(name) => Some(name.clone()),
        Typed::Address(_) => None,
    });
    let mut found = look_up(names.collect()).await?;
    let mut targets = Targets::default();
    for typed in typed {
        match typed {
            Typed::Address(destination) => targets.add(destination, None),
            Typed::Name(name) => {
                for destination in usable(&found.remove(&name).unwrap_or_default(), from)? {
                    targets.add(destination, Some(&name));
                }
            }
        }
    }
    Ok(targets.list)
}

/// Of the addresses of a name those that can be targets: a router's name may have a link-local one
/// too.
fn usable(found: &[SocketAddrV6], from: &From) -> Result<Vec<Destination>> {
    let mut unusable = None;
    let mut usable = Vec::new();
    for address in found {
        match found_destination(address, from) {
            Ok(destination) => usable.push(destination),
            Err(why) => unusable = unusable.or(Some(why)),
        }
    }
    match unusable {
        Some(why) if usable.is_empty() => Err(why),
        _ => Ok(usable),
    }
}

fn found_destination(found: &SocketAddrV6, from: &From) -> Result<Destination> {
    let address = *found.ip();
    check(address)?;
    // The resolver's indices are the host's.
    let scope =
        (*from == From::Host && found.scope_id() != 0).then(|| found.scope_id().to_string());
    if address.is_unicast_link_local() && scope.is_none() {
        let message = format!("{address} is link-local, and a name does not say on which link");
        return Err(refused(message));
    }
    Ok(Destination { address, scope })
}

/// Each once: 10,000 addresses are not compared with each other.
#[derive(Debug, Default)]
struct Targets {
    list: Vec<Target>,
    places: HashMap<Destination, usize>,
}

impl Targets {
    fn add(&mut self, destination: Destination, name: Option<&str>) {
        let place = match self.places.entry(destination.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                self.list.push(Target {
                    destination,
                    names: Vec::new(),
                });
                *free.insert(self.list.len() - 1)
            }
        };
        let names = &mut self.list[place].names;
        if let Some(name) = name.filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    }
}

#[derive(Debug)]
enum Typed {
    Address(Destination),
    Name(String),
}

impl Typed {
    fn read(text: &str) -> Result<Self> {
        let text = text.trim();
        let (address, scope) = match text.split_once('%') {
            Some((address, scope)) => (address, Some(scope)),
            None => (text, None),
        };
        let address = match address.parse() {
            Ok(IpAddr::V6(address)) => address,
            Ok(IpAddr::V4(address)) => {
                let message = format!("{address} is an IPv4 address, and this is about IPv6");
                return Err(refused(message));
            }
            Err(_) if text.is_empty() => return Err(refused("a target is empty")),
            Err(_) if scope.is_some() => {
                return Err(refused(format!("{:?} is no IPv6 address", plain(text))));
            }
            Err(_) => return Ok(Self::Name(text.to_owned())),
        };
        check(address)?;
        match scope {
            Some(_) if !address.is_unicast_link_local() => Err(refused(format!(
                "{address} is not link-local, and only such an address goes with an interface"
            ))),
            scope => Ok(Self::Address(Destination {
                address,
                scope: scope.map(str::to_owned),
            })),
        }
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Exit::Usage, message)
        .hint("give a unicast IPv6 address, or a name that has one: `rootless6 ping ::1`")
}

fn check(address: Ipv6Addr) -> Result<()> {
    let why = if address.is_unspecified() {
        "is nobody's address"
    } else if address.is_multicast() {
        "is a multicast address: answers would come from others"
    } else if address.to_ipv4_mapped().is_some() {
        "is an IPv4 address in IPv6 notation"
    } else {
        return Ok(());
    };
    Err(refused(format!("{address} {why}")))
}

type Found = std::result::Result<Vec<SocketAddr>, String>;

/// The IPv6 addresses of each name. Threads that a dead resolver holds up end with the process.
async fn look_up(mut names: Vec<String>) -> Result<HashMap<String, Vec<SocketAddrV6>>> {
    names.sort();
    names.dedup();
    let mut found = HashMap::new();
    let (sender, mut receiver) = unbounded_channel::<(String, Found)>();
    let workers = names.len().min(AT_ONCE);
    let waiting = Arc::new(Mutex::new(names.clone().into_iter()));
    for _ in 0..workers {
        let (waiting, sender) = (Arc::clone(&waiting), sender.clone());
        thread::spawn(move || {
            let waiting = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(name) = { waiting().next() } {
                let addresses = (name.as_str(), 0).to_socket_addrs();
                let addresses = addresses
                    .map(Iterator::collect)
                    .map_err(|error| error.to_string());
                if sender.send((name, addresses)).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    loop {
        let (name, addresses) = match timeout(PATIENCE, receiver.recv()).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(found),
            Err(_) => {
                let name = names.iter().find(|name| !found.contains_key(*name));
                let why = format!("no answer within {} s", PATIENCE.as_secs());
                return Err(unknown(name.map_or("", String::as_str), &why));
            }
        };
        let addresses = only_ipv6(&name, addresses)?;
        found.insert(name, addresses);
    }
}

fn only_ipv6(name: &str, addresses: Found) -> Result<Vec<SocketAddrV6>> {
    let addresses = addresses.map_err(|why| unknown(name, &why))?;
    let addresses: Vec<_> = addresses
        .into_iter()
        .filter_map(|address| match address {
            SocketAddr::V6(address) => Some(address),
            SocketAddr::V4(_) => None,
        })
        .collect();
    if addresses.is_empty() {
        return Err(unknown(name, "it has IPv4 addresses only"));
    }
    Ok(addresses)
}

fn unknown(name: &str, why: &str) -> Error {
    let name = plain(name);
    Error::cannot(Exit::Usage, format!("find the IPv6 address of {name:?}"))
        .caused_by(plain(why))
        .hint("give an address instead: `rootless6 ping ::1`")
}

/// A link-local address without an interface, or with one that is not there.
pub(super) fn no_interface(target: Option<&Target>, from: &From, interfaces: &[String]) -> Error {
    let Some(Target { destination, .. }) = target else {
        return Error::new(Exit::Usage, "a link-local address lacks its interface");
    };
    let address = destination.address;
    let message = match &destination.scope {
        Some(scope) => format!("there is no interface {:?} for {address}", plain(scope)),
        None => format!("{address} is link-local: say through which interface"),
    };
    let error = Error::new(Exit::Usage, message);
    let there: Vec<_> = interfaces
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "lo")
        .collect();
    if there.is_empty() {
        return error.caused_by("there is no interface but the loopback's");
    }
    let error = error.caused_by(format!("interfaces there: {}", plain(&there.join(", "))));
    let Some(first) = there.iter().find(|name| is_plain_word(name)) else {
        return error;
    };
    let from = match from {
        From::Host => String::new(),
        from => format!("--from {from} "),
    };
    error.hint(format!("`rootless6 ping {from}{address}%{first}`"))
}

/// Whether a shell takes it as it is: a container chooses its interfaces' names, and the kernel bears
/// nearly every byte in them (linux:net/core/dev.c, `dev_valid_name`).
fn is_plain_word(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte);
    name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_keep_their_order_and_each_is_there_once() {
        let typed = [
            "::1",
            "2001:DB8::1",
            " fe80::1%eth0",
            "0:0::1",
            "fe80::1%eth1",
        ];
        let typed: Vec<_> = typed.map(str::to_owned).into();
        let targets = resolve(&typed, &From::Netns).await.unwrap();
        let shown: Vec<_> = targets
            .iter()
            .map(|target| target.destination.to_string())
            .collect();
        assert_eq!(
            shown,
            ["::1", "2001:db8::1", "fe80::1%eth0", "fe80::1%eth1"]
        );
    }

    #[tokio::test]
    async fn what_is_no_target_is_refused_with_the_reason() {
        for (text, why) in [
            ("192.0.2.1", "IPv4 address"),
            ("::ffff:192.0.2.1", "IPv4 address in IPv6 notation"),
            ("::", "nobody's"),
            ("ff02::1", "multicast"),
            ("ff02::1%eth0", "multicast"),
            ("2001:db8::1%eth0", "not link-local"),
            ("name.test%eth0", "no IPv6 address"),
            ("", "empty"),
        ] {
            let error = resolve(&[text.to_owned()], &From::Host).await.unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
            assert!(error.message.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_without_ipv6_is_refused() {
        let four: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let six: SocketAddr = "[2001:db8::1]:0".parse().unwrap();
        assert_eq!(
            only_ipv6("both.test", Ok(vec![four, six])).unwrap().len(),
            1
        );
        for found in [Ok(vec![four]), Ok(Vec::new()), Err("loop".to_owned())] {
            let error = only_ipv6("no\x1b[31m.test", found).unwrap_err();
            assert_eq!(error.exit, Exit::Usage);
            assert!(!error.to_string().contains('\x1b'));
        }
    }

    #[test]
    fn one_usable_address_of_a_name_is_enough() {
        let global: SocketAddrV6 = "[2001:db8::1]:0".parse().unwrap();
        let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 0, 0, 2);
        let group: SocketAddrV6 = "[ff02::1]:0".parse().unwrap();
        let shown = |found: &[SocketAddrV6], from: &From| {
            usable(found, from).map(|usable| usable.iter().map(ToString::to_string).collect())
        };
        let shown =
            |found: &[SocketAddrV6], from: &From| -> Result<Vec<String>> { shown(found, from) };
        let found = [scoped, group, global];
        let here = shown(&found, &From::Host).unwrap();
        assert_eq!(here, ["fe80::1%2", "2001:db8::1"]);
        assert_eq!(shown(&found, &From::Netns).unwrap(), ["2001:db8::1"]);
        let error = shown(&[scoped], &From::Netns).unwrap_err();
        assert!(error.message.contains("link-local"), "{error}");
    }

    #[test]
    fn a_missing_interface_is_told_with_those_that_are_there() {
        let target = |scope: Option<&str>| Target {
            destination: Destination {
                address: "fe80::1".parse().unwrap(),
                scope: scope.map(str::to_owned),
            },
            names: Vec::new(),
        };
        let there = ["lo", "tap0", "docker0"].map(str::to_owned);
        for scope in [None, Some("eth9")] {
            let error = no_interface(Some(&target(scope)), &From::Netns, &there);
            assert_eq!(error.causes, ["interfaces there: tap0, docker0"]);
            assert_eq!(error.hints, ["`rootless6 ping --from netns fe80::1%tap0`"]);
        }
    }

    #[test]
    fn a_shell_is_given_no_name_that_it_would_read() {
        for (there, hints) in [
            (
                &["a;reboot", "eth0"][..],
                &["`rootless6 ping fe80::1%eth0`"][..],
            ),
            (&["a;reboot", "$(b)", "`c`"], &[]),
        ] {
            let there: Vec<String> = there.iter().map(|name| (*name).to_owned()).collect();
            let target = Target {
                destination: Destination {
                    address: "fe80::1".parse().unwrap(),
                    scope: None,
                },
                names: Vec::new(),
            };
            let error = no_interface(Some(&target), &From::Host, &there);
            assert_eq!(error.hints, hints, "{there:?}");
        }
    }
}
