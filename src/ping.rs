//! What is asked of `rootless6 ping`, and what comes back: plain values. [`crate::vantage`] carries
//! them to where the echoes are sent from, [`crate::report`] shows them.

use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::probe::echo::{Rejected, SocketKind};
use crate::probe::ping::{DestinationReport, PingReport};
use crate::verify::RoundTrips;

/// Where echoes are sent from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// This host.
    Host,
    /// RootlessKit's netns.
    Netns,
    /// A running container, by name or id.
    Container(String),
}

/// As on the command line.
impl fmt::Display for From {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => out.write_str("host"),
            Self::Netns => out.write_str("netns"),
            Self::Container(name) => write!(out, "container:{name}"),
        }
    }
}

/// An address, and the interface through which a link-local one is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// The address.
    pub address: Ipv6Addr,
    /// Name or index of an interface where the echoes are sent from; none for all but link-local
    /// addresses.
    pub scope: Option<String>,
}

/// As in RFC 4007 section 11.2.
impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Some(scope) => out.pad(&format!("{}%{scope}", self.address)),
            None => out.pad(&self.address.to_string()),
        }
    }
}

/// A destination, and the names that were given for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the echoes go.
    pub destination: Destination,
    /// Names that have this address; none where the address itself was given.
    pub names: Vec<String>,
}

/// What to send, in the words of somebody who is not yet there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Each once.
    pub destinations: Vec<Destination>,
    /// As in [`crate::probe::ping::PingRequest`].
    pub count: Option<u32>,
    /// As there.
    pub interval_us: Option<u64>,
    /// As there.
    pub wait_ms: u64,
    /// As there.
    pub payload_bytes: u16,
    /// Whether somebody looks on: with many destinations, telling takes longer than asking.
    pub tells: bool,
}

/// What has come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pinged {
    /// The echoes were sent, or could not be.
    Done(Summary),
    /// A link-local address is without an interface, or names one that is not there.
    NoInterface {
        /// Its place in the request.
        destination: usize,
        /// The interfaces that are there.
        interfaces: Vec<String>,
    },
}

/// Everything that was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `None` when there was no socket to be had.
    pub socket: Option<SocketKind>,
    /// Why the other socket kind, or an option of this one, was not to be had.
    pub socket_notes: Vec<String>,
    /// In the order of the request. Two scopes may turn out to be one interface: the second is not
    /// listed.
    pub destinations: Vec<DestinationSummary>,
    /// Packets that came from none of them and were not ours.
    pub rejected: Rejected,
    /// From the first echo to the last answer, in microseconds.
    pub elapsed_us: u64,
}

/// What one destination did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DestinationSummary {
    /// Its place in the request.
    pub place: usize,
    /// What was counted, without the single round trips.
    pub seen: DestinationReport,
    /// The round trips.
    pub rtt: Option<RoundTrips>,
}

impl Summary {
    /// The prober's report, for destinations at these places. What it was stopped before has been
    /// sent nothing.
    pub fn new(report: PingReport, places: &[usize]) -> Self {
        let untried = std::iter::repeat_with(DestinationReport::default);
        let destinations = places
            .iter()
            .zip(report.destinations.into_iter().chain(untried))
            .map(|(place, seen)| DestinationSummary::new(*place, seen))
            .collect();
        Self {
            socket: report.socket,
            socket_notes: report.socket_notes,
            destinations,
            rejected: report.rejected,
            elapsed_us: report.elapsed_us,
        }
    }

    /// How many have answered in time.
    pub fn answered(&self) -> usize {
        let answered = |destination: &&DestinationSummary| destination.answered();
        self.destinations.iter().filter(answered).count()
    }

    /// Whether every destination has answered in time.
    pub fn all_answered(&self) -> bool {
        self.answered() == self.destinations.len()
    }
}

impl DestinationSummary {
    fn new(place: usize, mut seen: DestinationReport) -> Self {
        let rtt = RoundTrips::of_micros(&seen.rtt_us);
        seen.rtt_us = Vec::new();
        Self { place, seen, rtt }
    }

    /// Whether it has answered in time.
    pub fn answered(&self) -> bool {
        self.seen.received > 0
    }

    /// Echo requests whose fate is known: nobody waits for them any more.
    pub fn settled(&self) -> u32 {
        self.seen.sent.saturating_sub(self.seen.waiting)
    }

    /// Echo requests that were answered neither in time nor late.
    pub fn lost(&self) -> u32 {
        let answers = self.seen.received.saturating_add(self.seen.late);
        self.settled().saturating_sub(answers)
    }
}
