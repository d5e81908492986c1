//! The echoes of a search: which went out, and whose reply or error a packet is. Pure.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use super::super::link::{EchoName, Outgoing, ReceivedError, ReceivedPacket};
use super::super::packet::{self, ECHO_REPLY, ECHO_REQUEST, EchoMessage, HEADER_BYTES};

/// An IPv6 header without extensions (RFC 8200 section 3).
const IPV6_HEADER_BYTES: usize = 40;

/// One echo; its sequence is its place in the list plus one.
#[derive(Debug)]
pub(super) struct Echo {
    /// Of the whole packet.
    pub bytes: u16,
    nonce: u64,
    /// `None` until the kernel has taken it, and for good when it refused.
    pub sent_at: Option<Duration>,
    pub answered_at: Option<Duration>,
    failed: bool,
}

/// What came back of an echo of `bytes`.
#[derive(Debug)]
pub(super) enum Reply {
    Whole {
        bytes: u16,
        round_trip: Duration,
    },
    /// Its beginning, with the nonce: the request has arrived.
    CutShort {
        bytes: u16,
    },
}

#[derive(Debug)]
pub(super) struct Echoes {
    pub target: Ipv6Addr,
    identifier: u16,
    pub list: Vec<Echo>,
}

impl Echoes {
    pub(super) fn new(target: Ipv6Addr, identifier: u16) -> Self {
        Self {
            target,
            identifier,
            list: Vec::new(),
        }
    }

    /// Enters an echo of this size.
    pub(super) fn enter(&mut self, bytes: u16, nonce: u64) -> Outgoing {
        self.list.push(Echo {
            bytes,
            nonce,
            sent_at: None,
            answered_at: None,
            failed: false,
        });
        let sequence = u16::try_from(self.list.len()).unwrap_or(u16::MAX);
        let message = packet::encode(&EchoMessage {
            icmp_type: ECHO_REQUEST,
            identifier: self.identifier,
            sequence,
            payload: &packet::payload(nonce, payload_bytes(bytes)),
        });
        Outgoing {
            echo: EchoName {
                destination: 0,
                number: u64::from(sequence),
            },
            address: SocketAddrV6::new(self.target, 0, 0, 0),
            message,
        }
    }

    /// The kernel took the echo at `at`; its size.
    pub(super) fn sent(&mut self, echo: EchoName, at: Duration) -> Option<u16> {
        let echo = self.entry(u16::try_from(echo.number).ok()?)?;
        echo.sent_at = Some(at);
        Some(echo.bytes)
    }

    /// The echo that this packet answers. It counts with the source, identifier, sequence, nonce and
    /// payload of an echo that went out, and counts once.
    pub(super) fn answered(&mut self, packet: &ReceivedPacket<'_>) -> Option<Reply> {
        let message = packet::decode(packet.bytes).ok()?;
        let is_ours = message.icmp_type == ECHO_REPLY
            && message.identifier == self.identifier
            && *packet.source.ip() == self.target;
        let echo = self.entry(message.sequence).filter(|_| is_ours)?;
        let sent_at = echo.sent_at?;
        let expected = packet::payload(echo.nonce, payload_bytes(echo.bytes));
        if echo.answered_at.is_some() {
            return None;
        }
        if message.payload != expected {
            let is_cut =
                packet::nonce(message.payload).is_some() && expected.starts_with(message.payload);
            return is_cut.then_some(Reply::CutShort { bytes: echo.bytes });
        }
        let stamp = packet.stamped_at;
        let at = stamp.filter(|stamp| (sent_at..=packet.read_at).contains(stamp));
        let at = at.unwrap_or(packet.read_at);
        echo.answered_at = Some(at);
        Some(Reply::Whole {
            bytes: echo.bytes,
            round_trip: at.saturating_sub(sent_at),
        })
    }

    /// Whether an ICMPv6 error that quotes an echo of ours is the first for that echo; `None` when it
    /// quotes none. Without the nonce anybody could have written it, and routers quote that much (RFC
    /// 4443 section 2.4).
    pub(super) fn attribute(&mut self, error: &ReceivedError<'_>) -> Option<bool> {
        let quoted = packet::decode(error.quoted).ok()?;
        let is_ours = quoted.icmp_type == ECHO_REQUEST
            && quoted.identifier == self.identifier
            && error.destination.is_none_or(|to| to == self.target);
        let echo = self.entry(quoted.sequence).filter(|_| is_ours)?;
        if packet::nonce(quoted.payload) != Some(echo.nonce) {
            return None;
        }
        Some(!std::mem::replace(&mut echo.failed, true))
    }

    fn entry(&mut self, sequence: u16) -> Option<&mut Echo> {
        self.list.get_mut(usize::from(sequence).checked_sub(1)?)
    }
}

/// Bytes behind the ICMPv6 header of a packet.
pub(super) const fn payload_bytes(packet_bytes: u16) -> usize {
    (packet_bytes as usize).saturating_sub(IPV6_HEADER_BYTES + HEADER_BYTES)
}
