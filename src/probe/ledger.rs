//! Which echoes went out, and whose reply or error a packet is. Pure.

mod window;

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

pub(super) use self::window::{State, Window};
use super::link::{EchoName, Outgoing, ReceivedError, ReceivedPacket};
use super::packet::{self, ECHO_REPLY, ECHO_REQUEST, EchoMessage, HEADER_BYTES, Malformed};
use super::packet::{LONGEST_PAYLOAD, NONCE_BYTES};
use super::report::Rejected;

/// Echoes that are remembered for all destinations together, so that thousands of them take a few
/// megabytes …
const REMEMBERED: usize = 1 << 18;
/// … and for one, so that a sequence of 16 bits names one of them.
const REMEMBERED_OF_ONE: usize = 1 << 13;
/// At least so many of each: one to wait for, and some that may come late or twice.
const REMEMBERED_AT_LEAST: usize = 8;

/// What makes a packet ours, beside sequence and nonce.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Each once, ports 0.
    pub destinations: Vec<SocketAddrV6>,
    /// Chosen by us on a raw socket, by the kernel on a datagram socket.
    pub identifier: u16,
    pub payload_bytes: usize,
}

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The first answer to an echo.
    Answer {
        echo: EchoName,
        round_trip: Duration,
        /// It had not been given up.
        was_open: bool,
    },
    Duplicate {
        echo: EchoName,
        round_trip: Duration,
    },
    /// From this destination, where the source is one.
    Rejected(Reason, Option<usize>),
    /// No echo reply at all.
    Unrelated,
}

/// Why a reply is not an answer, in the order the checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Truncated,
    OtherIdentifier,
    ForeignSource,
    UnknownSequence,
    WrongNonce,
    AlteredPayload,
}

#[derive(Debug)]
pub(super) struct Ledger {
    identity: Identity,
    places: HashMap<(Ipv6Addr, u32), usize>,
    windows: Vec<Window>,
    /// An echo without sequence and nonce.
    template: Vec<u8>,
}

impl Ledger {
    pub(super) fn new(identity: Identity) -> Self {
        let destinations = &identity.destinations;
        let remembered =
            (REMEMBERED / destinations.len().max(1)).clamp(REMEMBERED_AT_LEAST, REMEMBERED_OF_ONE);
        let payload = packet::payload(0, identity.payload_bytes);
        let template = packet::encode(&EchoMessage {
            icmp_type: ECHO_REQUEST,
            identifier: identity.identifier,
            sequence: 0,
            payload: &payload,
        });
        Self {
            places: (0..)
                .zip(destinations)
                .map(|(place, address)| (host(*address), place))
                .collect(),
            windows: vec![Window::new(remembered); destinations.len()],
            template,
            identity,
        }
    }

    /// Enters the next echo to a destination. When its window is full, the oldest is forgotten.
    pub(super) fn enter(&mut self, destination: usize, nonce: u64) -> Outgoing {
        let number = self.windows[destination].enter(nonce);
        let mut message = self.template.clone();
        message[6..8].copy_from_slice(&wire_sequence(number).to_be_bytes());
        message[HEADER_BYTES..HEADER_BYTES + NONCE_BYTES].copy_from_slice(&nonce.to_be_bytes());
        Outgoing {
            echo: EchoName {
                destination,
                number,
            },
            address: self.identity.destinations[destination],
            message,
        }
    }

    pub(super) fn window(&self, destination: usize) -> &Window {
        &self.windows[destination]
    }

    pub(super) fn window_mut(&mut self, destination: usize) -> &mut Window {
        &mut self.windows[destination]
    }

    /// The kernel took the echo at `at`, read before the send.
    pub(super) fn sent(&mut self, echo: EchoName, at: Duration) {
        self.windows[echo.destination].sent(echo.number, at);
    }

    /// Checks a packet against everything that went out; an answer is entered, so that the next
    /// one to the same echo is a duplicate.
    pub(super) fn judge(&mut self, received: &ReceivedPacket<'_>) -> Judgement {
        let place = self.places.get(&host(received.source)).copied();
        let message = match packet::decode(received.bytes) {
            Ok(message) if message.icmp_type == ECHO_REPLY => message,
            Err(Malformed::Short { .. }) => return Judgement::Rejected(Reason::Truncated, place),
            _ => return Judgement::Unrelated,
        };
        match self.check(received, &message, place) {
            Ok(judgement) => judgement,
            Err(reason) => Judgement::Rejected(reason, place),
        }
    }

