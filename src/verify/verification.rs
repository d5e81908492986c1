//! What came of it all: a verdict, its cause, and the checks behind it. Pure.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Vantage;
use crate::diagnose::{Code, Severity};
use crate::facts::Changed;
use crate::request::Proof;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It works.
    Pass,
    /// It does not.
    Fail,
    /// There was nothing to check.
    Skip,
    /// It could not be checked, or the result proves nothing.
    Unknown,
}

/// What is checked, the most basic first: what stands first explains what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An ICMPv6 echo to the Internet.
    Echo,
    /// A TCP connection to the Internet over IPv6.
    Tcp,
    /// How large a packet gets.
    PathMtu,
    /// A TCP connection to the Internet over IPv4, which must not get worse.
    Tcp4,
    /// Whether the resolver tells IPv6 addresses.
    Names,
    /// An ICMPv6 echo to another container on the same network.
    Peer,
    /// A published port, from this host over IPv6.
    Published6,
    /// The same over IPv4.
    Published4,
}

impl What {
    /// The part of a check's id after the vantage point.
    pub fn id(self) -> &'static str {
        match self {
            Self::Echo => "internet.icmp6",
            Self::Tcp => "internet.tcp6",
            Self::PathMtu => "internet.pmtu",
            Self::Tcp4 => "internet.tcp4",
            Self::Names => "dns.aaaa",
            Self::Peer => "container.icmp6",
            Self::Published6 => "published.tcp6",
            Self::Published4 => "published.tcp4",
        }
    }

    /// What it is checked with.
    pub fn proto(self) -> &'static str {
        match self {
            Self::Echo | Self::Peer | Self::PathMtu => "icmp6",
            Self::Tcp | Self::Published6 => "tcp6",
            Self::Tcp4 | Self::Published4 => "tcp4",
            Self::Names => "dns",
        }
    }

    /// How basic it is: the two ways to the Internet are equally so.
    pub fn rank(self) -> Self {
        match self {
            Self::Echo => Self::Tcp,
            other => other,
        }
    }

    /// Whether it is about getting to the Internet over IPv6 at all.
    pub fn is_reach(self) -> bool {
        matches!(self, Self::Echo | Self::Tcp)
    }
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its stable name, `container.internet.icmp6`.
    pub id: String,
    /// The vantage point.
    pub from: String,
    /// The target, or the resolver that was asked.
    pub to: Option<IpAddr>,
    /// `icmp6`, `tcp6`, `tcp4` or `dns`
    pub proto: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, when it is not simply well.
    pub why: Option<String>,
    /// Round trips.
    pub rtt_ms: Option<RoundTrips>,
    /// Packets or connects sent.
    pub sent: u32,
    /// Answers received.
    pub received: u32,
    /// Each address of the host, where that is what was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathSeen>,
    /// What it is about.
    #[serde(skip)]
    pub what: What,
}

impl Check {
    /// One that has not been looked at.
    pub fn new(vantage: &Vantage, what: What) -> Self {
        let from = vantage.id();
        Self {
            id: format!("{from}.{}", what.id()),
            from,
            to: None,
            proto: what.proto(),
            outcome: Outcome::Unknown,
            why: None,
            rtt_ms: None,
            sent: 0,
            received: 0,
            paths: Vec::new(),
            what,
        }
    }

    /// The same with another end.
    #[must_use]
    pub fn ends(mut self, outcome: Outcome, why: impl Into<Option<String>>) -> Self {
        self.outcome = outcome;
        self.why = why.into();
        self
    }
}

/// One address of the host at which a published port was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathSeen {
    /// The address.
    pub to: IpAddr,
    /// How it ended.
    pub outcome: Outcome,
    /// From where the container saw the connection come.
    pub source: Option<IpAddr>,
}

/// Round-trip times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// The shortest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The longest.
    pub max: f64,
}

impl RoundTrips {
    /// Of times in microseconds; none of none.
    pub fn of_micros(micros: &[u64]) -> Option<Self> {
        let mut sorted = micros.to_vec();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of a round trip are few"
        )]
        let ms = |micros: u64| micros as f64 / 1000.0;
        Some(Self {
            min: ms(*sorted.first()?),
            median: ms(*sorted.get(sorted.len() / 2)?),
            max: ms(*sorted.last()?),
        })
    }
}

