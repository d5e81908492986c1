//! The write-ahead record: what was there, on disk before anything changes.
//!
//! One change of the system is one generation, one file of JSON in `$XDG_STATE_HOME/rootless6`. It is
//! replaced whole before each effect: a temporary file, its bytes on the disk before it gets the
//! name, and the directory after that. Undoing needs no log of steps: a file that holds what we wrote
//! is put back, one that holds what was there before is already back, and one that holds anything
//! else was edited since and is left alone.
//!
//! What is read here says which files are written next, so nothing is believed: the directory and
//! each entry must be the user's own, and each path one of the user's configuration.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::checkpoint;
use super::file::LONGEST;
use super::place::{Tree, look_at};
use crate::error::{Doing, Error, Exit, Result};
use crate::facts::typed;
use crate::host::Host;
use crate::plan::Plan;

mod change;
mod directory;
pub mod down;
mod entry;
mod lock;
mod made_for;
mod named;
mod trust;

pub use entry::{Entry, Planned, State, Was, unchanged};
pub use lock::Holder;
pub use made_for::{MadeFor, relied_on};

use lock::Lock;

/// The format of an entry; a newer one is not guessed at, and older ones are read.
const SCHEMA: u32 = 2;

/// A generation's file, and what is in it.
#[derive(Debug)]
pub struct Record {
    /// Its number, by its name.
    pub generation: u32,
    /// The file.
    pub path: PathBuf,
    /// The entry, or why there is none to be had.
    pub entry: Result<Entry>,
}

/// The directory of generations, locked for as long as this lives.
#[derive(Debug)]
pub struct Journal {
    directory: OwnedFd,
    path: PathBuf,
    tree: Tree,
    /// The directories that were made for it, outermost first.
    made: Vec<PathBuf>,
    _lock: Lock,
}

/// A run that has recorded nothing leaves nothing behind.
impl Drop for Journal {
    fn drop(&mut self) {
        let is_empty = generations(&self.directory, &self.path).is_ok_and(|all| all.is_empty());
        if self.made.is_empty() || !is_empty {
            return;
        }
        // Whoever waits for the lock looks whether it still has its name.
        let _ = unlinkat(&self.directory, lock::NAME, AtFlags::empty());
        for directory in self.made.iter().rev() {
            // Somebody else may have put something there by now; then it stays.
            let _ = std::fs::remove_dir(directory);
        }
    }
}

/// All generations, oldest first, looked at without a lock: a run may be at work on the last one.
///
/// # Errors
/// When the directory is not to be read, or not the user's own.
pub fn records(host: &Host) -> Result<Vec<Record>> {
    match directory::open(&host.state)? {
        Some((directory, path)) => read_all(&directory, &path, &Tree::of(host)),
        None => Ok(Vec::new()),
    }
}

/// Those of them that can be read.
///
/// # Errors
/// As [`records`].
pub fn look(host: &Host) -> Result<Vec<Entry>> {
    let records = records(host)?.into_iter();
    Ok(records.filter_map(|record| record.entry.ok()).collect())
}

/// The run that holds the lock, if there is one that says who it is.
///
/// # Errors
/// As [`records`].
pub fn holder(host: &Host) -> Result<Option<Holder>> {
    let opened = directory::open(&host.state)?;
    Ok(opened.and_then(|(directory, path)| lock::holder(&directory, &path)))
}

/// Whether anybody holds the lock, whoever that is.
///
/// # Errors
/// As [`records`].
pub fn is_held(host: &Host) -> Result<bool> {
    let opened = directory::open(&host.state)?;
    Ok(opened.is_some_and(|(directory, path)| lock::is_held(&directory, &path)))
}

impl Journal {
    /// Opens the user's journal and locks it, for work on the host's unit.
    ///
    /// # Errors
    /// Exit 7 when another run holds the lock, exit 3 when the directory cannot be made, or is not
    /// the user's own.
    pub fn open(host: &Host) -> Result<Self> {
        let (directory, path, made, lock) = loop {
            let Some((directory, path, made)) = directory::make(&host.state)? else {
                continue;
            };
            match Lock::take(directory.as_fd(), &path, &host.unit) {
                // By a run that had recorded nothing, just now.
                Err(_) if directory::is_removed(&directory) => {}
                taken => break (directory, path, made, taken?),
            }
        };
        clear_away(&directory, &path)?;
        Ok(Self {
            directory,
            path,
            tree: Tree::of(host),
            made,
            _lock: lock,
        })
    }

