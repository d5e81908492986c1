//! `undo`: what was there before setup, byte for byte.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::Scene;
use super::generations;
use super::recover::open_soon;
use crate::apply::journal::{self, Entry, Journal};
use crate::apply::{Afterwards, Edit, Restored, Site, unfinished};
use crate::cli::{Global, Undo};
use crate::error::{Error, Exit, Result};
use crate::facts::typed;
use crate::host::{Host, engine, image, process};
use crate::report::{Report, human};
use crate::ui::{Steps, Ui};
use crate::wizard::{self, Terminal};

/// What the Engine may take to remove the images of proofs.
const REMOVAL: Duration = Duration::from_secs(5);

/// Runs the command.
pub async fn run(arguments: &Undo, global: &Global, ui: Ui) -> Report {
    if arguments.list {
        return generations::list(global);
    }
    let mut steps = ui.steps();
    match undo(arguments, global, ui, &mut steps).await {
        Ok(undone) => report(&undone),
        Err(error) => {
            steps.fail();
            Report::failed("undo", error)
        }
    }
}

/// What was put back.
#[derive(Debug)]
pub(super) struct Undone {
    home: PathBuf,
    generations: Vec<u32>,
    restored: Restored,
    /// The unit of an earlier setup that still stands.
    earlier: Option<String>,
}

impl Undone {
    /// For people.
    pub(super) fn text(&self) -> String {
        human::restored(&self.home, &self.restored, self.earlier.as_deref())
    }
}

async fn undo(arguments: &Undo, global: &Global, ui: Ui, steps: &mut Steps) -> Result<Undone> {
    let host = Host::from_environment(global.unit())?;
    let journal = open_soon(&host).await?;
    let entries = chosen(&journal, &host, arguments, global)?;
    if entries.is_empty() {
        nothing_of(&journal, global)?;
        remove_images(&host).await;
        return Ok(Undone {
            home: host.home,
            generations: Vec::new(),
            restored: Restored::default(),
            earlier: None,
        });
    }
    let unit = entries.first().map_or(&host.unit, |entry| &entry.unit);
    let journal = if arguments.yes && *unit == host.unit {
        journal
    } else {
        // Nobody waits for a lock while somebody thinks, and a lock says which unit it is about.
        drop(journal);
        let host = Host {
            unit: unit.clone(),
            ..host.clone()
        };
        if !arguments.yes {
            agreed(&entries, &host, global, ui).await?;
        }
        let journal = open_soon(&host).await?;
        still_so(&journal, &entries)?;
        journal
    };
    // From here on a signal waits until everything is back: half an undo is worse than none.
    process::hold_signals();
    let undone = take_back(&journal, entries, global, steps).await?;
    remove_images(&host).await;
    Ok(undone)
}

/// Shows what is to be taken back, and asks.
async fn agreed(entries: &[Entry], host: &Host, global: &Global, ui: Ui) -> Result<()> {
    let scene = Scene::look(&host.unit).await?;
    let site = site(&scene, global)?;
    let afterwards = site.afterwards(entries).await;
    ask(&scene.host, entries, afterwards, ui)
}

/// Whether the entries are still what was shown.
///
/// # Errors
/// When somebody else was at them meanwhile.
fn still_so(journal: &Journal, entries: &[Entry]) -> Result<()> {
    let records = journal.records()?;
    let is_the_same = |entry: &Entry| {
        let mut now = records
            .iter()
            .filter_map(|record| record.entry.as_ref().ok());
        now.any(|now| now == entry)
    };
    if entries.iter().all(is_the_same) {
        return Ok(());
    }
    Err(Error::new(
        Exit::NotApplied,
        "another run, or the watchdog, has been at these settings meanwhile; nothing was changed",
    )
    .hint("see `rootless6 undo --list`, then run `rootless6 undo` again"))
}

/// The images that proofs were made with; whoever holds the lock takes them from nobody.
async fn remove_images(host: &Host) {
    if let Ok(docker) = engine::connect(&host.socket) {
        // The old state is back: what hangs here is not worth a wait.
        let _ = timeout(REMOVAL, image::remove_images(&docker)).await;
    }
}

fn site<'a>(scene: &'a Scene, global: &Global) -> Result<Site<'a>> {
    Ok(Site {
        host: &scene.host,
        systemd: scene.systemd().map_err(then_again)?,
        patience: Duration::from_secs(global.timeout),
    })
}

/// Takes back what is unfinished of the unit; none where nothing is.
pub(super) async fn finish(
    journal: &Journal,
    host: &Host,
    global: &Global,
    steps: &mut Steps,
) -> Result<Option<Undone>> {
    let entries = unfinished::of(journal::look(host)?, Some(global.unit()));
    if entries.is_empty() {
        return Ok(None);
    }
    take_back(journal, entries, global, steps).await.map(Some)
}

