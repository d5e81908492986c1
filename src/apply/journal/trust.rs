//! What is believed of an entry: it says which files to write, so none is taken at its word.

use std::path::Path;

use serde_json::Value;

use super::change::Change;
use super::entry::Entry;
use crate::apply::file::Image;
use crate::apply::place::Tree;
use crate::host::check_unit_name;

/// Permissions for user, group and others, and nothing that lends somebody's.
const PLAIN: u32 = 0o777;

impl Entry {
    /// Whether an entry may be acted on: its files are the user's configuration, or what that leads
    /// to, and its directories are above these.
    ///
    /// # Errors
    /// What it claims that cannot be.
    pub(super) fn examine(&self, generation: u32, tree: &Tree) -> Result<(), String> {
        if self.generation != generation {
            return Err(format!("it says that it is generation {}", self.generation));
        }
        if let Some(with) = self.with.iter().find(|with| **with >= generation) {
            return Err(format!(
                "generation {with}, which is none before it, would go with it"
            ));
        }
        check_unit_name(&self.unit).map_err(|error| error.message)?;
        for change in &self.changes {
            change.examine(tree)?;
        }
        let stray = self.made_directories.iter().find(|directory| {
            let mut paths = self.changes.iter().map(|change| &change.path);
            !paths.any(|path| path != *directory && path.starts_with(directory))
        });
        match stray {
            Some(stray) => Err(format!(
                "it would remove {}, where none of its files is",
                stray.display()
            )),
            None => Ok(()),
        }
    }
}

impl Change {
    /// The same of one file.
    pub(super) fn examine(&self, tree: &Tree) -> Result<(), String> {
        if !self.names_a_temporary() {
            return Err(format!("{:?} is no temporary file of ours", self.temporary));
        }
        let decoded = self.before.bytes().and_then(|_| self.after.bytes());
        decoded.map_err(|error| error.to_string())?;
        if let Some(mode) = self.before.mode().filter(|mode| *mode > PLAIN) {
            return Err(format!("no settings have the mode {mode:o}"));
        }
        let path = &self.path;
        let linked = |through: &Path| {
            tree.is_configuration(through) && tree.leads_to(through).as_ref() == Some(path)
        };
        let known = tree.is_configuration(path)
            || self.through.as_deref().is_some_and(linked)
            || (tree.is_plain(path) && self.is_daemon_json());
        if known {
            return Ok(());
        }
        let outside = format!("{} is not a file of your configuration", path.display());
        Err(match &self.through {
            Some(through) => format!("{outside}, and {} does not lead there", through.display()),
            None => outside,
        })
    }

    /// Whether it can be dockerd's settings: the unit may have them anywhere.
    fn is_daemon_json(&self) -> bool {
        let is_object =
            |bytes: &[u8]| matches!(serde_json::from_slice(bytes), Ok(Value::Object(_)));
        let before = match &self.before {
            Image::Absent => true,
            // A blank one is merged into as one that says nothing.
            file => matches!(file.bytes(), Ok(Some(bytes))
                if bytes.trim_ascii().is_empty() || is_object(&bytes)),
        };
        before && self.after.bytes().is_ok_and(|after| is_object(&after))
    }
}
