//! Killed anywhere, the next command or the timer brings back the old or the new state whole.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};

/// Which way the state is brought back.
#[derive(Debug, Clone, Copy)]
enum Recovery {
    /// `rootless6 undo --yes`
    Undo,
}

const RECOVERIES: &[Recovery] = &[Recovery::Undo];

struct Case {
    command: &'static [&'static str],
    point: Point,
    recovery: Recovery,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} killed at {}, then {:?}",
            self.command[0], self.point, self.recovery
        )
    }
}

#[test]
fn setup_and_undo_do_their_work_here() {
    let setting = Setting::new();
    let before = setting.tree();
    setting.runs_well(SETUP);
    assert_ne!(setting.tree(), before);
    setting.is_whole(&[&setting.tree()], "after setup");
    setting.runs_well(UNDO);
    setting.is_whole(&[&before], "after undo");
}

fn set_up() -> Setting {
    let setting = Setting::new();
    setting.runs_well(SETUP);
    setting
}

#[test]
fn killed_at_any_change_of_a_file_setup_is_taken_back() {
    killed_at_each_point(SETUP, Setting::new);
}

#[test]
fn killed_at_any_change_of_a_file_undo_is_finished() {
    killed_at_each_point(UNDO, set_up);
}

fn killed_at_each_point(command: &'static [&'static str], make: fn() -> Setting) {
    let points = points(&make(), command);
    assert!(points.len() > 10, "{points:?}");
    let cases: Vec<Case> = points
        .into_iter()
        .zip(RECOVERIES.iter().cycle())
        .map(|(point, recovery)| Case {
            command,
            point,
            recovery: *recovery,
        })
        .collect();
    each(&cases, |case| {
        let (setting, ran) = strike(&case.point, Fault::Killed, case.command, make);
        assert_eq!(ran.status, None, "{}", ran.said);
        recovers(&setting, case.recovery);
    });
}

fn recovers(setting: &Setting, recovery: Recovery) {
    let old = setting.beginning();
    match recovery {
        Recovery::Undo => {
            setting.runs_well(UNDO);
            setting.is_whole(&[old], "after undo");
        }
    }
}
