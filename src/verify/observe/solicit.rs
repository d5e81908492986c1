//! One neighbour solicitation of our own. The kernel sends one a second, and an address that has just
//! passed duplicate address detection would wait for the next.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, sendto, setsockopt,
    socket, sockopt,
};

/// RFC 4861 section 4.3.
const NEIGHBOUR_SOLICITATION: u8 = 135;
/// Source link-layer address, of six bytes: one unit of eight (RFC 4861 section 4.6.1). It must be
/// there for the answer to find its way.
const SOURCE_LINK_LAYER_ADDRESS: [u8; 2] = [1, 1];
/// Neighbour discovery is ignored with less (RFC 4861 section 7.1).
const HOP_LIMIT: i32 = 255;

/// Asks a link, whose own address on it is `from`, for a neighbour. The answer is the kernel's.
///
/// # Errors
/// Without `CAP_NET_RAW`, or without an address to send from.
pub(super) fn solicit(neighbour: Ipv6Addr, interface: u32, from: [u8; 6]) -> Result<(), Errno> {
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::IcmpV6,
    )?;
    setsockopt(&socket, sockopt::Ipv6MulticastHops, &HOP_LIMIT)?;
    let to = SocketAddrV6::new(solicited_node(neighbour), 0, 0, interface);
    sendto(
        socket.as_raw_fd(),
        &solicitation(neighbour, from),
        &SockaddrIn6::from(to),
        MsgFlags::MSG_DONTWAIT,
    )
    .map(drop)
}

/// RFC 4291 section 2.7.1.
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let low = address.to_bits() & 0x00ff_ffff;
    let prefix = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0);
    Ipv6Addr::from_bits(prefix.to_bits() | low)
}

/// With a zero checksum, which the kernel fills in.
fn solicitation(target: Ipv6Addr, from: [u8; 6]) -> Vec<u8> {
    let mut message = vec![NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend(SOURCE_LINK_LAYER_ADDRESS);
    message.extend(from);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solicitation_is_these_bytes_to_this_group() {
        let target: Ipv6Addr = "fd77::12:3456".parse().unwrap();
        assert_eq!(
            solicited_node(target),
            "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap()
        );
        let message = solicitation(target, [2, 0, 0, 0, 0, 7]);
        assert_eq!(message.len(), 32);
        assert_eq!(message[8..24], target.octets());
        assert_eq!(message[24..], [1, 1, 2, 0, 0, 0, 0, 7]);
    }
}
