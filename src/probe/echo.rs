//! ICMPv6 echo to one target, with a control that must stay silent.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Instant;

use super::ledger::{Identity, Role, is_link_local};
use super::link::PacketLink;
use super::nonce::Nonces;
pub use super::report::{EchoOutcome, EchoReport, EchoRequest, Rejected, SocketKind};
use super::session::{Decision, Event, Session, micros};
use super::socket::IcmpSocket;

/// Sends echoes until `count` answers are in and the control has kept silent, an error has proven
/// to stay, or the deadline is over. Never fails: what went wrong is in the report.
pub fn run(request: &EchoRequest) -> EchoReport {
    let start = Instant::now();
    let mut report = match run_on_socket(request, start) {
        Ok(report) => report,
        Err(socket_notes) => EchoReport {
            outcome: EchoOutcome::NoSocket,
            socket_notes,
            ..EchoReport::default()
        },
    };
    report.elapsed_us = micros(start.elapsed());
    report
}

fn run_on_socket(request: &EchoRequest, start: Instant) -> Result<EchoReport, Vec<String>> {
    let mut nonces = Nonces::open().map_err(|why| vec![why])?;
    let [high, low, ..] = nonces.next().map_err(|why| vec![why])?.to_be_bytes();
    let (mut socket, mut notes) = IcmpSocket::open(u16::from_be_bytes([high, low]), start)?;
    let mut session = Session::new(request, identity(request, socket.identifier()));
    let ended = drive(&mut session, &mut socket, || nonces.next());
    let mut report = session.into_report();
    if let Err(why) = ended {
        report.outcome = EchoOutcome::NoSocket;
        notes.push(why);
    }
    report.socket = Some(socket.kind());
    report.socket_notes = notes;
    Ok(report)
}

/// Does what the session decides, on any link, until it is done.
///
/// # Errors
/// The link's, or that there are no more nonces; what the session saw until then stays in it.
pub(super) fn drive<L: PacketLink>(
    session: &mut Session,
    link: &mut L,
    mut next_nonce: impl FnMut() -> Result<u64, String>,
) -> Result<EchoOutcome, String> {
    loop {
        match session.decide(link.now()) {
            Decision::Done(outcome) => return Ok(outcome),
            Decision::Send(role) => send(session, link, role, next_nonce()?),
            Decision::WaitUntil(until) => {
                if let Some(arrival) = link.next(until)? {
                    session.observe(&Event::Arrived(arrival));
                }
            }
        }
    }
}

fn send<L: PacketLink>(session: &mut Session, link: &mut L, role: Role, nonce: u64) {
    let Some((sequence, destination, message)) = session.prepare(role, nonce) else {
        return;
    };
    let at = link.now();
    let event = match link.send(destination, &message) {
        Ok(()) => Event::Sent { sequence, role, at },
        Err(kind) => Event::SendFailed { role, kind, at },
    };
    session.observe(&event);
}

pub(super) fn identity(request: &EchoRequest, identifier: u16) -> Identity {
    let control = request.control.filter(|control| *control != request.target);
    Identity {
        target: destination(request.target, request.scope_id),
        control: control.map(|address| destination(address, request.scope_id)),
        identifier,
        payload_bytes: usize::from(request.payload_bytes),
    }
}

/// The scope id names the link of a link-local address and means nothing elsewhere (RFC 4007).
fn destination(address: Ipv6Addr, scope_id: u32) -> SocketAddrV6 {
    let scope_id = if is_link_local(address) { scope_id } else { 0 };
    SocketAddrV6::new(address, 0, 0, scope_id)
}

#[cfg(test)]
mod tests;
