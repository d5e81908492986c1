//! Transactions that nobody finishes: cut short, or not confirmed in time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::deadline::Deadline;
use super::journal::{Entry, State};
use crate::error::Result;
use crate::host::process;
use crate::host::run_id::RunId;

/// A run that has just begun to finish what an earlier one left has not said so yet: a look round
/// comes first.
const TAKING_OVER: Duration = Duration::from_secs(30);

impl Entry {
    /// How long it waits for `rootless6 confirm` yet.
    pub fn waits_for(&self) -> Option<Duration> {
        let left = self.deadline.as_ref().and_then(Deadline::left);
        left.filter(|_| self.state == State::Unconfirmed)
    }

    /// Whether it was to be over by now.
    fn is_overdue(&self) -> bool {
        let over = |deadline: &Deadline| deadline.left().is_none();
        self.deadline.as_ref().is_some_and(over)
    }
}

/// The unfinished generations of a unit, else of the newest one's unit; newest first, as they are
/// to be taken back.
pub fn of(entries: Vec<Entry>, unit: Option<&str>) -> Vec<Entry> {
    let mut unfinished: Vec<_> = entries
        .into_iter()
        .rev()
        .filter(Entry::is_unfinished)
        .collect();
    let newest = unfinished.first().map(|entry| entry.unit.clone());
    if let Some(unit) = unit.map(str::to_owned).or(newest) {
        unfinished.retain(|entry| entry.unit == unit);
    }
    unfinished
}

/// Whether a run holds the lock of a state directory.
pub fn somebody_is_at_it(state: &Path) -> bool {
    let Ok(file) = File::open(lock(state)) else {
        return false;
    };
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

/// Ends the run that holds the lock, where all that it can be about was to be over by now: it is
/// stopped, or waits for something that does not come. Tells whether it has.
///
/// # Errors
/// When the kernel refuses.
pub async fn end_a_stuck_run(state: &Path, entries: &[Entry]) -> Result<bool> {
    let Some(holder) = holder(state) else {
        return Ok(false);
    };
    let (Some(pid), Some(_)) = (holder.process(), entries.first()) else {
        return Ok(false);
    };
    if !entries.iter().all(Entry::is_overdue) || holder.age() < TAKING_OVER {
        return Ok(false);
    }
    process::end(pid, || {
        holder.process() == Some(pid) && self::holder(state) == Some(holder)
    })
    .await?;
    Ok(true)
}

/// Whoever took the lock last; its file's first line says so.
fn holder(state: &Path) -> Option<RunId> {
    let text = fs::read_to_string(lock(state)).ok()?;
    RunId::parse(text.lines().next()?)
}

fn lock(state: &Path) -> PathBuf {
    state.join("rootless6/lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::{Journal, Was};

    fn entry(state: State, seconds: Option<u64>) -> Entry {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        entry.state = state;
        entry.deadline = seconds.map(|seconds| Deadline::after(Duration::from_secs(seconds)));
        entry
    }

    #[test]
    fn what_was_cut_short_is_unfinished_and_what_waits_in_time_is_not() {
        for (state, seconds, unfinished, waits) in [
            (State::Begun, None, true, false),
            (State::Begun, Some(100), true, false),
            (State::Undoing, Some(0), true, false),
            (State::Unconfirmed, Some(100), false, true),
            (State::Unconfirmed, Some(0), true, false),
            (State::Written, Some(0), false, false),
            (State::Applied, Some(0), false, false),
            (State::Undone, None, false, false),
        ] {
            let entry = entry(state, seconds);
            assert_eq!(entry.is_unfinished(), unfinished, "{state:?} {seconds:?}");
            assert_eq!(entry.waits_for().is_some(), waits, "{state:?} {seconds:?}");
        }
    }

    #[test]
    fn all_unfinished_of_one_unit_are_taken_back_newest_first() {
        let named = |generation, unit: &str, state| {
            let mut entry = entry(state, None);
            entry.generation = generation;
            entry.unit = unit.to_owned();
            entry
        };
        let entries = vec![
            named(1, "docker.service", State::Applied),
            named(2, "docker.service", State::Undoing),
            named(3, "other.service", State::Begun),
            named(4, "docker.service", State::Undoing),
        ];
        let of = |unit| {
            let unfinished = of(entries.clone(), unit);
            let numbers: Vec<_> = unfinished.iter().map(|entry| entry.generation).collect();
            numbers
        };
        assert_eq!(of(None), [4, 2]);
        assert_eq!(of(Some("other.service")), [3]);
        assert!(of(Some("third.service")).is_empty());
    }

    #[test]
    fn a_lock_that_is_held_is_seen_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!somebody_is_at_it(directory.path()));
        let journal = Journal::open(directory.path()).unwrap();
        assert!(somebody_is_at_it(directory.path()));
        drop(journal);
        assert!(!somebody_is_at_it(directory.path()));
    }
}
