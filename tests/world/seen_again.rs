//! A setup that finds everything in place, with other versions than it was made for: the record tells
//! it, and nothing else changes, wherever that is cut short.

use std::fmt;
use std::fs;

use serde_json::{Value, json};

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};

/// Set up, and slirp4netns, which is not in use, is another one since.
fn upgraded() -> Setting {
    let setting = Setting::set_up();
    let program = setting.places.bin.join("slirp4netns");
    setting.write(
        &program,
        b"#!/bin/sh\necho 'slirp4netns version 1.3.3'\necho 'libslirp: 4.9.0'\n",
    );
    assert_eq!(version(&entry(&setting)), "1.2.1");
    setting
}

fn entry(setting: &Setting) -> Value {
    let bytes = fs::read(setting.state().join("0001.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn version(entry: &Value) -> &str {
    entry["made_for"]["versions"]["slirp4netns"]
        .as_str()
        .unwrap()
}

/// The entry as it was before, but for the version and when that was seen.
fn is_updated(before: &Value, after: &Value) {
    let mut expected = before.clone();
    expected["made_for"]["versions"]["slirp4netns"] = json!("1.3.3");
    expected["made_for"]["seen_again"] = after["made_for"]["seen_again"].clone();
    assert!(after["made_for"]["seen_again"].is_u64(), "{after}");
    assert_eq!(after, &expected);
}

#[test]
fn other_versions_are_recorded_once_and_nothing_else_changes() {
    let setting = upgraded();
    let (tree, before) = (setting.tree(), entry(&setting));
    let process = || setting.bus.manager().dockerd.as_ref().unwrap().process();
    let runs = process();
    setting.runs_well(SETUP);
    is_updated(&before, &entry(&setting));
    setting.is_whole(&[&tree], "after it was seen");
    assert_eq!(setting.generations(), 1);
    assert_eq!(process(), runs, "dockerd was restarted");

    let path = setting.state().join("0001.json");
    let written = || fs::metadata(&path).unwrap().modified().unwrap();
    let first = written();
    setting.runs_well(SETUP);
    assert_eq!(written(), first, "what is known is not written again");
    setting.runs_well(UNDO);
    setting.is_whole(&[setting.beginning()], "after undo");
}

/// Where and how the setup is disturbed.
enum Case {
    KilledAtCheckpoint(String),
    KilledAt(Point),
    Fails(Point),
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KilledAtCheckpoint(name) => write!(f, "killed at {name}"),
            Self::KilledAt(point) => write!(f, "killed at {point}"),
            Self::Fails(point) => write!(f, "no space left at {point}"),
        }
    }
}

fn cases() -> Vec<Case> {
    let setting = upgraded();
    let checkpoints = setting.checkpoints(setting.command(SETUP));
    assert!(
        checkpoints
            .iter()
            .any(|name| name.starts_with("entry-saved")),
        "{checkpoints:?}"
    );
    let points = points(&upgraded(), SETUP);
    let checkpoints = checkpoints.into_iter().map(Case::KilledAtCheckpoint);
    let killed = points.iter().cloned().map(Case::KilledAt);
    let fails = points.iter().cloned().map(Case::Fails);
    checkpoints.chain(killed).chain(fails).collect()
}

#[test]
fn cut_short_anywhere_the_record_is_the_old_one_or_the_new_one() {
    each(&cases(), |case| {
        let setting = match case {
            Case::KilledAtCheckpoint(name) => {
                let setting = upgraded();
                setting.is_killed_at(name, setting.command(SETUP));
                setting
            }
            Case::KilledAt(point) => {
                let (setting, ran) = strike(point, Fault::Killed, SETUP, upgraded);
                assert_eq!(ran.status, None, "{}", ran.said);
                setting
            }
            // Nobody is worse off without the record; only what has to be known first stops setup.
            Case::Fails(point) => {
                let fault = Fault::Fails("ENOSPC");
                let (setting, ran) = strike(point, fault, SETUP, upgraded);
                assert!(matches!(ran.status, Some(0 | 3)), "{}", ran.said);
                setting
            }
        };
        let tree = setting.tree();
        setting.is_whole(&[&tree], "cut short");
        let left = entry(&setting);
        assert!(["1.2.1", "1.3.3"].contains(&version(&left)), "{left}");
        assert_eq!(setting.generations(), 1);
        setting.runs_well(SETUP);
        assert_eq!(version(&entry(&setting)), "1.3.3");
        setting.nothing_is_left("after the next setup");
        setting.runs_well(UNDO);
        setting.is_whole(&[setting.beginning()], "after undo");
    });
}
