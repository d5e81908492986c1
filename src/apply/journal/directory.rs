//! The journal's directory: the user's own, and nobody else's to read.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, fchmod, fstat, mkdirat, openat};
use rustix::io::Errno;

use crate::apply::place::is_trusted;
use crate::apply::refusal::{Refusal, Why};
use crate::error::{Doing, Result};

const NAME: &str = "rootless6";
const PRIVATE: Mode = Mode::RWXU;
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens it below a state directory; none where it is not there.
pub(super) fn open(state: &Path) -> Result<Option<(OwnedFd, PathBuf)>> {
    let path = state.join(NAME);
    let doing = || format!("open {}", state.display());
    let state_directory = match openat(CWD, state, FLAGS, Mode::empty()) {
        Ok(open) => open,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).doing(doing),
    };
    is_trusted(&state_directory, state)?;
    let open = match openat(
        &state_directory,
        NAME,
        FLAGS | OFlags::NOFOLLOW,
        Mode::empty(),
    ) {
        Ok(open) => open,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => {
            let target = rustix::fs::readlinkat(&state_directory, NAME, Vec::new());
            let why = target.map_or(Why::Errno(Errno::NOTDIR), Why::symlink);
            return Err(Refusal::of(&path, why).into());
        }
        Err(errno) => return Err(errno).doing(|| format!("open {}", path.display())),
    };
    is_trusted(&open, &path)?;
    Ok(Some((open, path)))
}

/// Opens it, made where it is not there, and private; and tells which directories were made for it,
/// outermost first. None where another run has just removed it.
pub(super) fn make(state: &Path) -> Result<Option<(OwnedFd, PathBuf, Vec<PathBuf>)>> {
    let path = state.join(NAME);
    let mut missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
    let mut made = Vec::new();
    while let Some(directory) = missing.pop() {
        let doing = || format!("make {}", directory.display());
        match mkdirat(CWD, directory, PRIVATE) {
            Ok(()) => made.push(directory.to_owned()),
            Err(Errno::EXIST) => continue,
            Err(errno) => return Err(errno).doing(doing),
        }
        // Whatever the umask is.
        chmodat(CWD, directory, PRIVATE, AtFlags::empty()).doing(doing)?;
    }
    let Some((open, path)) = open(state)? else {
        return Ok(None);
    };
    let doing = || format!("keep {} private", path.display());
    let mode = Mode::from_raw_mode(fstat(&open).doing(doing)?.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        // daemon.json may hold what is nobody else's business.
        fchmod(&open, PRIVATE).doing(doing)?;
    }
    Ok(Some((open, path, made)))
}

/// Whether a directory that is open has lost its name.
pub(super) fn is_removed(directory: &OwnedFd) -> bool {
    fstat(directory).is_ok_and(|stat| stat.st_nlink == 0)
}
