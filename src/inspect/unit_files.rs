use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::{EnvironmentFile, Seen, UnitFile};
use crate::plan::dropin;

/// The drop-ins that systemd would read now, in its order (systemd.unit(5)): those that were made
/// since it last read its files are not in its own list yet, and their settings must not be lost.
///
/// Of one name the directory that comes first in the search path counts, and the unit's own
/// directory before those that it shares with others; the names alone decide the order. An empty
/// file or a link to /dev/null stands for nothing.
pub(super) fn drop_ins(search_path: &[String], unit: &str) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in directories(unit) {
        for root in search_path {
            for path in configurations(&Path::new(root).join(&directory)) {
                if let Some(name) = path.file_name() {
                    by_name.entry(name.to_owned()).or_insert(path);
                }
            }
        }
    }
    by_name.into_values().collect()
}

/// `a-b@c.service` has `a-b@c.service.d`, `a-b@.service.d`, `a-.service.d` and `service.d`.
fn directories(unit: &str) -> Vec<String> {
    let stem = unit.strip_suffix(".service").unwrap_or(unit);
    let mut stems = vec![stem.to_owned()];
    let prefix = match stem.split_once('@') {
        Some((prefix, instance)) if !instance.is_empty() => {
            stems.push(format!("{prefix}@"));
            prefix
        }
        _ => stem,
    };
    let dashes = prefix.match_indices('-').rev();
    stems.extend(dashes.map(|(dash, _)| prefix[..=dash].to_owned()));
    let own = stems.iter().map(|stem| format!("{stem}.service.d"));
    own.chain(["service.d".to_owned()]).collect()
}

fn configurations(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect()
}

/// Their texts; a file that cannot be read says nothing, as for systemd.
pub(super) fn read(paths: impl IntoIterator<Item = PathBuf>) -> Vec<UnitFile> {
    paths
        .into_iter()
        .filter_map(|path| {
            let bytes = super::regular::bytes(&path).ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(UnitFile { path, text })
        })
        .collect()
}

/// What an environment file sets. One that may be missing and cannot be read is passed over by
/// systemd too; but whether systemd can read it is more than can be told from here.
pub(super) fn variables(file: EnvironmentFile) -> EnvironmentFile {
    let variables = if file.is_pattern() {
        let path = file.path.display();
        Seen::Unknown(format!("{path} is a pattern, which only systemd expands"))
    } else {
        super::read(&file.path).map(|text| dropin::environment_file(&text))
    };
    EnvironmentFile { variables, ..file }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    #[test]
    fn a_unit_shares_drop_ins_with_its_template_and_its_prefixes() {
        let own = |unit| directories(unit).join(" ");
        assert_eq!(own("docker.service"), "docker.service.d service.d");
        assert_eq!(
            own("a-b@c-d.service"),
            "a-b@c-d.service.d a-b@.service.d a-.service.d service.d"
        );
    }

    #[test]
    fn names_decide_the_order_and_the_first_directory_wins() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "config/docker.service.d/override.conf",
            "config/docker.service.d/zz-rootless6.conf",
            "config/docker.service.d/not-a-drop-in.txt",
            "config/service.d/90-all.conf",
            "etc/docker.service.d/override.conf",
            "etc/docker.service.d/10-first.conf",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let search_path: Vec<_> = ["config", "etc", "missing"]
            .iter()
            .map(|name| root.path().join(name).to_string_lossy().into_owned())
            .collect();
        let found: Vec<_> = drop_ins(&search_path, "docker.service")
            .iter()
            .map(|path| {
                path.strip_prefix(root.path())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(
            found,
            [
                "etc/docker.service.d/10-first.conf",
                "config/service.d/90-all.conf",
                "config/docker.service.d/override.conf",
                "config/docker.service.d/zz-rootless6.conf",
            ]
        );
    }
}
