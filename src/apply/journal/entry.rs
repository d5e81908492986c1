//! One generation: what was there, what is there instead, and how far that has come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::change::Change;
use super::made_for::{MadeFor, as_far_as_known};
use super::{Journal, named};
use crate::apply::Restored;
use crate::apply::checkpoint;
use crate::apply::deadline::Deadline;
use crate::apply::file::{Content, Image, NEW_FILE, Swapped};
use crate::apply::place::Tree;
use crate::error::{Error, Exit, Result};
use crate::plan::{FileChange, Plan};

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
    /// Taken back, but for files that somebody has edited since.
    Partly,
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
    pub(super) schema: u32,
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
    /// InvocationID of the unit that an undo restarts: any other has begun with the old settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Older generations that go back with this one while it is open: those written before that its
    /// restart takes up, or those that one undo takes back together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<u32>,
    /// What it was to do, for people.
    #[serde(default)]
    pub planned: Planned,
    /// What was asked for, and the versions that it was made for; none in older entries.
    #[serde(
        default,
        deserialize_with = "as_far_as_known",
        skip_serializing_if = "Option::is_none"
    )]
    pub made_for: Option<MadeFor>,
    pub(super) changes: Vec<Change>,
    #[serde(with = "named::list")]
    pub(super) made_directories: Vec<PathBuf>,
    #[serde(skip)]
    pub(super) tree: Tree,
}

/// What a generation was made from, and what it was to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// SHA-256, in hex, of what the plan was made from: the unit's command line and each file.
    pub inputs: String,
    /// What was to be written, in order.
    pub steps: Vec<String>,
    /// The variables that the unit was to have.
    pub environment: Vec<(String, String)>,
}

impl Planned {
    /// What is kept of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut inputs = Sha256::new();
        let files = plan.files.iter().map(|change| {
            let path = change.path.to_string_lossy();
            format!("{path}\0{:?}", change.before)
        });
        for input in plan.exec_start.iter().cloned().chain(files) {
            inputs.update(input.as_bytes());
            inputs.update([0]);
        }
        let write = |change: &FileChange| format!("write {}", change.path.display());
        Self {
            inputs: inputs
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            steps: plan.files.iter().map(write).collect(),
            environment: plan.environment.clone(),
        }
    }
}

impl Entry {
    /// Writes a file, its old bytes first in the journal.
    ///
    /// # Errors
    /// When either cannot be written, or the file is not what it was when the plan was made.
    pub fn write(&mut self, journal: &Journal, change: &FileChange) -> Result<()> {
        let path = change.place();
        let before = unchanged(&self.tree, change)?;
        let made = self.tree.missing_directories(path)?;
        let goal = Image::File {
            mode: before.mode().unwrap_or(NEW_FILE),
            owner: before.owner(),
            modified: (0, 0),
            content: Content::new(change.after.clone().into_bytes()),
        };
        let recorded = (self.changes.len(), self.made_directories.len());
        let step = Change::begin(change, before)?;
        step.examine(&self.tree).map_err(|why| {
            Error::cannot(Exit::NotApplied, format!("write {}", path.display())).caused_by(why)
        })?;
        self.changes.push(step.clone());
        self.made_directories.extend(made);
        if let Err(error) = journal.save(self) {
            // What is not on disk has not happened.
            self.changes.truncate(recorded.0);
            self.made_directories.truncate(recorded.1);
            return Err(error);
        }
        checkpoint::pass("change-recorded");
        let place = self.tree.make(path)?;
        checkpoint::pass("directories-made");
        match place.swap(&step.temporary("new"), &step.before, &goal)? {
            Swapped::Done => {}
            Swapped::Edited => return Err(edited(path)),
        }
        checkpoint::pass("file-written");
        if let Some(step) = self.changes.last_mut() {
            step.written = true;
        }
        Ok(())
    }

