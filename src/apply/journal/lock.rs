//! One run at a time: a lock that dies with its holder, and says who that is.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollTimeout, poll};
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, statat};
use serde::{Deserialize, Serialize};

use super::super::deadline;
use super::super::place::look_at;
use crate::error::{Doing, Error, Exit, Result};
use crate::host::process::started;
use crate::hostile::plain;

/// The lock's file in the journal's directory.
pub(super) const NAME: &str = "lock";

/// Bytes; a holder's line is shorter.
const LONGEST: u64 = 4096;

/// A holder says who it is right after it has the lock: so often is it asked again, so many
/// milliseconds apart.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: u16 = 5;

/// A run that holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// When that was started, in hundredths of a second since boot: numbers are used again.
    pub started: u64,
    /// The kernel's id of that boot.
    pub boot: String,
    /// The inode of the pid namespace in which the number counts (pid_namespaces(7)).
    pub pid_namespace: u64,
    /// The unit that it works on.
    #[serde(default)]
    pub unit: String,
    /// Its command line, for people.
    pub command: String,
}

/// The lock, held for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    /// Dies with its holder, however that dies.
    file: Flock<File>,
}

impl Holder {
    fn this(unit: &str) -> Self {
        let words: Vec<_> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        Self {
            pid: process::id(),
            started: started(process::id()).unwrap_or_default(),
            boot: deadline::boot(),
            pid_namespace: pid_namespace(),
            unit: unit.to_owned(),
            command: plain(&words.join(" ")),
        }
    }

    /// Whether this process still runs, as seen from here: its number, its start, its boot and its
    /// pid namespace are those of a process that is there.
    pub fn is_alive(&self) -> bool {
        self.pid_namespace == pid_namespace()
            && self.boot == deadline::boot()
            && started(self.pid) == Some(self.started)
    }
}

fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
}

impl Lock {
    /// Takes the lock in a directory, `path`, for work on a unit.
    ///
    /// # Errors
    /// Exit 7 when another run holds it, with who that is.
    pub(super) fn take(directory: BorrowedFd<'_>, path: &Path, unit: &str) -> Result<Self> {
        let path = path.join(NAME);
        let doing = || format!("lock {}", path.display());
        loop {
            let file = open(directory, &path, OFlags::CREATE | OFlags::RDWR)?;
            let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock);
            let mut lock = match locked {
                Ok(file) => Self { file },
                Err((file, Errno::EWOULDBLOCK)) => return Err(busy(&file, &path)),
                Err((_, errno)) => return Err(errno).doing(doing),
            };
            // Whoever holds a file that has lost its name holds nothing.
            let own = lock.file.metadata().doing(doing)?;
            let named = statat(directory, NAME, AtFlags::SYMLINK_NOFOLLOW);
            if named.is_ok_and(|named| (named.st_ino, named.st_dev) == (own.ino(), own.dev())) {
                lock.sign(unit);
                return Ok(lock);
            }
        }
    }

    /// Says who holds it; a lock that cannot say holds all the same.
    fn sign(&mut self, unit: &str) {
        let line = serde_json::to_vec(&Holder::this(unit)).unwrap_or_default();
        let signed = self
            .file
            .rewind()
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| self.file.write_all(&line));
        if let Err(error) = signed {
            tracing::info!("the lock does not say who holds it: {error}");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock in a directory, if anybody does.
pub(super) fn holder(directory: &OwnedFd, path: &Path) -> Option<Holder> {
    let file = open(directory.as_fd(), &path.join(NAME), OFlags::RDONLY).ok()?;
    read(&file).filter(Holder::is_alive)
}

/// Whether anybody holds it: also one that could not say who it is, or counts its processes
/// elsewhere.
pub(super) fn is_held(directory: &OwnedFd, path: &Path) -> bool {
    let Ok(file) = open(directory.as_fd(), &path.join(NAME), OFlags::RDONLY) else {
        return false;
    };
    if read(&file).is_some_and(|holder| holder.is_alive()) {
        return true;
    }
    // Held for a moment here; whoever takes it just then tries again.
    let shared = Flock::lock(file, FlockArg::LockSharedNonblock);
    matches!(shared, Err((_, Errno::EWOULDBLOCK)))
}

fn open(directory: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<File> {
    let doing = || format!("open {}", path.display());
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    look_at(directory, NAME.as_ref(), path)?;
    let file: File = openat(directory, NAME, flags, Mode::RUSR | Mode::WUSR)
        .doing(doing)?
        .into();
    if look_at(directory, NAME.as_ref(), path)?.is_some_and(|stat| stat.st_size == 0) {
        // Whatever the umask was.
        let _ = fchmod(&file, Mode::RUSR | Mode::WUSR);
    }
    Ok(file)
}

fn read(mut file: &File) -> Option<Holder> {
    let mut line = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST).read_to_end(&mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

fn busy(file: &File, path: &Path) -> Error {
    let holder = (0..LOOKS).find_map(|look| {
        if look > 0 {
            let _ = poll(&mut [], PollTimeout::from(BETWEEN_LOOKS));
        }
        read(file)
    });
    let error = Error::new(Exit::Busy, "another rootless6 is at work");
    let error = match holder {
        Some(holder) => error.caused_by(format!(
            "process {}, `{}`, holds {}",
            holder.pid,
            plain(&holder.command),
            path.display()
        )),
        None => error.caused_by(format!("it holds {}", path.display())),
    };
    error.hint("wait until it is done, then try again")
}
