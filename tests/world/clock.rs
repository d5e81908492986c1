//! A clock that is set, forward or back, changes neither what is shown nor how long there is to confirm.

use serde_json::{Value, json};

use super::setting::{CONFIRM, SETUP_TO_BE_CONFIRMED, Setting};

/// 1970, a day, and a moment that no clock can show.
const BEGUN: &[u64] = &[0, 1, 86_400, 4_102_444_800, u64::MAX];

fn set_up(begun: u64) -> Setting {
    let setting = Setting::new();
    setting.runs_well(SETUP_TO_BE_CONFIRMED);
    setting.edit_entry(|entry| entry["begun"] = json!(begun));
    setting
}

#[test]
fn a_setup_that_was_begun_at_any_time_can_be_confirmed_as_long_as_ever() {
    for &begun in BEGUN {
        let setting = set_up(begun);
        let new = setting.tree();
        let ran = setting.runs(&["undo", "--list", "--json"]);
        let listed = ran.said.replace("\\\"", "\"");
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let left = listed["generations"][0]["confirm_within"].as_u64();
        let left = left.unwrap_or_else(|| panic!("{begun}: {listed}"));
        // As much as a patient test may take, and not a second more than was given.
        assert!((1..=3600).contains(&left), "{begun}: {left}");
        setting.runs_well(&["undo", "--list"]);
        assert_eq!(setting.fires(), 1, "{begun}: nobody watches");
        setting.is_whole(&[&new], "while there is time to confirm");
        setting.runs_well(CONFIRM);
        setting.fires_until_disarmed();
        setting.is_whole(&[&new], "confirmed");
    }
}

#[test]
fn a_setup_that_was_begun_at_any_time_is_taken_back_when_its_time_is_over() {
    for &begun in BEGUN {
        let setting = set_up(begun);
        setting.time_is_over();
        let ran = setting.runs(CONFIRM);
        assert_eq!(ran.status, Some(3), "{begun}: {}", ran.said);
        assert!(ran.said.contains("too late"), "{begun}: {}", ran.said);
        setting.fires_until_disarmed();
        setting.is_whole(&[setting.beginning()], &begun.to_string());
    }
}
