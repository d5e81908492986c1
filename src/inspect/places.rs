use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, eaccess};

use crate::apply::place::Tree;
use crate::apply::refusal::{Refusal, Why};

/// Why the user cannot replace a file or make it, and its directories with it; none if they can.
///
/// Asked of the kernel without touching anything: access(2) knows read-only file systems too.
pub(super) fn locked(tree: &Tree, path: &Path) -> Option<String> {
    if let Some(Refusal { path: there, why }) = tree.refusal(path) {
        return Some(match why {
            why if there == path => why.to_string(),
            why => format!("{}: {why}", there.display()),
        });
    }
    if eaccess(path, AccessFlags::W_OK) == Err(Errno::EROFS) {
        return Some(Errno::EROFS.desc().to_owned());
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

/// What to type so that a file can be written, if anything helps.
pub(super) fn mend(tree: &Tree, path: &Path) -> Option<String> {
    let refusal = tree.refusal(path)?;
    if !matches!(refusal.why, Why::Symlink(_)) {
        return refusal.cure();
    }
    let target = tree.leads_to(path)?;
    Some(format!(
        "`rootless6 setup --follow-symlinks` writes to {}",
        target.display()
    ))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(home: &Path) -> Tree {
        Tree::new(home, &home.join(".config"))
    }

    #[test]
    fn what_is_ones_own_and_what_is_not_there_yet_can_be_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        for path in ["file", "none", "no/such/directory/file"] {
            assert_eq!(
                locked(&tree(home.path()), &home.path().join(path)),
                None,
                "{path}"
            );
        }
    }

    #[test]
    fn links_and_what_is_no_directory_cannot_be_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        symlink("file", home.path().join("link")).unwrap();
        symlink("/nonexistent", home.path().join("dangling")).unwrap();
        symlink(home.path(), home.path().join("folder")).unwrap();
        for (path, why) in [
            ("link", "it is a symlink to file"),
            ("file/below", "Not a directory"),
            (
                "dangling/below",
                "dangling: it is a symlink to /nonexistent",
            ),
            ("folder/below", "folder: it is a symlink to"),
        ] {
            let said = locked(&tree(home.path()), &home.path().join(path)).unwrap_or_default();
            assert!(said.contains(why), "{path}: {said:?}");
        }
    }
}
