//! A port to publish.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;

use crate::error::{Doing, Error, Exit, Result};

/// What the kernel gives out by itself, and what that is by default (ip(7)).
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const EPHEMERAL_BY_DEFAULT: RangeInclusive<u16> = 32_768..=60_999;

/// Below are the ports that services are known by.
const FIRST: u16 = 10_000;

/// Nearly all are free.
const TRIES: usize = 100;

/// A port that is free on all addresses of this host, of both families. Somebody may take it a
/// moment later.
///
/// Not an ephemeral one: pasta of 2026 forwards none of those (pasta(1), `--tcp-ports`).
///
/// # Errors
/// When none is found.
pub(super) fn free_port() -> Result<u16> {
    let doing = || "find a free port";
    let ephemeral = fs::read_to_string(EPHEMERAL).ok();
    let candidates = candidates(&ephemeral.and_then(range).unwrap_or(EPHEMERAL_BY_DEFAULT));
    for _ in 0..TRIES {
        let random = getrandom::u32().doing(doing)? as usize;
        let port = candidates[random % candidates.len()];
        match try_to_listen(port) {
            Ok(()) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).doing(doing),
        }
    }
    Err(Error::cannot(Exit::Bad, doing()).caused_by(format!("{TRIES} are taken")))
}

fn range(text: String) -> Option<RangeInclusive<u16>> {
    let mut ends = text.split_whitespace().map(|end| end.parse().ok());
    Some(ends.next()??..=ends.next()??)
}

/// Never empty.
fn candidates(ephemeral: &RangeInclusive<u16>) -> Vec<u16> {
    let all = FIRST..=u16::MAX;
    let outside: Vec<u16> = all
        .clone()
        .filter(|port| !ephemeral.contains(port))
        .collect();
    if outside.is_empty() {
        return all.collect();
    }
    outside
}

/// A socket on `::` takes IPv4 too; a kernel without IPv6 has none.
fn try_to_listen(port: u16) -> io::Result<()> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop)
        }
        tried => tried.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ephemeral_ports_are_left_alone_where_there_are_others() {
        let ports = candidates(&EPHEMERAL_BY_DEFAULT);
        assert!(ports.contains(&10_000) && ports.contains(&32_767) && ports.contains(&61_000));
        assert!(!ports.contains(&32_768) && !ports.contains(&60_999));
        assert_eq!(candidates(&(1024..=65_534)), [65_535]);
        assert_eq!(candidates(&(1024..=u16::MAX)).len(), 55_536);
    }

    #[test]
    fn the_kernel_tells_its_range_in_two_numbers() {
        for (text, expected) in [
            ("32768\t60999\n", Some(32_768..=60_999)),
            ("", None),
            ("1", None),
            ("a b", None),
        ] {
            assert_eq!(range(text.to_owned()), expected, "{text:?}");
        }
    }

    #[test]
    fn what_was_found_can_be_listened_on_and_then_not_again() {
        let port = free_port().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let taken = try_to_listen(port).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(listener);
    }
}
