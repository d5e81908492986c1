use super::{Code, Cure, Finding, Severity};
use crate::error::{Exit, Result};

/// Findings that no plan gets around, and who can: see [`Exit`].
const OBSTACLES: &[(Code, Exit)] = &[
    (Code::DockerDesktop, Exit::Elsewhere),
    (Code::EngineNotRootless, Exit::Elsewhere),
    (Code::NoUserBus, Exit::NotApplied),
    (Code::UnitMissing, Exit::Elsewhere),
    (Code::HostNoIpv6Route, Exit::Elsewhere),
    (Code::RootlesskitWithoutPasta, Exit::NotApplied),
    (Code::PastaMissing, Exit::Blocked),
    (Code::HostPingGroupRange, Exit::Blocked),
    (Code::DropinShadowed, Exit::NotApplied),
    (Code::EnvironmentFileWins, Exit::NotApplied),
    (Code::DaemonJsonInvalid, Exit::NotApplied),
    (Code::IptablesOff, Exit::NotApplied),
    (Code::BridgeWithoutIpv6, Exit::NotApplied),
    (Code::Ip6tablesOff, Exit::NotApplied),
];

/// Obstacles only to those who want pasta.
const PASTAS_OWN: &[Code] = &[Code::RootlesskitWithoutPasta, Code::PastaMissing];

/// Obstacles only to a proof: the host may get its IPv6 later.
const PROOFS_OWN: &[Code] = &[Code::HostNoIpv6Route, Code::HostPingGroupRange];

/// Obstacles only to IPv6 on docker0.
const BRIDGES_OWN: &[Code] = &[Code::BridgeWithoutIpv6, Code::Ip6tablesOff];

/// What is wanted, as far as it decides what is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether RootlessKit is to use pasta.
    pub pasta: bool,
    /// Whether IPv6 is to be proved afterwards.
    pub proof: bool,
    /// Whether docker0 is to have IPv6.
    pub bridge: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            pasta: true,
            proof: true,
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
            && (wanted.proof || !PROOFS_OWN.contains(code))
            && (wanted.bridge || !BRIDGES_OWN.contains(code))
    };
    // What setup cures, or what only deserves a note, is in nobody's way.
    let blocks =
        |finding: &&Finding| finding.cure != Cure::Setup && finding.severity != Severity::Note;
    let first = OBSTACLES
        .iter()
        .filter(|(code, _)| matters(code))
        .find_map(|(code, exit)| {
            let finding = findings
                .iter()
                .filter(blocks)
                .find(|finding| finding.code == *code)?;
            Some((finding, *exit))
        });
    match first {
        Some((finding, exit)) => Err(finding.to_error(exit)),
        None => Ok(()),
    }
}
