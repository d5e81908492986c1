//! Which echoes went out, and whose reply or error a packet is. Pure.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use super::link::{ReceivedError, ReceivedPacket};
use super::packet::{self, ECHO_REPLY, ECHO_REQUEST, EchoMessage, Malformed};

/// To whom an echo goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Target,
    /// The address that cannot answer.
    Control,
}

/// What makes a packet ours, beside sequence and nonce.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub target: SocketAddrV6,
    pub control: Option<SocketAddrV6>,
    /// Chosen by us on a raw socket, by the kernel on a datagram socket.
    pub identifier: u16,
    pub payload_bytes: usize,
}

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Answer {
        role: Role,
        sequence: u16,
        round_trip: Duration,
    },
    Duplicate {
        role: Role,
    },
    Rejected(Reason),
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

/// One echo; its sequence is its place in the list plus one.
#[derive(Debug)]
struct Echo {
    role: Role,
    nonce: u64,
    /// `None` until the kernel has taken it, and for good when the kernel refused.
    sent_at: Option<Duration>,
    answered: bool,
    failed: bool,
}

#[derive(Debug)]
pub(super) struct Ledger {
    identity: Identity,
    echoes: Vec<Echo>,
}

impl Ledger {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            echoes: Vec::new(),
        }
    }

    /// Enters an echo and returns its sequence and bytes; `None` after 65,535 of them.
    pub(super) fn enter(&mut self, role: Role, nonce: u64) -> Option<(u16, Vec<u8>)> {
        let sequence = u16::try_from(self.echoes.len() + 1).ok()?;
        self.echoes.push(Echo {
            role,
            nonce,
            sent_at: None,
            answered: false,
            failed: false,
        });
        let payload = packet::payload(nonce, self.identity.payload_bytes);
        let identifier = self.identity.identifier;
        let message = EchoMessage {
            icmp_type: ECHO_REQUEST,
            identifier,
            sequence,
            payload: &payload,
        };
        Some((sequence, packet::encode(&message)))
    }

    pub(super) fn is_full(&self) -> bool {
        self.echoes.len() >= usize::from(u16::MAX)
    }

    pub(super) fn has_control(&self) -> bool {
        self.identity.control.is_some()
    }

    /// Where echoes of this role go; `None` for a control nobody asked for.
    pub(super) fn destination(&self, role: Role) -> Option<SocketAddrV6> {
        match role {
            Role::Target => Some(self.identity.target),
            Role::Control => self.identity.control,
        }
    }

    /// The kernel took the echo at `at`, read before the send.
    pub(super) fn sent(&mut self, sequence: u16, at: Duration) {
        if let Some(echo) = self.entry(sequence) {
            echo.sent_at = Some(at);
        }
    }

    /// Checks a packet against everything that went out; an answer is entered, so that the next
    /// one to the same echo is a duplicate.
    pub(super) fn judge(&mut self, received: &ReceivedPacket<'_>) -> Judgement {
        let message = match packet::decode(received.bytes) {
            Ok(message) if message.icmp_type == ECHO_REPLY => message,
            Err(Malformed::Short { .. }) => return Judgement::Rejected(Reason::Truncated),
            _ => return Judgement::Unrelated,
        };
        match self.check(received, &message) {
            Ok(judgement) => judgement,
            Err(reason) => Judgement::Rejected(reason),
        }
    }

    fn check(
        &mut self,
        received: &ReceivedPacket<'_>,
        message: &EchoMessage<'_>,
    ) -> Result<Judgement, Reason> {
        if message.identifier != self.identity.identifier {
            return Err(Reason::OtherIdentifier);
        }
        let Some(role) = self.role_of(received.source) else {
            return Err(Reason::ForeignSource);
        };
        let payload_bytes = self.identity.payload_bytes;
        let echo = self
            .entry(message.sequence)
            .ok_or(Reason::UnknownSequence)?;
        let sent_at = echo.sent_at.ok_or(Reason::UnknownSequence)?;
        if echo.role != role {
            return Err(Reason::ForeignSource);
        }
        check_payload(message.payload, &packet::payload(echo.nonce, payload_bytes))?;
        if received.truncated {
            return Err(Reason::Truncated);
        }
        if echo.answered {
            return Ok(Judgement::Duplicate { role });
        }
        echo.answered = true;
        let round_trip = round_trip(sent_at, received.stamped_at, received.read_at);
        Ok(Judgement::Answer {
            role,
            sequence: message.sequence,
            round_trip,
        })
    }

    /// Whose echo an ICMPv6 error quotes, and whether it is the first error for that echo. `None`
    /// when it quotes none of ours: other identifier, sequence, destination or nonce. A quote cut
    /// before the nonce passes on the others alone (RFC 4443 asks routers for more than that).
    pub(super) fn attribute(&mut self, error: &ReceivedError<'_>) -> Option<(Role, bool)> {
        let quoted = packet::decode(error.quoted).ok()?;
        if quoted.icmp_type != ECHO_REQUEST || quoted.identifier != self.identity.identifier {
            return None;
        }
        let role = self.entry(quoted.sequence)?.role;
        let destination = self.destination(role).map(|address| *address.ip());
        if error.destination.is_some() && error.destination != destination {
            return None;
        }
        let echo = self.entry(quoted.sequence)?;
        if packet::nonce(quoted.payload).is_some_and(|nonce| nonce != echo.nonce) {
            return None;
        }
        let first = !echo.failed;
        echo.failed = true;
        Some((role, first))
    }

    fn entry(&mut self, sequence: u16) -> Option<&mut Echo> {
        self.echoes.get_mut(usize::from(sequence).checked_sub(1)?)
    }

    fn role_of(&self, source: SocketAddrV6) -> Option<Role> {
        if same_host(self.identity.target, source) {
            return Some(Role::Target);
        }
        let control = self.identity.control?;
        same_host(control, source).then_some(Role::Control)
    }
}

/// Whether a packet from `source` comes from `peer`. Link-local addresses repeat on every link, so
/// there the interface counts too.
fn same_host(peer: SocketAddrV6, source: SocketAddrV6) -> bool {
    if peer.ip() != source.ip() {
        return false;
    }
    !is_link_local(*peer.ip()) || peer.scope_id() == source.scope_id()
}

/// fe80::/10 (RFC 4291 section 2.5.6).
pub(super) fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

fn check_payload(payload: &[u8], expected: &[u8]) -> Result<(), Reason> {
    let Some(nonce) = packet::nonce(payload) else {
        return Err(Reason::Truncated);
    };
    if Some(nonce) != packet::nonce(expected) {
        return Err(Reason::WrongNonce);
    }
    if payload.len() < expected.len() {
        return Err(Reason::Truncated);
    }
    if payload != expected {
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