    /// Records where the generation stands.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn mark(&mut self, journal: &Journal, state: State) -> Result<()> {
        let before = std::mem::replace(&mut self.state, state);
        let saved = journal.save(self);
        if saved.is_err() {
            // What is not on disk has not happened.
            self.state = before;
        }
        saved
    }

    /// Has others go back with it while it is open.
    pub fn take_along(&mut self, others: &[Self]) {
        if !self.is_open() {
            // Once it was settled, each goes its own way.
            self.with.clear();
        }
        self.with
            .extend(others.iter().map(|other| other.generation));
        self.with.sort_unstable();
        self.with.dedup();
    }

    /// Whether another goes back with it. One that is back already does so once more where this one
    /// is not: its files, as they are now, are no edits to be left alone.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.is_open()
            && self.unit == other.unit
            && self.with.contains(&other.generation)
            && (other.stands() || self.state == State::Undoing)
    }

    /// Brings it to the disk as it is.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn save(&self, journal: &Journal) -> Result<()> {
        journal.save(self)
    }

    /// Files that somebody has edited since, which an undo would leave alone.
    ///
    /// # Errors
    /// When the journal's own bytes cannot be decoded.
    pub fn edited_since(&self) -> Result<Vec<PathBuf>> {
        let mut edited = Vec::new();
        for change in &self.changes {
            let now = match change.look(&self.tree) {
                Ok(now) => now.bytes()?,
                Err(_) => {
                    edited.push(change.path.clone());
                    continue;
                }
            };
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

    /// Whether there is something to take back, or to finish: a mere restart, once done, leaves
    /// nothing behind.
    pub fn stands(&self) -> bool {
        match self.state {
            State::Undone => false,
            State::Written | State::Applied | State::Partly => !self.is_empty(),
            State::Begun | State::Unconfirmed | State::Undoing => true,
        }
    }

    /// Whether it is still to be settled, one way or the other.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            State::Begun | State::Unconfirmed | State::Undoing
        )
    }

    /// Whether it was left half done, or its time to be confirmed is over: to be taken back, unless a
    /// live run that holds the lock is still at it.
    pub fn is_unfinished(&self) -> bool {
        match self.state {
            State::Begun | State::Undoing => true,
            State::Unconfirmed => self.waits_for().is_none(),
            State::Written | State::Applied | State::Partly | State::Undone => false,
        }
    }

    /// How long it waits for `rootless6 confirm` yet.
    pub fn waits_for(&self) -> Option<Duration> {
        let left = self.deadline.as_ref().and_then(Deadline::left);
        left.filter(|_| self.state == State::Unconfirmed)
    }

    /// Whether it was to be over by now.
    pub fn is_overdue(&self) -> bool {
        let over = |deadline: &Deadline| deadline.left().is_none();
        self.deadline.as_ref().is_some_and(over)
    }

    /// The files of this generation.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.changes.iter().map(|change| change.path.as_path())
    }

    /// Puts back what was there, newest first, and removes what a run that was killed has left.
    /// Collects what it cannot do and goes on.
    pub fn restore(&self) -> Restored {
        let mut done = Restored::default();
        for change in self.changes.iter().rev() {
            change.restore(&self.tree, &mut done);
            checkpoint::pass("file-restored");
        }
        for directory in self.made_directories.iter().rev() {
            done.failed
                .extend(self.tree.remove_directory(directory).err());
            checkpoint::pass("directory-removed");
        }
        done
    }
}

/// Looks whether a file still is what the plan was made from, and can be put back byte for byte.
///
/// # Errors
/// When it was edited since, or is not the user's own file in a directory of their own.
pub fn unchanged(tree: &Tree, change: &FileChange) -> Result<Image> {
    let path = change.place();
    let now = match tree.place(path)? {
        Some(place) => place.look()?,
        None => Image::Absent,
    };
    let same = match (&change.before, &now) {
        (None, Image::Absent) => true,
        (Some(text), now) => now.is(text.as_bytes()),
        (None, Image::File { .. }) => false,
    };
    if same { Ok(now) } else { Err(edited(path)) }
}

fn edited(path: &Path) -> Error {
    Error::new(
        Exit::NotApplied,
        format!("{} was edited while rootless6 was at work", path.display()),
    )
    .hint("run `rootless6 setup` again")
}
