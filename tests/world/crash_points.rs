//! Killed anywhere, the next command or the timer brings back the old or the new state whole.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};
use super::tree::Tree;

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
    /// `rootless6 setup --yes`, which first finishes what was cut short.
    Setup,
    /// The timer that was armed, if it was.
    Timer,
}

const RECOVERIES: &[Recovery] = &[Recovery::Undo, Recovery::Setup, Recovery::Timer];

impl Recovery {
    fn recovers(self, setting: &Setting, new: &Tree) {
        let old = setting.beginning();
        let states = match self {
            Self::Undo => {
                setting.runs_well(UNDO);
                vec![old]
            }
            Self::Setup => {
                setting.runs_well(SETUP);
                vec![new]
            }
            Self::Timer => vec![old, new],
        };
        if !matches!(self, Self::Timer) {
            setting.is_whole(&states, "after the next command");
        }
        // One that is armed still after another command finds nothing to do, and disarms itself.
        setting.fires_until_disarmed();
        setting.is_whole(&states, "once the timer is gone");
        if matches!(self, Self::Timer) {
            setting.runs_well(UNDO);
            setting.is_whole(&[old], "after undo");
        }
        setting.nothing_is_left("in the end");
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

/// Each place with each recovery.
fn all_cases<P: Clone>(work: Work, places: &[P]) -> Vec<Case<P>> {
    let recoveries = |at: &P| {
        let at = at.clone();
        RECOVERIES.iter().map(move |&recovery| Case {
            work,
            at: at.clone(),
            recovery,
        })
    };
    places.iter().flat_map(recoveries).collect()
}

/// Each place with one recovery; a place is much like the one before it.
fn cases<P: Clone>(work: Work, places: &[P]) -> Vec<Case<P>> {
    let recoveries = RECOVERIES.iter().cycle();
    let case = |(at, &recovery): (&P, _)| Case {
        work,
        at: at.clone(),
        recovery,
    };
    places.iter().zip(recoveries).map(case).collect()
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

/// The tree once all is set up.
fn new() -> Tree {
    Work::Undo.setting().tree()
}

fn killed_at_each_checkpoint(work: Work) {
    let new = new();
    let checkpoints = work.setting().checkpoints(work.arguments());
    each(&all_cases(work, &checkpoints), |case| {
        let setting = case.work.setting();
        let ran = setting.runs_until(case.work.arguments(), &case.at);
        assert_eq!(ran.status, None, "{}", ran.said);
        case.recovery.recovers(&setting, &new);
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
    let new = new();
    let points: Vec<Point> = points(&work.setting(), work.arguments());
    each(&cases(work, &points), |case| {
        let make = || case.work.setting();
        let (setting, ran) = strike(&case.at, Fault::Killed, case.work.arguments(), make);
        assert_eq!(ran.status, None, "{}", ran.said);
        case.recovery.recovers(&setting, &new);
    });
}
