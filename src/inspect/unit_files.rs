use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::UnitFile;

/// The drop-ins that systemd would read now, in its order (systemd.unit(5)): those that were made
/// since it last read its files are not in its own list yet, and their settings must not be lost.
///
/// Of one name the directory that comes first in the search path counts, and the unit's own
/// directory before `service.d`; the names alone decide the order. An empty file or a link to
/// /dev/null stands for nothing.
pub(super) fn drop_ins(search_path: &[String], unit: &str) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in [format!("{unit}.d"), "service.d".to_owned()] {
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
            let bytes = fs::read(&path).ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(UnitFile { path, text })
        })
        .collect()
}

/// The names that environment files set (systemd.exec(5): lines of `NAME=value`, `#` and `;` begin
/// comments).
pub(super) fn variables(files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| {
            text.lines()
                .filter(|line| !line.trim_start().starts_with(['#', ';']))
                .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

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