    /// All generations, oldest first, those that cannot be read among them.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        read_all(&self.directory, &self.path, &self.tree)
    }

    /// All generations, oldest first.
    ///
    /// # Errors
    /// When one cannot be read, or a newer rootless6 has written it.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.records()?
            .into_iter()
            .map(|record| record.entry)
            .collect()
    }

    /// The newest generation that is still in force, or was left half done.
    ///
    /// # Errors
    /// When it cannot be read, or one after it; what is older does not matter here.
    pub fn standing(&self) -> Result<Option<Entry>> {
        self.newest(Entry::stands)
    }

    /// The same of one unit.
    ///
    /// # Errors
    /// As [`Journal::standing`].
    pub fn standing_of(&self, unit: &str) -> Result<Option<Entry>> {
        self.newest(|entry| entry.unit == unit && entry.stands())
    }

    fn newest(&self, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Entry>> {
        for record in self.records()?.into_iter().rev() {
            let entry = record.entry?;
            if wanted(&entry) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Generations of a unit that are written and were never taken up, newest first: a restart is
    /// the first to show whether dockerd starts with them.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn never_live(&self, unit: &str) -> Result<Vec<Entry>> {
        let mut never_live = Vec::new();
        for record in self.records()?.into_iter().rev() {
            let entry = record.entry?;
            match entry.state {
                _ if entry.unit != unit => {}
                State::Written if !entry.is_empty() => never_live.push(entry),
                // What was taken up took up what was written before.
                State::Applied | State::Unconfirmed => break,
                _ => {}
            }
        }
        Ok(never_live)
    }

    /// Those that go back with an open entry, newest first, and why others are not to be had.
    pub fn going_with(&self, entry: &Entry) -> (Vec<Entry>, Option<Error>) {
        let (mut found, mut missing) = (Vec::new(), None);
        if entry.with.is_empty() || !entry.is_open() {
            return (found, missing);
        }
        match self.records() {
            Err(error) => missing = Some(error),
            Ok(records) => {
                let with = |record: &Record| entry.with.contains(&record.generation);
                for record in records.into_iter().rev().filter(with) {
                    match record.entry {
                        Ok(other) if entry.goes_with(&other) => found.push(other),
                        Ok(_) => {}
                        Err(error) => missing = Some(error),
                    }
                }
            }
        }
        (found, missing)
    }

    /// Marks an open generation as in force, and those before it that its restart has taken up. It
    /// is the last: until then all of them go back together.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn settle(&self, entry: &mut Entry) -> Result<()> {
        // One that cannot be read does not keep the others from being in force.
        let (taken_up, _) = self.going_with(entry);
        for mut taken_up in taken_up {
            taken_up.mark(self, State::Applied)?;
            checkpoint::pass("taken-up-marked");
        }
        entry.mark(self, State::Applied)
    }

    /// Begins a generation, and has it on disk.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn begin(&self, unit: &str, was: Was) -> Result<Entry> {
        self.begin_with(unit, was, Planned::default())
    }

    /// The same, with the plan on record.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn begin_planned(&self, unit: &str, was: Was, plan: &Plan) -> Result<Entry> {
        self.begin_with(unit, was, Planned::of(plan))
    }

    fn begin_with(&self, unit: &str, was: Was, planned: Planned) -> Result<Entry> {
        let last = generations(&self.directory, &self.path)?;
        let last = last.last().copied().unwrap_or_default();
        let entry = Entry {
            schema: SCHEMA,
            generation: last.saturating_add(1),
            state: State::Begun,
            unit: unit.to_owned(),
            begun: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            was,
            restarted: false,
            deadline: None,
            planned,
            made_for: None,
            invocation: String::new(),
            environment: BTreeMap::new(),
            replaces: None,
            with: Vec::new(),
            changes: Vec::new(),
            made_directories: Vec::new(),
            tree: self.tree.clone(),
        };
        self.save(&entry)?;
        Ok(entry)
    }

    /// Brings an entry to the disk, whole or not at all.
    fn save(&self, entry: &Entry) -> Result<()> {
        let name = file_name(entry.generation);
        let temporary = format!("{name}{NEW}");
        let doing = || format!("write {}", self.path.join(&name).display());
        let mut json = serde_json::to_string_pretty(entry).doing(doing)?;
        json.push('\n');
        let directory = &self.directory;
        let write = || -> std::io::Result<()> {
            // One that could not be renamed was left by this run itself.
            match unlinkat(directory, &temporary, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            let mut file: File = openat(directory, &temporary, flags, mode)?.into();
            fchmod(&file, mode)?;
            file.write_all(json.as_bytes())?;
            file.sync_all()?;
            checkpoint::pass("entry-written");
            renameat(directory, &temporary, directory, &name)?;
            checkpoint::pass("entry-renamed");
            Ok(rustix::fs::fsync(directory)?)
        };
        if let Err(error) = write() {
            let _ = unlinkat(directory, &temporary, AtFlags::empty());
            return Err(error).doing(doing);
        }
        checkpoint::pass("entry-saved");
        Ok(())
    }
}

