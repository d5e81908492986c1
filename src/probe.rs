//! Does an IPv6 address answer from where this process stands: by ICMPv6 echo, and by TCP.
//!
//! # How an echo is decided
//!
//! ```text
//! echo::run, ping::run   open a socket: one target and its control; many destinations
//!   drive     asks a session what to do until it says `Done`, and tells it what happened
//!     session, ping::session   pure: events in, decisions out, time since the start
//!       ledger  pure: which echoes went out where; whose reply or error this packet is
//!         packet, icmp_error   pure: bytes to structs, type and code to words
//!       loss    pure: bearable or heavy
//!   link      the trait between the loop and the network: `socket`, or a script in tests
//! ```
//!
//! - Every byte that comes in is an attacker's until proven ours: a reply counts only with the
//!   source address, identifier, sequence, 64-bit nonce and payload of an echo that went out.
//! - A sequence has 16 bits and a run no end: of each destination a bounded window of echoes is
//!   remembered, and the nonce decides.
//! - Nothing is called lost before everything that had arrived by then has been read.
//! - Time is never read from a packet. Send times stay here; receive times are the kernel's stamps
//!   where they make sense and our monotonic clock where they do not.
//! - An address that cannot answer (the control) is asked on the same socket. When it answers, so
//!   would anything, and the replies prove nothing.
//! - Nothing sleeps: a run ends with its last answer (and the control's silence), when the loss is
//!   decided, with an error that stays, or with the deadline.
//! - Batches go out and come in by one system call each, no more at once than the receive buffer
//!   holds; the kernel keeps all but echo replies from a raw socket.
//!
//! Blocking and single-threaded on purpose: this runs in a helper that has just joined a user and
//! a network namespace, as pid 1 of a container, or on the host.

pub mod dns;
mod drive;
pub mod echo;
pub mod icmp_error;
mod ledger;
mod link;
mod loss;
mod nonce;
pub mod packet;
pub mod ping;
pub mod pmtu;
pub mod report;
mod session;
mod socket;
pub mod tcp;

#[cfg(test)]
pub(crate) mod kernel_tests;
#[cfg(test)]
mod scripted;

pub(crate) use socket::PING_GROUP_RANGE;
