//! The way back: the old files, systemd's knowledge of them, and dockerd as it was before.
//!
//! What is to become of dockerd is recorded with the first step, so that whoever goes on with a
//! rollback that was killed does the same. Each step may be done twice.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::deadline::Deadline;
use super::journal::{Entry, Journal, State, Was};
use super::{Restored, Site, checkpoint, watchdog};
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit, typed};
use crate::host::engine;
use crate::ui::Progress;

mod afterwards;

pub use afterwards::Afterwards;

/// However little time a setup was given, the way back gets enough.
const PATIENCE: Duration = Duration::from_secs(90);

/// What files, reload and looks may take together before a run counts as stuck; they take
/// milliseconds.
pub(super) const SLACK: Duration = Duration::from_secs(60);

/// What a healthy Engine may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

impl Entry {
    /// Records what was decided, so that another process would decide the same.
    ///
    /// # Errors
    /// When the journal cannot be written.
    fn undoing(
        &mut self,
        journal: &Journal,
        afterwards: Afterwards,
        unit: &Seen<Unit>,
        patience: Duration,
    ) -> Result<()> {
        if !self.is_open() {
            // What it was before this generation says nothing about today.
            self.environment.clear();
            self.replaces = None;
            let now = unit.is().filter(|_| afterwards == Afterwards::Leave);
            self.invocation = now.map_or(String::new(), |unit| unit.invocation_id.clone());
            self.was = match afterwards {
                Afterwards::Leave if now.is_some_and(Unit::is_active) => Was::Answering,
                Afterwards::Restart | Afterwards::Await => Was::Answering,
                Afterwards::Retry => Was::Failing,
                Afterwards::Leave | Afterwards::Stop => Was::Stopped,
            };
        } else if afterwards == Afterwards::Retry {
            self.was = Was::Failing;
        }
        self.restarted |= afterwards != Afterwards::Leave;
        self.deadline = Some(Deadline::after(patience));
        self.mark(journal, State::Undoing)
    }

    /// A file that somebody has edited since stays, and with it a part of the generation.
    fn undone(&mut self, journal: &Journal, restored: &Restored) {
        let state = if restored.skipped.is_empty() {
            State::Undone
        } else {
            State::Partly
        };
        // Unmarked, it is undone once more one day, which finds everything in place.
        let _ = self.mark(journal, state);
    }
}

