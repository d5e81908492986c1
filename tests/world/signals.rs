//! Asked to end at any moment, setup takes everything back and undo goes on to its end.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO, ran};

/// Ctrl-C, `kill`, and a terminal or an ssh connection that goes away.
const SIGNALS: &[&str] = &["SIGINT", "SIGTERM", "SIGHUP"];

struct Case {
    at: String,
    signal: &'static str,
    /// Whether it comes before what was asked for is done.
    in_time: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.signal, self.at)
    }
}

/// Each checkpoint with each signal; those before the turn are in time.
fn cases(setting: &Setting, arguments: &[&str], turn: Option<&str>) -> Vec<Case> {
    let checkpoints = setting.checkpoints(setting.command(arguments));
    let turn = turn.map_or(0, |turn| {
        checkpoints.iter().position(|at| at == turn).unwrap()
    });
    let case = |(place, at): (usize, String)| {
        SIGNALS.iter().map(move |signal| Case {
            at: at.clone(),
            signal,
            in_time: place < turn,
        })
    };
    checkpoints.into_iter().enumerate().flat_map(case).collect()
}

fn runs(setting: &Setting, arguments: &[&str], case: &Case) -> super::setting::Ran {
    let mut command = setting.command(arguments);
    command.env("ROOTLESS6_KILL_AT", &case.at);
    command.env("ROOTLESS6_KILL_WITH", case.signal);
    ran(&mut command)
}

#[test]
fn a_setup_that_is_asked_to_end_takes_everything_back_until_all_is_done() {
    let new = Setting::set_up().tree();
    // From there on nothing is waited for, and the setup is done.
    each(&cases(&Setting::new(), SETUP, Some("settled:1")), |case| {
        let setting = Setting::new();
        let ran = runs(&setting, SETUP, case);
        let (status, left) = if case.in_time {
            (130, setting.beginning())
        } else {
            (0, &new)
        };
        assert_eq!(ran.status, Some(status), "{}", ran.said);
        setting.is_whole(&[left], &ran.said);
        setting.nothing_is_left(&ran.said);
        assert_eq!(setting.watchdogs().len(), 0, "{}", ran.said);
    });
}

#[test]
fn an_undo_that_is_asked_to_end_goes_on_to_its_end() {
    each(&cases(&Setting::set_up(), UNDO, None), |case| {
        let setting = Setting::set_up();
        let ran = runs(&setting, UNDO, case);
        assert_eq!(ran.status, Some(0), "{}", ran.said);
        setting.is_whole(&[setting.beginning()], &ran.said);
        setting.nothing_is_left(&ran.said);
        assert_eq!(setting.watchdogs().len(), 0, "{}", ran.said);
    });
}
