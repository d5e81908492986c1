//! Rows of a table: what is done to a system that is well, what verify is asked then and must say,
//! and how it is undone, so that one lab serves many rows.

use std::time::Instant;

use serde_json::Value;

use crate::behaviour::Behaviour;
use crate::harness::{Lab, Output};

const RESTART: &str = "systemctl --user reset-failed docker && systemctl --user restart docker";

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    asked: String,
    done: Vec<Step>,
    undone: Vec<Step>,
    expected: Expected,
}

#[derive(Debug)]
struct Step {
    place: Place,
    script: String,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Alice,
    Root,
    Internet,
}

#[derive(Debug)]
enum Expected {
    /// Exit 0, and every check `pass` or `skip`.
    Pass,
    /// Exit 1, this check ends so, and this is named.
    Not {
        outcome: &'static str,
        check: String,
        cause: Option<&'static str>,
    },
    /// Exit 1, no check at all, and an error that says this.
    Refused(&'static str),
    /// Exit 1 with one of these causes; or as `Pass`, if busybox's own ping6 gets its answers too.
    LuckOr(&'static [&'static str]),
}

impl Row {
    /// About the lab's own target; it must pass.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            asked: String::new(),
            done: Vec::new(),
            undone: Vec::new(),
            expected: Expected::Pass,
        }
    }

    /// About a target that behaves so.
    pub(crate) fn towards(behaviour: Behaviour) -> Self {
        Self::new(behaviour.to_string()).asking(format!("--target {}", behaviour.address()))
    }

    /// More words of the command line.
    pub(crate) fn asking(mut self, words: impl Into<String>) -> Self {
        self.asked = words.into();
        self
    }

    /// As root of the host: what brings it about, what undoes it.
    pub(crate) fn root(self, done: impl Into<String>, undone: impl Into<String>) -> Self {
        self.step(Place::Root, done.into(), undone.into())
    }

    /// As alice.
    pub(crate) fn alice(self, done: impl Into<String>, undone: impl Into<String>) -> Self {
        self.step(Place::Alice, done.into(), undone.into())
    }

    /// As root of the far side.
    pub(crate) fn internet(self, done: impl Into<String>, undone: impl Into<String>) -> Self {
        self.step(Place::Internet, done.into(), undone.into())
    }

    /// Another daemon.json by this edit of sed's, and dockerd started with it.
    pub(crate) fn daemon_json(self, edit: &str) -> Self {
        let file = "~/.config/docker/daemon.json";
        self.alice(
            format!("cp {file} daemon.json && sed -i '{edit}' {file} && cat {file} && {RESTART}"),
            format!("mv daemon.json {file} && {RESTART}"),
        )
    }

    fn step(mut self, place: Place, done: String, undone: String) -> Self {
        self.done.push(Step {
            place,
            script: done,
        });
        self.undone.push(Step {
            place,
            script: undone,
        });
        self
    }

    /// The verdict is `fail`, with this check among those that fail.
    pub(crate) fn fails(mut self, check: &str, cause: &'static str) -> Self {
        self.expected = Expected::Not {
            outcome: "fail",
            check: check.to_owned(),
            cause: Some(cause),
        };
        self
    }

    /// The verdict is `unknown`: what answered proves nothing.
    pub(crate) fn proves_nothing(mut self, check: &str) -> Self {
        self.expected = Expected::Not {
            outcome: "unknown",
            check: check.to_owned(),
            cause: None,
        };
        self
    }

    /// There is no verdict, and the error has these words.
    pub(crate) fn refused(mut self, words: &'static str) -> Self {
        self.expected = Expected::Refused(words);
        self
    }

    /// What works then is luck: verify either names one of these, or is right that all is well.
    pub(crate) fn passes_by_luck_alone(mut self, causes: &'static [&'static str]) -> Self {
        self.expected = Expected::LuckOr(causes);
        self
    }

    /// None if verify said what it should.
    fn objection(&self, lab: &Lab) -> Option<String> {
        println!("\n=== {}", self.what);
        for step in &self.done {
            step.run(lab).exits(0);
        }
        let began = Instant::now();
        let output = lab.alice(&format!("rootless6 verify --json {}", self.asked));
        println!("=== {:.1?}", began.elapsed());
        let is_lucky = matches!(self.expected, Expected::LuckOr(_))
            && output.status == 0
            && lab.ping_from("bridge").status == 0;
        for step in &self.undone {
            step.run(lab).exits(0);
        }
        let document = serde_json::from_str(&output.stdout).unwrap_or(Value::Null);
        let expected = if is_lucky {
            &Expected::Pass
        } else {
            &self.expected
        };
        expected
            .objection(output.status, &document)
            .map(|why| format!("{}: {why}", self.what))
    }
}

impl Step {
    fn run(&self, lab: &Lab) -> Output {
        match self.place {
            Place::Alice => lab.alice(&self.script),
            Place::Root => lab.root(&self.script),
            Place::Internet => lab.internet(&self.script),
        }
    }
}

impl Expected {
    fn objection(&self, status: i32, document: &Value) -> Option<String> {
        let none = Vec::new();
        let checks = document["checks"].as_array().unwrap_or(&none);
        let seen = format!(
            "exit {status}, verdict {}, cause {}",
            document["verdict"], document["cause"]
        );
        match self {
            Self::Pass => {
                let bad: Vec<_> = checks
                    .iter()
                    .filter(|check| check["outcome"] != "pass" && check["outcome"] != "skip")
                    .map(|check| {
                        format!(
                            "\n    {} {}: {}",
                            check["id"], check["outcome"], check["why"]
                        )
                    })
                    .collect();
                let well = status == 0 && document["verdict"] == "pass" && bad.is_empty();
                (!well).then(|| format!("{seen}, and should pass{}", bad.concat()))
            }
            Self::Refused(words) => {
                let message = document["error"]["message"].as_str().unwrap_or_default();
                let well = status == 1 && checks.is_empty() && message.contains(words);
                (!well).then(|| format!("{seen}, and should be refused: {words}"))
            }
            Self::LuckOr(causes) => {
                let named = document["cause"]
                    .as_str()
                    .is_some_and(|cause| causes.contains(&cause));
                let well = status == 1 && document["verdict"] == "fail" && named;
                (!well).then(|| format!("{seen}, and should be one of {causes:?}"))
            }
            Self::Not {
                outcome,
                check,
                cause,
            } => {
                let found: Vec<_> = checks.iter().filter(|seen| seen["id"] == *check).collect();
                let ends_so = found.iter().any(|seen| seen["outcome"] == *outcome);
                let named = document["cause"].as_str() == *cause;
                let well = status == 1 && document["verdict"] == *outcome && ends_so && named;
                (!well).then(|| {
                    format!("{seen}, and should be {outcome}, {cause:?} with {check} so: {found:?}")
                })
            }
        }
    }
}

/// Tries them all, whatever comes of each.
#[track_caller]
pub(crate) fn all_hold(lab: &Lab, rows: impl IntoIterator<Item = Row>) {
    let objections: Vec<_> = rows
        .into_iter()
        .filter_map(|row| row.objection(lab))
        .collect();
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
}
