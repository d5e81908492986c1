use super::{Code, Cure, Finding, Severity};
use crate::error::{Exit, Result};

/// Findings that no plan gets around as long as they are broken, and who can: see [`Exit`]. What
/// only root can mend is always [`Exit::Blocked`].
const OBSTACLES: &[(Code, Exit)] = &[
    (Code::DockerDesktop, Exit::Elsewhere),
    (Code::EngineNotRootless, Exit::Elsewhere),
    (Code::NoLinger, Exit::Blocked),
    (Code::NoUserBus, Exit::NotApplied),
    (Code::UnitMissing, Exit::Elsewhere),
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
                .find(|finding| finding.code == *code && finding.severity == Severity::Broken)?;
            Some((finding, *exit))
        });
    match first {
        Some((finding, exit)) => Err(finding.to_error(match finding.cure {
            Cure::Root(_) => Exit::Blocked,
            Cure::Setup | Cure::Words(_) => exit,
        })),
        None => Ok(()),
    }
}
