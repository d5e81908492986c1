//! Where a file is, reached so that nobody else decides what is there.
//!
//! A path is walked from a directory that is the user's (`$HOME`, or an XDG directory outside of it),
//! one name at a time and through no symlink, which is what openat2(2) calls `RESOLVE_BENEATH` and
//! `RESOLVE_NO_SYMLINKS`. It takes more than these: each directory on the way must be the user's own
//! and nobody else's to write, or what was looked at is another thing a moment later. All that
//! follows is done relative to the directory that was opened.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Group, Uid, User};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, chmodat, fstat, mkdirat, openat, unlinkat,
};
use rustix::io::Errno;

use super::refusal::{Refusal, Why};
use crate::error::{Doing, Result};
use crate::host::Host;

/// Mode of a directory that was not there before: what `mkdir` makes under the usual umask.
const NEW_DIRECTORY: Mode = Mode::from_bits_retain(0o755);

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The user's own part of the file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Directories that walks begin at; their own paths may lead through symlinks.
    roots: Vec<PathBuf>,
    /// Where configuration belongs.
    config: Vec<PathBuf>,
}

/// A name in a directory that is open.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    /// For people.
    pub(super) path: PathBuf,
}

/// How far a walk has come.
struct Walked {
    directory: OwnedFd,
    reached: PathBuf,
    /// What is not there, outermost first.
    missing: Vec<OsString>,
}

impl Tree {
    /// The tree of the user whom this process runs for.
    pub fn of(host: &Host) -> Self {
        Self::new(&host.home, &host.config)
    }

    /// The tree below a home and a directory of configuration.
    pub fn new(home: &Path, config: &Path) -> Self {
        let mut roots = vec![home.to_owned()];
        roots.extend(fs::canonicalize(home).ok().filter(|real| real != home));
        if !roots.iter().any(|root| config.starts_with(root)) {
            roots.push(config.to_owned());
        }
        Self {
            roots,
            config: vec![config.to_owned(), home.join(".config")],
        }
    }

    /// Whether a path is beneath the directory of the user's configuration, by its name alone.
    pub fn is_configuration(&self, path: &Path) -> bool {
        is_plain(path) && self.config.iter().any(|config| beneath(path, config))
    }

    /// Whether a path is absolute and says what it means.
    pub(super) fn is_plain(&self, path: &Path) -> bool {
        is_plain(path)
    }

    /// Why nothing may be written at a path, if so.
    pub fn refusal(&self, path: &Path) -> Option<Refusal> {
        let look = || match self.walk(parent(path))? {
            walked if walked.missing.is_empty() => {
                look_at(&walked.directory, name(path)?, path).map(|_| ())
            }
            _ => Ok(()),
        };
        look().err()
    }

    /// Where a path leads that leads through symlinks, if they end at what may be written.
    pub fn leads_to(&self, path: &Path) -> Option<PathBuf> {
        if !matches!(self.refusal(path)?.why, Why::Symlink(_)) {
            return None;
        }
        let mut there = path
            .ancestors()
            .filter(|above| fs::symlink_metadata(above).is_ok());
        let nearest = there.next()?;
        // A symlink to nothing says where, and not whether that was meant.
        let real = fs::canonicalize(nearest).ok()?;
        let target = match path.strip_prefix(nearest).ok()? {
            rest if rest.as_os_str().is_empty() => real,
            rest => real.join(rest),
        };
        (target != path && self.refusal(&target).is_none()).then_some(target)
    }

    /// The place of a path; none where a directory above it is not there.
    pub(super) fn place(&self, path: &Path) -> Result<Option<Place>> {
        let walked = self.walk(parent(path))?;
        if !walked.missing.is_empty() {
            return Ok(None);
        }
        place(walked.directory, path).map(Some)
    }

    /// The directories above a path that are not there yet, outermost first.
    pub(super) fn missing_directories(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let walked = self.walk(parent(path))?;
        let mut directory = walked.reached;
        let each = walked.missing.into_iter().map(|name| {
            directory.push(name);
            directory.clone()
        });
        Ok(each.collect())
    }

