//! Why nothing is written at a place.

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use rustix::io::Errno;

use crate::error::{Error, Exit};
use crate::facts::typed;

/// A place that is not written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is in the way: the file, or a directory above it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It leads elsewhere.
    Symlink(PathBuf),
    /// The same file has another name somewhere.
    HardLinked,
    /// It is something else than a file.
    Kind(&'static str),
    /// It belongs to this user.
    Foreign(u32),
    /// A directory that others may write to.
    Writable,
    /// The path has `..` in it.
    NotPlain,
    /// The kernel says no.
    Errno(Errno),
}

impl Refusal {
    pub(super) fn of(path: &Path, why: Why) -> Self {
        Self {
            path: path.to_owned(),
            why,
        }
    }
}

impl Why {
    pub(super) fn symlink(target: CString) -> Self {
        Self::Symlink(OsString::from_vec(target.into_bytes()).into())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink(target) => write!(f, "it is a symlink to {}", target.display()),
            Self::HardLinked => f.write_str("it is a hard link: the same file has another name"),
            Self::Kind(kind) => write!(f, "it is {kind}"),
            Self::Foreign(0) => f.write_str("it belongs to root"),
            Self::Foreign(user) => write!(f, "it belongs to user {user}"),
            Self::Writable => f.write_str("other users may write to it"),
            Self::NotPlain => f.write_str("it is no plain path"),
            Self::Errno(errno) => write!(f, "{}", std::io::Error::from(*errno)),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let at = refusal.path.display();
        let error = Self::new(Exit::NotApplied, format!("nothing is written at {at}"))
            .caused_by(&refusal.why);
        match refusal.cure() {
            Some(cure) => error.hint(cure),
            None => error,
        }
    }
}

impl Refusal {
    /// What to type against it.
    pub fn cure(&self) -> Option<String> {
        let path = typed(&self.path.to_string_lossy());
        Some(match self.why {
            Why::Symlink(_) => {
                "`rootless6 setup --follow-symlinks` writes to what it leads to, if that is your own"
                    .to_owned()
            }
            Why::HardLinked => {
                format!("`cp -p {path} {path}.own && mv {path}.own {path}` makes it a file of its own")
            }
            Why::Kind(_) => format!("`mv {path} {path}.aside` moves it out of the way"),
            // A directory of the system's is nobody's to have.
            Why::Foreign(_) if self.path.components().count() <= 2 => return None,
            Why::Foreign(_) => format!("root can give it to you: `chown {} {path}`", Uid::effective()),
            Why::Writable => format!("`chmod go-w {path}` keeps others out"),
            Why::NotPlain | Why::Errno(_) => return None,
        })
    }
}
