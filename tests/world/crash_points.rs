//! Killed anywhere, the next command or the timer brings back the old or the new state whole.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};

/// A command, and the state that it starts in.
#[derive(Debug, Clone, Copy)]
enum Work {
    Setup,
    Undo,
}

impl Work {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Setup => SETUP,
            Self::Undo => UNDO,
        }
    }

    fn setting(self) -> Setting {
        let setting = Setting::new();
        if matches!(self, Self::Undo) {
            setting.runs_well(SETUP);
        }
        setting
    }
}

/// Which way the state is brought back.
#[derive(Debug, Clone, Copy)]
enum Recovery {
    /// `rootless6 undo --yes`
    Undo,
}

const RECOVERIES: &[Recovery] = &[Recovery::Undo];

impl Recovery {
    fn recovers(self, setting: &Setting) {
        let old = setting.beginning();
        match self {
            Self::Undo => {
                setting.runs_well(UNDO);
                setting.is_whole(&[old], "after undo");
            }
        }
        // And all is as if nothing had been.
        setting.runs_well(SETUP);
        setting.is_whole(&[&setting.tree()], "after another setup");
        setting.runs_well(UNDO);
        setting.is_whole(&[old], "after another undo");
    }
}

/// Where a command is killed, and what happens then.
struct Case<P> {
    work: Work,
    at: P,
    recovery: Recovery,
}

impl<P: fmt::Display> fmt::Display for Case<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, at, recovery } = self;
        write!(f, "{work:?} killed at {at}, then {recovery:?}")
    }
}

fn cases<P: Clone>(work: Work, places: &[P]) -> Vec<Case<P>> {
    let each = |at: &P| {
        let at = at.clone();
        RECOVERIES.iter().map(move |recovery| Case {
            work,
            at: at.clone(),
            recovery: *recovery,
        })
    };
    places.iter().flat_map(each).collect()
}

#[test]
fn setup_and_undo_do_their_work_here() {
    let setting = Work::Undo.setting();
    assert_ne!(&setting.tree(), setting.beginning());
    setting.is_whole(&[&setting.tree()], "after setup");
    setting.runs_well(UNDO);
    setting.is_whole(&[setting.beginning()], "after undo");
}

#[test]
fn killed_at_any_checkpoint_setup_is_taken_back() {
    killed_at_each_checkpoint(Work::Setup);
}

#[test]
fn killed_at_any_checkpoint_undo_is_finished() {
    killed_at_each_checkpoint(Work::Undo);
}

fn killed_at_each_checkpoint(work: Work) {
    let checkpoints = work.setting().checkpoints(work.arguments());
    each(&cases(work, &checkpoints), |case| {
        let setting = case.work.setting();
        let ran = setting.runs_until(case.work.arguments(), &case.at);
        assert_eq!(ran.status, None, "{}", ran.said);
        case.recovery.recovers(&setting);
    });
}

#[test]
fn killed_at_any_change_of_a_file_setup_is_taken_back() {
    killed_at_each_change(Work::Setup);
}

#[test]
fn killed_at_any_change_of_a_file_undo_is_finished() {
    killed_at_each_change(Work::Undo);
}

fn killed_at_each_change(work: Work) {
    let points: Vec<Point> = points(&work.setting(), work.arguments());
    each(&cases(work, &points), |case| {
        let make = || case.work.setting();
        let (setting, ran) = strike(&case.at, Fault::Killed, case.work.arguments(), make);
        assert_eq!(ran.status, None, "{}", ran.said);
        case.recovery.recovers(&setting);
    });
}
