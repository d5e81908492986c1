//! dockerd's configuration file, as far as dockerd does not start with it.

use serde_json::{Map, Value};

use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::{Facts, Given, Seen, Unit};
use crate::hostile::plain;
use crate::plan::daemon_json::{edit, line_of, lookup};

/// What daemon.json says under a key, if it is JSON and says anything.
pub(super) fn configured(facts: &Facts, path: &[&str]) -> Option<Value> {
    lookup(facts.daemon_json.text.is()?, path).ok().flatten()
}

/// The same as evidence: file, line and value, or that there is none, or that nobody can tell.
pub(super) fn seen(facts: &Facts, path: &[&str]) -> String {
    let file = facts.short(&facts.daemon_json.path);
    let key = path.last().copied().unwrap_or_default();
    let text = match &facts.daemon_json.text {
        Seen::Is(text) => text,
        Seen::Absent => return format!("there is no {file}"),
        Seen::Unknown(_) => return format!("{file} cannot be read"),
    };
    match (configured(facts, path), line_of(text, path)) {
        (Some(value), Some(line)) => plain(&format!("{file}, line {line}: \"{key}\": {value}")),
        _ => format!("{file} has no \"{key}\""),
    }
}

pub(super) fn invalid(facts: &Facts) -> Option<Finding> {
    let path = facts.short(&facts.daemon_json.path);
    match &facts.daemon_json.text {
        Seen::Is(text) => match edit(Some(text), &[]) {
            Ok(_) => said_twice(facts, text).or_else(|| half_said(facts)),
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

/// Settings that older Engines refuse without another one, and do not start.
fn half_said(facts: &Facts) -> Option<Finding> {
    let version = facts.engine_version()?;
    let needs = capability::engine(version);
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let is_there =
        |key: &str| options.for_key(key).is_some() || configured(facts, &[key]).is_some();
    let is_true = |key: &str| {
        let option = options.given(key).and_then(Given::on);
        option == Some(true) || configured(facts, &[key]) == Some(Value::Bool(true))
    };
    let halves = [
        (
            needs.fixed_cidr_v6,
            "ipv6",
            is_there("fixed-cidr-v6"),
            "fixed-cidr-v6",
        ),
        (
            needs.ip6tables,
            "ip6tables",
            is_true("experimental"),
            "experimental",
        ),
    ];
    let (_, key, _, other) = halves
        .into_iter()
        .find(|&(needed, key, other_is_there, _)| needed && is_true(key) && !other_is_there)?;
    Some(
        finding(
            format!("Engine {version} does not start with \"{key}\" and without \"{other}\""),
            Cure::Setup,
        )
        .seen(match options.given(key) {
            Some(given) => format!("ExecStart= has {}", given.word),
            None => seen(facts, &[key]),
        })
        .seen(seen(facts, &[other])),
    )
}
