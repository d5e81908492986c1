//! The namespaces to send from. The short way is tried first: five answers are a matter of
//! milliseconds, and looking at everything takes longer. Where it leads nowhere, the long look tells
//! why.

use crate::cli::Global;
use crate::commands::Scene;
use crate::diagnose::{Code, Wanted, diagnose, obstacle};
use crate::error::{Error, Exit, Result};
use crate::facts::Seen;
use crate::host::Host;
use crate::host::engine;
use crate::host::systemd::Systemd;
use crate::inspect;
use crate::vantage::Join;

/// Findings that say why there is no rootless Docker to look into.
const ELSEWHERE: &[Code] = &[
    Code::DockerDesktop,
    Code::EngineNotRootless,
    Code::ContextElsewhere,
    Code::NoLinger,
    Code::NoUserBus,
    Code::UnitMissing,
    Code::ContainerdRootlessConflict,
];

/// RootlessKit's.
///
/// # Errors
/// When it does not run, or cannot be found.
pub(super) async fn netns(global: &Global) -> Result<Join> {
    let host = Host::from_environment(global.unit())?;
    if let Ok(main_pid) = main_pid(&host).await
        && let Seen::Is(kit) = inspect::running(main_pid, &host)
    {
        return Ok(inspect::join(&kit));
    }
    let scene = Scene::look(global.unit()).await?;
    let error = match &scene.facts.rootlesskit {
        Seen::Is(kit) => return Ok(inspect::join(kit)),
        Seen::Absent => Error::new(Exit::Bad, "RootlessKit is not running"),
        Seen::Unknown(why) => Error::cannot(Exit::Bad, "find RootlessKit's netns").caused_by(why),
    };
    elsewhere(&scene)?;
    Err(error.hint("`rootless6 status` shows what is there"))
}

async fn main_pid(host: &Host) -> Result<u32> {
    let unit = Systemd::connect(&host.bus).await?.unit(&host.unit).await?;
    Ok(unit.is().map_or(0, |unit| unit.main_pid))
}

/// A container's.
///
/// # Errors
/// As [`engine::container::join`] has it, or when there is no Engine of the user's own.
pub(super) async fn container(name: &str, global: &Global) -> Result<Join> {
    let host = Host::from_environment(global.unit())?;
    let error = match engine::container::join(&host.socket, name).await {
        Err(error) if error.exit == Exit::Bad => error,
        found => return found,
    };
    // The unit may tell dockerd to listen elsewhere.
    let scene = Scene::look(global.unit()).await?;
    if scene.host.socket != host.socket {
        return engine::container::join(&scene.host.socket, name).await;
    }
    if scene.facts.engine.is().is_none() {
        elsewhere(&scene)?;
    }
    Err(error)
}

/// # Errors
/// Why there is no rootless Docker here, if that is known.
fn elsewhere(scene: &Scene) -> Result<()> {
    let mut findings = diagnose(&scene.facts);
    findings.retain(|finding| ELSEWHERE.contains(&finding.code));
    obstacle(&findings, Wanted::best(&findings))
}