/// What an entry's name ends with until it is whole.
const NEW: &str = ".new";

fn file_name(generation: u32) -> String {
    format!("{generation:04}.json")
}

/// Removes entries that a run was killed at before they had their names; whoever holds the lock is
/// alone here.
fn clear_away(directory: &OwnedFd, path: &Path) -> Result<()> {
    let doing = || format!("read {}", path.display());
    for file in Dir::read_from(directory).doing(doing)? {
        let file = file.doing(doing)?;
        if file.file_name().to_bytes().ends_with(NEW.as_bytes()) {
            // What cannot be removed says so once its name is wanted.
            let _ = unlinkat(directory, file.file_name(), AtFlags::empty());
        }
    }
    Ok(())
}

/// The numbers of all generations, in order.
fn generations(directory: &OwnedFd, path: &Path) -> Result<Vec<u32>> {
    let doing = || format!("read {}", path.display());
    let mut generations = Vec::new();
    for file in Dir::read_from(directory).doing(doing)? {
        let file = file.doing(doing)?;
        let number = file.file_name().to_str().ok().and_then(|name| {
            let generation = name.strip_suffix(".json")?.parse().ok()?;
            (name == file_name(generation)).then_some(generation)
        });
        generations.extend(number);
    }
    generations.sort_unstable();
    Ok(generations)
}

fn read_all(directory: &OwnedFd, path: &Path, tree: &Tree) -> Result<Vec<Record>> {
    let generations = generations(directory, path)?;
    let record = |generation| {
        let path = path.join(file_name(generation));
        let entry = read(directory, &path, generation, tree);
        Record {
            generation,
            entry: entry.map_err(|error| set_aside(error, &path)),
            path,
        }
    };
    Ok(generations.into_iter().map(record).collect())
}

fn read(directory: &OwnedFd, path: &Path, generation: u32, tree: &Tree) -> Result<Entry> {
    let doing = || format!("rely on the journal entry {}", path.display());
    let name = file_name(generation);
    let cannot = |cause: String| Error::cannot(Exit::NotApplied, doing()).caused_by(cause);
    look_at(directory, name.as_ref(), path).map_err(|refusal| cannot(refusal.why.to_string()))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = openat(directory, &name, flags, Mode::empty())
        .doing(doing)?
        .into();
    let mut bytes = Vec::new();
    // Twice the longest file, in base64.
    file.take(4 * LONGEST)
        .read_to_end(&mut bytes)
        .doing(doing)?;
    if bytes.is_empty() {
        return Err(cannot("it is empty".to_owned()));
    }
    let format: Format = serde_json::from_slice(&bytes).doing(doing)?;
    if !(1..=SCHEMA).contains(&format.schema) {
        return Err(cannot(format!(
            "its format is {}, this rootless6 knows {SCHEMA}",
            format.schema
        ))
        .hint("use the rootless6 that wrote it"));
    }
    let mut entry: Entry = serde_json::from_slice(&bytes).doing(doing)?;
    entry.examine(generation, tree).map_err(cannot)?;
    entry.schema = SCHEMA;
    entry.tree = tree.clone();
    Ok(entry)
}

/// What a newer format has in common with this one.
#[derive(serde::Deserialize)]
struct Format {
    schema: u32,
}

fn set_aside(error: Error, path: &Path) -> Error {
    let path = typed(&path.to_string_lossy());
    error.hint(format!(
        "`mv {path} {path}.aside` goes on without it; what it would have put back then stays as it is"
    ))
}

#[cfg(test)]
pub(crate) mod tests;
