//! The seam between the echo loop and the network.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use super::icmp_error::ErrorKind;

/// Something that carries ICMPv6 messages: a socket, or a script in tests. Every time is a
/// `Duration` since the link was opened, on a clock that never goes back.
pub(super) trait PacketLink {
    fn now(&self) -> Duration;

    /// Sends one ICMPv6 message.
    ///
    /// # Errors
    /// `ErrorKind::Local`, when the kernel refused it.
    fn send(&mut self, destination: SocketAddrV6, message: &[u8]) -> Result<(), ErrorKind>;

    /// The next thing that comes in, or `None` when nothing did by `until`; it may return `None`
    /// earlier.
    ///
    /// # Errors
    /// The operation that failed and why, when the link can no longer be used.
    fn next(&mut self, until: Duration) -> Result<Option<Arrival<'_>>, String>;
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Arrival<'a> {
    Packet(ReceivedPacket<'a>),
    Error(ReceivedError<'a>),
}

/// An ICMPv6 message from its header on, claims unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ReceivedPacket<'a> {
    pub source: SocketAddrV6,
    pub bytes: &'a [u8],
    /// Longer than the buffer, and cut.
    pub truncated: bool,
    pub hop_limit: Option<u8>,
    /// When the kernel received it, by its own stamp: wrong when the wall clock was set meanwhile.
    pub stamped_at: Option<Duration>,
    /// When we read it.
    pub read_at: Duration,
}

/// An entry of the error queue (`IPV6_RECVERR`, ipv6(7)), claims unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ReceivedError<'a> {
    pub icmp_type: u8,
    pub icmp_code: u8,
    /// The word behind the checksum: the MTU in Packet Too Big.
    pub information: u32,
    pub offender: Option<Ipv6Addr>,
    /// Where the quoted packet was going.
    pub destination: Option<Ipv6Addr>,
    /// The quoted packet from its ICMPv6 header on, perhaps cut.
    pub quoted: &'a [u8],
    pub read_at: Duration,
}
