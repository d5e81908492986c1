//! Files, replaced whole or not at all, and only if they still are what was looked at.
//!
//! New content comes into a temporary file beside the old one, and onto the disk, before the two
//! change names in one step (renameat2(2)): where there was nothing, `RENAME_NOREPLACE` finds what
//! has come since; where there was a file, `RENAME_EXCHANGE` brings it out, and what comes out and is
//! not what was expected is put back. A file system that knows neither is looked at right before.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::place::{Place, look_at};
use super::{attributes, checkpoint};
use crate::error::{Doing, Error, Exit, Result};

/// Mode of a file that was not there before: what an editor makes under the usual umask.
pub(super) const NEW_FILE: u32 = 0o644;

/// Bytes; no settings are as long.
pub(super) const LONGEST: u64 = 16 << 20;

/// A file as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// There was none.
    Absent,
    /// There was this one.
    File {
        /// Permission bits.
        mode: u32,
        /// The user and the group that it belonged to.
        #[serde(default)]
        owner: Option<(u32, u32)>,
        /// Seconds and nanoseconds since 1970.
        modified: (u64, u32),
        /// Its bytes.
        content: Content,
    },
}

/// Bytes that stay readable in JSON where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else, in base64.
    Base64(String),
}

impl Content {
    /// Wraps bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        use base64::Engine;
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => {
                Self::Base64(base64::engine::general_purpose::STANDARD.encode(error.as_bytes()))
            }
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// When the base64 is none.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        use base64::Engine;
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => base64::engine::general_purpose::STANDARD
                .decode(text)
                .doing(|| "decode a file in the journal"),
        }
    }
}

impl Image {
    /// Whether there was a file with exactly these bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        matches!(self.bytes(), Ok(Some(own)) if own == bytes)
    }

    /// The bytes; none if there was no file.
    ///
    /// # Errors
    /// When the journal's base64 is none.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Absent => Ok(None),
            Self::File { content, .. } => content.bytes().map(Some),
        }
    }

    /// The same with the permission bits of another: who has changed those since wants them so.
    pub(super) fn with_mode_of(&self, other: &Self) -> Self {
        let mut image = self.clone();
        if let (Self::File { mode, .. }, Some(others)) = (&mut image, other.mode()) {
            *mode = others;
        }
        image
    }

    /// Permission bits.
    pub(super) fn mode(&self) -> Option<u32> {
        match self {
            Self::Absent => None,
            Self::File { mode, .. } => Some(*mode),
        }
    }

    /// User and group.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        match self {
            Self::Absent => None,
            Self::File { owner, .. } => *owner,
        }
    }

    /// The text; none where it is none, empty where there was no file.
    pub(super) fn text(&self) -> Option<String> {
        String::from_utf8(self.bytes().ok()?.unwrap_or_default()).ok()
    }
}

/// How a replacement came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swapped {
    /// It is in place.
    Done,
    /// Something else was there than expected, and is there again.
    Edited,
}

impl Place {
    /// What is there. Only a regular file of the user's own can be put back byte for byte.
    pub(super) fn look(&self) -> Result<Image> {
        self.look_at(&self.name)
    }

