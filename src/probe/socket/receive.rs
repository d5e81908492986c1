//! One packet, or one entry of the error queue, with what the kernel notes beside it.

use std::io::IoSliceMut;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::RawFd;
use std::time::Duration;

use nix::libc::sock_extended_err;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrIn6, recvmsg};
use nix::sys::time::TimeSpec;

/// A packet in the buffer: `ReceivedPacket` less the bytes.
pub(super) struct PacketHead {
    pub length: usize,
    pub source: SocketAddrV6,
    pub truncated: bool,
    pub hop_limit: Option<u8>,
    pub stamp: Option<Duration>,
}

/// An error whose quoted packet is in the buffer: `ReceivedError` less the bytes.
pub(super) struct ErrorHead {
    pub length: usize,
    pub error: sock_extended_err,
    pub offender: Option<Ipv6Addr>,
    pub destination: Option<Ipv6Addr>,
}

/// Reads without waiting. `None` for nothing to read and for errors alike: an error that came from
/// the network is in the error queue, where `POLLERR` leads the next round.
pub(super) fn receive_packet(
    socket: RawFd,
    buffer: &mut [u8],
    control: &mut [u8],
) -> Option<PacketHead> {
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message: RecvMsg<'_, '_, SockaddrIn6> =
        recvmsg(socket, &mut slices, Some(control), flags).ok()?;
    let mut head = PacketHead {
        length: message.bytes,
        source: message.address?.into(),
        truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
        hop_limit: None,
        stamp: None,
    };
    for note in message.cmsgs().ok()? {
        match note {
            ControlMessageOwned::Ipv6HopLimit(limit) => head.hop_limit = u8::try_from(limit).ok(),
            ControlMessageOwned::ScmTimestampns(stamp) => head.stamp = since_epoch(stamp),
            _ => {}
        }
    }
    Some(head)
}

pub(super) fn receive_error(
    socket: RawFd,
    buffer: &mut [u8],
    control: &mut [u8],
) -> Option<ErrorHead> {
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message: RecvMsg<'_, '_, SockaddrIn6> =
        recvmsg(socket, &mut slices, Some(control), flags).ok()?;
    let (error, offender) = message.cmsgs().ok()?.find_map(|note| match note {
        ControlMessageOwned::Ipv6RecvErr(error, offender) => Some((error, offender)),
        _ => None,
    })?;
    Some(ErrorHead {
        length: message.bytes,
        error,
        offender: offender.map(|address| SockaddrIn6::from(address).ip()),
        destination: message.address.map(|address| address.ip()),
    })
}

fn since_epoch(stamp: TimeSpec) -> Option<Duration> {
    let seconds = u64::try_from(stamp.tv_sec()).ok()?;
    let nanoseconds = u32::try_from(stamp.tv_nsec()).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}
