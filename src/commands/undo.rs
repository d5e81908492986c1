//! `undo`: what was there before setup, byte for byte.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::Scene;
use crate::apply::journal::{Entry, Journal};
use crate::apply::{Restored, Site};
use crate::cli::{Global, Undo};
use crate::error::{Error, Exit, Result};
use crate::facts::typed;
use crate::host::{Host, engine, image, process};
use crate::report::{Report, human};
use crate::ui::{Steps, Ui};
use crate::wizard::{self, Terminal};

/// Runs the command.
pub async fn run(arguments: &Undo, global: &Global, ui: Ui) -> Report {
    let mut steps = ui.steps();
    // From here on a signal waits until everything is back: half an undo is worse than none.
    process::hold_signals();
    match undo(arguments, global, ui, &mut steps).await {
        Ok(undone) => report(&undone),
        Err(error) => {
            steps.fail();
            Report::failed("undo", error)
        }
    }
}

/// What was put back.
struct Undone {
    home: PathBuf,
    restored: Restored,
    /// Whether an earlier setup still stands.
    earlier: bool,
}

async fn undo(arguments: &Undo, global: &Global, ui: Ui, steps: &mut Steps) -> Result<Undone> {
    let host = Host::from_environment(global.unit())?;
    if let Ok(docker) = engine::connect(&host.socket) {
        image::remove_images(&docker).await;
    }
    let journal = Journal::open(&host.state)?;
    let Some(mut entry) = standing(&journal, global)? else {
        nothing_of(&journal, global)?;
        return Ok(Undone {
            home: host.home,
            restored: Restored::default(),
            earlier: false,
        });
    };
    let scene = Scene::look(&entry.unit).await?;
    if !arguments.yes {
        ask(&scene, &entry, ui)?;
    }
    let site = Site {
        host: &scene.host,
        systemd: scene.systemd().map_err(then_again)?,
        patience: Duration::from_secs(global.timeout),
    };
    let entries = std::slice::from_mut(&mut entry);
    let afterwards = site.afterwards(entries).await;
    let restored = site.roll_back(&journal, entries, afterwards, steps).await?;
    Ok(Undone {
        restored,
        earlier: standing(&journal, global)?.is_some(),
        home: scene.facts.home,
    })
}

fn then_again(mut error: Error) -> Error {
    if !error.needs_root.is_empty() {
        error.hints = vec!["then run `rootless6 undo` again".to_owned()];
    }
    error
}

/// What setup did to one unit is not undone on another: the newest of the unit that was named,
/// else the newest of all.
fn standing(journal: &Journal, global: &Global) -> Result<Option<Entry>> {
    match &global.unit {
        Some(unit) => journal.standing_of(unit),
        None => journal.standing(),
    }
}

/// Nothing of this unit stands.
///
/// # Errors
/// When something of another does.
fn nothing_of(journal: &Journal, global: &Global) -> Result<()> {
    let Some(other) = journal.standing()? else {
        return Ok(());
    };
    Err(Error::new(
        Exit::Usage,
        format!(
            "the last setup was that of {}, not of {}",
            other.unit,
            global.unit()
        ),
    )
    .hint(format!(
        "`rootless6 undo --unit {}` takes it back",
        typed(&other.unit)
    )))
}

fn ask(scene: &Scene, entry: &Entry, ui: Ui) -> Result<()> {
    if !ui.can_ask() {
        return Err(Error::new(
            Exit::Usage,
            "undo restarts dockerd, and there is no terminal to ask on",
        )
        .hint("`rootless6 undo --yes` does it without asking"));
    }
    ui.say("These files are put back to what they were:");
    for path in entry.paths() {
        ui.say(&format!("  {}", scene.host.short(path)));
    }
    for path in entry.edited_since()? {
        ui.say(&format!(
            "  except {}, which was edited since",
            scene.host.short(&path)
        ));
    }
    if scene.facts.unit.is_loaded() != Some(false) {
        ui.say(&format!(
            "{} is then restarted: running containers stop.",
            scene.host.unit
        ));
    }
    wizard::go_ahead(&mut Terminal, "Undo it?", None)
}

fn report(undone: &Undone) -> Report {
    let restored = &undone.restored;
    let exit = if restored.skipped.is_empty() {
        Exit::Well
    } else {
        Exit::NotApplied
    };
    let skipped: Vec<_> = restored
        .skipped
        .iter()
        .map(|(path, why)| json!({"path": path, "why": why}))
        .collect();
    let body = json!({"restored": restored.restored, "skipped": skipped});
    let text = human::restored(&undone.home, restored, undone.earlier);
    Report::new("undo", exit, text, body)
}
