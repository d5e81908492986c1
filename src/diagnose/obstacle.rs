use super::{Code, Cure, Finding, Severity};
use crate::error::{Exit, Result};
use crate::request::Proof;

/// Findings that no plan gets around, unless their cure is setup itself; how setup ends then unless
/// root can help.
const OBSTACLES: &[(Code, Exit)] = &[
    (Code::DockerDesktop, Exit::Elsewhere),
    (Code::EngineNotRootless, Exit::Elsewhere),
    (Code::ContextElsewhere, Exit::Elsewhere),
    (Code::NoLinger, Exit::Blocked),
    (Code::NoUserBus, Exit::NotApplied),
    (Code::UnitMissing, Exit::Elsewhere),
    (Code::ContainerdRootlessConflict, Exit::Elsewhere),
    (Code::HostIpv6Disabled, Exit::Blocked),
    (Code::HostNoIpv6Route, Exit::Elsewhere),
    (Code::RootlesskitWithoutPasta, Exit::NotApplied),
    (Code::DriverWithoutIpv6, Exit::NotApplied),
    (Code::PastaMissing, Exit::Blocked),
    (Code::HostPingGroupRange, Exit::Blocked),
    (Code::DropinShadowed, Exit::NotApplied),
    (Code::EnvironmentFileWins, Exit::NotApplied),
    (Code::DaemonJsonInvalid, Exit::NotApplied),
    (Code::IptablesOff, Exit::NotApplied),
    (Code::Ip6tablesModuleMissing, Exit::Blocked),
    (Code::SubnetCollides, Exit::NotApplied),
    (Code::BridgeWithoutIpv6, Exit::NotApplied),
    (Code::Ip6tablesOff, Exit::NotApplied),
];

/// Obstacles only to those who want pasta.
const PASTAS_OWN: &[Code] = &[Code::RootlesskitWithoutPasta, Code::PastaMissing];

/// Obstacles only to a proof: the host may get its IPv6 later.
const PROOFS_OWN: &[Code] = &[Code::HostNoIpv6Route, Code::HostPingGroupRange];

/// Obstacles only to echo requests.
const ECHOS_OWN: &[Code] = &[Code::HostPingGroupRange];
/// Obstacles only to IPv6 on docker0.
const BRIDGES_OWN: &[Code] = &[
    Code::BridgeWithoutIpv6,
    Code::Ip6tablesOff,
    Code::Ip6tablesModuleMissing,
    Code::SubnetCollides,
];

/// What is wanted, as far as it decides what is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether RootlessKit is to use pasta.
    pub pasta: bool,
    /// What is to be proved afterwards, if anything.
    pub proof: Option<Proof>,
    /// Whether docker0 is to have IPv6.
    pub bridge: bool,
}

impl Wanted {
    /// The best that is possible here: pasta and echo requests wherever RootlessKit has pasta.
    pub fn best(findings: &[Finding]) -> Self {
        let mut codes = findings.iter().map(|finding| finding.code);
        let pasta = !codes.any(|code| code == Code::RootlesskitWithoutPasta);
        Self {
            pasta,
            proof: Some(if pasta {
                Proof::Whole
            } else {
                Proof::WithoutEcho
            }),
            bridge: true,
        }
    }
}

/// Whether a plan can lead anywhere on this system.
///
/// # Errors
/// The first obstacle, with its evidence and what to do about it.
pub fn obstacle(findings: &[Finding], wanted: Wanted) -> Result<()> {
    let matters = |code: &Code| {
        (wanted.pasta || !PASTAS_OWN.contains(code))
            && (wanted.proof.is_some() || !PROOFS_OWN.contains(code))
            && (wanted.proof == Some(Proof::Whole) || !ECHOS_OWN.contains(code))
            && (wanted.bridge || !BRIDGES_OWN.contains(code))
    };
    let first = OBSTACLES
        .iter()
        .filter(|(code, _)| matters(code))
        .find_map(|(code, exit)| {
            let finding = findings
                .iter()
                .find(|finding| finding.code == *code && is_in_the_way(finding))?;
            let only_root_can = matches!(finding.cure, Cure::Root(_));
            Some((finding, if only_root_can { Exit::Blocked } else { *exit }))
        });
    match first {
        Some((finding, exit)) => Err(finding.to_error(exit)),
        None => Ok(()),
    }
}

/// What setup cures, or what only deserves a note, is in nobody's way.
fn is_in_the_way(finding: &Finding) -> bool {
    let matters = match finding.code {
        // IPv6 works until the last logout.
        Code::NoLinger => finding.severity == Severity::Broken,
        // Most of the world is reached all the same.
        Code::SubnetCollides => finding.severity == Severity::Broken,
        _ => finding.severity != Severity::Note,
    };
    matters && finding.cure != Cure::Setup
}
