use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::facts::{EnvironmentFile, Seen, UnitFile};
use crate::host::regular;
use crate::plan::dropin;

/// The drop-ins that systemd would read now, in its order (systemd.unit(5)): those that were made
/// since it last read its files are not in its own list yet, and their settings must not be lost.
///
/// Of one name the directory that comes first in the search path counts, there the unit's own
/// before those that it shares with its template and its prefixes, and last of all what all
/// services share; the names alone decide the order. An empty file or a link to /dev/null stands
/// for nothing.
///
/// systemd:src/shared/dropin.c `unit_file_find_dropin_paths`.
pub(super) fn drop_ins(search_path: &[String], unit: &str) -> Vec<PathBuf> {
    let own = directories(unit);
    let roots = || search_path.iter().map(Path::new);
    let within = roots().flat_map(|root| own.iter().map(move |directory| root.join(directory)));
    let shared = roots().map(|root| root.join("service.d"));
    let mut by_name: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for path in within
        .chain(shared)
        .flat_map(|directory| configurations(&directory))
    {
        if let Some(name) = path.file_name() {
            by_name.entry(name.to_owned()).or_insert(path);
        }
    }
    by_name.into_values().collect()
}

/// `a-b@c.service` has its own, its template's `a-b@.service.d`, and those of its prefixes.
fn directories(unit: &str) -> Vec<String> {
    let stem = unit.strip_suffix(".service").unwrap_or(unit);
    let (prefix, instance) = match stem.split_once('@') {
        Some((prefix, instance)) => (prefix, Some(instance)),
        None => (stem, None),
    };
    let mut found = Vec::new();
    add_directories(prefix, instance, &mut found);
    found
}

/// The same of a unit `PREFIX@INSTANCE`; an empty instance is a template.
fn add_directories(prefix: &str, instance: Option<&str>, found: &mut Vec<String>) {
    let at = instance.map(|instance| format!("@{instance}"));
    found.push(format!("{prefix}{}.service.d", at.unwrap_or_default()));
    let instance = instance.filter(|instance| !instance.is_empty());
    if instance.is_some() {
        add_directories(prefix, Some(""), found);
    }
    let shorter = prefix.strip_suffix('-').unwrap_or(prefix).rfind('-');
    if let Some(dash) = shorter.filter(|dash| *dash > 0) {
        add_directories(&prefix[..=dash], instance, found);
    }
}

/// `*.conf` that is not hidden.
fn configurations(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            name.ends_with(b".conf") && !name.starts_with(b".")
        })
        .collect()
}

/// Their texts; a file that cannot be read says nothing, as for systemd.
pub(super) fn read(paths: impl IntoIterator<Item = PathBuf>) -> Vec<UnitFile> {
    paths
        .into_iter()
        .filter_map(|path| {
            let bytes = regular::bytes(&path).ok()?;
            let text = text(&bytes);
            Some(UnitFile { path, text })
        })
        .collect()
}

/// Those of them that are symbolic links, as home-manager and stow make them.
pub(super) fn links(files: &[UnitFile]) -> Vec<PathBuf> {
    let paths = files.iter().map(|file| file.path.clone());
    paths.filter(|path| path.is_symlink()).collect()
}

/// Those that were changed after that, in microseconds since 1970.
pub(super) fn newer_than<'a>(micros: u64, paths: impl Iterator<Item = &'a Path>) -> Vec<PathBuf> {
    let read = UNIX_EPOCH + Duration::from_micros(micros);
    let is_newer = |path: &&Path| {
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed > read)
    };
    paths.filter(is_newer).map(Path::to_owned).collect()
}

/// With a character that systemd refuses in place of bytes that it refuses.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(dropin::NO_UTF8);
        }
    }
    text
}

/// What an environment file sets. One that may be missing and cannot be read is passed over by
/// systemd too; but whether systemd can read it is more than can be told from here.
pub(super) fn variables(file: EnvironmentFile) -> EnvironmentFile {
    let path = file.path.display();
    let variables = if file.is_pattern() {
        Seen::Unknown(format!("{path} is a pattern, which only systemd expands"))
    } else {
        super::read_bytes(&file.path).and_then(|bytes| {
            dropin::environment_file(&text(&bytes)).map_or_else(
                || Seen::Unknown(format!("read {path}: a NUL, or not UTF-8")),
                Seen::Is,
            )
        })
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
        assert_eq!(own("docker.service"), "docker.service.d");
        assert_eq!(
            own("a-b@c-d.service"),
            "a-b@c-d.service.d a-b@.service.d a-.service.d a-@c-d.service.d a-@.service.d"
        );
        assert_eq!(
            own("-a--b.service"),
            "-a--b.service.d -a--.service.d -a-.service.d"
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
