//! One neighbour solicitation: pasta learns from it which address is tap0's, and by its answer we
//! learn whether it forwards IPv6.
//!
//! It never leaves tap0: pasta answers neighbour discovery itself, for whatever address.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::error::{Doing, Result};

/// RFC 4861 sections 4.3 and 4.4.
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// Where the target stands in both of them.
const TARGET: std::ops::Range<usize> = 8..24;

/// Neighbour discovery is ignored with less (RFC 4861 section 7.1).
const HOP_LIMIT: i32 = 255;

/// pasta answers within a millisecond; on a busy machine it may have to wait for its turn. A deaf
/// one never answers, and dockerd's start is held up meanwhile.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// Solicits the gateway from an address of the interface and tells whether it answers; none where
/// the question could not even be sent, as on an interface that has lost its link-local route.
/// Waits on the spot: a vantage point has nothing else to do.
///
/// The kernel itself asks for the gateway's link-layer address first, from the same address.
///
/// # Errors
/// When the kernel gives no raw socket.
pub(super) fn answered(interface: u32, from: Ipv6Addr, gateway: Ipv6Addr) -> Result<Option<bool>> {
    let socket = open(from).doing(|| format!("ask {gateway} from {from}"))?;
    let to = SockaddrIn6::from(SocketAddrV6::new(gateway, 0, 0, interface));
    let message = solicitation(gateway);
    let mut asked = false;
    for _ in 0..TRIES {
        asked |= sendto(socket.as_raw_fd(), &message, &to, MsgFlags::empty()).is_ok();
        if !asked {
            return Ok(None);
        }
        let deadline = Instant::now() + BETWEEN_TRIES;
        while wait(&socket, deadline) {
            if is_advertisement_of(gateway, &received(&socket)) {
                return Ok(Some(true));
            }
        }
    }
    Ok(Some(false))
}

fn open(from: Ipv6Addr) -> std::result::Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Raw,
        flags,
        SockProtocol::IcmpV6,
    )?;
    setsockopt(&socket, sockopt::Ipv6Ttl, &HOP_LIMIT)?;
    let from = SockaddrIn6::from(SocketAddrV6::new(from, 0, 0, 0));
    bind(socket.as_raw_fd(), &from)?;
    Ok(socket)
}

/// Whether there may be something to read before the deadline.
fn wait(socket: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut waiting, Some(TimeSpec::from(left)), None) {
        Ok(ready) => ready > 0,
        Err(errno) => errno == Errno::EINTR,
    }
}

/// The next message, whoever it is from; nothing where there is none.
fn received(socket: &OwnedFd) -> Vec<u8> {
    let mut message = vec![0; TARGET.end];
    let length = recv(socket.as_raw_fd(), &mut message, MsgFlags::empty()).unwrap_or(0);
    message.truncate(length);
    message
}

/// With a zero checksum, which the kernel fills in, and without options: to a single neighbour they
/// may be left out (RFC 4861 section 4.3).
fn solicitation(target: Ipv6Addr) -> [u8; TARGET.end] {
    let mut message = [0; TARGET.end];
    message[0] = NEIGHBOUR_SOLICITATION;
    message[TARGET].copy_from_slice(&target.octets());
    message
}

fn is_advertisement_of(target: Ipv6Addr, message: &[u8]) -> bool {
    message.first() == Some(&NEIGHBOUR_ADVERTISEMENT)
        && message.get(TARGET) == Some(target.octets().as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_what_others_say() {
        let gateway = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let mut answer = solicitation(gateway);
        assert!(!is_advertisement_of(gateway, &answer), "our own question");
        answer[0] = NEIGHBOUR_ADVERTISEMENT;
        assert!(is_advertisement_of(gateway, &answer));
        assert!(!is_advertisement_of(Ipv6Addr::LOCALHOST, &answer));
        assert!(!is_advertisement_of(gateway, &answer[..20]), "cut short");
    }
}
