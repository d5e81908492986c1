//! Does IPv6 work, from where to where, and if not, why?
//!
//! The same targets are probed from several vantage points at once: the host, RootlessKit's netns
//! and a container. pasta is a layer-4 proxy and hides real errors, so no vantage point is judged
//! alone: the first one that fails names the cause.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use crate::diagnose::diagnose;
use crate::facts::{Engine, Facts};
use crate::host::engine;
use crate::host::probe_container::{self, Leftovers};

mod apart;
mod gather;
pub mod judge;
pub mod observe;
pub mod peer;
pub mod published;
pub mod targets;
mod verification;

use observe::Observation;
use published::Published;
pub use verification::{Check, Outcome, PathSeen, RoundTrips, Verification, Weakness, What};

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
    /// The unit that runs dockerd, as one types it.
    pub unit: String,
    /// What the Engine said of its networks, if it answered.
    pub engine: Option<Engine>,
}

/// Probes the targets from all vantage points at once and judges what they report.
pub async fn verify(facts: &Facts, socket: &Path, question: &Question<'_>) -> Verification {
    let (evidence, ()) = tokio::join!(
        gather::gather(facts, socket, question),
        sweep(socket, Leftovers::OfTheDead)
    );
    tracing::debug!("{evidence:?}");
    Verification {
        since_setup: facts.since_setup(),
        ..judge::judge(&evidence, question.vantages, &diagnose(facts))
    }
}

/// Whether RootlessKit's netns gets out over IPv4; none where nobody knows, or where no IPv4 address
/// was asked for.
pub async fn ipv4_works(facts: &Facts, targets: &Targets) -> Option<bool> {
    if targets.v4.is_empty() {
        return None;
    }
    judge::ipv4_works(&gather::over_ipv4(facts, targets).await.ok()?)
}

/// Removes what runs have left at the Engine; one that hangs is left alone.
pub async fn sweep(socket: &Path, whose: Leftovers) {
    if let Ok(docker) = engine::connect(socket) {
        let _ = tokio::time::timeout(SWEEP, probe_container::sweep(&docker, whose)).await;
    }
}
