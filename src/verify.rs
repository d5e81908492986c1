//! Does IPv6 work, from where to where, and if not, why?
//!
//! The same targets are probed from several vantage points at once: the host, RootlessKit's netns
//! and a container. pasta is a layer-4 proxy and hides real errors, so no vantage point is judged
//! alone: the first one that fails names the cause.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::diagnose::{Code, Severity, diagnose};
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, Seen};
use crate::host::image::{self, Leftovers};
use crate::host::{engine, netns};
use crate::inspect;
use crate::request::Proof;
use crate::vantage::{Answer, Join, Request, Task};

mod apart;
pub mod judge;
pub mod observe;
pub mod published;
pub mod targets;

use observe::Observation;
use published::Published;

/// A healthy probe is over in milliseconds; a hopeless one after three seconds. The rest is for a
/// container to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Removing a container takes a fraction of a second.
const SWEEP: Duration = Duration::from_secs(5);

/// Where a probe is sent from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vantage {
    /// The host itself.
    Host,
    /// RootlessKit's netns.
    Netns,
    /// A new container on docker0.
    Container,
    /// A new container on another network, by name.
    OnNetwork(String),
    /// A running container, by name; its network is joined from outside.
    InContainer(String),
}

impl Vantage {
    /// The part of a check's id before the first full stop.
    pub fn id(&self) -> String {
        match self {
            Self::Host => "host".to_owned(),
            Self::Netns => "netns".to_owned(),
            Self::Container => "container".to_owned(),
            Self::OnNetwork(name) | Self::InContainer(name) => format!("container[{name}]"),
        }
    }
}

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

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its stable name, `container.internet.icmp6`.
    pub id: String,
    /// The vantage point.
    pub from: String,
    /// The target.
    pub to: Option<Ipv6Addr>,
    /// `icmp6` or `tcp6`
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
    /// The cause in words, with what to do.
    #[serde(skip)]
    pub explanation: Option<String>,
    /// What else to know, if `docker` leads to another Engine than the one that was looked at.
    pub note: Option<String>,
    /// What was tried, in the order host, netns, container.
    pub checks: Vec<Check>,
    /// What is weak though it works, other than the cause.
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
    /// The same, judged by what was asked for: where the driver carries no ICMPv6, echoes that fail
    /// alone are its known limit. The cause still names it.
    #[must_use]
    pub fn accepting(mut self, proof: Proof) -> Self {
        let known = matches!(
            self.cause,
            Some(Code::DriverWithoutIcmp6 | Code::IcmpFiltered)
        );
        if proof == Proof::WithoutEcho && known && self.only_echo_fails() {
            self.verdict = Outcome::Pass;
        }
        self
    }

    /// Whether TCP passes from every vantage point and only echoes fail.
    pub fn only_echo_fails(&self) -> bool {
        let mut echo_fails = false;
        for check in &self.checks {
            match (check.proto, check.outcome) {
                (judge::ICMP6, Outcome::Fail) => echo_fails = true,
                (judge::ICMP6, _) | (_, Outcome::Pass) => {}
                _ => return false,
            }
        }
        echo_fails
    }

    /// Whether all is well.
    pub fn passes(&self) -> bool {
        self.verdict == Outcome::Pass
    }
}

/// What a vantage point reported, or why it could not.
pub type Report = std::result::Result<Observation, String>;

/// What should answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Addresses that should answer over IPv6.
    pub v6: Vec<Ipv6Addr>,
    /// Addresses that should take a TCP connection over IPv4; none where only IPv6 addresses were
    /// asked for.
    pub v4: Vec<Ipv4Addr>,
    /// Names that were asked for; they have IPv6 addresses.
    pub names: Vec<String>,
}

/// What is asked of [`verify`].
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// From where to probe.
    pub vantages: &'a [Vantage],
    /// What should answer.
    pub targets: &'a Targets,
    /// Whether IPv4 worked from RootlessKit's netns before a change, if somebody looked.
    pub ipv4_before: Option<bool>,
}

