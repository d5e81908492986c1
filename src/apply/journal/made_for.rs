//! What a generation was made for: what was asked, and the versions that were there. It tells later
//! what has changed since; no undo depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Entry, Journal, Record, State};
use crate::error::{Error, Exit, Result};
use crate::facts::{ReliedOn, Versions};
use crate::host::Host;
use crate::request::Request;

/// What was asked for, and the versions that were there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MadeFor {
    /// What was asked for; none where that cannot be read.
    #[serde(deserialize_with = "as_far_as_known")]
    pub request: Option<Request>,
    /// What was there.
    #[serde(deserialize_with = "as_far_as_known")]
    pub versions: Versions,
    /// Seconds since 1970 when a later setup found nothing to do, and these versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_again: Option<u64>,
}

/// A newer rootless6 may ask for what this one does not know: that stands in no undo's way.
pub(super) fn as_far_as_known<'de, T, D>(from: D) -> std::result::Result<T, D::Error>
where
    T: serde::de::DeserializeOwned + Default,
    D: Deserializer<'de>,
{
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

impl Journal {
    /// Records that a setup has found in place what it would have made, for this request and with
    /// these versions. Nothing else of the generation changes, and where none stands there is nothing
    /// to record.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn see_again(&self, unit: &str, request: &Request, versions: Versions) -> Result<()> {
        let Some(mut entry) = newest(self.records()?.into_iter().rev(), unit)? else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seen = MadeFor {
            request: Some(request.clone()),
            versions,
            seen_again: None,
        };
        let known = entry.made_for.as_ref();
        let is_news = known.is_none_or(|known| {
            (&known.request, &known.versions) != (&seen.request, &seen.versions)
        });
        if !is_news {
            return Ok(());
        }
        entry.made_for = Some(MadeFor {
            seen_again: now.ok().map(|since| since.as_secs()),
            ..seen
        });
        entry.save(self)
    }
}

/// What setup has put in place for the host's unit, by all generations that stand; none where none
/// does.
///
/// # Errors
/// When the journal cannot be read, or what it has of the unit is not settled.
pub fn relied_on(host: &Host) -> Result<Option<ReliedOn>> {
    let records = super::records(host)?;
    let mut relied_on: Option<ReliedOn> = None;
    for record in records.into_iter().rev() {
        let entry = match (record.entry, &relied_on) {
            (Ok(entry), _) => entry,
            // What is older than a generation that can be read adds no more than files.
            (Err(_), Some(_)) => break,
            (Err(error), None) => return Err(error),
        };
        if entry.unit != host.unit {
            continue;
        }
        if relied_on.is_none() && matches!(entry.state, State::Begun | State::Undoing) {
            return Err(under_way(entry.generation));
        }
        if !is_in_place(&entry, &host.unit) {
            continue;
        }
        let relied_on = relied_on.get_or_insert_with(|| {
            let made_for = entry.made_for.clone().unwrap_or_default();
            ReliedOn {
                generation: entry.generation,
                request: made_for.request,
                versions: made_for.versions,
                environment: entry.planned.environment.clone(),
                files: Vec::new(),
            }
        });
        for change in &entry.changes {
            if relied_on.written(&change.path).is_none() {
                relied_on.files.extend(change.left());
            }
        }
    }
    Ok(relied_on)
}

fn under_way(generation: u32) -> Error {
    Error::new(
        Exit::Bad,
        format!("generation {generation} is being written or taken back, or was cut short"),
    )
}

fn newest(records: impl Iterator<Item = Record>, unit: &str) -> Result<Option<Entry>> {
    for record in records {
        let entry = record.entry?;
        if is_in_place(&entry, unit) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Whether its files are to be there: what is being written or taken back just now says nothing yet.
fn is_in_place(entry: &Entry, unit: &str) -> bool {
    let settled = matches!(
        entry.state,
        State::Written | State::Applied | State::Unconfirmed
    );
    settled && entry.unit == unit && !entry.is_empty()
}

#[cfg(test)]
mod tests;
