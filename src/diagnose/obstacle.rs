use super::{Code, Cure, Finding, Severity};
use crate::error::{Exit, Result};

/// Findings that no plan gets around, and who can: see [`Exit`].
const OBSTACLES: &[(Code, Exit)] = &[
    (Code::DockerDesktop, Exit::Elsewhere),
    (Code::EngineNotRootless, Exit::Elsewhere),
    (Code::ContextElsewhere, Exit::Elsewhere),
    (Code::NoUserBus, Exit::NotApplied),
    (Code::UnitMissing, Exit::Elsewhere),
    (Code::ContainerdRootlessConflict, Exit::Elsewhere),
    (Code::HostIpv6Disabled, Exit::Blocked),
    (Code::HostNoIpv6Route, Exit::Elsewhere),
    (Code::RootlesskitWithoutPasta, Exit::NotApplied),
    (Code::PastaMissing, Exit::Blocked),
    (Code::HostPingGroupRange, Exit::Blocked),
    (Code::EnvironmentFileWins, Exit::NotApplied),
    (Code::DaemonJsonInvalid, Exit::NotApplied),
    (Code::IptablesOff, Exit::NotApplied),
];

/// Obstacles only to those who want pasta.
const PASTAS_OWN: &[Code] = &[Code::RootlesskitWithoutPasta, Code::PastaMissing];

/// Obstacles only to a proof: the host may get its IPv6 later.
const PROOFS_OWN: &[Code] = &[Code::HostNoIpv6Route, Code::HostPingGroupRange];

/// What is wanted, as far as it decides what is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether RootlessKit is to use pasta.
    pub pasta: bool,
    /// Whether IPv6 is to be proved afterwards.
    pub proof: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            pasta: true,
            proof: true,
        }
    }
}

/// Whether a plan can lead anywhere on this system.
///
/// # Errors
/// The first obstacle, with its evidence and what to do about it.
pub fn obstacle(findings: &[Finding], wanted: Wanted) -> Result<()> {
    let matters = |code: &Code| {
        (wanted.pasta || !PASTAS_OWN.contains(code)) && (wanted.proof || !PROOFS_OWN.contains(code))
    };
    let first = OBSTACLES
        .iter()
        .filter(|(code, _)| matters(code))
        .find_map(|(code, exit)| {
            let finding = findings
                .iter()
                .find(|finding| finding.code == *code && finding.severity != Severity::Note)?;
            let only_root_can = matches!(finding.cure, Cure::Root(_));
            Some((finding, if only_root_can { Exit::Blocked } else { *exit }))
        });
    match first {
        Some((finding, exit)) => Err(finding.to_error(exit)),
        None => Ok(()),
    }
}
