//! What a file has besides bytes, owner and mode: access control lists and other extended attributes
//! (xattr(7)). A file that takes another's place has them too, as far as the file system lets it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags, XattrFlags, fgetxattr, flistxattr, fsetxattr, openat};
use rustix::io;

/// Bytes: ext4 keeps no more of one file (xattr(7)).
const LONGEST: usize = 4096;

/// Copies them from a file in a directory, if it is there.
pub(super) fn copy(directory: impl AsFd, name: &OsStr, to: &File) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let copied = openat(directory, name, flags, Mode::empty()).and_then(|from| copy_all(&from, to));
    if let Err(errno) = copied {
        tracing::debug!("extended attributes of {}: {errno}", name.display());
    }
}

fn copy_all(from: impl AsFd, to: &File) -> io::Result<()> {
    let mut names = vec![0; LONGEST];
    let length = flistxattr(&from, &mut names)?;
    let names = names[..length].split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty()) {
        let mut value = vec![0; LONGEST];
        let length = fgetxattr(&from, name, &mut value)?;
        fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}
