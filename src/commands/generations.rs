//! `undo --list`: the journal's generations. It takes no lock, and shows what is there also while
//! another run is at work.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::apply::journal::{self, Entry};
use crate::cli::Global;
use crate::error::{Exit, Result};
use crate::host::Host;
use crate::report::Report;
use crate::report::human::{self, Generation};

/// Lists them.
pub(super) fn list(global: &Global) -> Report {
    listed(global).unwrap_or_else(|error| Report::failed("undo", error))
}

fn listed(global: &Global) -> Result<Report> {
    let host = Host::from_environment(global.unit())?;
    let at_work = journal::is_held(&host)?;
    let mut entries = Vec::new();
    let mut unreadable = Vec::new();
    for record in journal::records(&host)?.into_iter().rev() {
        match record.entry {
            Ok(entry) => entries.push(entry),
            Err(error) => unreadable.push((record.path, error)),
        }
    }
    if let Some(unit) = &global.unit {
        entries.retain(|entry| entry.unit == *unit);
    }
    let body: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "generation": entry.generation,
                "unit": entry.unit,
                "state": entry.state,
                "begun": entry.begun,
                "unfinished": entry.is_unfinished() && !at_work,
                "confirm_within": entry.waits_for().map(|left| left.as_secs()),
                "files": files(entry),
            })
        })
        .collect();
    let bad: Vec<_> = unreadable
        .iter()
        .map(|(path, error)| json!({"path": path.to_string_lossy(), "why": error.to_string()}))
        .collect();
    let shown = entries.iter().map(|entry| Generation {
        at_work: at_work && entry.is_unfinished(),
        ..shown(entry)
    });
    let shown: Vec<_> = shown.collect();
    Ok(Report::new(
        "undo",
        if bad.is_empty() {
            Exit::Well
        } else {
            Exit::Bad
        },
        human::generations(&host.home, &shown, &unreadable),
        json!({ "generations": body, "unreadable": bad }),
    ))
}

/// An entry's files, for JSON.
pub(super) fn files(entry: &Entry) -> Vec<String> {
    let shown = entry.paths().map(|path| path.to_string_lossy());
    shown.map(Cow::into_owned).collect()
}

/// An entry as it is shown.
pub(super) fn shown(entry: &Entry) -> Generation {
    Generation {
        generation: entry.generation,
        state: entry.state,
        unit: entry.unit.clone(),
        age: age(entry.begun),
        at_work: false,
        left: entry.waits_for(),
        files: entry.paths().map(ToOwned::to_owned).collect(),
    }
}

/// How long ago a moment was, in seconds since 1970; none of one that the clock says is to come, and
/// of an entry from before there was one.
pub(super) fn age(begun: u64) -> Option<Duration> {
    let begun = UNIX_EPOCH.checked_add(Duration::from_secs(begun))?;
    (begun > UNIX_EPOCH)
        .then(|| SystemTime::now().duration_since(begun).ok())
        .flatten()
}
