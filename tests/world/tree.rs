//! Everything below a directory, to be compared: names, kinds, bytes, modes, where symlinks lead.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is below a directory.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    /// Looks, but not into what is named. The name of the directory around, which differs from
    /// setting to setting, is left out.
    pub(crate) fn of(root: &Path, except: &[&Path]) -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.add(root, root, except);
        let around = root.parent().unwrap().display().to_string();
        for what in tree.0.values_mut() {
            *what = what.replace(&around, "");
        }
        tree
    }

    fn add(&mut self, root: &Path, path: &Path, except: &[&Path]) {
        if except.contains(&path) {
            return;
        }
        let metadata = fs::symlink_metadata(path).unwrap();
        let kind = metadata.file_type();
        let mode = metadata.permissions().mode() & 0o7777;
        let what = if kind.is_symlink() {
            format!("-> {}", fs::read_link(path).unwrap().display())
        } else if kind.is_dir() {
            format!("{mode:04o} directory")
        } else if kind.is_file() {
            let bytes = fs::read(path).unwrap();
            format!("{mode:04o} {}", bytes.escape_ascii())
        } else if kind.is_fifo() {
            format!("{mode:04o} FIFO")
        } else {
            format!("{mode:04o} other")
        };
        self.0
            .insert(path.strip_prefix(root).unwrap().to_owned(), what);
        if kind.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.add(root, &entry.unwrap().path(), except);
            }
        }
    }

    /// Makes a path what it is in another tree, with the directories above it; or removes it, with
    /// those that are empty then and were not there in the beginning.
    pub(crate) fn takes_over(&mut self, other: &Self, path: &Path, beginning: &Self) {
        self.0.remove(path);
        let there = other.0.contains_key(path);
        for above in path.ancestors() {
            let is_empty = |tree: &Self| {
                !tree
                    .0
                    .keys()
                    .any(|known| known != above && known.starts_with(above))
            };
            if there {
                self.0.insert(above.to_owned(), other.0[above].clone());
            } else if is_empty(self) && !beginning.0.contains_key(above) {
                self.0.remove(above);
            }
        }
    }

    /// Gives a file another mode, if it is there.
    pub(crate) fn change_mode(&mut self, path: &Path, mode: u32) {
        if let Some(what) = self.0.get_mut(path) {
            what.replace_range(..4, &format!("{mode:04o}"));
        }
    }

    /// What differs, one line each.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let names = self.0.keys().chain(other.0.keys());
        let mut lines: Vec<String> = names
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .map(|name| {
                let say = |tree: &Self| {
                    tree.0
                        .get(name)
                        .cloned()
                        .unwrap_or_else(|| "nothing".to_owned())
                };
                format!("{}:\n  {}\n  {}", name.display(), say(self), say(other))
            })
            .collect();
        lines.sort();
        lines.dedup();
        lines.join("\n")
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|(path, what)| writeln!(f, "{}: {what}", path.display()))
    }
}
