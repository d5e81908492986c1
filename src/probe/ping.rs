//! Echoes to many destinations over one socket: what `rootless6 ping` and the benchmark run.

mod session;

use std::net::SocketAddrV6;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::session::PingSession;
use super::drive::drive;
use super::echo::{Rejected, SocketKind};
use super::icmp_error::ErrorSeen;
use super::ledger::Identity;
use super::nonce::Nonces;
use super::session::micros;
use super::socket::IcmpSocket;

/// Echoes in flight, whatever the receive buffer holds: more make nothing faster.
const MOST_ROOM: usize = 1024;

/// What to send and how long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingRequest {
    /// Unicast addresses, each once, with the scope id of a link-local one; ports are 0.
    pub destinations: Vec<SocketAddrV6>,
    /// Echoes to each, at least 1; `None` goes on until the process is interrupted.
    pub count: Option<u32>,
    /// Time between two echoes to the same destination; `None` sends the next one as soon as the
    /// last was answered or given up.
    pub interval_us: Option<u64>,
    /// How long an answer may take; a later one is counted as late.
    pub wait_ms: u64,
    /// Bytes behind the ICMPv6 header, raised to 8 for the nonce.
    pub payload_bytes: u16,
}

/// Something to tell while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PingEvent {
    /// An answer; `destination` is its place in the request.
    Answer {
        destination: usize,
        sequence: u32,
        rtt_us: u64,
        hop_limit: Option<u8>,
        late: bool,
        duplicate: bool,
    },
    /// An ICMPv6 error, or a send that the kernel refused.
    Error {
        destination: usize,
        sequence: u32,
        error: ErrorSeen,
    },
    /// No answer within the wait.
    Lost { destination: usize, sequence: u32 },
}

/// What one destination did. Times in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationReport {
    /// Echoes the kernel took.
    pub sent: u32,
    /// Answers in time, each echo once.
    pub received: u32,
    pub late: u32,
    pub duplicates: u32,
    pub reordered: u32,
    pub rejected: Rejected,
    /// Round trips of answers in time, in the order of arrival: the last 10,000, or fewer where
    /// there are more than 100 destinations, but the last 100.
    pub rtt_us: Vec<u64>,
    /// Hop limit of the last answer as it arrived.
    pub hop_limit: Option<u8>,
    pub errors: Vec<ErrorSeen>,
    /// Echoes that were still waited for when the run was stopped: neither answered nor lost.
    #[serde(default)]
    pub waiting: u32,
}

/// Everything that was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingReport {
    /// `None` when there was no socket to be had.
    pub socket: Option<SocketKind>,
    /// Why the other socket kind, or an option of this one, was not to be had.
    pub socket_notes: Vec<String>,
    /// In the order of the request.
    pub destinations: Vec<DestinationReport>,
    /// Packets that came from no destination and were not ours.
    #[serde(default)]
    pub rejected: Rejected,
    pub elapsed_us: u64,
}

/// Sends and waits until all is answered or given up, or `stop` says so. Never fails: what went
/// wrong is in the report.
pub fn run(
    request: &PingRequest,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&PingEvent),
) -> PingReport {
    let start = Instant::now();
    let mut report =
        run_on_socket(request, start, stop, tell).unwrap_or_else(|socket_notes| PingReport {
            socket_notes,
            destinations: vec![DestinationReport::default(); request.destinations.len()],
            ..PingReport::default()
        });
    report.elapsed_us = micros(start.elapsed());
    report
}

fn run_on_socket(
    request: &PingRequest,
    start: Instant,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&PingEvent),
) -> Result<PingReport, Vec<String>> {
    let mut nonces = Nonces::default();
    let identifier = nonces.identifier().map_err(|why| vec![why])?;
    let payload_bytes = usize::from(request.payload_bytes);
    let (mut socket, mut notes) = IcmpSocket::open(identifier, payload_bytes, start)?;
    let identity = identity(request, socket.identifier());
    let room = socket.room().min(MOST_ROOM);
    let mut session = PingSession::new(request, identity, room, tell);
    let ended = drive(&mut session, &mut socket, &mut || nonces.next(), Some(stop));
    notes.extend(ended.err());
    Ok(PingReport {
        socket: Some(socket.kind()),
        socket_notes: notes,
        ..session.into_report()
    })
}

fn identity(request: &PingRequest, identifier: u16) -> Identity {
    Identity {
        destinations: request.destinations.clone(),
        identifier,
        payload_bytes: usize::from(request.payload_bytes),
    }
}

#[cfg(test)]
mod tests;
