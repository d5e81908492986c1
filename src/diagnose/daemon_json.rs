//! dockerd's configuration file, as far as dockerd does not start with it.

use serde_json::{Map, Value};

use super::{Code, Cure, Finding, Severity};
use crate::facts::{Facts, Seen, Unit};
use crate::plan::daemon_json::edit;

pub(super) fn invalid(facts: &Facts) -> Option<Finding> {
    let path = facts.short(&facts.daemon_json.path);
    match &facts.daemon_json.text {
        Seen::Is(text) => match edit(Some(text), &[]) {
            Ok(_) => said_twice(facts, text),
            Err(why) => Some(
                finding(
                    format!("{path} is not the JSON object that dockerd wants"),
                    Cure::Words(format!(
                        "mend {path}; dockerd does not start with it either"
                    )),
                )
                .seen(why.to_string()),
            ),
        },
        Seen::Absent => facts.daemon_json.named.then(|| missing(facts)),
        Seen::Unknown(why) => Some(
            finding(
                format!("{path} cannot be read"),
                Cure::Words(format!(
                    "see what it is with `ls -ld {path}`; dockerd must read it too"
                )),
            )
            .seen(why),
        ),
    }
}

fn finding(title: impl Into<String>, cure: Cure) -> Finding {
    Finding::new(Code::DaemonJsonInvalid, Severity::Broken, title, cure)
}

/// dockerd goes without the file that it looks for by itself, and not without one that it is told
/// of. Where it cannot be made, setup prints what it shall say; made by setup, it would go again
/// with an undo.
fn missing(facts: &Facts) -> Finding {
    let path = facts.short(&facts.daemon_json.path);
    let cure = match facts.daemon_json.locked {
        Some(_) => Cure::Setup,
        None => Cure::Words(format!(
            "make it with `echo '{{}}' >{path}`, or take --config-file out of ExecStart="
        )),
    };
    finding(
        format!("dockerd is told to read {path}, which is not there: it does not start"),
        cure,
    )
}

/// moby:daemon/config/config.go, `findConfigurationConflicts`.
fn said_twice(facts: &Facts, text: &str) -> Option<Finding> {
    let path = facts.short(&facts.daemon_json.path);
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let members: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let twice: Vec<(String, &str)> = members
        .keys()
        .filter_map(|key| Some((format!("\"{key}\""), options.for_key(key)?.word.as_str())))
        .collect();
    if twice.is_empty() {
        return None;
    }
    let keys: Vec<&str> = twice.iter().map(|(key, _)| key.as_str()).collect();
    let both = finding(
        "dockerd does not start with a setting that is both an option and a key",
        Cure::Words(format!(
            "take {} out of {path}, or the options out of ExecStart=",
            keys.join(" and ")
        )),
    );
    Some(twice.iter().fold(both, |finding, (key, option)| {
        finding.seen(format!("ExecStart= has {option}, {path} has {key}"))
    }))
}
