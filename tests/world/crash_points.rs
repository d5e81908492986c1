//! Killed anywhere, the next command or the timer brings back the old or the new state whole, and at
//! each place it is known which.

use std::fmt;
use std::process::Command;

use super::parallel::each;
use super::setting::{CONFIRM, SETUP, SETUP_TO_BE_CONFIRMED, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};
use super::tree::Tree;

/// A command, and the state that it starts in.
#[derive(Debug, Clone, Copy)]
enum Work {
    Setup,
    SetupToBeConfirmed,
    /// Of a setup that waits for it.
    Confirm,
    Undo,
    /// By the timer, of a setup that was killed with dockerd restarted.
    Recover,
    /// By the timer, of a setup that nobody has confirmed.
    RecoverUnconfirmed,
}

impl Work {
    fn setting(self) -> Setting {
        let setting = Setting::new();
        match self {
            Self::Setup | Self::SetupToBeConfirmed => {}
            Self::Undo => setting.runs_well(SETUP),
            Self::Confirm => setting.runs_well(SETUP_TO_BE_CONFIRMED),
            Self::Recover => setting.is_killed_at("restart-done", setting.command(SETUP)),
            Self::RecoverUnconfirmed => {
                setting.runs_well(SETUP_TO_BE_CONFIRMED);
                setting.time_is_over();
            }
        }
        setting
    }

    fn command(self, setting: &Setting) -> Command {
        match self {
            Self::Setup => setting.command(SETUP),
            Self::SetupToBeConfirmed => setting.command(SETUP_TO_BE_CONFIRMED),
            Self::Confirm => setting.command(CONFIRM),
            Self::Undo => setting.command(UNDO),
            Self::Recover | Self::RecoverUnconfirmed => {
                let [watchdog] = <[Command; 1]>::try_from(setting.watchdogs()).unwrap();
                watchdog
            }
        }
    }

    /// What a kill leaves to the timer, by the checkpoints of an undisturbed run: how many of them
    /// come before the work takes effect, and what is left until then and from there on.
    fn leaves(self, checkpoints: &[String]) -> (usize, Left, Left) {
        let first = |name: &str| {
            let place = checkpoints.iter().position(|known| known == name);
            place.unwrap_or_else(|| panic!("{name} is not passed: {checkpoints:?}"))
        };
        // The last entry that was saved says what is in force.
        let saved = checkpoints
            .iter()
            .rposition(|known| known.starts_with("entry-renamed:"));
        let saved = saved.unwrap();
        match self {
            Self::Setup => (saved, Left::Old, Left::New),
            Self::SetupToBeConfirmed => (saved, Left::Old, Left::Waiting),
            Self::Confirm => (saved, Left::Waiting, Left::New),
            // What nobody watches yet is told by the next command; nothing has been touched.
            Self::Undo => (first("undo-armed:1"), Left::New, Left::Old),
            Self::Recover | Self::RecoverUnconfirmed => (0, Left::Old, Left::Old),
        }
    }
}

/// What is there once the timer has done what it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Old,
    New,
    /// The new state, until the time for a confirmation is over.
    Waiting,
}

/// Which way the state is brought back.
#[derive(Debug, Clone, Copy)]
enum Recovery {
    /// The timer that was armed, if it was.
    Timer,
    /// `rootless6 undo --yes`
    Undo,
    /// `rootless6 setup --yes`, which first finishes what was cut short.
    Setup,
}

const RECOVERIES: &[Recovery] = &[Recovery::Timer, Recovery::Undo, Recovery::Setup];

impl Recovery {
    fn recovers(self, setting: &Setting, new: &Tree, left: Left) {
        let old = setting.beginning();
        match self {
            Self::Timer => {
                if left == Left::Waiting {
                    assert_eq!(setting.fires(), 1, "nobody watches");
                    setting.is_whole(&[new], "while there is time to confirm");
                    setting.time_is_over();
                }
                setting.fires_until_disarmed();
                let left = if left == Left::New { new } else { old };
                setting.is_whole(&[left], "once the timer is gone");
                setting.runs_well(UNDO);
                setting.is_whole(&[old], "after undo");
            }
            Self::Undo => {
                setting.runs_well(UNDO);
                setting.is_whole(&[old], "after undo");
                // One that is armed still finds nothing to do, and disarms itself.
                setting.fires_until_disarmed();
                setting.is_whole(&[old], "once the timer is gone");
            }
            Self::Setup => {
                if left == Left::Waiting {
                    let ran = setting.runs(SETUP);
                    assert_eq!(ran.status, Some(3), "{}", ran.said);
                    assert!(ran.said.contains("`rootless6 confirm"), "{}", ran.said);
                    setting.runs_well(CONFIRM);
                } else {
                    setting.runs_well(SETUP);
                }
                setting.is_whole(&[new], "after the next command");
                setting.fires_until_disarmed();
                setting.is_whole(&[new], "once the timer is gone");
            }
        }
        setting.nothing_is_left("in the end");
    }
}

