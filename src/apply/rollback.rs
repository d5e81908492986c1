//! The way back: the old files, systemd's knowledge of them, and dockerd as it was before.
//!
//! What is to become of dockerd is recorded with the first step, so that whoever goes on with a
//! rollback that was killed does the same. Each step may be done twice.

use std::time::Duration;

use tokio::time::Instant;

use super::deadline::Deadline;
use super::journal::{Entry, Journal, State, Was};
use super::{Restored, Site, checkpoint, watchdog};
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit, typed};
use crate::host::engine;
use crate::ui::Progress;

/// However little time a setup was given, the way back gets enough.
const PATIENCE: Duration = Duration::from_secs(90);

/// What files, reload and looks may take together before a run counts as stuck; they take
/// milliseconds.
pub(super) const SLACK: Duration = Duration::from_secs(60);

/// What a healthy Engine may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What becomes of dockerd once the old files are back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It goes on as it is: it was never restarted, or it does not run.
    Leave,
    /// It is restarted, and must answer.
    Restart,
    /// It is restarted, and may go on failing as it did before.
    Retry,
    /// It is stopped.
    Stop,
}

impl Afterwards {
    /// What becomes of dockerd when this generation is taken back, as its unit is now.
    ///
    /// One that runs on undisturbed since before the generation is left alone, and so is one that
    /// its user has stopped, and one whose unit has gone or is masked.
    pub fn of(entry: &Entry, unit: &Seen<Unit>, has_job: bool) -> Self {
        if unit.is_loaded() == Some(false) {
            return Self::Leave;
        }
        let unit = unit.is().filter(|_| !has_job);
        let is_stopped = unit.is_some_and(|unit| unit.active_state == "inactive");
        let is_the_same = unit.is_some_and(|unit| unit.invocation_id == entry.invocation);
        let is_active = unit.is_some_and(Unit::is_active);
        let is_under_way = matches!(entry.state, State::Begun | State::Undoing);
        match entry.was {
            _ if is_under_way && entry.is_empty() && !entry.restarted => Self::Leave,
            _ if !is_under_way && is_stopped => Self::Leave,
            Was::Answering if !is_under_way => Self::Restart,
            Was::Failing | Was::Stopped if !is_under_way => Self::Retry,
            Was::Answering if is_the_same && is_active => Self::Leave,
            Was::Answering => Self::Restart,
            Was::Failing if is_the_same => Self::Leave,
            Was::Failing => Self::Retry,
            Was::Stopped if is_stopped => Self::Leave,
            Was::Stopped if entry.restarted => Self::Stop,
            Was::Stopped => Self::Retry,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Leave => "leave dockerd as it is",
            Self::Restart => "restart dockerd with the old settings",
            Self::Retry => {
                "start dockerd with the old settings, with which it did not answer before"
            }
            Self::Stop => "stop dockerd, which was not running before",
        }
    }
}

impl Entry {
    /// Records what was decided, so that another process would decide the same.
    fn undoing(
        &mut self,
        journal: &Journal,
        afterwards: Afterwards,
        unit: &Seen<Unit>,
        patience: Duration,
    ) {
        let had_begun = matches!(self.state, State::Begun | State::Undoing);
        if !had_begun {
            // What it was before this generation says nothing about today.
            self.environment.clear();
            self.invocation = match (afterwards, unit) {
                (Afterwards::Leave, Seen::Is(unit)) => unit.invocation_id.clone(),
                _ => String::new(),
            };
            self.was = match afterwards {
                Afterwards::Restart => Was::Answering,
                Afterwards::Retry => Was::Failing,
                Afterwards::Leave | Afterwards::Stop => Was::Stopped,
            };
        }
        self.restarted |= afterwards != Afterwards::Leave;
        self.deadline = Some(Deadline::after(patience));
        // A disk that is full must not keep the old state from coming back.
        let _ = self.mark(journal, State::Undoing);
    }

    /// A file that somebody has edited since stays, and with it the generation stands.
    fn undone(&mut self, journal: &Journal, restored: &Restored) {
        let state = if restored.skipped.is_empty() {
            State::Undone
        } else {
            State::Applied
        };
        // Unmarked, it is undone once more one day, which finds everything in place.
        let _ = self.mark(journal, state);
    }
}

