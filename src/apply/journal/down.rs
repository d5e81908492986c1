//! What a rollback that nobody watched has to tell: the old files are back, and dockerd is not.

use std::fs::File;
use std::io::{Read as _, Write as _};

use rustix::fs::{AtFlags, Mode, OFlags, fsync, openat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Journal, directory};
use crate::apply::place::look_at;
use crate::error::{Doing, Error, Exit, Result};
use crate::host::{Host, check_unit_name};
use crate::hostile::plain;

/// Its file in the journal's directory.
const NAME: &str = "down.json";

/// Bytes; a failure with all its causes is shorter.
const LONGEST: u64 = 64 * 1024;

/// A unit that was left down, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// The unit.
    pub unit: String,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Down {
    /// What ended a rollback.
    pub fn of(unit: &str, error: &Error) -> Self {
        Self {
            unit: unit.to_owned(),
            message: error.message.clone(),
            causes: error.causes.clone(),
            hints: error.hints.clone(),
        }
    }

    /// The same failure again, fit for a terminal.
    pub fn to_error(&self) -> Error {
        let words = |list: &[String]| list.iter().map(|text| plain(text)).collect();
        Error {
            causes: words(&self.causes),
            hints: words(&self.hints),
            ..Error::new(Exit::RollbackFailed, plain(&self.message))
        }
    }
}

impl Journal {
    /// Leaves word for the next command.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave_word(&self, down: &Down) -> Result<()> {
        let doing = || format!("write {}", self.path.join(NAME).display());
        let json = serde_json::to_vec(down).doing(doing)?;
        match unlinkat(&self.directory, NAME, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).doing(doing),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file: File = openat(&self.directory, NAME, flags, mode)
            .doing(doing)?
            .into();
        file.write_all(&json).doing(doing)?;
        file.sync_all().doing(doing)?;
        fsync(&self.directory).doing(doing)
    }
}

/// What was left to be told, if it can be read.
pub fn word(host: &Host) -> Option<Down> {
    let (directory, path) = directory::open(&host.state).ok()??;
    look_at(&directory, NAME.as_ref(), &path.join(NAME)).ok()??;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = openat(&directory, NAME, flags, Mode::empty()).ok()?.into();
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let down: Down = serde_json::from_slice(&bytes).ok()?;
    check_unit_name(&down.unit).is_ok().then_some(down)
}

/// It is over: dockerd answers again.
pub fn forget(host: &Host) {
    if let Ok(Some((directory, _))) = directory::open(&host.state) {
        let _ = unlinkat(&directory, NAME, AtFlags::empty());
    }
}
