use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Uid, eaccess};

/// Why the user cannot replace a file or make it, and its directories with it; none if they can.
///
/// Asked of the kernel without touching anything: access(2) knows read-only file systems too.
pub(super) fn locked(path: &Path) -> Option<String> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if metadata.is_symlink() {
            let target = fs::read_link(path).unwrap_or_default();
            return Some(format!("it is a symlink to {}", target.display()));
        }
        if metadata.is_file() && metadata.uid() != Uid::effective().as_raw() {
            return Some(match metadata.uid() {
                0 => "it belongs to root".to_owned(),
                other => format!("it belongs to user {other}"),
            });
        }
        if eaccess(path, AccessFlags::W_OK) == Err(Errno::EROFS) {
            return Some(Errno::EROFS.desc().to_owned());
        }
    }
    // A dangling symlink is there and no directory all the same.
    let nearest = path
        .ancestors()
        .skip(1)
        .find(|directory| fs::symlink_metadata(directory).is_ok())?;
    let why = if nearest.is_dir() {
        eaccess(nearest, AccessFlags::W_OK | AccessFlags::X_OK)
            .err()?
            .desc()
    } else {
        Errno::ENOTDIR.desc()
    };
    Some(match fs::canonicalize(nearest) {
        Ok(real) if real != nearest => {
            format!("{}, which is {}: {why}", nearest.display(), real.display())
        }
        _ => format!("{}: {why}", nearest.display()),
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_ones_own_and_what_is_not_there_yet_can_be_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        symlink(home.path(), home.path().join("link")).unwrap();
        for path in [
            "file",
            "none",
            "no/such/directory/file",
            "link/file",
            "link/no/file",
        ] {
            assert_eq!(locked(&home.path().join(path)), None, "{path}");
        }
    }

    #[test]
    fn links_and_what_is_no_directory_cannot_be_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        symlink("file", home.path().join("link")).unwrap();
        symlink("/nonexistent", home.path().join("dangling")).unwrap();
        for (path, why) in [
            ("link", "symlink to file"),
            ("file/below", "Not a directory"),
            ("dangling/below", "Not a directory"),
        ] {
            let said = locked(&home.path().join(path)).unwrap_or_default();
            assert!(said.contains(why), "{path}: {said:?}");
        }
    }
}
