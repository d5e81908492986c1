//! What an echo run is asked, and what it reports. Both cross a process boundary as one JSON line.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::icmp_error::ErrorSeen;
pub use super::loss::Loss;

/// One echo run against one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoRequest {
    /// A unicast address: the answers to a multicast address come from others and count as foreign.
    pub target: Ipv6Addr,
    /// Interface index for a link-local target; 0 for all others.
    pub scope_id: u32,
    /// An address that cannot answer; ignored when it equals the target.
    pub control: Option<Ipv6Addr>,
    /// Answers wanted, at least 1. It takes about 13 until the loss is decided.
    pub count: u32,
    /// Gap between echoes while the last one is unanswered, at least 10 ms.
    pub interval_ms: u64,
    /// End of the run, counted from its start, whatever has come by then.
    pub deadline_ms: u64,
    /// Time from the start in which hard errors decide nothing, because an address may still be
    /// tentative (duplicate address detection, RFC 4862: 1–2 s).
    pub settle_ms: u64,
    /// Bytes behind the ICMPv6 header, raised to 8 for the nonce.
    pub payload_bytes: u16,
    /// Whether the first answer is enough: then no loss is judged, and the control is waited for no
    /// longer than an answer takes.
    pub glance: bool,
}

impl EchoRequest {
    /// Three answers within 3 s, an echo every 50 ms, 56 bytes as in `ping`, no control.
    pub fn new(target: Ipv6Addr) -> Self {
        Self {
            target,
            scope_id: 0,
            control: None,
            count: 3,
            interval_ms: 50,
            deadline_ms: 3000,
            settle_ms: 0,
            payload_bytes: 56,
            glance: false,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EchoOutcome {
    /// At least one answer; `received` below the count means loss. Worth nothing when
    /// `control_answered`.
    Answered,
    /// No answer and no error until the deadline.
    #[default]
    Silent,
    /// No answer; `errors` says what came instead.
    Error,
    /// Could not look: no socket, or it broke under way; `socket_notes` says why.
    NoSocket,
}

/// Which of the kernel's two ICMPv6 sockets carried the echoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketKind {
    /// `SOCK_RAW`: needs `CAP_NET_RAW` in the user namespace that owns the network namespace.
    Raw,
    /// `SOCK_DGRAM`: needs a group within `net.ipv4.ping_group_range` (icmp(7)).
    Datagram,
}

/// Packets that looked like answers or errors and were not ours, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Sent by nobody who was asked.
    pub foreign_source: u32,
    /// From the right address with another identifier: answers to other probers' echoes are seen on
    /// a raw socket as well, and are harmless.
    pub other_identifier: u32,
    /// A sequence that was not sent there, or too long ago.
    pub unknown_sequence: u32,
    pub wrong_nonce: u32,
    /// The right nonce, but other bytes behind it.
    pub altered_payload: u32,
    /// Shorter than the echo it answers.
    pub truncated: u32,
    /// ICMPv6 errors that quote no echo of ours.
    pub foreign_error: u32,
}

/// Everything one run observed. Times in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoReport {
    pub outcome: EchoOutcome,
    /// `None` with `EchoOutcome::NoSocket`.
    pub socket: Option<SocketKind>,
    /// Why the other socket kind, or an option of this one, was not to be had.
    pub socket_notes: Vec<String>,
    /// Echoes the kernel took, without those to the control.
    pub sent: u32,
    /// Answers; above the count where the loss took more of them, or the control was waited for.
    pub received: u32,
    pub duplicates: u32,
    /// Answers that came after the answer to a later echo.
    pub reordered: u32,
    pub rejected: Rejected,
    /// What the losses since the first answer come to.
    #[serde(default)]
    pub loss: Loss,
    /// Round trips in the order of arrival, one for each of `received`.
    pub rtt_us: Vec<u64>,
    /// Hop limit of the last answer as it arrived; 255 means nothing in between routed it.
    pub hop_limit: Option<u8>,
    /// Errors that quote an echo to the target, and sends to it that failed.
    pub errors: Vec<ErrorSeen>,
    /// The same for the control, where an error is as good as silence.
    pub control_errors: Vec<ErrorSeen>,
    pub control_sent: u32,
    /// The replies on this path are forged: somebody answers for an address that cannot.
    pub control_answered: bool,
    pub elapsed_us: u64,
}