impl Site<'_> {
    /// What becomes of dockerd when these are taken back, newest first.
    pub async fn afterwards(&self, entries: &[Entry]) -> Afterwards {
        if entries.is_empty() {
            return Afterwards::Leave;
        }
        let (unit, has_job) = tokio::join!(
            self.systemd.unit(&self.host.unit),
            self.systemd.has_job(&self.host.unit)
        );
        let unit = unit.unwrap_or_else(|error| Seen::Unknown(error.to_string()));
        Afterwards::of_all(entries, &unit, has_job.unwrap_or(true))
    }

    /// Puts everything back that these entries recorded, then does with dockerd what is asked.
    /// `entries` are newest first.
    ///
    /// # Errors
    /// Exit 4 when the old state does not stand again; the hints say what to type.
    pub async fn roll_back(
        &self,
        journal: &Journal,
        entries: &mut [Entry],
        afterwards: Afterwards,
        progress: &mut dyn Progress,
    ) -> Result<Restored> {
        let before = self.systemd.unit(&self.host.unit).await;
        let before = before.unwrap_or_else(|error| Seen::Unknown(error.to_string()));
        let patience = self.patience.max(PATIENCE) + self.wait_online().await + SLACK;
        let Some((newest, others)) = entries.split_first_mut() else {
            return Ok(Restored::default());
        };
        // A disk that is full must not keep an old state from coming back that is on record as to
        // be brought back; anything else is on record before it begins.
        let is_on_record = newest.is_open()
            && (others.iter()).all(|other| other.is_open() || newest.goes_with(other));
        newest.take_along(others);
        match newest.undoing(journal, afterwards, &before, patience) {
            Err(error) if !is_on_record => return Err(error),
            _ => {}
        }
        for other in others {
            other.with.clear();
            let _ = other.undoing(journal, afterwards, &before, patience);
        }
        checkpoint::pass("undoing");
        // Without it this process is the only one to bring the old state back; it is at it.
        let _ = watchdog::arm(self.systemd, self.host, self.patience).await;
        checkpoint::pass("undo-armed");
        let each = self.restore(entries, progress);
        let all = each
            .iter()
            .cloned()
            .fold(Restored::default(), Restored::and);
        if let Some(error) = all.failed.first() {
            return Err(self.stuck(error.clone(), afterwards, progress).await);
        }
        progress.begin("make systemd read its files again");
        if let Err(error) = self.systemd.reload().await {
            return Err(self.by_hand(still_to_do(), error));
        }
        checkpoint::pass("undo-reloaded");
        progress.done();
        let as_before = match all.skipped.is_empty() {
            true => self.is_as_before(entries).await,
            false => Ok(()),
        };
        if let Some(newest) = entries.first_mut() {
            self.replacing(journal, newest, afterwards).await;
        }
        let brought_back = self.bring_back(afterwards, progress).await.and(as_before);
        // The newest leads to the others, and is the last to be over.
        for (entry, restored) in entries.iter_mut().zip(&each).rev() {
            entry.undone(journal, restored);
        }
        checkpoint::pass("undone");
        watchdog::disarm(self.systemd, self.host).await;
        checkpoint::pass("undo-disarmed");
        match brought_back {
            Ok(()) => Ok(all),
            Err(error) => Err(self.down(error, journal)),
        }
    }

    fn restore(&self, entries: &[Entry], progress: &mut dyn Progress) -> Vec<Restored> {
        progress.begin("put the old files back");
        let mut each: Vec<_> = entries.iter().map(Entry::restore).collect();
        // What a rollback that was killed has put back for an older one is no edit to a newer one.
        for newer in 1..each.len() {
            let (newer, older) = each.split_at_mut(newer);
            let is_back = |path: &PathBuf| older.iter().any(|older| older.restored.contains(path));
            if let Some(newer) = newer.last_mut() {
                newer.skipped.retain(|skipped| !is_back(&skipped.path));
            }
        }
        checkpoint::pass("restored");
        if each.iter().all(|restored| restored.failed.is_empty()) {
            progress.done();
        }
        each
    }

    /// Whether the unit would start with what it had before these entries.
    async fn is_as_before(&self, entries: &[Entry]) -> Result<()> {
        let Some(oldest) = entries
            .last()
            .filter(|oldest| !oldest.environment.is_empty())
        else {
            return Ok(());
        };
        let unit = self.unit().await?;
        let shown = |value: Option<&str>| value.map_or("not set".to_owned(), |v| format!("{v:?}"));
        for (name, before) in &oldest.environment {
            let now = unit.effective(name);
            if now != before.as_deref() {
                let (now, before) = (shown(now), shown(before.as_deref()));
                return Err(Error::new(
                    Exit::NotApplied,
                    format!("{name} is {now}, and was {before} before"),
                ));
            }
        }
        Ok(())
    }

    /// Records which start of dockerd is to go: any other has begun with the old settings.
    async fn replacing(&self, journal: &Journal, newest: &mut Entry, afterwards: Afterwards) {
        if !matches!(afterwards, Afterwards::Restart | Afterwards::Retry) {
            return;
        }
        let unit = self.unit().await.ok();
        newest.replaces = unit.map(|unit| unit.invocation_id);
        // Where this is not on disk, dockerd is restarted once more.
        let _ = newest.save(journal);
        checkpoint::pass("replacing");
    }

    async fn bring_back(&self, afterwards: Afterwards, progress: &mut dyn Progress) -> Result<()> {
        // Of a unit that has gone, or is masked, there is nothing to start.
        let loaded = self.systemd.unit(&self.host.unit).await?.is_loaded();
        if loaded == Some(false) || afterwards == Afterwards::Leave {
            return Ok(());
        }
        progress.begin(afterwards.in_words());
        let site = Site {
            patience: self.patience.max(PATIENCE),
            ..*self
        };
        match afterwards {
            Afterwards::Leave => {}
            Afterwards::Restart => {
                site.restart().await?;
            }
            Afterwards::Await => {
                site.answers(Instant::now() + site.patience).await?;
            }
            Afterwards::Retry => self.systemd.kick(&self.host.unit).await?,
            Afterwards::Stop => {
                let deadline = Instant::now() + site.patience;
                self.systemd.stop(&self.host.unit, deadline).await?;
            }
        }
        checkpoint::pass("brought-back");
        progress.done();
        Ok(())
    }

    /// Not all files are back: this stays to be done. A dockerd that answers is not disturbed for
    /// half of the old settings, one that does not has nothing to lose.
    async fn stuck(
        &self,
        error: Error,
        afterwards: Afterwards,
        progress: &mut dyn Progress,
    ) -> Error {
        let answers = engine::answers(&self.host.socket, Instant::now() + ANSWER).await;
        let brought_back = match (answers, self.systemd.reload().await) {
            (Err(_), Ok(())) => self.bring_back(afterwards, progress).await,
            (_, reloaded) => reloaded,
        };
        let stuck = self.by_hand(still_to_do(), error);
        match brought_back {
            Ok(()) => stuck,
            Err(error) => stuck.caused_by(error.message),
        }
    }

    /// The files are back, and with them this undo is over: another one would not try again.
    fn down(&self, error: Error, journal: &Journal) -> Error {
        let down = Error::new(
            Exit::RollbackFailed,
            format!(
                "the old files are back, but {} is not as it was",
                self.host.unit
            ),
        );
        let down = self.by_hand(down, error);
        match journal.standing_of(&self.host.unit) {
            Ok(Some(_)) => down.hint(
                "what setup did before that still stands; another `rootless6 undo` takes that back",
            ),
            _ => down,
        }
    }

    fn by_hand(&self, mut told: Error, error: Error) -> Error {
        let unit = typed(&self.host.unit);
        told = told.caused_by(error.message).hint(format!(
            "by hand: `systemctl --user daemon-reload; systemctl --user reset-failed {unit}; systemctl --user restart {unit}`"
        ));
        told.causes.extend(error.causes);
        told.hints.extend(error.hints);
        told
    }
}

fn still_to_do() -> Error {
    Error::cannot(Exit::RollbackFailed, "put the old state back")
        .hint("`rootless6 undo --yes` tries again")
}
