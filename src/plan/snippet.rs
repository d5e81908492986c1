//! What a person puts in place by hand where this program cannot write, ready to paste.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{FileChange, Plan};
use crate::error::{Error, Exit};
use crate::facts::Facts;

mod declarative;

/// A text to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The file, or what is built from the text: `~/.config/docker/daemon.json`, `configuration.nix`.
    pub belongs_in: String,
    /// The text.
    pub text: String,
    /// What makes it count, as one types it.
    pub then: String,
}

/// Why the plan's files cannot be written, or nothing. One that cannot is enough: a plan is carried
/// out whole or not at all.
pub fn locked(facts: &Facts, plan: &Plan) -> Option<Error> {
    let causes: Vec<String> = plan
        .files
        .iter()
        .filter_map(|change| {
            let why = why_locked(facts, &change.path)?;
            Some(format!("{}: {why}", facts.short(&change.path)))
        })
        .collect();
    if causes.is_empty() {
        return None;
    }
    let error = Error::new(
        Exit::NotApplied,
        "the settings belong where rootless6 cannot write, so it has written nothing",
    );
    let error = causes.into_iter().fold(error, Error::caused_by).hint(
        "put in place what is printed for you to paste, then prove it with `rootless6 verify`",
    );
    let mends = plan
        .files
        .iter()
        .filter_map(|change| mend(facts, &change.path));
    let error = mends.fold(error, |error, mend| {
        if error.hints.iter().any(|said| said == mend) {
            return error;
        }
        error.hint(mend)
    });
    let by_nix = is_nixos(facts) || is_home_manager(facts);
    let drop_in = plan
        .files
        .iter()
        .any(|change| change.path == facts.our_drop_in.path);
    Some(
        if drop_in && facts.our_drop_in.locked.is_some() && !by_nix {
            error.hint(format!(
                "root can put the drop-in into /etc/systemd/user/{}.d/ as well",
                facts.unit_name
            ))
        } else {
            error
        },
    )
}

fn is_nixos(facts: &Facts) -> bool {
    let ids = facts.host.distribution.is();
    ids.is_some_and(|ids| ids.split(' ').any(|id| id == "nixos"))
}

/// Whether home-manager writes files that are in the way.
fn is_home_manager(facts: &Facts) -> bool {
    let places = [&facts.our_drop_in.locked, &facts.daemon_json.locked];
    let whys = places.into_iter().flatten();
    !is_nixos(facts) && whys.into_iter().any(|why| why.contains("/nix/store/"))
}

fn why_locked<'a>(facts: &'a Facts, path: &Path) -> Option<&'a str> {
    let places = [
        (&facts.our_drop_in.path, &facts.our_drop_in.locked),
        (&facts.daemon_json.path, &facts.daemon_json.locked),
    ];
    let (_, locked) = places.into_iter().find(|(place, _)| *place == path)?;
    locked.as_deref()
}

/// What to type so that a file can be written.
fn mend<'a>(facts: &'a Facts, path: &Path) -> Option<&'a str> {
    let places = [
        (&facts.our_drop_in.path, &facts.our_drop_in.mend),
        (&facts.daemon_json.path, &facts.daemon_json.mend),
    ];
    let (_, mend) = places.into_iter().find(|(place, _)| *place == path)?;
    mend.as_deref()
}

/// The plan's files as texts: in NixOS's or home-manager's own terms where these write the files.
pub fn snippets(facts: &Facts, plan: &Plan) -> Vec<Snippet> {
    if is_nixos(facts) {
        return vec![declarative::nixos(facts, plan)];
    }
    let builds = |change: &&FileChange| {
        is_home_manager(facts) && facts.short(&change.path).starts_with("~/")
    };
    let (built, plain): (Vec<_>, Vec<_>) = plan.files.iter().partition(builds);
    let built = (!built.is_empty()).then(|| declarative::home_manager(facts, &built));
    let plain = plain.into_iter().map(|change| Snippet {
        belongs_in: facts.short(&change.path),
        text: by_hand(&change.after),
        then: format!(
            "systemctl --user daemon-reload && systemctl --user restart {}",
            facts.typed_unit()
        ),
    });
    built.into_iter().chain(plain).collect()
}

/// Without our drop-in's head, which says who has written it and who takes it back.
fn by_hand(text: &str) -> String {
    text.split_inclusive('\n')
        .skip_while(|line| line.starts_with('#'))
        .collect()
}

/// The keys of daemon.json that the plan changes, with their new values.
fn changed_keys(change: &FileChange) -> Map<String, Value> {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let before = object(change.before.as_deref().unwrap_or_default());
    let mut after = object(&change.after);
    after.retain(|key, value| before.get(key) != Some(value));
    after
}
