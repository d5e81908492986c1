//! The write-ahead record: what was there, on disk before anything changes.
//!
//! One change of the system is one generation, one file of JSON in `$XDG_STATE_HOME/rootless6`.
//! Undoing needs no log of steps: a file that holds what we wrote is put back, one that holds what
//! was there before is already back, and one that holds anything else was edited since and is left
//! alone.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::Restored;
use super::deadline::Deadline;
use super::file::{self, Content, Image};
use crate::error::{Doing, Error, Exit, Result};
use crate::plan::FileChange;

/// The format of an entry; a newer one is not guessed at.
const SCHEMA: u32 = 1;

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Begun, and perhaps half done.
    Begun,
    /// Written, but dockerd was never restarted with it.
    Written,
    /// In force until the deadline, unless `rootless6 confirm` comes before.
    Unconfirmed,
    /// In force.
    Applied,
    /// Being taken back, and perhaps half done.
    Undoing,
    /// Taken back.
    Undone,
}

/// What dockerd was doing before a generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Was {
    /// It answered, and must answer with the old state back.
    #[default]
    Answering,
    /// It was failing, and may go on failing.
    Failing,
    /// It was stopped, and is to be stopped.
    Stopped,
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
    /// Seconds since 1970 when it was begun.
    #[serde(default)]
    pub begun: u64,
    /// What dockerd was doing before.
    #[serde(default)]
    pub was: Was,
    /// Whether dockerd was told to restart with it.
    #[serde(default)]
    pub restarted: bool,
    /// By when the work on it is over, or, of an unconfirmed one, by when it must be confirmed.
    #[serde(default)]
    pub deadline: Option<Deadline>,
    /// InvocationID of the unit before: while it is the same, dockerd runs on undisturbed.
    #[serde(default)]
    pub invocation: String,
    /// What the variables that are to change were in the unit's effective environment.
    #[serde(default)]
    pub environment: BTreeMap<String, Option<String>>,
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
        read_all(&self.directory)
    }

    /// The newest generation that is still in force, or was left half done.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn standing(&self) -> Result<Option<Entry>> {
        Ok(self.all_standing()?.next())
    }

    /// The same of one unit.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn standing_of(&self, unit: &str) -> Result<Option<Entry>> {
        Ok(self.all_standing()?.find(|entry| entry.unit == unit))
    }

    fn all_standing(&self) -> Result<impl Iterator<Item = Entry>> {
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .rev()
            .filter(|entry| entry.state != State::Undone))
    }

    /// Generations of a unit that are written and were never taken up, newest first: a restart is
    /// the first to show whether dockerd starts with them.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn never_live(&self, unit: &str) -> Result<Vec<Entry>> {
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .rev()
            .filter(|entry| entry.state == State::Written && entry.unit == unit)
            .collect())
    }

    /// Begins a generation; it is on disk from its first change on.
    ///
    /// # Errors
    /// As [`Journal::entries`].
    pub fn begin(&self, unit: &str, was: Was) -> Result<Entry> {
        let last = self.entries()?.last().map_or(0, |entry| entry.generation);
        Ok(Entry {
            schema: SCHEMA,
            generation: last + 1,
            state: State::Begun,
            unit: unit.to_owned(),
            begun: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            was,
            restarted: false,
            deadline: None,
            invocation: String::new(),
            environment: BTreeMap::new(),
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

/// All generations below a state directory, oldest first, without the lock: each is whole, and may
/// be another one a moment later.
///
/// # Errors
/// As [`Journal::entries`]. Where there is no journal yet, there are none.
pub fn look(state: &Path) -> Result<Vec<Entry>> {
    let directory = state.join("rootless6");
    if directory.is_dir() {
        read_all(&directory)
    } else {
        Ok(Vec::new())
    }
}

fn read_all(directory: &Path) -> Result<Vec<Entry>> {
    let doing = || format!("read {}", directory.display());
    let mut entries = Vec::new();
    for file in fs::read_dir(directory).doing(doing)? {
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
    /// When either cannot be written, or the file is not what it was when the plan was made.
    pub fn write(&mut self, journal: &Journal, change: &FileChange) -> Result<()> {
        let path = &change.path;
        let before = unchanged(change)?;
        let made = file::missing_directories(path);
        let recorded = (self.changes.len(), self.made_directories.len());
        self.changes.push(Change {
            path: path.clone(),
            before,
            after: Content::new(change.after.clone().into_bytes()),
        });
        self.made_directories.extend(made.iter().cloned());
        if let Err(error) = journal.save(self) {
            // What is not on disk has not happened.
            self.changes.truncate(recorded.0);
            self.made_directories.truncate(recorded.1);
            return Err(error);
        }
        for directory in &made {
            DirBuilder::new()
                .mode(0o755)
                .create(directory)
                .doing(|| format!("make {}", directory.display()))?;
        }
        file::replace(path, change.after.as_bytes())
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
    pub fn restore(&self) -> Restored {
        let mut done = Restored::default();
        for change in self.changes.iter().rev() {
            change.restore(&mut done);
        }
        for directory in self.made_directories.iter().rev() {
            // Somebody else may have put something there by now; then it stays.
            let _ = fs::remove_dir(directory);
        }
        done
    }
}

impl Change {
    fn restore(&self, done: &mut Restored) {
        let path = &self.path;
        let now = match Image::of(path) {
            Ok(now) => now,
            Err(error) => return done.skip(path, error.to_string()),
        };
        if now == self.before {
            return done.restored.push(path.clone());
        }
        let ours = self.after.bytes().is_ok_and(|after| now.is(&after));
        if !ours {
            return done.skip(path, "edited since rootless6 wrote it");
        }
        match self.before.restore(path) {
            Ok(()) => done.restored.push(path.clone()),
            Err(error) => done.failed.push(error),
        }
    }
}

/// Looks whether a file still is what the plan was made from, and can be put back byte for byte.
///
/// # Errors
/// When it was edited since, or is a symlink, a directory or a device.
pub fn unchanged(change: &FileChange) -> Result<Image> {
    let now = Image::of(&change.path)?;
    let same = match (&change.before, &now) {
        (None, Image::Absent) => true,
        (Some(text), now) => now.is(text.as_bytes()),
        (None, Image::File { .. }) => false,
    };
    if same {
        return Ok(now);
    }
    Err(Error::new(
        Exit::NotApplied,
        format!(
            "{} was edited while rootless6 was at work",
            change.path.display()
        ),
    )
    .hint("run `rootless6 setup` again"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    fn change(path: &Path, before: Option<&str>) -> FileChange {
        FileChange {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: "new".to_owned(),
        }
    }

    #[test]
    fn what_was_edited_since_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let ours = directory.path().join("a/b/ours");
        let theirs = directory.path().join("theirs");
        fs::write(&theirs, "old").unwrap();
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        entry.write(&journal, &change(&ours, None)).unwrap();
        entry
            .write(&journal, &change(&theirs, Some("old")))
            .unwrap();
        fs::write(&theirs, "edited").unwrap();
        let mut again = journal.standing().unwrap().unwrap();
        assert_eq!(again, entry);
        let restored = again.restore();
        assert_eq!(restored.restored, [ours]);
        assert_eq!(restored.skipped.len(), 1);
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "edited");
        assert!(!directory.path().join("a").exists());
        again.mark(&journal, State::Undone).unwrap();
        assert_eq!(journal.standing().unwrap(), None);
    }

    #[test]
    fn each_unit_has_a_newest_generation_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        for unit in ["docker.service", "other.service"] {
            let mut entry = journal.begin(unit, Was::Answering).unwrap();
            let path = directory.path().join(unit);
            entry.write(&journal, &change(&path, None)).unwrap();
        }
        let of = |unit| journal.standing_of(unit).unwrap();
        let generation = |entry: Option<Entry>| entry.map(|entry| entry.generation);
        assert_eq!(generation(journal.standing().unwrap()), Some(2));
        assert_eq!(generation(of("other.service")), Some(2));
        assert_eq!(generation(of("docker.service")), Some(1));
        assert_eq!(generation(of("third.service")), None);
    }

    #[test]
    fn an_edit_between_plan_and_write_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "edited").unwrap();
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        for before in [None, Some("old")] {
            entry.write(&journal, &change(&path, before)).unwrap_err();
        }
        assert!(entry.is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
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
