//! What an earlier run has left is settled before anything is built on top of it.

use std::time::Duration;

use super::Scene;
use super::consent::running;
use crate::apply::journal::{Entry, Journal};
use crate::apply::{Afterwards, Site, Skipped, unfinished};
use crate::cli::{Accept, Global, Setup};
use crate::commands::recover::open_soon;
use crate::error::{Error, Exit, Result};
use crate::host::Host;
use crate::report::human;
use crate::ui::{Steps, Ui};
use crate::wizard::{self, Terminal};

/// Locks the journal, for all but a dry run.
///
/// # Errors
/// When another run is at work, or there can be no journal.
pub(super) async fn lock(arguments: &Setup, host: &Host) -> Result<Option<Journal>> {
    if arguments.dry_run {
        return Ok(None);
    }
    open_soon(host).await.map(Some)
}

/// Finishes taking back what a run that was killed left half done.
///
/// # Errors
/// When somebody else has to decide first, or the old state does not come back.
pub(super) async fn finish_first(
    arguments: &Setup,
    global: &Global,
    journal: Journal,
    ui: Ui,
    steps: &mut Steps,
) -> Result<Journal> {
    let mut entries = left_over(&journal, global.unit())?;
    if entries.is_empty() {
        return Ok(journal);
    }
    let scene = Scene::look(global.unit()).await?;
    let site = Site {
        host: &scene.host,
        systemd: scene.systemd()?,
        patience: Duration::from_secs(global.timeout),
    };
    let afterwards = site.afterwards(&entries).await;
    let restarts = afterwards != Afterwards::Leave;
    if restarts && arguments.no_restart {
        return Err(Error::new(
            Exit::NotApplied,
            "an earlier run was cut short; taking it back restarts dockerd, which `--no-restart` rules out",
        )
        .hint(format!(
            "`rootless6 undo{}` takes it back",
            human::unit_flag(&scene.host.unit)
        )));
    }
    ui.say("An earlier run was cut short and left its work half done; it is taken back first:");
    for path in entries.iter().flat_map(Entry::paths) {
        ui.say(&format!("  {}", scene.host.short(path)));
    }
    let journal = if arguments.yes {
        if restarts {
            agreed(arguments, &scene).await?;
        }
        journal
    } else {
        if restarts {
            ui.say(&format!(
                "{} is then restarted: running containers stop.",
                scene.host.unit
            ));
        }
        // The watchdog, or another run, may do it while somebody thinks.
        drop(journal);
        wizard::go_ahead(&mut Terminal, "Take it back?", None)?;
        let journal = open_soon(&scene.host).await?;
        let now = left_over(&journal, global.unit())?;
        if now.is_empty() {
            return Ok(journal);
        }
        if now != entries {
            return Err(Error::new(
                Exit::NotApplied,
                "another run, or the watchdog, has been at it meanwhile; nothing was changed",
            )
            .hint("run `rootless6 setup` again"));
        }
        journal
    };
    let restored = site
        .roll_back(&journal, &mut entries, afterwards, steps)
        .await?;
    for Skipped { path, why, .. } in &restored.skipped {
        ui.say(&format!("  {} stays: {why}", scene.host.short(path)));
    }
    ui.say("");
    Ok(journal)
}

/// What is unfinished of this unit, newest first.
fn left_over(journal: &Journal, unit: &str) -> Result<Vec<Entry>> {
    let entries = journal.entries()?;
    if let Some(waiting) = entries.iter().find(|entry| entry.waits_for().is_some()) {
        let flag = human::unit_flag(&waiting.unit);
        return Err(Error::new(
            Exit::NotApplied,
            format!(
                "an earlier setup of {} waits to be confirmed, and nothing is built on it before",
                waiting.unit
            ),
        )
        .hint(format!("`rootless6 confirm{flag}` keeps it"))
        .hint(format!("`rootless6 undo --yes{flag}` takes it back")));
    }
    let others = entries
        .iter()
        .find(|entry| entry.is_unfinished() && entry.unit != unit);
    if let Some(other) = others {
        return Err(Error::new(
            Exit::NotApplied,
            format!(
                "an earlier setup of {} was cut short and left its work half done",
                other.unit
            ),
        )
        .hint(format!(
            "`rootless6 undo --yes{}` puts back what was there",
            human::unit_flag(&other.unit)
        )));
    }
    Ok(unfinished::of(entries, Some(unit)))
}

async fn agreed(arguments: &Setup, scene: &Scene) -> Result<()> {
    if arguments.accept.contains(&Accept::ContainersRestart)
        || running(arguments, scene).await?.is_empty()
    {
        return Ok(());
    }
    Err(Error::new(
        Exit::Usage,
        "an earlier run was cut short; taking it back restarts dockerd, and nobody has agreed to that",
    )
    .hint("agree with `--accept containers-restart`, or run `rootless6 undo`"))
}
