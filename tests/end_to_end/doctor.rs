//! `doctor` on systems with faults seeded in them: tests/lab/faults has a file for each.

use serde_json::Value;

use crate::harness::{Lab, Output};
use fault::{Fault, State};

mod blind;
mod each;
mod fault;
mod healthy;
mod hostile;
mod listed;
mod unreadable;

/// What doctor has said.
#[derive(Debug)]
struct Said {
    exit: i32,
    document: Value,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    code: String,
    severity: String,
    is_a_cause: bool,
    for_root: bool,
}

impl Said {
    fn of(output: &Output) -> Self {
        assert!(
            output.status == 0 || output.status == 1,
            "an examination that ends ends with 0 or 1"
        );
        assert!(!output.stderr.contains("panicked"));
        let document = output.json();
        assert_eq!(document["error"], Value::Null);
        Self {
            exit: output.status,
            document,
        }
    }

    /// As alice, in an environment like this.
    fn by(lab: &Lab, environment: &str) -> Self {
        Self::of(&lab.alice(&format!("{environment} rootless6 doctor --json")))
    }

    fn findings(&self) -> Vec<Found> {
        let findings = self.document["findings"].as_array().unwrap();
        findings.iter().map(Found::read).collect()
    }

    fn codes(&self) -> Vec<String> {
        let shown = |found: Found| format!("{} {}", found.code, found.severity);
        self.findings().into_iter().map(shown).collect()
    }

    fn lines_for_root(&self) -> Vec<&str> {
        let lines = self.document["needs_root"].as_array().unwrap();
        lines.iter().map(|line| line.as_str().unwrap()).collect()
    }

    /// None if the exit status and the rules are in order.
    fn objection(&self) -> Option<String> {
        let is_broken = self
            .findings()
            .iter()
            .any(|found| found.severity == "broken");
        if (self.exit == 1) != is_broken {
            return Some(format!("exit {} with {:?}", self.exit, self.codes()));
        }
        let failed = self.document["failed"].as_array().unwrap();
        (!failed.is_empty()).then(|| format!("rules failed: {failed:?}"))
    }
}

impl Found {
    fn read(finding: &Value) -> Self {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        let is_empty = |list: &Value| list.as_array().unwrap().is_empty();
        Self {
            code: text("code"),
            severity: text("severity"),
            is_a_cause: is_empty(&finding["because_of"]),
            for_root: !is_empty(&finding["cure"]["root"]),
        }
    }
}

/// A system in that state, with the faults at hand.
fn lab(suite: &str, state: State) -> Option<Lab> {
    let lab = Lab::up(suite)?;
    if state == State::SetUp {
        lab.set_up();
    }
    Fault::take_along(&lab);
    Some(lab)
}