/// Takes back entries of one unit, newest first.
async fn take_back(
    journal: &Journal,
    mut entries: Vec<Entry>,
    global: &Global,
    steps: &mut Steps,
) -> Result<Undone> {
    let unit = entries
        .first()
        .map_or(global.unit(), |entry| &entry.unit)
        .to_owned();
    let scene = Scene::look(&unit).await?;
    let site = site(&scene, global)?;
    let afterwards = site.afterwards(&entries).await;
    let restored = site
        .roll_back(journal, &mut entries, afterwards, steps)
        .await?;
    Ok(Undone {
        generations: entries.iter().map(|entry| entry.generation).collect(),
        restored,
        earlier: earlier(journal, &unit, global, &entries),
        home: scene.facts.home,
    })
}

/// Whose setup still stands besides what was just taken back, if one does: of this unit, or of
/// another where none was named.
fn earlier(journal: &Journal, unit: &str, global: &Global, just: &[Entry]) -> Option<String> {
    let mut standing = journal.entries().ok()?;
    let is_just = |entry: &Entry| just.iter().any(|just| just.generation == entry.generation);
    standing.retain(|entry| entry.stands() && !is_just(entry));
    let of_this = standing.iter().rev().find(|entry| entry.unit == unit);
    let of_any = standing.last().filter(|_| global.unit.is_none());
    of_this.or(of_any).map(|entry| entry.unit.clone())
}

fn then_again(mut error: Error) -> Error {
    if !error.needs_root.is_empty() {
        error.hints = vec!["then run `rootless6 undo` again".to_owned()];
    }
    error
}

/// What is to be taken back, newest first: all after a generation, else what is unfinished, else the
/// newest that stands. What setup did to one unit is not undone on another: the unit is the one that
/// was named, else that of the newest generation that stands.
///
/// # Errors
/// When one that comes before these cannot be read; what is older does not matter.
fn chosen(journal: &Journal, host: &Host, arguments: &Undo, global: &Global) -> Result<Vec<Entry>> {
    if let Some(generation) = arguments.to {
        return after(journal, generation, global);
    }
    let entries = journal::look(host)?;
    let unfinished = unfinished::of(entries.clone(), global.unit.as_deref());
    if !unfinished.is_empty() {
        return Ok(unfinished);
    }
    let Some(standing) = standing(journal, global)? else {
        return Ok(Vec::new());
    };
    let newest = standing.generation;
    Ok(unfinished::together(entries, |entry| {
        entry.generation == newest
    }))
}

/// All after a generation, and what was left half done before it.
fn after(journal: &Journal, generation: u32, global: &Global) -> Result<Vec<Entry>> {
    let mut records = journal.records()?;
    if generation > 0 && records.iter().all(|record| record.generation != generation) {
        return Err(Error::new(
            Exit::Usage,
            format!("there is no generation {generation} to go back to"),
        )
        .hint("`rootless6 undo --list` shows those that there are")
        .hint("`rootless6 undo --to 0` takes all of them back"));
    }
    let is_after = |entry: &Entry| entry.generation > generation && entry.stands();
    records.retain(|record| record.generation > generation || record.entry.is_ok());
    let entries = records.into_iter().map(|record| record.entry);
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let is_wanted = |entry: &Entry| is_after(entry) || entry.is_unfinished();
    let newest = entries.iter().rev().find(|entry| is_wanted(entry));
    let unit = global
        .unit
        .clone()
        .or(newest.map(|entry| entry.unit.clone()));
    Ok(unfinished::together(entries, |entry| {
        is_wanted(entry) && unit.as_ref().is_none_or(|unit| entry.unit == *unit)
    }))
}

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
    if global.unit.as_ref().is_none_or(|unit| *unit == other.unit) {
        return Ok(());
    }
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

fn ask(host: &Host, entries: &[Entry], afterwards: Afterwards, ui: Ui) -> Result<()> {
    if !ui.can_ask() {
        return Err(Error::new(
            Exit::Usage,
            "undo restarts dockerd, and there is no terminal to ask on",
        )
        .hint("`rootless6 undo --yes` does it without asking"));
    }
    ui.say("These files are put back to what they were:");
    let mut paths: Vec<_> = entries.iter().flat_map(Entry::paths).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        ui.say(&format!("  {}", host.short(path)));
    }
    // Of an older generation, everything that a newer one has written is another file.
    for path in entries
        .first()
        .map(Entry::edited_since)
        .transpose()?
        .iter()
        .flatten()
    {
        ui.say(&format!(
            "  except {}, which was edited since",
            host.short(path)
        ));
    }
    match afterwards {
        Afterwards::Leave | Afterwards::Await => {}
        Afterwards::Restart | Afterwards::Retry => ui.say(&format!(
            "{} is then restarted: running containers stop.",
            host.unit
        )),
        Afterwards::Stop => ui.say(&format!("{} is then stopped, as it was.", host.unit)),
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
        .map(|skipped| {
            let diff = skipped.edit.as_ref().map(Edit::unified);
            json!({"path": skipped.path.to_string_lossy(), "why": skipped.why, "diff": diff})
        })
        .collect();
    let paths = restored.restored.iter().map(|path| path.to_string_lossy());
    let body = json!({
        "taken_back": undone.generations,
        "restored": paths.collect::<Vec<_>>(),
        "skipped": skipped,
    });
    Report::new("undo", exit, undone.text(), body)
}