    fn check(
        &mut self,
        received: &ReceivedPacket<'_>,
        message: &EchoMessage<'_>,
        place: Option<usize>,
    ) -> Result<Judgement, Reason> {
        if message.identifier != self.identity.identifier {
            // A raw socket sees the answers to every other prober here, whoever was asked.
            return match place {
                Some(_) => Err(Reason::OtherIdentifier),
                None => Ok(Judgement::Unrelated),
            };
        }
        let destination = place.ok_or(Reason::ForeignSource)?;
        let window = &mut self.windows[destination];
        let number = window
            .number_of(message.sequence)
            .ok_or(Reason::UnknownSequence)?;
        let entry = window.entry(number).ok_or(Reason::UnknownSequence)?;
        let sent_at = entry.sent_at().ok_or(Reason::UnknownSequence)?;
        check_payload(message.payload, entry.nonce, &self.template[HEADER_BYTES..])?;
        let round_trip = round_trip(sent_at, received.stamped_at, received.read_at);
        let echo = EchoName {
            destination,
            number,
        };
        if entry.state == State::Answered {
            return Ok(Judgement::Duplicate { echo, round_trip });
        }
        let was_open = entry.state == State::Open;
        window.settle(number, State::Answered);
        Ok(Judgement::Answer {
            echo,
            round_trip,
            was_open,
        })
    }

    /// Which echo an ICMPv6 error quotes, and whether it is the first error for that echo. `None`
    /// when it quotes none of ours: other identifier, sequence, destination or nonce. A quote cut
    /// before the nonce passes on the others alone (RFC 4443 asks routers for more than that).
    pub(super) fn attribute(&mut self, error: &ReceivedError<'_>) -> Option<(EchoName, bool)> {
        let quoted = packet::decode(error.quoted).ok()?;
        if quoted.icmp_type != ECHO_REQUEST || quoted.identifier != self.identity.identifier {
            return None;
        }
        let destination = self.quoted_destination(error.destination)?;
        let window = &mut self.windows[destination];
        let number = window.number_of(quoted.sequence)?;
        let entry = window.entry(number)?;
        if packet::nonce(quoted.payload).is_some_and(|nonce| nonce != entry.nonce) {
            return None;
        }
        let first = window.fail(number);
        let echo = EchoName {
            destination,
            number,
        };
        Some((echo, first))
    }

    /// The error queue names the address, but not the link of a link-local one: the first fits, and
    /// the nonce decides.
    fn quoted_destination(&self, address: Option<Ipv6Addr>) -> Option<usize> {
        let address = address?;
        if !is_link_local(address) {
            return self.places.get(&(address, 0)).copied();
        }
        let mut destinations = self.identity.destinations.iter();
        destinations.position(|destination| *destination.ip() == address)
    }
}

impl Rejected {
    pub(super) fn count(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::Truncated => &mut self.truncated,
            Reason::OtherIdentifier => &mut self.other_identifier,
            Reason::ForeignSource => &mut self.foreign_source,
            Reason::UnknownSequence => &mut self.unknown_sequence,
            Reason::WrongNonce => &mut self.wrong_nonce,
            Reason::AlteredPayload => &mut self.altered_payload,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The 16 bits of a number that travel: what they leave out, the window and the nonce decide.
fn wire_sequence(number: u64) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// What tells hosts apart. Link-local addresses repeat on every link, so there the link counts too;
/// elsewhere the scope id means nothing (RFC 4007).
fn host(address: SocketAddrV6) -> (Ipv6Addr, u32) {
    let scope_id = if is_link_local(*address.ip()) {
        address.scope_id()
    } else {
        0
    };
    (*address.ip(), scope_id)
}

/// fe80::/10 (RFC 4291 section 2.5.6).
pub(super) fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

/// The bytes of a message whose payload is so long, as the session sends it.
pub(super) fn message_bytes(payload_bytes: usize) -> usize {
    HEADER_BYTES + payload_bytes.clamp(NONCE_BYTES, LONGEST_PAYLOAD)
}

fn check_payload(payload: &[u8], nonce: u64, expected: &[u8]) -> Result<(), Reason> {
    let Some(received) = packet::nonce(payload) else {
        return Err(Reason::Truncated);
    };
    if received != nonce {
        return Err(Reason::WrongNonce);
    }
    if payload.len() < expected.len() {
        return Err(Reason::Truncated);
    }
    if payload[NONCE_BYTES..] != expected[NONCE_BYTES..] {
        return Err(Reason::AlteredPayload);
    }
    Ok(())
}

/// The kernel's stamp gives the round trip without the time this process waited for a processor.
/// A stamp outside of [sent, read] means that the wall clock was set meanwhile: then our own clock.
fn round_trip(sent_at: Duration, stamped_at: Option<Duration>, read_at: Duration) -> Duration {
    let arrived_at = stamped_at.filter(|stamp| (sent_at..=read_at).contains(stamp));
    arrived_at.unwrap_or(read_at).saturating_sub(sent_at)
}

#[cfg(test)]
mod tests;