impl Site<'_> {
    /// What becomes of dockerd when these are taken back, newest first. Several that stand go back
    /// to what was before the oldest; one that was cut short knows what it did itself.
    pub async fn afterwards(&self, entries: &[Entry]) -> Afterwards {
        let cut_short = entries.first().filter(|newest| newest.is_unfinished());
        let Some(telling) = cut_short.or(entries.last()) else {
            return Afterwards::Leave;
        };
        let (unit, has_job) = tokio::join!(
            self.systemd.unit(&self.host.unit),
            self.systemd.has_job(&self.host.unit)
        );
        let unit = unit.unwrap_or_else(|error| Seen::Unknown(error.to_string()));
        Afterwards::of(telling, &unit, has_job.unwrap_or(true))
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
        for entry in entries.iter_mut() {
            entry.undoing(journal, afterwards, &before, patience);
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
        let brought_back = self.bring_back(afterwards, progress).await.and(as_before);
        for (entry, restored) in entries.iter_mut().zip(&each) {
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
        let each: Vec<_> = entries.iter().map(Entry::restore).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"path": "/x", "before": "absent", "after": {"text": ""}}"#;

    fn entry(json: &str) -> Entry {
        with(json, FILE)
    }

    fn with(json: &str, files: &str) -> Entry {
        let json = format!(
            r#"{{"schema": 1, "generation": 1, "unit": "docker.service", {json},
            "changes": [{files}], "made_directories": []}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    /// `active` with the InvocationID from before, `active*` with another, `active+` with a job.
    fn unit(state: &str) -> (Seen<Unit>, bool) {
        let active_state = state.trim_end_matches(['*', '+']);
        let invocation_id = if state.ends_with('*') { "b" } else { "a" };
        let unit = Unit {
            load_state: "loaded".to_owned(),
            active_state: active_state.to_owned(),
            invocation_id: invocation_id.to_owned(),
            ..Unit::default()
        };
        (Seen::Is(unit), state.ends_with('+'))
    }

    #[test]
    fn a_dockerd_that_was_not_disturbed_is_left_alone_and_the_others_go_back() {
        use Afterwards::{Leave, Restart, Retry, Stop};
        for (state, was, restarted, unit_is, then) in [
            ("begun", "answering", false, "active", Leave),
            ("begun", "answering", true, "active", Leave),
            ("begun", "answering", true, "active+", Restart),
            ("begun", "answering", true, "deactivating", Restart),
            ("begun", "answering", true, "active*", Restart),
            ("begun", "answering", false, "active*", Restart),
            ("begun", "answering", true, "failed", Restart),
            ("begun", "failing", false, "activating", Leave),
            ("begun", "failing", true, "active*", Retry),
            ("begun", "stopped", false, "inactive", Leave),
            ("begun", "stopped", true, "active*", Stop),
            ("begun", "stopped", false, "active*", Retry),
            ("undoing", "answering", true, "active*", Restart),
            ("undoing", "stopped", false, "inactive", Leave),
            ("applied", "answering", true, "active*", Restart),
            ("applied", "answering", true, "inactive", Leave),
            ("applied", "answering", true, "failed", Restart),
            ("applied", "failing", true, "active*", Retry),
            ("applied", "stopped", true, "active*", Retry),
            ("written", "answering", false, "active", Restart),
            ("unconfirmed", "answering", true, "active*", Restart),
        ] {
            let entry = entry(&format!(
                r#""state": "{state}", "was": "{was}", "restarted": {restarted}, "invocation": "a""#
            ));
            let (unit, has_job) = unit(unit_is);
            let decided = Afterwards::of(&entry, &unit, has_job);
            assert_eq!(decided, then, "{state} {was} {restarted} {unit_is}");
        }
    }

    #[test]
    fn of_a_unit_that_is_not_known_nothing_good_is_assumed() {
        let entry = entry(r#""state": "begun", "invocation": "a", "restarted": true"#);
        let unknown = Seen::Unknown("no answer".to_owned());
        for (unit, then) in [
            (unknown, Afterwards::Restart),
            (Seen::Absent, Afterwards::Leave),
            (Seen::Is(Unit::default()), Afterwards::Leave),
        ] {
            assert_eq!(Afterwards::of(&entry, &unit, false), then, "{unit:?}");
        }
    }

    #[test]
    fn where_nothing_was_written_nothing_is_restarted() {
        let nothing = with(r#""state": "begun""#, "");
        let (unit, has_job) = unit("active*");
        assert_eq!(Afterwards::of(&nothing, &unit, has_job), Afterwards::Leave);
    }
}
