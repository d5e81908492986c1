//! The write-ahead record: what was there, on disk before anything changes.
//!
//! One change of the system is one generation, one file of JSON in `$XDG_STATE_HOME/rootless6`.
//! Undoing needs no log of steps: a file that holds what we wrote is put back, one that holds what
//! was there before is already back, and one that holds anything else was edited since and is left
//! alone.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::Restored;
use super::file::{self, Content, Image};
use crate::error::{Doing, Error, Exit, Result};

/// The format of an entry; a newer one is not guessed at.
const SCHEMA: u32 = 1;

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Begun, and perhaps half done.
    Begun,
    /// In force.
    Applied,
    /// Taken back.
    Undone,
}

/// One generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    schema: u32,
    /// 1, 2, 3 …
    pub generation: u32,
    /// Where it stands.
    pub state: State,
    /// The unit that was restarted.
    pub unit: String,
    changes: Vec<Change>,
    made_directories: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    path: PathBuf,
    before: Image,
    after: Content,
}

/// The directory of generations, locked for as long as this lives.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    /// Dies with its holder, however that dies.
    _lock: Flock<File>,
}

impl Journal {
    /// Opens the journal below a state directory and locks it.
    ///
    /// # Errors
    /// Exit 7 when another run holds the lock, exit 3 when the directory cannot be made.
    pub fn open(state: &Path) -> Result<Self> {
        let directory = state.join("rootless6");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .doing(|| format!("make {}", directory.display()))?;
        let path = directory.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .doing(|| format!("open {}", path.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
            Error::new(Exit::Busy, "another rootless6 is at work")
                .caused_by(format!("it holds {}", path.display()))
                .hint("wait until it is done, then try again")
        })?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// All generations, oldest first.
    ///
    /// # Errors
    /// When one cannot be read, or a newer rootless6 has written it.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let doing = || format!("read {}", self.directory.display());
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.directory).doing(doing)? {
            let path = file.doing(doing)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                entries.push(read(&path)?);
            }
        }
        entries.sort_by_key(|entry| entry.generation);
        Ok(entries)
    }

    /// The newest generation that is still in force, or was left half done.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn standing(&self) -> Result<Option<Entry>> {
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .rev()
            .find(|entry| entry.state != State::Undone))
    }

    /// Begins a generation; it is on disk from its first change on.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn begin(&self, unit: &str) -> Result<Entry> {
        let last = self.entries()?.last().map_or(0, |entry| entry.generation);
        Ok(Entry {
            schema: SCHEMA,
            generation: last + 1,
            state: State::Begun,
            unit: unit.to_owned(),
            changes: Vec::new(),
            made_directories: Vec::new(),
        })
    }

    fn save(&self, entry: &Entry) -> Result<()> {
        if entry.is_empty() {
            return Ok(());
        }
        let path = self.directory.join(format!("{:04}.json", entry.generation));
        let mut json =
            serde_json::to_string_pretty(entry).doing(|| format!("write {}", path.display()))?;
        json.push('\n');
        file::replace(&path, json.as_bytes())
    }
}

fn read(path: &Path) -> Result<Entry> {
    let doing = || format!("read the journal entry {}", path.display());
    let text = fs::read_to_string(path).doing(doing)?;
    let entry: Entry = serde_json::from_str(&text).doing(doing)?;
    if entry.schema != SCHEMA {
        return Err(Error::cannot(Exit::NotApplied, doing())
            .caused_by(format!(
                "its format is {}, this rootless6 knows {SCHEMA}",
                entry.schema
            ))
            .hint("use the rootless6 that wrote it"));
    }
    Ok(entry)
}

impl Entry {
    /// Writes a file, its old bytes first in the journal.
    ///
    /// # Errors
    /// When either cannot be written.
    pub fn write(&mut self, journal: &Journal, path: &Path, bytes: &[u8]) -> Result<()> {
        let made = file::missing_directories(path);
        self.changes.push(Change {
            path: path.to_owned(),
            before: Image::of(path)?,
            after: Content::new(bytes.to_vec()),
        });
        self.made_directories.extend(made.iter().cloned());
        journal.save(self)?;
        for directory in &made {
            DirBuilder::new()
                .mode(0o755)
                .create(directory)
                .doing(|| format!("make {}", directory.display()))?;
        }
        file::replace(path, bytes)
    }

    /// Records where the generation stands.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn mark(&mut self, journal: &Journal, state: State) -> Result<()> {
        self.state = state;
        journal.save(self)
    }

    /// Files that somebody has edited since, which an undo would leave alone.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn edited_since(&self) -> Result<Vec<PathBuf>> {
        let mut edited = Vec::new();
        for change in &self.changes {
            let now = Image::of(&change.path)?.bytes()?;
            if now != Some(change.after.bytes()?) && now != change.before.bytes()? {
                edited.push(change.path.clone());
            }
        }
        Ok(edited)
    }

    /// Whether nothing has been changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The files of this generation.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.changes.iter().map(|change| change.path.as_path())
    }

    /// Puts back what was there, newest first. Collects what it cannot do and goes on.
    ///
    /// # Errors
    /// When a file cannot be put back; what could be is.
    pub fn restore(&mut self, journal: &Journal) -> Result<Restored> {
        let mut done = Restored::default();
        let mut failed = None;
        for change in self.changes.iter().rev() {
            match change.restore() {
                Ok(true) => done.restored.push(change.path.clone()),
                Ok(false) => done.skip(&change.path, "edited since rootless6 wrote it"),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for directory in self.made_directories.iter().rev() {
            // Somebody else may have put something there by now; then it stays.
            let _ = fs::remove_dir(directory);
        }
        match failed {
            Some(error) => Err(error),
            None => self.mark(journal, State::Undone).map(|()| done),
        }
    }
}

impl Change {
    fn restore(&self) -> Result<bool> {
        let now = Image::of(&self.path)?;
        if now == self.before {
            return Ok(true);
        }
        if now.bytes()? != Some(self.after.bytes()?) {
            return Ok(false);
        }
        self.before.restore(&self.path)?;
        Ok(true)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    #[test]
    fn what_was_edited_since_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let ours = directory.path().join("a/b/ours");
        let theirs = directory.path().join("theirs");
        fs::write(&theirs, "old").unwrap();
        let mut entry = journal.begin("docker.service").unwrap();
        entry.write(&journal, &ours, b"new").unwrap();
        entry.write(&journal, &theirs, b"new").unwrap();
        fs::write(&theirs, "edited").unwrap();
        let mut again = journal.standing().unwrap().unwrap();
        assert_eq!(again, entry);
        let restored = again.restore(&journal).unwrap();
        assert_eq!(restored.restored, [ours]);
        assert_eq!(restored.skipped.len(), 1);
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "edited");
        assert!(!directory.path().join("a").exists());
        assert_eq!(journal.standing().unwrap(), None);
    }

    #[test]
    fn a_second_run_is_told_that_another_is_at_work() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Journal::open(directory.path()).unwrap();
        assert_eq!(
            Journal::open(directory.path()).unwrap_err().exit,
            Exit::Busy
        );
    }
}
