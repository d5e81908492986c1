//! `confirm`: keep what `setup --confirm-within` has done.

use serde_json::json;

use super::recover::open_soon;
use crate::apply::journal::{self, Entry, State};
use crate::apply::watchdog;
use crate::cli::Global;
use crate::error::{Error, Exit, Result};
use crate::host::systemd::Systemd;
use crate::host::{Host, process};
use crate::report::{Report, human};
use crate::ui::Ui;

/// Runs the command.
pub async fn run(global: &Global, ui: Ui) -> Report {
    process::hold_signals();
    match confirm(global, ui).await {
        Ok((exit, text, generation)) => {
            Report::new("confirm", exit, text, json!({ "confirmed": generation }))
        }
        Err(error) => Report::failed("confirm", error),
    }
}

/// The text, and the generation that was confirmed, if it was not before.
async fn confirm(global: &Global, ui: Ui) -> Result<(Exit, String, Option<u32>)> {
    let host = Host::from_environment(global.unit())?;
    let journal = open_soon(&host).await?;
    let Some(mut entry) = newest(&host, global)? else {
        return Err(nothing("setup has never been run here"));
    };
    if entry.waits_for().is_none() {
        return not_waiting(&entry);
    }
    journal.settle(&mut entry)?;
    let host = Host {
        unit: entry.unit.clone(),
        ..host
    };
    match Systemd::connect(&host.bus).await {
        Ok(systemd) => watchdog::disarm(&systemd, &host).await,
        // It sees that there is nothing left to do.
        Err(error) => ui.say(&format!("the watchdog disarms itself: {error}")),
    }
    Ok((
        Exit::Well,
        human::confirmed(&entry.unit),
        Some(entry.generation),
    ))
}

fn newest(host: &Host, global: &Global) -> Result<Option<Entry>> {
    // What cannot be read waits for nobody.
    let entries = journal::look(host)?;
    let of_unit = |entry: &Entry| global.unit.as_ref().is_none_or(|unit| entry.unit == *unit);
    let waiting = |entry: &Entry| entry.waits_for().is_some();
    let mut newest: Vec<_> = entries.into_iter().rev().filter(of_unit).collect();
    let first = newest.iter().position(waiting).unwrap_or(0);
    Ok((!newest.is_empty()).then(|| newest.swap_remove(first)))
}

fn not_waiting(entry: &Entry) -> Result<(Exit, String, Option<u32>)> {
    match entry.state {
        State::Applied => Ok((Exit::Well, human::in_force_already(&entry.unit), None)),
        State::Unconfirmed => Err(too_late("its time was over, so the old settings come back")
            .hint("see `rootless6 undo --list`")
            .hint("`rootless6 undo --yes` puts them back right now")),
        State::Partly => Err(
            too_late("it was taken back, but for files that were edited since")
                .hint("see `rootless6 undo --list`"),
        ),
        State::Undone => Err(nothing("the last setup was taken back")),
        State::Written => Err(nothing(
            "the last setup has written its files only, and dockerd does not run with them yet",
        )),
        State::Begun | State::Undoing => Err(nothing("the last run was cut short")),
    }
}

fn too_late(why: &str) -> Error {
    Error::new(Exit::NotApplied, "too late: nothing is confirmed").caused_by(why)
}

fn nothing(why: &str) -> Error {
    Error::new(Exit::NotApplied, "there is nothing to confirm").caused_by(why)
}
