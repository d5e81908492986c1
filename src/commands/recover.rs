//! `recover`: what the watchdog runs every few seconds, from outside of the run that armed it.
//!
//! While that run is at work in time, or `rootless6 confirm` may still come, it leaves all as it is. It
//! ends a run that was to be over and is not, finishes what was cut short, and stops its own timer
//! once there is nothing left to watch. Whatever kills it, the timer starts it again.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::generations::shown;
use super::undo;
use crate::apply::journal::down::Down;
use crate::apply::journal::{self, Entry, Journal, State};
use crate::apply::{unfinished, watchdog};
use crate::cli::Global;
use crate::error::{Error, Exit, Result};
use crate::host::systemd::Systemd;
use crate::host::{Host, process};
use crate::report::{Report, human};
use crate::ui::{Steps, Ui};

/// Runs the command.
pub async fn run(global: &Global, ui: Ui) -> Report {
    // Half an undo is worse than none.
    process::hold_signals();
    let mut steps = ui.steps();
    match recover(global, ui, &mut steps).await {
        Ok(text) => Report::new("recover", Exit::Well, text, json!({})),
        Err(error) => {
            steps.fail();
            Report::failed("recover", error)
        }
    }
}

async fn recover(global: &Global, ui: Ui, steps: &mut Steps) -> Result<String> {
    let host = Host::from_environment(global.unit())?;
    // Without the lock: whoever takes it just now is not to be told that somebody is at work.
    if waits(&watched(all(&host)?, &host.unit)) {
        return Ok(String::new());
    }
    let Some(journal) = take_over(&host).await? else {
        return Ok(String::new());
    };
    let watched = watched(all(&host)?, &host.unit);
    if waits(&watched) {
        return Ok(String::new());
    }
    if let Some(newest) = watched.last() {
        // For the log.
        ui.say(&human::cut_short(&shown(newest)));
    }
    let finished = undo::finish(&journal, &host, global, steps).await;
    let left = unfinished::of(all(&host)?, Some(&host.unit));
    if let Err(error) = &finished
        && left.is_empty()
        && error.exit == Exit::RollbackFailed
    {
        // Nobody reads this command's log.
        journal.leave_word(&Down::of(&host.unit, error))?;
    }
    if left.is_empty() {
        watchdog::disarm(&Systemd::connect(&host.bus).await?, &host).await;
    }
    finished.map(|undone| undone.map(|undone| undone.text()).unwrap_or_default())
}

/// All generations. One that cannot be read may be what there is to take back: then nothing is done
/// and nothing disarmed, and the next look may see it.
fn all(host: &Host) -> Result<Vec<Entry>> {
    let records = journal::records(host)?;
    if let Some(Err(error)) = unfinished::hidden(&records).map(|record| &record.entry) {
        return Err(error.clone());
    }
    Ok(records
        .into_iter()
        .filter_map(|record| record.entry.ok())
        .collect())
}

/// Arms the watchdog of what nobody has finished yet, if that is gone: with a reboot, or the last
/// logout. dockerd's unit comes by here at each start with the new settings.
///
/// # Errors
/// When the journal cannot be read, or systemd refuses.
pub(super) async fn watch_again(global: &Global) -> Result<()> {
    let own = process::service_of(std::process::id());
    let host = Host::from_environment(own.as_deref().unwrap_or(global.unit()))?;
    if watched(all(&host)?, &host.unit).is_empty() || journal::is_held(&host)? {
        return Ok(());
    }
    let patience = Duration::from_secs(global.timeout);
    watchdog::arm(&Systemd::connect(&host.bus).await?, &host, patience).await
}

/// What may have to be taken back one day.
fn watched(entries: Vec<Entry>, unit: &str) -> Vec<Entry> {
    let open = |state| matches!(state, State::Begun | State::Undoing | State::Unconfirmed);
    entries
        .into_iter()
        .filter(|entry| entry.unit == unit && open(entry.state))
        .collect()
}

/// Whether all that is open may still be confirmed.
fn waits(watched: &[Entry]) -> bool {
    !watched.is_empty() && watched.iter().all(|entry| entry.waits_for().is_some())
}

/// The lock of a journal whose last run is no more, or is ended here; none while that run is at work
/// in time.
async fn take_over(host: &Host) -> Result<Option<Journal>> {
    if let Some(journal) = free(Journal::open(host))? {
        return Ok(Some(journal));
    }
    let open = || Ok(watched(all(host)?, &host.unit));
    if !unfinished::end_a_stuck_run(host, open).await? {
        return Ok(None);
    }
    free(open_soon(host).await)
}

fn free(opened: Result<Journal>) -> Result<Option<Journal>> {
    match opened {
        Err(Error {
            exit: Exit::Busy, ..
        }) => Ok(None),
        opened => opened.map(Some),
    }
}

/// A lock outlives its holder for a moment, and the watchdog may just look whether it has to act.
const MOMENT: Duration = Duration::from_secs(2);

/// Opens the journal, and gives another run a moment to be over.
///
/// # Errors
/// As [`Journal::open`].
pub(in crate::commands) async fn open_soon(host: &Host) -> Result<Journal> {
    let deadline = Instant::now() + MOMENT;
    loop {
        match Journal::open(host) {
            Err(error) if error.exit == Exit::Busy && Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}
