//! What an undo did.

use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::error::Error;

/// What an undo did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files that are as they were.
    pub restored: Vec<PathBuf>,
    /// Files that were left alone, and why.
    pub skipped: Vec<Skipped>,
    /// What went wrong.
    pub failed: Vec<Error>,
}

/// A file that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why, in a few words.
    pub why: String,
    /// What somebody has made of what rootless6 wrote, where both are text.
    pub edit: Option<Edit>,
}

/// What was written, and what is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The text that rootless6 wrote.
    pub ours: String,
    /// The text that is there now; empty where the file has gone.
    pub now: String,
}

impl Edit {
    /// The difference, as `diff -u` shows it.
    pub fn unified(&self) -> String {
        TextDiff::from_lines(&self.ours, &self.now)
            .unified_diff()
            .header("as rootless6 wrote it", "as it is now")
            .to_string()
    }
}

impl Restored {
    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.restored.extend(other.restored);
        self.skipped.extend(other.skipped);
        self.failed.extend(other.failed);
        self
    }

    /// Notes a file that was left alone.
    pub(crate) fn skip(&mut self, path: &Path, why: impl Into<String>, edit: Option<Edit>) {
        self.skipped.push(Skipped {
            path: path.to_owned(),
            why: why.into(),
            edit,
        });
    }
}