    /// The place of a path, the directories above it made where they are missing.
    pub(super) fn make(&self, path: &Path) -> Result<Place> {
        let Walked {
            mut directory,
            mut reached,
            missing,
        } = self.walk(parent(path))?;
        for name in missing {
            reached.push(&name);
            let made = match mkdirat(&directory, &name, Mode::RWXU) {
                // Whatever the umask is.
                Ok(()) => chmodat(&directory, &name, NEW_DIRECTORY, AtFlags::empty()),
                Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(errno),
            };
            made.doing(|| format!("make {}", reached.display()))?;
            let above = place(directory, &reached)?;
            above.sync()?;
            directory = enter(&above.directory, &name, &reached, &mut Trust::Own)?;
        }
        place(directory, path)
    }

    /// Removes a directory, if it is empty.
    pub(super) fn remove_directory(&self, path: &Path) -> Result<()> {
        let Ok(Some(place)) = self.place(path) else {
            return Ok(());
        };
        match unlinkat(&place.directory, &place.name, AtFlags::REMOVEDIR) {
            // Somebody else may have put something there by now, or in its place.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => Ok(()),
            removed => removed.doing(|| format!("remove {}", path.display())),
        }
    }

    fn walk(&self, directory: &Path) -> std::result::Result<Walked, Refusal> {
        let (mut open, mut reached, mut trust) = self.begin(directory)?;
        let rest = directory.strip_prefix(&reached).unwrap_or(directory);
        let mut names = rest.components();
        while let Some(component) = names.next() {
            let Component::Normal(name) = component else {
                return Err(Refusal::of(directory, Why::NotPlain));
            };
            let path = reached.join(name);
            match enter(&open, name, &path, &mut trust) {
                Ok(next) => (open, reached) = (next, path),
                Err(refusal) if refusal.why == Why::Errno(Errno::NOENT) => {
                    let rest = names.map(|component| component.as_os_str().to_owned());
                    let missing = [name.to_owned()].into_iter().chain(rest).collect();
                    return Ok(Walked {
                        directory: open,
                        reached,
                        missing,
                    });
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(Walked {
            directory: open,
            reached,
            missing: Vec::new(),
        })
    }

    /// The nearest root above a directory; where there is none, all begins at `/`.
    fn begin(&self, directory: &Path) -> std::result::Result<(OwnedFd, PathBuf, Trust), Refusal> {
        let mut roots: Vec<_> = self
            .roots
            .iter()
            .filter(|root| directory.starts_with(root))
            .collect();
        roots.sort_by_key(|root| std::cmp::Reverse(root.as_os_str().len()));
        for root in roots {
            match openat(rustix::fs::CWD, root.as_path(), DIRECTORY, Mode::empty()) {
                Ok(open) => {
                    let mut trust = Trust::Systems;
                    check(&open, root, &mut trust)?;
                    return Ok((open, root.clone(), Trust::Own));
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(Refusal::of(root, Why::Errno(errno))),
            }
        }
        let root = PathBuf::from("/");
        let open = openat(rustix::fs::CWD, &root, DIRECTORY, Mode::empty())
            .map_err(|errno| Refusal::of(&root, Why::Errno(errno)))?;
        Ok((open, root, Trust::Systems))
    }
}

/// Who may own a directory on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Root too: above the user's own.
    Systems,
    /// The user alone.
    Own,
}

fn enter(
    open: &OwnedFd,
    name: &OsStr,
    path: &Path,
    trust: &mut Trust,
) -> std::result::Result<OwnedFd, Refusal> {
    let entered = openat(open, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
    let next = match entered {
        Ok(next) => next,
        Err(Errno::NOTDIR | Errno::LOOP) => {
            let target = rustix::fs::readlinkat(open, name, Vec::new());
            return Err(Refusal::of(
                path,
                target.map_or(Why::Errno(Errno::NOTDIR), Why::symlink),
            ));
        }
        Err(errno) => return Err(Refusal::of(path, Why::Errno(errno))),
    };
    check(&next, path, trust)?;
    Ok(next)
}

/// Whether a directory's owner, and all who may write to it, are whom the walk trusts.
fn check(open: &OwnedFd, path: &Path, trust: &mut Trust) -> std::result::Result<(), Refusal> {
    let stat = fstat(open).map_err(|errno| Refusal::of(path, Why::Errno(errno)))?;
    let ours = stat.st_uid == Uid::effective().as_raw();
    let systems = *trust == Trust::Systems && stat.st_uid == 0;
    if !ours && !systems {
        return Err(Refusal::of(path, Why::Foreign(stat.st_uid)));
    }
    if ours {
        *trust = Trust::Own;
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    // In a sticky directory nobody replaces what is another's (inode(7)).
    let sticky = !ours && mode.contains(Mode::SVTX);
    let group = mode.contains(Mode::WGRP) && !is_private(stat.st_gid);
    if (group || mode.contains(Mode::WOTH)) && !sticky {
        return Err(Refusal::of(path, Why::Writable));
    }
    Ok(())
}

/// Whether a group is the user's own with nobody else in it: what it may write to is nobody else's to
/// write, as sshd has it.
fn is_private(gid: u32) -> bool {
    let user = User::from_uid(Uid::effective()).ok().flatten();
    let group = Group::from_gid(gid.into()).ok().flatten();
    let (Some(user), Some(group)) = (user, group) else {
        return false;
    };
    user.gid == group.gid
        && user.name == group.name
        && group.mem.iter().all(|member| *member == user.name)
}

/// What may be replaced at a name: a regular file of the user's own with no other name, or nothing.
///
/// # Errors
/// What is there instead.
pub(super) fn look_at(
    directory: impl AsFd,
    name: &OsStr,
    path: &Path,
) -> std::result::Result<Option<Stat>, Refusal> {
    let refuse = |why| Err(Refusal::of(path, why));
    let stat = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return refuse(Why::Errno(errno)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_uid != Uid::effective().as_raw() => {
            refuse(Why::Foreign(stat.st_uid))
        }
        FileType::RegularFile if stat.st_nlink > 1 => refuse(Why::HardLinked),
        FileType::RegularFile => Ok(Some(stat)),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&directory, name, Vec::new());
            refuse(target.map_or_else(Why::Errno, Why::symlink))
        }
        other => refuse(Why::Kind(match other {
            FileType::Directory => "a directory",
            FileType::Fifo => "a FIFO",
            FileType::Socket => "a socket",
            _ => "a device",
        })),
    }
}

/// Whether a directory is the user's own and nobody else's to write.
///
/// # Errors
/// What it is instead.
pub(super) fn is_trusted(open: &OwnedFd, path: &Path) -> std::result::Result<(), Refusal> {
    check(open, path, &mut Trust::Own)
}

/// The same of a directory above the user's own, which may be the system's.
///
/// # Errors
/// What it is instead.
pub(super) fn is_trusted_above(open: &OwnedFd, path: &Path) -> std::result::Result<(), Refusal> {
    check(open, path, &mut Trust::Systems)
}

fn place(directory: OwnedFd, path: &Path) -> Result<Place> {
    let doing = || format!("open {}", parent(path).display());
    // What a walk opens is a place only; what is to be brought to disk must be open for real.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Place {
        directory: openat(&directory, ".", flags, Mode::empty()).doing(doing)?,
        name: name(path)?.to_owned(),
        path: path.to_owned(),
    })
}

fn name(path: &Path) -> std::result::Result<&OsStr, Refusal> {
    let name = path.file_name();
    name.ok_or_else(|| Refusal::of(path, Why::NotPlain))
}

/// Whether a path is absolute and says what it means.
fn is_plain(path: &Path) -> bool {
    let plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(plain)
}

fn beneath(path: &Path, directory: &Path) -> bool {
    path != directory && path.starts_with(directory)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}
