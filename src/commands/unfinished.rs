//! What an earlier run has left half done is told before anything else, whatever was asked for.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::generations::{files, shown};
use super::recover::open_soon;
use super::undo;
use crate::apply::journal::down::{self, Down};
use crate::apply::journal::{self, Entry};
use crate::apply::unfinished;
use crate::cli::{Cli, Command, Global, Setup};
use crate::error::{Error, Exit, Result};
use crate::host::{Host, engine, process};
use crate::report::human;
use crate::ui::{Sign, Ui, sign};
use crate::wizard::{self, Terminal};

/// What a healthy Engine may take to answer; one that is down is told of that much later.
const ANSWER: Duration = Duration::from_secs(2);

/// Tells of a transaction that was cut short, and finishes its undo where somebody has agreed to
/// that or agrees now. Gives what JSON says of it: null where there is none.
///
/// # Errors
/// When the undo does not end well.
pub async fn first(cli: &Cli, ui: Ui) -> Result<Value> {
    let Some((host, found)) = find(cli) else {
        return Ok(Value::Null);
    };
    let entry = match found {
        Found::CutShort(entry) => entry,
        Found::Hidden(generation, why) => return Ok(hidden(generation, &why, &cli.command, ui)),
        Found::Down(down) => return Ok(still_down(&host, &down, ui).await),
    };
    if !settles_by_itself(&cli.command) {
        tell(&host, &entry, &cli.command, ui);
        if agreed(&cli.command, ui)? {
            finish(&entry, &cli.global, ui).await?;
        }
    }
    Ok(json!({
        "generation": entry.generation,
        "unit": entry.unit,
        "state": entry.state,
        "begun": entry.begun,
        "files": files(&entry),
    }))
}

/// What there is to be told.
enum Found {
    CutShort(Box<Entry>),
    /// A record that cannot be read, and may be one of these.
    Hidden(u32, Error),
    /// dockerd did not come back with the old files.
    Down(Down),
}

fn find(cli: &Cli) -> Option<(Host, Found)> {
    if matches!(
        cli.command,
        Command::Uplink
            | Command::WaitOnline { .. }
            | Command::Recover
            | Command::Explain(_)
            | Command::Completions { .. }
            | Command::Man
    ) {
        return None;
    }
    // What cannot be looked at is told by whoever needs it.
    let host = Host::from_environment(cli.global.unit()).ok()?;
    let records = journal::records(&host).ok()?;
    let found = if let Some(record) = unfinished::hidden(&records) {
        Found::Hidden(record.generation, record.entry.as_ref().err()?.clone())
    } else {
        let entries = records.into_iter().filter_map(|record| record.entry.ok());
        match unfinished::of(entries.collect(), None).into_iter().next() {
            Some(entry) => Found::CutShort(Box::new(entry)),
            None => Found::Down(down::word(&host)?),
        }
    };
    (!journal::is_held(&host).ok()?).then_some((host, found))
}

/// `setup` and `undo` say so themselves, and that they do not go on.
fn hidden(generation: u32, why: &Error, command: &Command, ui: Ui) -> Value {
    let ui = Ui { quiet: false, ..ui };
    if !matches!(command, Command::Setup(_) | Command::Undo(_)) {
        ui.say(&format!(
            "{} an earlier run may have left its work half done, which cannot be told: {why}",
            sign(Sign::Weak)
        ));
        for hint in &why.hints {
            ui.say(&format!("  {hint}"));
        }
    }
    json!({"generation": generation, "state": "unreadable", "why": why.to_string()})
}

/// What the watchdog could not mend, until dockerd answers again.
async fn still_down(host: &Host, down: &Down, ui: Ui) -> Value {
    if engine::answers(&host.socket, Instant::now() + ANSWER)
        .await
        .is_ok()
    {
        down::forget(host);
        return Value::Null;
    }
    let error = down.to_error();
    let ui = Ui { quiet: false, ..ui };
    ui.say(&format!(
        "{} what setup did was taken back: {error}",
        sign(Sign::Bad)
    ));
    for hint in &error.hints {
        ui.say(&format!("  {hint}"));
    }
    json!({"unit": down.unit, "state": "down", "why": error.to_string()})
}

/// Even to those who want to hear of nothing but results and errors.
fn tell(host: &Host, entry: &Entry, command: &Command, ui: Ui) {
    let ui = Ui { quiet: false, ..ui };
    ui.say(&format!(
        "{} {}",
        sign(Sign::Weak),
        human::cut_short(&shown(entry))
    ));
    for path in entry.paths() {
        ui.say(&format!("    {}", host.short(path)));
    }
    if !matches!(command, Command::Undo(_)) {
        let flag = human::unit_flag(&entry.unit);
        ui.say(&format!(
            "  `rootless6 undo{flag}` puts back what was there before"
        ));
    }
}

/// `setup` tells it itself, and has it agreed to and finished with the lock in its hands.
fn settles_by_itself(command: &Command) -> bool {
    matches!(command, Command::Setup(Setup { dry_run: false, .. }))
}

/// Whether the undo is to be finished before what was asked for. `undo` itself does nothing else.
fn agreed(command: &Command, ui: Ui) -> Result<bool> {
    match command {
        Command::Undo(_) | Command::Confirm | Command::Setup(_) => Ok(false),
        _ if !ui.can_ask() || !io::stdout().is_terminal() => Ok(false),
        _ => match wizard::go_ahead(
            &mut Terminal,
            "Put that back now? If dockerd runs with it, its restart stops running containers.",
            None,
        ) {
            Ok(()) => Ok(true),
            Err(error) if error.exit == Exit::NotApplied => Ok(false),
            Err(error) => Err(error),
        },
    }
}

async fn finish(entry: &Entry, global: &Global, ui: Ui) -> Result<()> {
    process::hold_signals();
    let host = Host::from_environment(&entry.unit)?;
    let journal = open_soon(&host).await?;
    let global = Global {
        unit: Some(entry.unit.clone()),
        ..global.clone()
    };
    let mut steps = ui.steps();
    let finished = undo::finish(&journal, &host, &global, &mut steps).await;
    if let Err(error) = finished {
        steps.fail();
        return Err(error);
    }
    ui.say("");
    Ok(())
}