/// Where a command is killed, and what happens then.
struct Case<P> {
    work: Work,
    at: P,
    left: Left,
    recovery: Recovery,
}

impl<P: fmt::Display> fmt::Display for Case<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            work,
            at,
            left,
            recovery,
        } = self;
        write!(f, "{work:?} killed at {at}, then {recovery:?} of {left:?}")
    }
}

#[test]
fn setup_and_undo_do_their_work_here() {
    let setting = Setting::set_up();
    setting.is_whole(&[&setting.tree()], "after setup");
    setting.runs_well(UNDO);
    setting.is_whole(&[setting.beginning()], "after undo");
}

#[test]
fn killed_at_any_checkpoint_setup_is_taken_back() {
    killed_at_each_checkpoint(Work::Setup);
}

#[test]
fn killed_at_any_checkpoint_a_setup_to_be_confirmed_is_taken_back_or_waits() {
    killed_at_each_checkpoint(Work::SetupToBeConfirmed);
}

#[test]
fn killed_at_any_checkpoint_confirm_has_confirmed_or_has_not() {
    killed_at_each_checkpoint(Work::Confirm);
}

#[test]
fn killed_at_any_checkpoint_undo_is_finished() {
    killed_at_each_checkpoint(Work::Undo);
}

#[test]
fn killed_at_any_checkpoint_recover_is_fired_again() {
    killed_at_each_checkpoint(Work::Recover);
}

#[test]
fn killed_at_any_checkpoint_recover_of_what_nobody_confirmed_is_fired_again() {
    killed_at_each_checkpoint(Work::RecoverUnconfirmed);
}

fn killed_at_each_checkpoint(work: Work) {
    let new = Setting::set_up().tree();
    let setting = work.setting();
    let checkpoints = setting.checkpoints(work.command(&setting));
    let (turn, until_then, from_there) = work.leaves(&checkpoints);
    let case = |(place, at): (usize, &String)| {
        let left = if place < turn { until_then } else { from_there };
        let at = at.clone();
        // The timer everywhere: it is all that there is if nobody comes. Of the commands, which do the
        // same, one in turn.
        let command = [Recovery::Undo, Recovery::Setup][place % 2];
        [Recovery::Timer, command].map(|recovery| Case {
            work,
            at: at.clone(),
            left,
            recovery,
        })
    };
    let cases: Vec<_> = checkpoints.iter().enumerate().flat_map(case).collect();
    each(&cases, |case| {
        let setting = case.work.setting();
        setting.is_killed_at(&case.at, case.work.command(&setting));
        case.recovery.recovers(&setting, &new, case.left);
    });
}

#[test]
fn killed_at_any_change_of_a_file_setup_is_taken_back() {
    killed_at_each_change(Work::Setup, SETUP);
}

#[test]
fn killed_at_any_change_of_a_file_undo_is_finished() {
    killed_at_each_change(Work::Undo, UNDO);
}

/// Each change with one recovery in turn: it is much like the checkpoint next to it.
fn killed_at_each_change(work: Work, arguments: &[&str]) {
    let new = Setting::set_up().tree();
    let points: Vec<Point> = points(&work.setting(), arguments);
    let is_saved = |point: &Point| point.is("rename", ".json");
    let is_elsewhere = |point: &Point| !point.is("", ".local/state");
    // What is killed is killed before the call.
    let (turn, until_then, from_there) = match work {
        Work::Undo => {
            let first = points.iter().position(is_elsewhere).unwrap();
            (first, Left::New, Left::Old)
        }
        _ => {
            let last = points.iter().rposition(is_saved).unwrap();
            (last + 1, Left::Old, Left::New)
        }
    };
    let case = |((place, at), &recovery): ((usize, Point), &Recovery)| Case {
        work,
        at,
        left: if place < turn { until_then } else { from_there },
        recovery,
    };
    let recoveries = RECOVERIES.iter().cycle();
    let points = points.into_iter().enumerate().zip(recoveries);
    let cases: Vec<_> = points.map(case).collect();
    each(&cases, |case| {
        let make = || case.work.setting();
        let (setting, ran) = strike(&case.at, Fault::Killed, arguments, make);
        assert_eq!(ran.status, None, "{}", ran.said);
        case.recovery.recovers(&setting, &new, case.left);
    });
}
