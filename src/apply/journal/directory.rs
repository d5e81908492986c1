//! The journal's directory: the user's own, and nobody else's to read.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, fchmod, fstat, fsync, mkdirat, openat};
use rustix::io::Errno;

use crate::apply::place::{is_trusted, is_trusted_above};
use crate::apply::refusal::{Refusal, Why};
use crate::error::{Doing, Error, Result};

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
        Err(errno) => return Err(refused(&state_directory, NAME.as_ref(), &path, errno)),
    };
    is_trusted(&open, &path)?;
    Ok(Some((open, path)))
}

/// Opens it, made where it is not there, and private; and tells which directories were made for it,
/// outermost first. None where another run has just removed it.
pub(super) fn make(state: &Path) -> Result<Option<(OwnedFd, PathBuf, Vec<PathBuf>)>> {
    let Some(made) = make_missing(state)? else {
        return Ok(None);
    };
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

/// Makes what is missing, one name at a time from a directory that may be built on: nothing is made
/// in one that is refused, and each name is on disk before anything relies on it.
fn make_missing(state: &Path) -> Result<Option<Vec<PathBuf>>> {
    let path = state.join(NAME);
    let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
    let mut made = Vec::new();
    let Some(above) = missing.last().and_then(|outermost| outermost.parent()) else {
        return Ok(Some(made));
    };
    let mut directory = match openat(CWD, above, FLAGS, Mode::empty()) {
        Ok(open) => open,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).doing(|| format!("open {}", above.display())),
    };
    if above == state {
        is_trusted(&directory, above)?;
    } else {
        is_trusted_above(&directory, above)?;
    }
    for path in missing.into_iter().rev() {
        let doing = || format!("make {}", path.display());
        let Some(name) = path.file_name() else {
            return Err(Refusal::of(path, Why::NotPlain).into());
        };
        match mkdirat(&directory, name, PRIVATE) {
            Ok(()) => {
                made.push(path.to_owned());
                // Whatever the umask is.
                chmodat(&directory, name, PRIVATE, AtFlags::empty()).doing(doing)?;
                fsync(&directory).doing(doing)?;
            }
            Err(Errno::EXIST) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno).doing(doing),
        }
        directory = match openat(&directory, name, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(refused(&directory, name, path, errno)),
        };
        is_trusted(&directory, path)?;
    }
    Ok(Some(made))
}

fn refused(directory: &OwnedFd, name: &OsStr, path: &Path, errno: Errno) -> Error {
    let why = match errno {
        Errno::NOTDIR | Errno::LOOP => rustix::fs::readlinkat(directory, name, Vec::new())
            .map_or(Why::Errno(Errno::NOTDIR), Why::symlink),
        errno => Why::Errno(errno),
    };
    Refusal::of(path, why).into()
}

/// Whether a directory that is open has lost its name.
pub(super) fn is_removed(directory: &OwnedFd) -> bool {
    fstat(directory).is_ok_and(|stat| stat.st_nlink == 0)
}
