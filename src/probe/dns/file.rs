//! The file that names the resolvers, which may be a container's own: read without waiting, not to its
//! end, and never from outside the container, wherever links in there lead.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

/// Far more than anybody writes into resolv.conf: what lies behind is not read.
const LONGEST: u64 = 64 * 1024;

/// The beginning of a file, below a root directory if one is given. Nothing where there is no such
/// file.
pub(super) fn read(root: Option<&Path>, path: &Path) -> io::Result<Vec<u8>> {
    let opened = match root {
        Some(root) => open_below(File::open(root)?, path),
        None => OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path),
    };
    let mut text = Vec::new();
    match opened {
        Ok(file) => file.take(LONGEST).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(text)
}

/// Opens what a process whose root directory this is would open.
fn open_below(root: File, path: &Path) -> io::Result<File> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    match openat2(&root, path, how) {
        Err(Errno::ENOSYS) => open_without_links(root, path),
        opened => Ok(opened?.into()),
    }
}

/// The same before Linux 5.6, if there is no link on the way.
fn open_without_links(root: File, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let mut reached = OwnedFd::from(root);
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => reached = openat(&reached, name, flags, Mode::empty())?,
            _ => return Err(io::ErrorKind::InvalidFilename.into()),
        }
    }
    Ok(reached.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A root directory with two files, and a file beside it of the same name as one in it.
    fn container() -> tempfile::TempDir {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("run")).unwrap();
        for (path, text) in [
            (outside.path().join("secret"), "outside"),
            (root.join("secret"), "inside"),
            (root.join("etc/file"), "inside"),
        ] {
            File::create_new(path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
        outside
    }

    fn text(file: io::Result<File>) -> io::Result<String> {
        io::read_to_string(file?)
    }

    #[test]
    fn a_link_leads_where_it_leads_in_the_container() {
        let outside = container();
        let secret = outside.path().join("secret");
        for (link, leads_to) in [
            ("absolute", "/secret"),
            ("relative", "../secret"),
            ("climbing", "../../../../../../secret"),
        ] {
            let root = outside.path().join("root");
            let path = Path::new("/etc").join(link);
            symlink(leads_to, root.join("etc").join(link)).unwrap();
            let seen = read(Some(&root), &path).unwrap();
            assert_eq!(seen, b"inside", "{link}");
        }
        let root = outside.path().join("root");
        symlink(&secret, root.join("etc/out")).unwrap();
        let seen = read(Some(&root), Path::new("/etc/out")).unwrap();
        assert_eq!(seen, b"", "there is no such file in the container");
    }

    #[test]
    fn a_container_that_has_gone_names_no_resolver_and_not_this_machine_either() {
        let outside = container();
        let gone = outside.path().join("gone");
        assert!(read(Some(&gone), Path::new("/etc/file")).is_err());
    }

    #[test]
    fn an_old_kernel_reads_what_no_link_leads_to() {
        let outside = container();
        let root = || File::open(outside.path().join("root")).unwrap();
        let etc = outside.path().join("root/etc");
        symlink("/secret", etc.join("link")).unwrap();
        symlink("/etc", outside.path().join("root/folder")).unwrap();
        let seen = |path: &str| text(open_without_links(root(), Path::new(path)));
        assert_eq!(seen("/etc/file").unwrap(), "inside");
        for path in ["/etc/link", "/folder/file", "/etc/../../secret"] {
            assert!(seen(path).is_err(), "{path}");
        }
    }
}
