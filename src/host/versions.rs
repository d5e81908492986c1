//! What programs print for `--version`, remembered while they are the same files.
//!
//! `$XDG_RUNTIME_DIR/rootless6/versions.json` is gone with the session. It is nothing that anybody
//! relies on: where it cannot be read or written, or says what it should not, the programs are asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::process;
use crate::error::Result;

const DIRECTORY: &str = "rootless6";
const FILE: &str = "versions.json";

/// Bytes of that file, and programs in it: four are asked about, on a PATH or two.
const LONGEST_FILE: u64 = 64 << 10;
const MOST_PROGRAMS: usize = 12;

/// Which file each library is (ld.so(8)). A new libslirp makes another slirp4netns of the same file,
/// and comes with a new one of these.
const LIBRARIES: &str = "/etc/ld.so.cache";

/// Where the programs are whose libraries it names. Those of Nix, of Homebrew or below /opt may name
/// their own (RPATH), and be the same file with another one.
const SYSTEM: &str = "/usr";

/// Variables that name other libraries.
const OTHER_LIBRARIES: [&str; 2] = ["LD_LIBRARY_PATH", "LD_PRELOAD"];

/// The first bytes of a program whose words depend on no other file but libraries. What a script
/// prints may be another program's words.
const ELF: &[u8; 4] = b"\x7fELF";

/// What is known of programs by the paths that they are run by.
#[derive(Debug, Default)]
pub struct Versions {
    /// None where nothing can be remembered.
    directory: Option<PathBuf>,
    libraries: Option<Identity>,
    system: PathBuf,
    known: RefCell<Known>,
}

type Known = BTreeMap<PathBuf, Printed>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Printed {
    program: Identity,
    libraries: Identity,
    printed: String,
}

/// What tells a file from the one that takes its place, and from itself once it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    /// Of the file that a path leads to.
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

impl Versions {
    /// Reads what was remembered below the user's runtime directory.
    pub fn remembered(runtime: &Path) -> Self {
        Self::with(runtime, libraries())
    }

    fn with(runtime: &Path, libraries: Option<Identity>) -> Self {
        let directory = runtime.join(DIRECTORY);
        let known = read(&directory).unwrap_or_default();
        Self {
            directory: Some(directory).filter(|_| libraries.is_some()),
            libraries,
            system: SYSTEM.into(),
            known: RefCell::new(known),
        }
    }

    /// What a program prints when asked for its version; it is not run where that is known.
    ///
    /// # Errors
    /// As [`process::version_of`].
    pub async fn of(&self, program: &Path) -> Result<String> {
        // Before it is asked: what replaces it meanwhile is another file.
        let libraries = self.libraries.clone();
        let libraries = libraries.filter(|_| self.is_of_the_system(program));
        let before = libraries.zip(Identity::of(program));
        if let Some((libraries, identity)) = &before
            && let Some(known) = self.known.borrow().get(program)
            && known.program == *identity
            && known.libraries == *libraries
        {
            tracing::info!("the version of {} is known", program.display());
            return Ok(known.printed.clone());
        }
        let printed = process::version_of(program).await?;
        if let Some((libraries, identity)) = before
            && is_elf(program)
            && !printed.is_empty()
        {
            let known = Printed {
                program: identity,
                libraries,
                printed: printed.clone(),
            };
            self.remember(program, known);
        }
        Ok(printed)
    }

    fn is_of_the_system(&self, program: &Path) -> bool {
        fs::canonicalize(program).is_ok_and(|file| file.starts_with(&self.system))
    }

    fn remember(&self, program: &Path, printed: Printed) {
        let Some(directory) = &self.directory else {
            return;
        };
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST_PROGRAMS {
            known.clear();
        }
        known.insert(program.to_owned(), printed);
        if let Err(error) = write(directory, &known) {
            tracing::info!("remember versions in {}: {error}", directory.display());
        }
    }
}

/// None where nobody tells of a library that has changed.
fn libraries() -> Option<Identity> {
    let others = |name| env::var_os(name).is_some();
    let usual = !OTHER_LIBRARIES.into_iter().any(others);
    Identity::of(LIBRARIES.as_ref()).filter(|_| usual)
}

fn is_elf(program: &Path) -> bool {
    let mut beginning = [0; ELF.len()];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == *ELF
}

/// Nothing where it is not a file and a directory of the user's alone.
fn read(directory: &Path) -> Option<Known> {
    is_private(&fs::symlink_metadata(directory).ok()?).then_some(())?;
    let file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(directory.join(FILE))
        .ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || !is_private(&metadata) || metadata.len() > LONGEST_FILE {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn is_private(file: &Metadata) -> bool {
    file.uid() == Uid::effective().as_raw() && file.mode() & 0o077 == 0
}

/// Replaces the file whole; it is private from the start.
fn write(directory: &Path, known: &Known) -> io::Result<()> {
    // What another user has made in a place that is not ours is not written to below.
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let there = fs::symlink_metadata(directory)?;
    if !there.is_dir() || !is_private(&there) {
        return Err(io::Error::other(
            "it is not a directory of the user's alone",
        ));
    }
    let bytes = serde_json::to_vec(known)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(&bytes)?;
    file.persist(directory.join(FILE))?;
    Ok(())
}

#[cfg(test)]
mod tests;
