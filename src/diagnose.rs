//! Facts in, findings out: a table of small rules, each with a stable code.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use serde::Serialize;

pub use code::{Code, Group};
pub use for_root::for_root;
pub use host::ALLOW_PING;
pub use obstacle::{Wanted, obstacle};
pub(crate) use packages::install;
pub use start::of_start;

use crate::error::{Error, Exit};
use crate::facts::Facts;
use crate::request::{Intent, Request};

mod apparmor;
mod because;
mod code;
mod daemon_json;
mod drift;
mod etc;
mod for_root;
mod host;
mod networks;
mod obstacle;
mod packages;
mod packet_filter;
mod pasta;
mod platform;
mod port_driver;
mod rootlesskit;
mod session;
mod start;
mod subids;
mod unit;
mod uplink;

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
    /// The findings that bring it about: mend those, and this one is gone.
    pub because_of: Vec<Code>,
    /// Who can mend it, and how.
    pub cure: Cure,
    /// What it brings about here, where that is less than a finding of this code may.
    explains: Option<Vec<Code>>,
    /// Its parts, how bad each is, and the codes that say more of it: where all are found, it stands
    /// behind them.
    stands_behind: Vec<(Severity, &'static [Code])>,
}

impl Finding {
    fn new(code: Code, severity: Severity, title: impl Into<String>, cure: Cure) -> Self {
        Self {
            code,
            severity,
            title: title.into(),
            evidence: Vec::new(),
            because_of: Vec::new(),
            cure,
            explains: None,
            stands_behind: Vec::new(),
        }
    }

    fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Whether it only says how what others tell has come about.
    pub fn stands_behind_others(&self) -> bool {
        !self.stands_behind.is_empty()
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
                error.needs_root = for_root::of_one(self.code, lines);
                error.hint("then run `rootless6 setup` again")
            }
        }
    }
}

/// A rule looks at the facts and finds one thing, or nothing.
struct Rule {
    /// What it may find.
    codes: &'static [Code],
    find: fn(&Facts, &Intent) -> Option<Finding>,
}

macro_rules! rules {
    ($($($code:ident)|+ => $($find:ident)::+ $(($intent:ident))?,)*) => {
        &[$(Rule {
            codes: &[$(Code::$code),+],
            find: rules!(@find $($find)::+ $($intent)?),
        },)*]
    };
    (@find $($find:ident)::+) => { |facts, _| $($find)::+(facts) };
    (@find $($find:ident)::+ intent) => { $($find)::+ };
}

/// In the order in which a packet meets the causes: what stands first explains what follows.
const RULES: &[Rule] = rules! {
    DropinShadowed => unit::shadowed(intent),
    EnvironmentFileWins => unit::environment_file_wins(intent),
    DockerDesktop | EngineNotRootless | ContextElsewhere => platform::elsewhere,
    NoUserBus => platform::wsl_without_systemd,
    NoLinger => session::not_running,
    NoUserBus => session::no_user_bus,
    UnitMissing => unit::missing,
    UnitStartLimit => unit::start_limit,
    UnitNotRunning => unit::not_running,
    NeedsDaemonReload => unit::needs_reload(intent),
    SettingsDrifted => drift::settings_drifted(intent),
    HostIpv6Disabled => host::ipv6_disabled,
    HostNoIpv6Route => platform::wsl_nat,
    HostNoIpv6Route => host::no_ipv6_route,
    HostPingGroupRange => host::ping_group_range,
    TunUnavailable => start::tun_unavailable,
    UsernsRestricted => start::userns_restricted,
    SubidsMissing => subids::missing,
    NewuidmapMissing => subids::mapper_missing,
    RootlesskitWithoutPasta => rootlesskit::without_pasta,
    PastaMissing => rootlesskit::pasta_missing(intent),
    UnitPathLacksPasta => unit::path_lacks_pasta(intent),
    PastaDeniedByApparmor => apparmor::pasta_denied,
    PastaTooOld => pasta::too_old,
    PastaDualStackBug => pasta::dual_stack_bug,
    PortDriverMismatch => port_driver::mismatch,
    DriverWithoutIpv6 => rootlesskit::driver_without_ipv6,
    Ipv6FlagMissing => rootlesskit::ipv6_flag_missing,
    DriverWithoutIcmp6 => rootlesskit::driver_without_icmp6(intent),
    StartedBeforeIpv6 => uplink::started_before_ipv6,
    RootlesskitWithoutIpv6Config => rootlesskit::without_ipv6_config,
    StaleAddress => uplink::stale_address,
    MtuTrap => rootlesskit::mtu_trap,
    PortDriverWithoutIpv6 => port_driver::without_ipv6,
    LoopbackPublishBroken => port_driver::loopback_publish_broken,
    ContainerdRootlessConflict => platform::containerd_rootless,
    EnvironmentFileWins => unit::environment_file_unknown,
    DaemonJsonInvalid => daemon_json::invalid,
    IptablesOff => packet_filter::iptables_off,
    Ip6tablesModuleMissing => packet_filter::module_missing,
    BridgeWithoutIpv6 => networks::bridge_without_ipv6(intent),
    Ip6tablesOff => packet_filter::ip6tables_off(intent),
    SubnetCollides => networks::subnet_collides(intent),
    NetworkWithoutIpv6 => networks::without_ipv6,
    NewNetworksWithoutIpv6 => networks::new_without_ipv6(intent),
    NoLinger => session::no_linger,
};

