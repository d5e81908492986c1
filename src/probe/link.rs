//! The seam between the echo loop and the network.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use super::icmp_error::ErrorKind;

/// Something that carries ICMPv6 messages: a socket, or a script in tests. Every time is a
/// `Duration` since the link was opened, on a clock that never goes back.
pub(super) trait PacketLink {
    fn now(&self) -> Duration;

    /// Sends ICMPv6 messages in their order, until the kernel refuses one: how many it took, and
    /// why it refused the next (`ErrorKind::Local`).
    fn send(&mut self, messages: &[Outgoing]) -> (usize, Option<ErrorKind>);

    /// Hands over what has come in, and waits for it until `until` when there is nothing; it may
    /// return earlier, and with more to come. The time up to which everything has been handed
    /// over, if that can be said: nothing may be called lost before.
    ///
    /// # Errors
    /// The operation that failed and why, when the link can no longer be used.
    fn receive(
        &mut self,
        until: Duration,
        each: &mut dyn FnMut(&Arrival<'_>),
    ) -> Result<Option<Duration>, String>;
}

/// An echo on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub echo: EchoName,
    pub address: SocketAddrV6,
    /// From the ICMPv6 header on.
    pub message: Vec<u8>,
}

/// Which echo: the place of its destination in the list, and its number there, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EchoName {
    pub destination: usize,
    pub number: u64,
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
