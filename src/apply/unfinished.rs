//! Transactions that nobody finishes: cut short, or not confirmed in time.

use std::time::Duration;

use super::journal::{self, Entry, Record, State};
use crate::error::Result;
use crate::host::{Host, process};

/// A run that has just begun to finish what an earlier one left has not said so yet: a look round
/// comes first.
const TAKING_OVER: Duration = Duration::from_secs(30);

/// The unfinished generations of a unit, else of the newest one's unit, and those that go with them;
/// newest first, as they are to be taken back.
pub fn of(entries: Vec<Entry>, unit: Option<&str>) -> Vec<Entry> {
    let mut unfinished = entries.iter().rev().filter(|entry| entry.is_unfinished());
    let newest = unfinished.next().map(|entry| entry.unit.clone());
    let Some(unit) = unit.map(str::to_owned).or(newest) else {
        return Vec::new();
    };
    together(entries, |entry| entry.is_unfinished() && entry.unit == unit)
}

/// Those that are wanted, and those that go back with them; newest first.
pub fn together(mut entries: Vec<Entry>, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let wanted: Vec<_> = entries
        .iter()
        .filter(|entry| is_wanted(entry))
        .cloned()
        .collect();
    entries.retain(|entry| is_wanted(entry) || wanted.iter().any(|other| other.goes_with(entry)));
    entries.reverse();
    entries
}

/// The newest record that cannot be read, where it may be that of something unfinished: whatever is
/// newer and settled was begun after it was over.
pub fn hidden(records: &[Record]) -> Option<&Record> {
    let is_settled = |record: &&Record| {
        let settled =
            |entry: &Entry| matches!(entry.state, State::Written | State::Applied | State::Undone);
        record.entry.as_ref().is_ok_and(settled)
    };
    let newest = records
        .iter()
        .rev()
        .take_while(|record| !is_settled(record));
    newest.into_iter().find(|record| record.entry.is_err())
}

/// Ends the run that holds the lock for work on the host's unit, where all that it can be about was to
/// be over by now: it is stopped, or waits for something that does not come. `open` gives what that
/// is, and is asked again once the run is at hand. Tells whether it has ended.
///
/// # Errors
/// When the kernel refuses.
pub async fn end_a_stuck_run(host: &Host, open: impl Fn() -> Result<Vec<Entry>>) -> Result<bool> {
    let Some(holder) = journal::holder(host)? else {
        return Ok(false);
    };
    let overdue =
        || open().is_ok_and(|entries| !entries.is_empty() && entries.iter().all(Entry::is_overdue));
    let elsewhere = holder.unit != host.unit;
    if elsewhere || !overdue() || process::age(holder.started) < TAKING_OVER {
        return Ok(false);
    }
    process::end(holder.pid, || {
        let still = matches!(journal::holder(host), Ok(Some(now)) if now == holder);
        still && holder.is_alive() && overdue()
    })
    .await?;
    Ok(true)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::fs;

    use super::*;
    use crate::apply::deadline::Deadline;
    use crate::apply::journal::tests::Home;
    use crate::apply::journal::{State, Was};
    use crate::plan::FileChange;

    fn entry(state: State, seconds: Option<u64>) -> Entry {
        let home = Home::new();
        let journal = home.journal();
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
            (State::Partly, Some(0), false, false),
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
    fn what_goes_with_an_open_one_is_taken_back_with_it() {
        use State::{Applied, Begun, Partly, Unconfirmed, Undoing, Undone, Written};
        for (first, second, newest, with, taken_back) in [
            (Written, Written, Begun, &[1, 2][..], &[3, 2, 1][..]),
            (Applied, Written, Unconfirmed, &[2], &[3, 2]),
            (Applied, Written, Begun, &[], &[3]),
            (Applied, Partly, Undoing, &[1, 2], &[3, 2, 1]),
            (Undone, Undoing, Undoing, &[1, 2], &[3, 2, 1]),
            (Undone, Written, Begun, &[1, 2], &[3, 2]),
            (Written, Undoing, Applied, &[1], &[2]),
            (Written, Written, Applied, &[1, 2], &[]),
        ] {
            let home = Home::new();
            let journal = home.journal();
            let mut entries = Vec::new();
            for state in [first, second, newest] {
                let path = home.host().config.join(format!("{}", entries.len()));
                let change = FileChange {
                    path,
                    target: None,
                    before: None,
                    after: "new".to_owned(),
                };
                let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
                entry.write(&journal, &change).unwrap();
                entry.state = state;
                entries.push(entry);
            }
            entries[2].with = with.to_vec();
            let numbers: Vec<_> = of(entries, None).iter().map(|e| e.generation).collect();
            assert_eq!(
                numbers, taken_back,
                "{first:?} {second:?} {newest:?} {with:?}"
            );
        }
    }

    #[test]
    fn who_holds_the_lock_is_seen_without_waiting() {
        let home = Home::new();
        let held = || journal::holder(&home.host()).unwrap().is_some();
        assert!(!held());
        let journal = home.journal();
        assert!(held());
        drop(journal);
        assert!(!held());
    }

    #[test]
    fn a_lock_that_does_not_say_whose_it_is_is_somebodys() {
        let home = Home::new();
        let held = || journal::is_held(&home.host()).unwrap();
        assert!(!held());
        let open = home.journal();
        let entry = open.begin("docker.service", Was::Answering).unwrap();
        assert!(held());
        let lock = home.host().state.join("rootless6/lock");
        fs::write(&lock, "").unwrap();
        assert!(held());
        assert_eq!(journal::holder(&home.host()).unwrap(), None);
        drop(open);
        assert!(!held());
        // What a killed holder has left says a name, and holds nothing.
        fs::write(&lock, "{}").unwrap();
        assert!(!held());
        assert_eq!(entry.generation, 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_hides_something_unless_a_newer_one_is_settled() {
        for (states, hidden_is) in [
            (&[Some(State::Applied), None][..], Some(2)),
            (&[None, Some(State::Unconfirmed)], Some(1)),
            (&[None, Some(State::Undoing)], Some(1)),
            (&[None, Some(State::Applied)], None),
            (&[None, Some(State::Undone)], None),
            (&[Some(State::Begun)], None),
            (&[None], Some(1)),
            (&[], None),
        ] {
            let home = Home::new();
            let journal = home.journal();
            for state in states {
                let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
                match state {
                    Some(state) => entry.mark(&journal, *state).unwrap(),
                    None => {
                        let name = format!("rootless6/{:04}.json", entry.generation);
                        fs::write(home.host().state.join(name), "{").unwrap();
                    }
                }
            }
            let records = journal.records().unwrap();
            let hidden = hidden(&records).map(|record| record.generation);
            assert_eq!(hidden, hidden_is, "{states:?}");
        }
    }
}
