//! Facts in, findings out: a table of small rules, each with a stable code.

use std::fmt;

use serde::Serialize;

pub use host::ALLOW_PING;
pub use obstacle::{Wanted, obstacle};
pub(crate) use rootlesskit::install;
pub use start::of_start;

use crate::error::{Error, Exit};
use crate::facts::Facts;
use crate::request::{Intent, Request};

mod daemon_json;
mod engine;
mod host;
mod obstacle;
mod platform;
mod rootlesskit;
mod session;
mod start;
mod unit;
mod uplink;

/// The stable names of what can be wrong. Scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    HostIpv6Disabled,
    #[serde(rename = "host-no-ipv6-route")]
    HostNoIpv6Route,
    #[serde(rename = "host-ipv6-unreachable")]
    HostIpv6Unreachable,
    HostPingGroupRange,
    TunUnavailable,
    NoUserBus,
    NoLinger,
    UnitMissing,
    UnitNotRunning,
    UnitStartLimit,
    NeedsDaemonReload,
    DropinShadowed,
    EnvironmentFileWins,
    UnitPathLacksPasta,
    RootlesskitWithoutPasta,
    #[serde(rename = "rootlesskit-without-ipv6-config")]
    RootlesskitWithoutIpv6Config,
    #[serde(rename = "driver-without-icmp6")]
    DriverWithoutIcmp6,
    #[serde(rename = "driver-without-ipv6")]
    DriverWithoutIpv6,
    #[serde(rename = "ipv6-flag-missing")]
    Ipv6FlagMissing,
    MtuTrap,
    PastaMissing,
    PastaTooOld,
    PastaDeniedByApparmor,
    StartedBeforeIpv6,
    StaleAddress,
    DaemonJsonInvalid,
    #[serde(rename = "bridge-without-ipv6")]
    BridgeWithoutIpv6,
    #[serde(rename = "network-without-ipv6")]
    NetworkWithoutIpv6,
    #[serde(rename = "ip6tables-off")]
    Ip6tablesOff,
    IptablesOff,
    SubnetCollides,
    EngineNotRootless,
    DockerDesktop,
    ContextElsewhere,
    ContainerdRootlessConflict,
    NetnsUnreachable,
    ContainerUnreachable,
    PublishedPortDead,
    PmtuBlackHole,
    DnsWithoutAaaa,
    IcmpFiltered,
    ForgedReplies,
    PrefersIpv4,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// IPv6 in containers cannot work.
    Broken,
    /// It works, but badly or not for long.
    Weak,
    /// Good to know.
    Note,
}

/// Who can mend a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// `rootless6 setup` does it.
    Setup,
    /// Root does: commands ready to paste.
    Root(Vec<String>),
    /// The user does: what, in words, a line for each thing.
    Words(String),
}

/// Something that is wrong, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable name.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// What was seen.
    pub evidence: Vec<String>,
    /// Who can mend it, and how.
    pub cure: Cure,
}

impl Finding {
    fn new(code: Code, severity: Severity, title: impl Into<String>, cure: Cure) -> Self {
        Self {
            code,
            severity,
            title: title.into(),
            evidence: Vec::new(),
            cure,
        }
    }

    fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Whether the Engine, if any answers, has no RootlessKit of this user's behind it.
    pub fn is_elsewhere(&self) -> bool {
        let codes = [
            Code::DockerDesktop,
            Code::EngineNotRootless,
            Code::ContextElsewhere,
        ];
        codes.contains(&self.code) && self.severity == Severity::Broken
    }

    /// The finding as the reason why something was not done.
    pub fn to_error(&self, exit: Exit) -> Error {
        let mut error = Error::new(exit, format!("{} ({})", self.title, self.code));
        error.causes.clone_from(&self.evidence);
        self.advise(error)
    }

    /// The error with what to do about the finding.
    pub(crate) fn advise(&self, mut error: Error) -> Error {
        match &self.cure {
            Cure::Setup => error.hint("`rootless6 setup` changes that"),
            Cure::Words(words) => words.lines().fold(error, Error::hint),
            Cure::Root(lines) => {
                error.needs_root.clone_from(lines);
                error.hint("then run `rootless6 setup` again")
            }
        }
    }
}

/// A rule looks at the facts and finds one thing, or nothing.
type Rule = fn(&Facts) -> Option<Finding>;

/// In the order in which a packet meets the causes: what stands first explains what follows.
const RULES: &[Rule] = &[
    platform::elsewhere,
    platform::wsl_without_systemd,
    session::not_running,
    session::no_user_bus,
    unit::missing,
    unit::start_limit,
    unit::not_running,
    unit::needs_reload,
    host::ipv6_disabled,
    platform::wsl_nat,
    host::no_ipv6_route,
    host::ping_group_range,
    rootlesskit::without_pasta,
    rootlesskit::pasta_missing,
    unit::path_lacks_pasta,
    rootlesskit::driver_without_ipv6,
    rootlesskit::ipv6_flag_missing,
    rootlesskit::driver_without_icmp6,
    uplink::started_before_ipv6,
    rootlesskit::without_ipv6_config,
    uplink::stale_address,
    rootlesskit::mtu_trap,
    platform::containerd_rootless,
    unit::environment_file_unknown,
    daemon_json::invalid,
    engine::iptables_off,
    engine::bridge_without_ipv6,
    engine::ip6tables_off,
    engine::subnet_collides,
    engine::networks_without_ipv6,
    session::no_linger,
];

/// What is wrong with the networks of an Engine that is not ours to configure is not told.
const OF_OUR_ENGINE: &[Code] = &[
    Code::BridgeWithoutIpv6,
    Code::Ip6tablesOff,
    Code::NetworkWithoutIpv6,
];

/// All findings, what explains the others first, for one who wants what setup does by default.
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    let intent = Request::default().resolve(facts.rootlesskit_version());
    diagnose_for(facts, &intent)
}

/// All findings, for one who wants this. Of two with the same code the first one says more.
pub fn diagnose_for(facts: &Facts, intent: &Intent) -> Vec<Finding> {
    let mut findings = unit::shadowed(facts, intent);
    for finding in RULES.iter().filter_map(|rule| rule(facts)) {
        let told = findings.iter().any(|found| found.code == finding.code);
        let ours = !findings.iter().any(Finding::is_elsewhere);
        if !told && (ours || !OF_OUR_ENGINE.contains(&finding.code)) {
            findings.push(finding);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelled_as_the_contract_has_them() {
        for (code, name) in [
            (Code::HostNoIpv6Route, "host-no-ipv6-route"),
            (
                Code::RootlesskitWithoutIpv6Config,
                "rootlesskit-without-ipv6-config",
            ),
            (Code::DriverWithoutIcmp6, "driver-without-icmp6"),
            (Code::Ip6tablesOff, "ip6tables-off"),
            (Code::DropinShadowed, "dropin-shadowed"),
            (Code::MtuTrap, "mtu-trap"),
            (Code::HostIpv6Disabled, "host-ipv6-disabled"),
            (Code::StartedBeforeIpv6, "started-before-ipv6"),
            (Code::PublishedPortDead, "published-port-dead"),
            (Code::PmtuBlackHole, "pmtu-black-hole"),
            (Code::DnsWithoutAaaa, "dns-without-aaaa"),
            (Code::PrefersIpv4, "prefers-ipv4"),
        ] {
            assert_eq!(code.to_string(), name);
        }
    }
}