/// What counts for an Engine too that is not ours to configure: that it is not, and what the host has. The rest would mend a rootless Docker that is not there.
const OF_ANY_ENGINE: &[Code] = &[
    Code::DockerDesktop,
    Code::EngineNotRootless,
    Code::ContextElsewhere,
    Code::UnitMissing,
    Code::HostIpv6Disabled,
    Code::HostNoIpv6Route,
];

/// All findings, what explains the others first, for one who wants what is wanted here.
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    diagnose_for(facts, &intent(facts))
}

/// What is wanted here: what was asked of the setup that stands, else what setup does by default.
pub fn intent(facts: &Facts) -> Intent {
    let asked = facts.relied_on.is().and_then(|it| it.request.clone());
    let request: Request = asked.unwrap_or_default();
    request.resolve(facts.rootlesskit_version())
}

/// All findings, for one who wants this. Of two with the same code the first one says more.
pub fn diagnose_for(facts: &Facts, intent: &Intent) -> Vec<Finding> {
    let found = RULES.iter().filter_map(|rule| (rule.find)(facts, intent));
    told_once(found)
}

fn told_once(all: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for finding in all {
        if !findings.iter().any(|found| found.code == finding.code) {
            findings.push(finding);
        }
    }
    if findings.iter().any(Finding::is_elsewhere) {
        findings.retain(|finding| OF_ANY_ENGINE.contains(&finding.code));
    }
    findings
}

/// What `doctor` has found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// What was looked for; everything where none is named.
    pub asked: Vec<Code>,
    /// The causes first, the worst first; what they bring about after them.
    pub findings: Vec<Finding>,
    /// Rules that could not be carried out.
    pub failed: Vec<Failed>,
}

impl Examination {
    /// What could not be looked at, by the names that JSON has for it, and why.
    pub fn unknown<'a>(&self, facts: &'a Facts) -> Vec<(&'static str, &'a str)> {
        let unseen = self.asked.iter().filter(|code| code.is_found_by_packets());
        let unseen = unseen.map(|code| (code.name(), "doctor sends no packet; verify finds it"));
        facts.unknown().into_iter().chain(unseen).collect()
    }
}

/// A rule that failed: a fault of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// What it would have looked for.
    pub codes: Vec<Code>,
    /// How it failed.
    pub why: String,
}

/// Applies the rules for these codes, all of them where none is given, and puts what they find in
/// order. A rule that fails is told and stops no other.
pub fn examine(facts: &Facts, intent: &Intent, only: &[Code]) -> Examination {
    examine_by(RULES, facts, intent, only)
}

fn examine_by(rules: &[Rule], facts: &Facts, intent: &Intent, only: &[Code]) -> Examination {
    let is_asked = |code: &Code| only.is_empty() || only.contains(code);
    let mut failed = Vec::new();
    let found = rules.iter().filter_map(|rule| {
        let found = panic::catch_unwind(AssertUnwindSafe(|| (rule.find)(facts, intent)));
        found.unwrap_or_else(|panic| {
            if rule.codes.iter().any(is_asked) {
                failed.push(Failed {
                    codes: rule.codes.to_vec(),
                    why: words_of(panic.as_ref()),
                });
            }
            None
        })
    });
    let mut findings = told_once(found);
    findings.retain(|finding| is_asked(&finding.code));
    Examination {
        asked: only.to_vec(),
        findings: because::in_order(findings),
        failed,
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it gave no reason").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_fails_is_told_and_stops_no_other() {
        const RULES: &[Rule] = &[
            Rule {
                codes: &[Code::MtuTrap],
                find: |_, _| panic!("an odd value"),
            },
            Rule {
                codes: &[Code::NoLinger],
                find: |_, _| {
                    let cure = Cure::Setup;
                    Some(Finding::new(Code::NoLinger, Severity::Weak, "found", cure))
                },
            },
        ];
        let facts = Facts::default();
        let intent = Request::default().resolve(None);
        let all = examine_by(RULES, &facts, &intent, &[]);
        assert_eq!(all.findings.len(), 1);
        assert_eq!(all.failed[0].codes, [Code::MtuTrap]);
        assert_eq!(all.failed[0].why, "an odd value");
        let one = examine_by(RULES, &facts, &intent, &[Code::NoLinger]);
        assert_eq!((one.findings.len(), one.failed.len()), (1, 0));
    }
}