/// The answer to it all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// [`Outcome::Pass`], [`Outcome::Fail`] or [`Outcome::Unknown`].
    pub verdict: Outcome,
    /// Why not, as a code.
    pub cause: Option<Code>,
    /// Why not, in words.
    #[serde(skip)]
    pub explanation: Option<String>,
    /// What to type.
    #[serde(skip)]
    pub hints: Vec<String>,
    /// What else to know, if `docker` leads to another Engine than the one that was looked at.
    pub note: Option<String>,
    /// What has another version than at setup; none where that is not known, or never was.
    pub since_setup: Option<Vec<Changed>>,
    /// What was tried, in the order host, netns, containers, published ports.
    pub checks: Vec<Check>,
    /// Whether the host's own large packets are lost, too.
    #[serde(skip)]
    pub host_loses_large_packets: bool,
    /// What is weak or worth knowing though it works, other than the cause.
    #[serde(rename = "findings")]
    pub weak: Vec<Weakness>,
}

/// A finding that stands in no check's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Weakness {
    /// Its stable name.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// In one line, with what to do.
    #[serde(rename = "title")]
    pub explanation: String,
}

impl Verification {
    /// The same, as a change of settings is judged: passed, where every vantage point gets out and
    /// the rest is no worse for the change. Where the driver carries no ICMPv6, echoes that fail are
    /// its known limit. The cause still names what does not work.
    #[must_use]
    pub fn accepting(mut self, proof: Proof) -> Self {
        // Without a cause nothing failed: the kernel may not have let anybody send an echo.
        let known = matches!(
            self.cause,
            None | Some(Code::DriverWithoutIcmp6 | Code::IcmpFiltered | Code::HostPingGroupRange)
        );
        let without_echo = proof == Proof::WithoutEcho && known;
        let is_borne = |check: &Check| match (check.what, check.outcome) {
            (_, Outcome::Pass | Outcome::Skip) => true,
            (What::Echo, Outcome::Fail | Outcome::Unknown) => without_echo,
            (what, Outcome::Unknown) => !what.is_reach(),
            (_, Outcome::Fail) => self.is_beyond_settings(check),
        };
        let gets_out = |from: &str| {
            let passes = |what| {
                let mut checks = self.checks.iter();
                checks.any(|check| {
                    (check.from.as_str(), check.what, check.outcome) == (from, what, Outcome::Pass)
                })
            };
            passes(What::Tcp) || (!without_echo && passes(What::Echo))
        };
        let mut reach = self.checks.iter().filter(|check| check.what.is_reach());
        let is_reached = reach.clone().next().is_some() && reach.all(|check| gets_out(&check.from));
        if is_reached && self.checks.iter().all(is_borne) {
            self.verdict = Outcome::Pass;
        }
        self
    }

    /// Whether no setting of dockerd's has brought it about: a router that the host meets as well, a
    /// resolver that answers and knows no IPv6, a port over IPv6, which few drivers ever served.
    fn is_beyond_settings(&self, check: &Check) -> bool {
        match check.what {
            What::PathMtu => self.host_loses_large_packets,
            What::Names => check.received > 0,
            what => what == What::Published6,
        }
    }

    /// Whether TCP passes from every vantage point, and echoes to the Internet alone fail; what
    /// depends on them is skipped.
    pub fn only_echo_fails(&self) -> bool {
        let mut echo_fails = false;
        for check in &self.checks {
            match (check.what, check.outcome) {
                (What::Echo, Outcome::Fail) => echo_fails = true,
                (What::Echo, _) | (_, Outcome::Pass) => {}
                (What::Tcp, _) | (_, Outcome::Fail | Outcome::Unknown) => return false,
                (_, Outcome::Skip) => {}
            }
        }
        echo_fails
    }

    /// Whether all is well.
    pub fn passes(&self) -> bool {
        self.verdict == Outcome::Pass
    }

    /// The most basic check that fails, nearest to the host.
    pub fn breaks_at(&self) -> Option<&Check> {
        let failing = |check: &&Check| check.outcome == Outcome::Fail;
        let checks = self.checks.iter().filter(failing);
        checks.min_by_key(|check| check.what.rank())
    }
}
