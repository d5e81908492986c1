//! What came into force together goes back together: settings whose restart was put off, and several
//! generations that one undo takes back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::tree::Tree;

const UNDO_ALL: &[&str] = &["undo", "--yes", "--to", "0"];

fn setup_with<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [SETUP, options].concat()
}

/// Settings that are written, and dockerd runs on with the old ones.
fn written() -> Setting {
    let setting = Setting::new();
    setting.runs_well(&setup_with(&["--no-restart"]));
    assert_eq!(starts(&setting), 1);
    setting
}

fn starts(setting: &Setting) -> u32 {
    setting.bus.manager().starts
}

/// Runs until the time to confirm is over for certain, and then what the timer does.
fn its_time_passes(setting: &Setting) {
    sleep(Duration::from_millis(1100));
    setting.fires_until_disarmed();
}

/// Where each generation stands, the newest first.
fn states(setting: &Setting) -> Vec<String> {
    let state = |generation: usize| {
        let path = setting.state().join(format!("{generation:04}.json"));
        let entry: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        entry["state"].as_str().unwrap().to_owned()
    };
    (1..=setting.generations()).rev().map(state).collect()
}

#[test]
fn what_was_written_before_goes_back_with_what_was_not_confirmed() {
    for more in [None, Some("--mtu=1500")] {
        let setting = written();
        let options: Vec<_> = ["--confirm-within", "1"].into_iter().chain(more).collect();
        setting.runs_well(&setup_with(&options));
        assert_eq!(states(&setting), ["unconfirmed", "written"]);
        its_time_passes(&setting);
        setting.is_whole(&[setting.beginning()], "not confirmed");
        assert_eq!(states(&setting), ["undone", "undone"]);
        assert_eq!(starts(&setting), 3);
    }
}

#[test]
fn what_was_written_before_is_confirmed_with_what_took_it_up() {
    let confirm = &["confirm"];
    let unconfirmed = || {
        let setting = written();
        setting.runs_well(&setup_with(&["--confirm-within", "600"]));
        setting
    };
    let first = unconfirmed();
    let checkpoints = first.checkpoints(first.command(confirm));
    each(&checkpoints, |checkpoint| {
        let setting = unconfirmed();
        let tree = setting.tree();
        setting.is_killed_at(checkpoint, setting.command(confirm));
        setting.runs_well(confirm);
        assert_eq!(states(&setting), ["applied", "applied"]);
        setting.fires_until_disarmed();
        setting.is_whole(&[&tree], "confirmed");
        setting.runs_well(UNDO_ALL);
        setting.is_whole(&[setting.beginning()], "undone");
    });
}

#[test]
fn killed_while_it_takes_up_what_was_written_dockerd_has_the_old_settings_again() {
    let setup = setup_with(&["--confirm-within", "1"]);
    let first = written();
    let checkpoints = first.checkpoints(first.command(&setup));
    each(&checkpoints, |checkpoint| {
        let setting = written();
        let put_off = setting.tree();
        setting.is_killed_at(checkpoint, setting.command(&setup));
        its_time_passes(&setting);
        if setting.tree() == put_off {
            assert_eq!(starts(&setting), 1, "dockerd was disturbed");
            setting.runs_well(UNDO_ALL);
        }
        setting.is_whole(&[setting.beginning()], "not confirmed");
    });
}

#[test]
fn there_must_be_something_to_come_back_to() {
    let setting = Setting::new();
    setting.runs_well(SETUP);
    setting.bus.manager().stop();
    let refused = setting.runs(&setup_with(&["--confirm-within", "600"]));
    assert_eq!(refused.status, Some(2), "{}", refused.said);
    assert!(refused.said.contains("no old settings"), "{}", refused.said);
    assert_eq!(states(&setting), ["applied"]);
}

#[test]
fn an_undo_of_what_was_only_written_stops_no_container() {
    let setting = written();
    setting.runs_well(UNDO);
    setting.is_whole(&[setting.beginning()], "undone");
    assert_eq!(starts(&setting), 1);
}

#[test]
fn killed_while_it_takes_back_several_all_go_back_and_dockerd_restarts_once() {
    let set_up_twice = || {
        let setting = Setting::new();
        setting.runs_well(SETUP);
        setting.runs_well(&setup_with(&["--mtu=1500"]));
        setting
    };
    let first = set_up_twice();
    let newest: Tree = first.tree();
    let checkpoints = first.checkpoints(first.command(UNDO_ALL));
    each(&checkpoints, |checkpoint| {
        let setting = set_up_twice();
        let before = starts(&setting);
        setting.is_killed_at(checkpoint, setting.command(UNDO_ALL));
        setting.fires_until_disarmed();
        if setting.tree() == newest {
            setting.runs_well(UNDO_ALL);
        }
        setting.is_whole(&[setting.beginning()], "undone");
        assert_eq!(states(&setting), ["undone", "undone"]);
        assert_eq!(starts(&setting), before + 1);
    });
}

#[test]
fn what_was_left_half_done_is_taken_back_also_to_a_later_generation() {
    let setting = Setting::new();
    setting.is_killed_at("restart-recorded", setting.command(SETUP));
    setting.runs_well(&["undo", "--yes", "--to", "1"]);
    setting.is_whole(&[setting.beginning()], "undone");
    assert_eq!(states(&setting), ["undone"]);
}

#[test]
fn what_is_not_back_whole_is_neither_in_force_nor_to_be_confirmed() {
    let setting = Setting::new();
    setting.runs_well(&setup_with(&["--confirm-within", "1"]));
    setting.write(&setting.places.daemon_json(), b"{\"debug\": false}\n");
    its_time_passes(&setting);
    assert_eq!(states(&setting), ["partly"]);
    let late = setting.runs(&["confirm"]);
    assert_eq!(late.status, Some(3), "{}", late.said);
    assert!(late.said.contains("too late"), "{}", late.said);
    assert!(setting.bus.manager().timers.is_empty());
}

#[test]
fn an_undo_that_cannot_be_recorded_does_not_begin() {
    let setting = Setting::new();
    setting.runs_well(SETUP);
    let (tree, before) = (setting.tree(), starts(&setting));
    let mode =
        |mode| fs::set_permissions(setting.state(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    let failed = setting.runs(UNDO);
    mode(0o700);
    assert_eq!(failed.status, Some(3), "{}", failed.said);
    setting.is_whole(&[&tree], "nothing was recorded");
    assert_eq!(starts(&setting), before);
    assert_eq!(states(&setting), ["applied"]);
}