impl<'a> Question<'a> {
    /// About these targets, with nothing known from before.
    pub fn new(vantages: &'a [Vantage], targets: &'a Targets) -> Self {
        Self {
            vantages,
            targets,
            ipv4_before: None,
        }
    }
}

/// Everything that was seen: what the judge gets.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// From each vantage point, in the order host, netns, containers.
    pub reports: Vec<(Vantage, Report)>,
    /// The port that the probe's own container publishes, or why it could not be tried; none when
    /// no container was asked for.
    pub published: Option<std::result::Result<Published, String>>,
    /// As in [`Question`].
    pub ipv4_before: Option<bool>,
}

/// Probes the targets from all vantage points at once and judges what they report.
///
/// The host is probed in any case: without it nobody can tell a target that is down from a way
/// that is broken.
pub async fn verify(facts: &Facts, socket: &Path, question: &Question<'_>) -> Verification {
    let request = observe::Request::about(question.targets);
    let mut probed = question.vantages.to_vec();
    if !probed.contains(&Vantage::Host) {
        probed.insert(0, Vantage::Host);
    }
    let probes = join_all(
        probed
            .iter()
            .map(|vantage| observe_from(vantage, facts, socket, &request)),
    );
    let (reports, ()) = tokio::join!(probes, sweep(socket, Leftovers::OfTheDead));
    let evidence = Evidence {
        reports: probed.iter().cloned().zip(reports).collect(),
        published: None,
        ipv4_before: question.ipv4_before,
    };
    judge::judge(&evidence, question.vantages, &diagnose(facts))
}

async fn observe_from(
    vantage: &Vantage,
    facts: &Facts,
    socket: &Path,
    request: &observe::Request,
) -> Report {
    let answer = match vantage {
        Vantage::Host => {
            let request = observe::Request {
                gateway: true,
                ..request.clone()
            };
            netns::ask(&probe(None, &request), PATIENCE).await
        }
        Vantage::Netns => match way_inside(facts) {
            Ok(join) => netns::ask(&probe(Some(join), request), PATIENCE).await,
            Err(error) => Err(error),
        },
        Vantage::Container => in_container(socket, "bridge", request).await,
        Vantage::OnNetwork(name) => in_container(socket, name, request).await,
        Vantage::InContainer(_) => Err(Error::new(Exit::Bad, "not yet")),
    };
    match answer {
        Ok(Answer::Observation(observation)) => Ok(*observation),
        Ok(_) => Err("the vantage point answered something else".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn probe(join: Option<Join>, request: &observe::Request) -> Request {
    Request {
        join,
        task: Task::Probe(request.clone()),
    }
}

fn way_inside(facts: &Facts) -> Result<Join> {
    match &facts.rootlesskit {
        Seen::Is(kit) => Ok(inspect::join(kit)),
        Seen::Absent => Err(Error::new(Exit::Bad, "RootlessKit is not running")),
        Seen::Unknown(why) => {
            Err(Error::cannot(Exit::Bad, "find RootlessKit's netns").caused_by(why))
        }
    }
}

async fn in_container(socket: &Path, network: &str, request: &observe::Request) -> Result<Answer> {
    let docker = engine::connect(socket)?;
    let request = observe::Request {
        fresh_link: true,
        ..request.clone()
    };
    let request = probe(None, &request);
    match tokio::time::timeout(PATIENCE, image::ask(&docker, network, &request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::cannot(Exit::Bad, "hear from the probe container")
            .caused_by(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// Removes what runs have left at the Engine; one that hangs is left alone.
pub async fn sweep(socket: &Path, whose: Leftovers) {
    if let Ok(docker) = engine::connect(socket) {
        let _ = tokio::time::timeout(SWEEP, image::sweep(&docker, whose)).await;
    }
}
