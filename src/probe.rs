//! Does an IPv6 address answer from where this process stands: by ICMPv6 echo, and by TCP.
//!
//! # How an echo is decided
//!
//! ```text
//! echo::run   opens a socket, then asks the session what to do until it says `Done`
//!   session   pure: events in, decisions out, time a plain `Duration` since the start
//!     ledger  pure: which echoes went out; whose reply or error this packet is
//!       packet, icmp_error   pure: bytes to structs, type and code to words
//!   link      the trait between the loop and the network: `socket`, or a script in tests
//! ```
//!
//! - Every byte that comes in is an attacker's until proven ours: a reply counts only with the
//!   source address, identifier, sequence, 64-bit nonce and payload of an echo that went out.
//! - Time is never read from a packet. Send times stay here; receive times are the kernel's stamps
//!   where they make sense and our monotonic clock where they do not.
//! - An address that cannot answer (the control) is asked on the same socket. When it answers, so
//!   would anything, and the replies prove nothing.
//! - Nothing sleeps: a run ends with its last answer (and the control's silence), with an error
//!   that stays, or with the deadline.
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
