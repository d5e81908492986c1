//! What brings what about: a finding that another one explains is folded under it.

use super::{Code, Finding, Severity};

/// Causes, and what each of them brings about.
const BRINGS_ABOUT: &[(&[Code], &[Code])] = &[
    (
        // dockerd does not start at all.
        &[
            Code::TunUnavailable,
            Code::UsernsRestricted,
            Code::SubidsMissing,
            Code::NewuidmapMissing,
            Code::RootlesskitWithoutPasta,
            Code::PastaMissing,
            Code::UnitPathLacksPasta,
            Code::PastaTooOld,
            Code::PastaDeniedByApparmor,
            Code::PastaDualStackBug,
            Code::PortDriverMismatch,
            Code::DropinShadowed,
            Code::EnvironmentFileWins,
            Code::DaemonJsonInvalid,
            Code::IptablesOff,
            Code::Ip6tablesModuleMissing,
            Code::ContainerdRootlessConflict,
        ],
        &[Code::UnitStartLimit, Code::UnitNotRunning],
    ),
    (
        &[Code::HostIpv6Disabled, Code::HostNoIpv6Route],
        &[
            Code::HostNoIpv6Route,
            Code::RootlesskitWithoutIpv6Config,
            Code::StartedBeforeIpv6,
            Code::StaleAddress,
        ],
    ),
    (
        // What is written is not what setup would write.
        &[Code::DropinShadowed, Code::EnvironmentFileWins],
        &[Code::PortDriverMismatch, Code::PastaDualStackBug],
    ),
    (
        // RootlessKit runs, and otherwise than setup would have it.
        &[
            Code::DropinShadowed,
            Code::EnvironmentFileWins,
            Code::NeedsDaemonReload,
            Code::SettingsDrifted,
        ],
        &[
            Code::SettingsDrifted,
            Code::DriverWithoutIpv6,
            Code::DriverWithoutIcmp6,
            Code::Ipv6FlagMissing,
            Code::PortDriverWithoutIpv6,
            Code::MtuTrap,
            Code::RootlesskitWithoutIpv6Config,
        ],
    ),
    (
        // With what is written dockerd does not start: that it runs with something else is luck.
        &[Code::PortDriverMismatch, Code::PastaDualStackBug],
        &[Code::SettingsDrifted],
    ),
    (
        &[
            Code::PastaMissing,
            Code::UnitPathLacksPasta,
            Code::PastaTooOld,
        ],
        &[Code::DriverWithoutIpv6, Code::DriverWithoutIcmp6],
    ),
    (&[Code::IptablesOff], &[Code::Ip6tablesOff]),
    (
        // What it would say nobody can read.
        &[Code::DaemonJsonInvalid],
        &[
            Code::BridgeWithoutIpv6,
            Code::Ip6tablesOff,
            Code::NewNetworksWithoutIpv6,
        ],
    ),
    (
        // Where Docker is another one, nobody misses the unit.
        &[
            Code::DockerDesktop,
            Code::EngineNotRootless,
            Code::ContextElsewhere,
        ],
        &[Code::UnitMissing, Code::UnitNotRunning],
    ),
    (&[Code::Ipv6FlagMissing], &[Code::PortDriverWithoutIpv6]),
    (
        &[Code::SettingsDrifted],
        &[Code::BridgeWithoutIpv6, Code::Ip6tablesOff],
    ),
];

/// A finding, as far as it may be a cause.
struct Known {
    code: Code,
    severity: Severity,
    explains: Option<Vec<Code>>,
}

impl Known {
    /// Whether this one of its kind may bring that about.
    fn may_explain(&self, code: Code) -> bool {
        self.explains
            .as_ref()
            .is_none_or(|explained| explained.contains(&code))
    }
}

/// The causes first, the worst first and else in the order in which a packet meets them, each with
/// what it brings about after it. What is brought about is no more than a note of its own: the cause
/// counts for it.
pub(super) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    let known: Vec<Known> = findings
        .iter()
        .map(|finding| Known {
            code: finding.code,
            severity: finding.severity,
            explains: finding.explains.clone(),
        })
        .collect();
    for finding in &mut findings {
        finding.because_of = causes(finding, &known);
        if finding.because_of.is_empty() {
            finding.because_of = told_in_full(finding, &known);
        }
        if !finding.because_of.is_empty() {
            finding.severity = Severity::Note;
        }
    }
    let (mut causes, mut consequences): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.because_of.is_empty());
    causes.sort_by_key(|cause| cause.severity);
    let mut ordered = Vec::new();
    for cause in causes {
        let mut at = ordered.len();
        ordered.push(cause);
        // What a consequence brings about itself comes after that one.
        while let Some(cause) = ordered.get(at).map(|finding: &Finding| finding.code) {
            let brings = |finding: &mut Finding| finding.because_of.contains(&cause);
            ordered.extend(consequences.extract_if(.., brings));
            at += 1;
        }
    }
    ordered.extend(consequences);
    ordered
}

/// The findings that say more of each of its parts and are as bad; none where a part has none.
fn told_in_full(finding: &Finding, known: &[Known]) -> Vec<Code> {
    let tells = |(severity, codes): &(Severity, &[Code])| {
        let mut others = known.iter();
        let other =
            others.find(|other| codes.contains(&other.code) && other.severity <= *severity)?;
        Some(other.code)
    };
    let parts = finding.stands_behind.iter().map(tells);
    let mut told: Vec<Code> = parts.collect::<Option<_>>().unwrap_or_default();
    told.dedup();
    told
}

/// A cause is at least as bad as what it brings about, and comes first where each would explain the
/// other.
fn causes(finding: &Finding, known: &[Known]) -> Vec<Code> {
    let brings_about = |cause: Code, code: Code| {
        let mut rows = BRINGS_ABOUT.iter();
        rows.any(|(causes, brought)| causes.contains(&cause) && brought.contains(&code))
    };
    let mut causes: Vec<Code> = known
        .iter()
        .filter(|other| other.code != finding.code && other.severity <= finding.severity)
        .filter(|other| brings_about(other.code, finding.code) && other.may_explain(finding.code))
        .filter(|other| !brings_about(finding.code, other.code))
        .map(|other| other.code)
        .collect();
    // The nearest is enough: what explains that explains this one too.
    let all = causes.clone();
    causes.retain(|far| {
        !all.iter()
            .any(|near| near != far && brings_about(*far, *near))
    });
    causes
}
