//! Echoes to many destinations over one socket: what `rootless6 ping` and the benchmark run.

use std::net::SocketAddrV6;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::echo::{self, EchoRequest, Rejected, SocketKind};
use super::icmp_error::ErrorSeen;
use super::session::micros;

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
    /// Round trips in the order of arrival, the last 10,000 of them.
    pub rtt_us: Vec<u64>,
    /// Hop limit of the last answer as it arrived.
    pub hop_limit: Option<u8>,
    pub errors: Vec<ErrorSeen>,
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
    let mut report = PingReport::default();
    for (place, destination) in request.destinations.iter().enumerate() {
        if stop() {
            break;
        }
        let count = request.count.unwrap_or(u32::MAX);
        let wait = request.wait_ms.saturating_mul(u64::from(count));
        let seen = echo::run(&EchoRequest {
            scope_id: destination.scope_id(),
            count,
            deadline_ms: wait,
            payload_bytes: request.payload_bytes,
            ..EchoRequest::new(*destination.ip())
        });
        for (sequence, rtt_us) in (1..).zip(&seen.rtt_us) {
            tell(&PingEvent::Answer {
                destination: place,
                sequence,
                rtt_us: *rtt_us,
                hop_limit: seen.hop_limit,
                late: Duration::from_micros(*rtt_us) > Duration::from_millis(request.wait_ms),
                duplicate: false,
            });
        }
        report.socket = seen.socket;
        report.socket_notes = seen.socket_notes;
        report.destinations.push(DestinationReport {
            sent: seen.sent,
            received: seen.received,
            late: 0,
            duplicates: seen.duplicates,
            reordered: seen.reordered,
            rejected: seen.rejected,
            rtt_us: seen.rtt_us,
            hop_limit: seen.hop_limit,
            errors: seen.errors,
        });
    }
    report.elapsed_us = micros(start.elapsed());
    report
}
