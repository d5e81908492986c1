//! ICMPv6 echo to one target, with a control that must stay silent.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Instant;

use super::drive::drive;
use super::ledger::{Identity, is_link_local};
use super::nonce::Nonces;
pub use super::report::{EchoOutcome, EchoReport, EchoRequest, Loss, Rejected, SocketKind};
use super::session::{EchoSession, micros};
use super::socket::IcmpSocket;

/// Sends echoes until `count` answers are in, the loss is decided and the control has kept silent,
/// an error has proven to stay, or the deadline is over. Never fails: what went wrong is in the report.
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
    let mut nonces = Nonces::default();
    let identifier = nonces.identifier().map_err(|why| vec![why])?;
    let payload_bytes = usize::from(request.payload_bytes);
    let (mut socket, mut notes) = IcmpSocket::open(identifier, payload_bytes, start)?;
    let mut session = EchoSession::new(request, identity(request, socket.identifier()));
    let ended = drive(&mut session, &mut socket, &mut || nonces.next(), None);
    let mut report = session.into_report();
    if let Err(why) = ended {
        report.outcome = EchoOutcome::NoSocket;
        notes.push(why);
    }
    report.socket = Some(socket.kind());
    report.socket_notes = notes;
    Ok(report)
}

pub(super) fn identity(request: &EchoRequest, identifier: u16) -> Identity {
    let control = request.control.filter(|control| *control != request.target);
    let addresses = std::iter::once(request.target).chain(control);
    Identity {
        destinations: addresses
            .map(|address| destination(address, request.scope_id))
            .collect(),
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
