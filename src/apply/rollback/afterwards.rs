//! What becomes of dockerd once the old files are back.

use crate::apply::journal::{Entry, State, Was};
use crate::facts::{Seen, Unit};

/// What becomes of dockerd once the old files are back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It goes on as it is: it was never restarted, or it does not run.
    Leave,
    /// It is restarted, and must answer.
    Restart,
    /// A rollback that was killed has restarted it; it must answer.
    Await,
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
        let is_open = entry.is_open();
        let is_replaced = entry.state == State::Undoing
            && entry
                .replaces
                .as_ref()
                .is_some_and(|replaced| unit.is_some_and(|unit| unit.invocation_id != *replaced));
        match entry.was {
            _ if is_open && entry.is_empty() && !entry.restarted => Self::Leave,
            _ if !is_open && is_stopped => Self::Leave,
            // Put off, its restart has not come yet.
            _ if entry.state == State::Written && is_the_same && is_active => Self::Leave,
            Was::Answering | Was::Stopped if !is_open => Self::Restart,
            Was::Failing if !is_open => Self::Retry,
            Was::Answering if is_replaced && is_active => Self::Await,
            Was::Answering if is_the_same && is_active => Self::Leave,
            Was::Answering => Self::Restart,
            Was::Failing if is_replaced || is_the_same => Self::Leave,
            Was::Failing => Self::Retry,
            Was::Stopped if is_stopped => Self::Leave,
            Was::Stopped if entry.restarted => Self::Stop,
            Was::Stopped => Self::Retry,
        }
    }

    /// The same of several, newest first. One that is open knows what it has done itself, or takes the
    /// others along; several that stand go back to what was before the oldest.
    pub(super) fn of_all(entries: &[Entry], unit: &Seen<Unit>, has_job: bool) -> Self {
        let of = |entry| Self::of(entry, unit, has_job);
        let open = entries.iter().find(|entry| entry.is_open());
        let decided = open.or(entries.last()).map_or(Self::Leave, of);
        if decided != Self::Leave {
            return decided;
        }
        // It may not have come as far as dockerd, which runs with the others then.
        let others = entries.iter().rev().filter(|entry| !entry.is_open());
        let mut decided = others.map(of).filter(|then| *then != Self::Leave);
        decided.next().unwrap_or(Self::Leave)
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Leave => "leave dockerd as it is",
            Self::Restart => "restart dockerd with the old settings",
            Self::Await => "wait for dockerd, which was restarted with the old settings",
            Self::Retry => {
                "start dockerd with the old settings, with which it did not answer before"
            }
            Self::Stop => "stop dockerd, which was not running before",
        }
    }
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
        let invocation_id = if state.contains('*') { "b" } else { "a" };
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
            ("applied", "stopped", true, "active*", Restart),
            ("partly", "answering", true, "active*", Restart),
            ("written", "answering", false, "active", Leave),
            ("written", "answering", false, "active+", Restart),
            ("written", "answering", false, "active*", Restart),
            ("written", "failing", false, "activating", Retry),
            ("unconfirmed", "answering", true, "active*", Restart),
            ("unconfirmed", "answering", true, "inactive", Restart),
            ("unconfirmed", "failing", true, "active*", Retry),
            ("unconfirmed", "stopped", true, "active*", Stop),
            ("unconfirmed", "stopped", true, "inactive", Leave),
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
    fn a_rollback_that_was_killed_after_its_restart_does_not_restart_again() {
        use Afterwards::{Await, Leave, Restart, Retry, Stop};
        for (was, replaced, unit_is, then) in [
            ("answering", r#""a""#, "active*", Await),
            ("answering", r#""""#, "active*", Await),
            ("answering", r#""a""#, "active*+", Restart),
            ("answering", r#""a""#, "failed*", Restart),
            ("answering", r#""a""#, "active", Restart),
            ("answering", "null", "active*", Restart),
            ("failing", r#""a""#, "activating*", Leave),
            ("failing", r#""a""#, "activating", Retry),
            ("stopped", r#""a""#, "active*", Stop),
        ] {
            let entry = entry(&format!(
                r#""state": "undoing", "was": "{was}", "restarted": true, "replaces": {replaced},
                "invocation": "before""#
            ));
            let (unit, has_job) = unit(unit_is);
            let decided = Afterwards::of(&entry, &unit, has_job);
            assert_eq!(decided, then, "{was} {replaced} {unit_is}");
        }
    }

    #[test]
    fn of_several_the_open_one_tells_and_what_stands_is_not_overlooked() {
        use Afterwards::{Leave, Restart, Retry, Stop};
        for (newest_first, unit_is, then) in [
            (
                &[("begun", "stopped", true), ("written", "answering", false)][..],
                "active*",
                Stop,
            ),
            (
                &[
                    ("begun", "answering", false),
                    ("written", "answering", false),
                ],
                "active",
                Leave,
            ),
            (
                &[
                    ("begun", "answering", false),
                    ("applied", "answering", true),
                ],
                "active",
                Restart,
            ),
            (
                &[("applied", "answering", true), ("applied", "failing", true)],
                "active*",
                Retry,
            ),
            (
                &[
                    ("applied", "answering", true),
                    ("begun", "answering", false),
                ],
                "active",
                Restart,
            ),
            (
                &[("undoing", "failing", true), ("undoing", "answering", true)],
                "active",
                Leave,
            ),
            (&[], "active", Leave),
        ] {
            let entries: Vec<_> = newest_first
                .iter()
                .map(|(state, was, restarted)| {
                    entry(&format!(
                        r#""state": "{state}", "was": "{was}", "restarted": {restarted},
                        "invocation": "a""#
                    ))
                })
                .collect();
            let (unit, has_job) = unit(unit_is);
            let decided = Afterwards::of_all(&entries, &unit, has_job);
            assert_eq!(decided, then, "{newest_first:?} {unit_is}");
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
