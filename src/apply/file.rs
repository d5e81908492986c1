//! Files, replaced whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tempfile::Builder;

use crate::error::{Doing, Error, Exit, Result};

/// Mode of a file that was not there before: what an editor makes under the usual umask.
const NEW_FILE: u32 = 0o644;

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
    /// Looks at a path. Only a regular file can be put back byte for byte.
    ///
    /// # Errors
    /// When it is a symlink, a directory or a device, or cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        let doing = || format!("read {}", path.display());
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(error).doing(doing),
        };
        if !metadata.is_file() {
            let target = fs::read_link(path)
                .map(|target| format!(", it is a symlink to {}", target.display()))
                .unwrap_or_default();
            return Err(Error::new(
                Exit::NotApplied,
                format!("{} is not a regular file{target}", path.display()),
            )
            .hint(
                "rootless6 writes only to files that are the user's own, so nothing was changed",
            ));
        }
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        Ok(Self::File {
            mode: metadata.mode() & 0o7777,
            modified: (modified.as_secs(), modified.subsec_nanos()),
            content: Content::new(fs::read(path).doing(doing)?),
        })
    }

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

    /// Makes the path what it was: bytes, mode, modification time, or absence.
    ///
    /// # Errors
    /// When the file system refuses; the path then holds what it held before the call.
    pub fn restore(&self, path: &Path) -> Result<()> {
        let Self::File {
            mode,
            modified: (seconds, nanoseconds),
            content,
        } = self
        else {
            return remove(path);
        };
        let time = UNIX_EPOCH + Duration::new(*seconds, *nanoseconds);
        replace_with(path, &content.bytes()?, *mode, Some(time))
    }
}

/// Replaces a file, or makes it: a temporary file in the same directory, its bytes on disk before
/// its name, and the directory on disk after it. The mode of an existing file is kept.
///
/// # Errors
/// When the file system refuses; the path then holds what it held before.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mode = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.mode() & 0o7777,
        Err(_) => NEW_FILE,
    };
    replace_with(path, bytes, mode, None)
}

fn replace_with(path: &Path, bytes: &[u8], mode: u32, modified: Option<SystemTime>) -> Result<()> {
    tracing::info!("write {}, {} bytes", path.display(), bytes.len());
    let directory = parent(path);
    let write = || -> std::io::Result<()> {
        let mut file = Builder::new()
            .prefix(".rootless6-")
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        if let Some(time) = modified {
            file.as_file().set_modified(time)?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()
    };
    write().doing(|| format!("write {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).doing(|| format!("remove {}", path.display())),
    }
    File::open(parent(path))
        .and_then(|directory| directory.sync_all())
        .doing(|| format!("remove {}", path.display()))
}

/// The directories above a path that are not there yet, outermost first.
pub fn missing_directories(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> = path
        .ancestors()
        .skip(1)
        .take_while(|directory| !directory.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_with_bytes_mode_and_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, [0xff, 0x00, b'a']).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let before = Image::of(&path).unwrap();
        replace(&path, b"other").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        before.restore(&path).unwrap();
        assert_eq!(Image::of(&path).unwrap(), before);
    }

    #[test]
    fn absence_comes_back_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let before = Image::of(&path).unwrap();
        replace(&path, b"new").unwrap();
        before.restore(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_symlink_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("link");
        std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
        let error = Image::of(&path).unwrap_err();
        assert!(error.message.contains("symlink to /nonexistent"), "{error}");
    }
}