    /// The same of another name beside it.
    pub(super) fn look_at(&self, name: &OsStr) -> Result<Image> {
        let doing = || format!("read {}", self.path.display());
        let Some(stat) = look_at(&self.directory, name, &self.path)? else {
            return Ok(Image::Absent);
        };
        // What is no file any more by now does not keep the reader waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file: File = openat(&self.directory, name, flags, Mode::empty())
            .doing(doing)?
            .into();
        let metadata = file.metadata().doing(doing)?;
        if (metadata.ino(), metadata.dev()) != (stat.st_ino, stat.st_dev) || !metadata.is_file() {
            return Err(Error::cannot(Exit::NotApplied, doing())
                .caused_by("it was replaced at the same moment")
                .hint("run it again"));
        }
        let mut bytes = Vec::new();
        (&mut file)
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .doing(doing)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Error::cannot(Exit::NotApplied, doing())
                .caused_by(format!("it is longer than {} MiB", LONGEST >> 20)));
        }
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        Ok(Image::File {
            mode: metadata.mode() & 0o7777,
            owner: Some((metadata.uid(), metadata.gid())),
            modified: (modified.as_secs(), modified.subsec_nanos()),
            content: Content::new(bytes),
        })
    }

    /// Makes the file `goal`, if it has the bytes of `expected`, by way of the name `temporary`
    /// beside it. `goal` without a time is as new as it is.
    ///
    /// # Errors
    /// When the file system refuses; the file then is what it was.
    pub(super) fn swap(&self, temporary: &str, expected: &Image, goal: &Image) -> Result<Swapped> {
        tracing::info!("write {}", self.path.display());
        let temporary = OsStr::new(temporary);
        let swapped = match goal {
            Image::Absent => self.take_out(temporary, expected),
            Image::File { .. } => self
                .write(temporary, goal)
                .and_then(|()| self.bring_in(temporary, expected)),
        };
        if !matches!(swapped, Ok(Swapped::Done)) {
            // What is left of the attempt is ours, or not there.
            self.discard(temporary, goal);
        }
        swapped
    }

    fn doing(&self) -> impl FnOnce() -> String {
        move || format!("write {}", self.path.display())
    }

    fn write(&self, temporary: &OsStr, goal: &Image) -> Result<()> {
        let Image::File {
            mode,
            owner,
            modified: (seconds, nanoseconds),
            content,
        } = goal
        else {
            return Ok(());
        };
        let bytes = content.bytes()?;
        let write = || -> io::Result<()> {
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file: File =
                openat(&self.directory, temporary, flags, Mode::RUSR | Mode::WUSR)?.into();
            checkpoint::pass("temporary-made");
            file.write_all(&bytes)?;
            let group = file.metadata()?.gid();
            if let Some((_, wanted)) = owner.filter(|(_, wanted)| *wanted != group) {
                rustix::fs::fchown(&file, None, Some(Gid::from_raw(wanted)))?;
            }
            file.set_permissions(Permissions::from_mode(*mode))?;
            attributes::copy(&self.directory, &self.name, &file);
            if (*seconds, *nanoseconds) != (0, 0) {
                file.set_modified(UNIX_EPOCH + Duration::new(*seconds, *nanoseconds))?;
            }
            file.sync_all()
        };
        write().doing(self.doing())?;
        checkpoint::pass("temporary-written");
        Ok(())
    }

    /// Gives the temporary file its name.
    fn bring_in(&self, temporary: &OsStr, expected: &Image) -> Result<Swapped> {
        let flags = match expected {
            Image::Absent => RenameFlags::NOREPLACE,
            Image::File { .. } => RenameFlags::EXCHANGE,
        };
        let Place {
            directory, name, ..
        } = self;
        match renameat_with(directory, temporary, directory, name, flags) {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOENT) => return Ok(Swapped::Edited),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return self.bring_in_by_looking(temporary, expected);
            }
            Err(errno) => return Err(errno).doing(self.doing()),
        }
        checkpoint::pass("renamed");
        if *expected == Image::Absent {
            self.sync()?;
            return Ok(Swapped::Done);
        }
        if !self.came_out(temporary, expected) {
            renameat_with(directory, temporary, directory, name, flags).doing(self.doing())?;
            self.sync()?;
            return Ok(Swapped::Edited);
        }
        unlinkat(directory, temporary, AtFlags::empty()).doing(self.doing())?;
        checkpoint::pass("old-removed");
        self.sync()?;
        Ok(Swapped::Done)
    }

    fn bring_in_by_looking(&self, temporary: &OsStr, expected: &Image) -> Result<Swapped> {
        if self.look()?.bytes()? != expected.bytes()? {
            return Ok(Swapped::Edited);
        }
        renameat(&self.directory, temporary, &self.directory, &self.name).doing(self.doing())?;
        checkpoint::pass("renamed");
        self.sync()?;
        Ok(Swapped::Done)
    }

    /// Removes the file, by way of another name: what is taken out is looked at first.
    fn take_out(&self, temporary: &OsStr, expected: &Image) -> Result<Swapped> {
        let Place {
            directory, name, ..
        } = self;
        let flags = RenameFlags::NOREPLACE;
        match renameat_with(directory, name, directory, temporary, flags) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(Swapped::Done),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                if self.look()?.bytes()? != expected.bytes()? {
                    return Ok(Swapped::Edited);
                }
                unlinkat(directory, name, AtFlags::empty()).doing(self.doing())?;
                self.sync()?;
                return Ok(Swapped::Done);
            }
            Err(errno) => return Err(errno).doing(self.doing()),
        }
        checkpoint::pass("taken-out");
        if !self.came_out(temporary, expected) {
            renameat_with(directory, temporary, directory, name, flags).doing(self.doing())?;
            self.sync()?;
            return Ok(Swapped::Edited);
        }
        unlinkat(directory, temporary, AtFlags::empty()).doing(self.doing())?;
        checkpoint::pass("old-removed");
        self.sync()?;
        Ok(Swapped::Done)
    }

    fn came_out(&self, temporary: &OsStr, expected: &Image) -> bool {
        let out = self.look_at(temporary).and_then(|out| out.bytes());
        matches!((out, expected.bytes()), (Ok(out), Ok(expected)) if out == expected)
    }

    /// Removes what a swap was writing, and nothing else.
    fn discard(&self, temporary: &OsStr, goal: &Image) {
        let written = self.look_at(temporary).and_then(|left| left.bytes());
        let (Ok(Some(left)), Ok(Some(goal))) = (written, goal.bytes()) else {
            return;
        };
        if goal.starts_with(&left) {
            let _ = unlinkat(&self.directory, temporary, AtFlags::empty());
        }
    }

    /// Brings the directory's names to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.directory).doing(self.doing())
    }
}
