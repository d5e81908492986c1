//! A plan is carried out on what it was made from, or not at all.

use std::path::{Path, PathBuf};

use super::Scene;
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit};
use crate::inspect;

/// Looks whether dockerd's unit is still what the plan was made from: its files, its drop-ins, its
/// environment files, and what systemd makes of them. The files that are to be changed are looked at
/// as they are written. Gives the unit as it is now.
///
/// # Errors
/// When something has moved, or systemd does not answer.
pub(super) async fn unchanged(scene: &Scene) -> Result<Unit> {
    let now = inspect::unit(scene.systemd()?, &scene.host.unit).await?;
    let (Seen::Is(before), Seen::Is(now)) = (&scene.facts.unit, now) else {
        return Err(again(format!("{} has gone", scene.host.unit)));
    };
    match moved(before, &now) {
        Some(what) => Err(again(what)),
        None => Ok(now),
    }
}

fn again(cause: String) -> Error {
    Error::new(
        Exit::NotApplied,
        "what the plan was made from has changed while rootless6 was at work; nothing was changed",
    )
    .caused_by(cause)
    .hint("run `rootless6 setup` again")
}

/// What differs, if anything does.
fn moved(before: &Unit, now: &Unit) -> Option<String> {
    let files = |unit: &Unit| -> Vec<(PathBuf, String)> {
        let own = unit
            .files
            .iter()
            .map(|file| (file.path.clone(), file.text.clone()));
        let environment = unit.environment_files.iter();
        own.chain(environment.map(|file| (file.path.clone(), format!("{file:?}"))))
            .collect()
    };
    let (then, now_files) = (files(before), files(now));
    let one_of = |some: &[(PathBuf, String)], others: &[(PathBuf, String)]| -> Option<PathBuf> {
        let differs = some.iter().find(|file| !others.contains(file));
        differs.map(|(path, _)| path.clone())
    };
    let edited = |path: &Path| format!("{} was edited", path.display());
    if let Some(path) = one_of(&now_files, &then).or_else(|| one_of(&then, &now_files)) {
        return Some(edited(&path));
    }
    let as_read = |unit: &Unit| {
        (
            unit.exec_start.clone(),
            unit.environment.clone(),
            unit.unset.clone(),
            unit.load_state.clone(),
        )
    };
    (then != now_files || as_read(before) != as_read(now))
        .then(|| format!("systemd has read {} anew", before.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::UnitFile;

    fn unit(files: &[(&str, &str)]) -> Unit {
        Unit {
            name: "docker.service".to_owned(),
            files: files
                .iter()
                .map(|(path, text)| UnitFile {
                    path: path.into(),
                    text: (*text).to_owned(),
                })
                .collect(),
            ..Unit::default()
        }
    }

    #[test]
    fn whatever_moves_is_named() {
        let before = unit(&[("/u/docker.service", "a"), ("/u/x.conf", "b")]);
        assert_eq!(moved(&before, &before), None);
        for (now, named) in [
            (
                unit(&[("/u/docker.service", "a"), ("/u/x.conf", "c")]),
                "x.conf",
            ),
            (unit(&[("/u/docker.service", "a")]), "x.conf"),
            (
                unit(&[
                    ("/u/docker.service", "a"),
                    ("/u/x.conf", "b"),
                    ("/u/y.conf", ""),
                ]),
                "y.conf",
            ),
            (
                Unit {
                    exec_start: vec!["/other".to_owned()],
                    ..before.clone()
                },
                "read docker.service anew",
            ),
        ] {
            let what = moved(&before, &now).unwrap();
            assert!(what.contains(named), "{what}");
        }
    }
}
