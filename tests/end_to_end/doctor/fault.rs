//! The faults of tests/lab/faults: tests/lab/fault says what their first lines are.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use crate::harness::{LAB, Lab};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab");

/// Of a system, before anything is seeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    SetUp,
}

/// What becomes of dockerd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Mending,
    Nothing,
    Restart,
    Stops,
}

/// What is known of a fault.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) needs: Needs,
    /// No second one can stand beside it.
    pub(super) is_alone: bool,
    /// What else is true then.
    pub(super) also: Vec<String>,
    pub(super) environment: String,
    suites: Vec<String>,
    state: String,
}

impl Fault {
    pub(super) fn all() -> Vec<Self> {
        let entries = fs::read_dir(format!("{FOLDER}/faults")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut faults: Vec<Self> = entries
            .map(|entry| Self::read(name(entry).to_str().unwrap()))
            .collect();
        faults.sort_by(|one, other| one.name.cmp(&other.name));
        faults
    }

    /// Those that this suite can have in this state.
    pub(super) fn of(suite: &str, state: State) -> Vec<Self> {
        let mut faults = Self::all();
        faults.retain(|fault| {
            let states: &[&str] = match state {
                State::Fresh => &["fresh", "either"],
                State::SetUp => &["set-up", "either"],
            };
            fault.suites.iter().any(|known| known == suite)
                && states.contains(&fault.state.as_str())
        });
        assert!(!faults.is_empty(), "the faults have been lost");
        faults
    }

    fn read(name: &str) -> Self {
        let text = fs::read_to_string(format!("{FOLDER}/faults/{name}")).unwrap();
        let header: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# ")?.split_once(": "))
            .collect();
        let optional = |key: &str| header.get(key).copied().unwrap_or_default();
        let needed = |key: &str| {
            *header
                .get(key)
                .unwrap_or_else(|| panic!("{name}: no {key}"))
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        assert!(
            ["broken", "weak", "note"].contains(&needed("severity")),
            "{name}"
        );
        Self {
            name: name.to_owned(),
            code: needed("code").to_owned(),
            severity: needed("severity").to_owned(),
            needs: match optional("needs") {
                "MENDING" => Needs::Mending,
                "RESTART" => Needs::Restart,
                "STOPS" => Needs::Stops,
                other => {
                    assert_eq!(other, "", "{name}");
                    Needs::Nothing
                }
            },
            is_alone: optional("alone") == "yes",
            also: words(optional("also")),
            environment: optional("environment").to_owned(),
            suites: words(needed("suites")),
            state: needed("state").to_owned(),
        }
    }

    /// Copies them all into a lab.
    pub(super) fn take_along(lab: &Lab) {
        let copy = format!(
            "tar -C {FOLDER} -c fault faults | {LAB} root {} tar -x -C /opt/lab",
            lab.name
        );
        let copied = Command::new("bash")
            .args(["-o", "pipefail", "-c", &copy])
            .status();
        assert!(copied.unwrap().success());
    }

    pub(super) fn seed(&self, lab: &Lab, restart: bool) {
        self.run(lab, "seed", restart, "");
    }

    /// Where another one stands, and dockerd does what that one makes of it.
    pub(super) fn seed_beside(&self, lab: &Lab, restart: bool) {
        self.run(lab, "seed", restart, "ANYWAY=1 ");
    }

    pub(super) fn mend(&self, lab: &Lab, restart: bool) {
        self.run(lab, "mend", restart, "");
    }

    fn run(&self, lab: &Lab, what: &str, restart: bool, how: &str) {
        let leave = if restart { "" } else { "NO_RESTART=1 " };
        lab.root(&format!("{leave}{how}/opt/lab/fault {what} {}", self.name))
            .exits(0);
    }
}
