//! What system this is, and how it gets its packages.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::read;
use crate::facts::{Fixed, Seen};

/// os-release(5): the first that is there.
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// `ID` and `ID_LIKE`, unquoted, in one line.
pub(super) fn distribution(root: &Path) -> Seen<String> {
    let mut places = OS_RELEASE.iter().map(|place| read(&root.join(place)));
    let found = places.find(|seen| *seen != Seen::Absent);
    found.unwrap_or_default().map(|text| {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches(['"', '\'']))
                .unwrap_or_default()
        };
        format!("{} {}", value("ID"), value("ID_LIKE"))
            .trim()
            .to_owned()
    })
}

/// Whether nothing can be installed into the system that runs.
pub(super) fn fixed(root: &Path) -> Seen<Fixed> {
    if root.join("run/ostree-booted").exists() {
        return Seen::Is(Fixed::Ostree);
    }
    match statvfs(root.join("usr")) {
        Ok(usr) if !usr.f_flag.contains(StatVfsMountFlags::RDONLY) => Seen::Absent,
        Ok(_) if root.join("usr/sbin/transactional-update").exists() => {
            Seen::Is(Fixed::Transactional)
        }
        Ok(_) => Seen::Is(Fixed::ReadOnly),
        Err(errno) => Seen::Unknown(format!("look at /usr: {errno}")),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_system_tells_its_name_in_one_of_two_places() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(distribution(root.path()), Seen::Absent);
        for (place, text, expected) in [
            (
                "usr/lib",
                "ID=\"opensuse-microos\"\nID_LIKE='suse opensuse'\n",
                "opensuse-microos suse opensuse",
            ),
            ("etc", "NAME=x\nID=debian\n", "debian"),
        ] {
            fs::create_dir_all(root.path().join(place)).unwrap();
            fs::write(root.path().join(place).join("os-release"), text).unwrap();
            assert_eq!(distribution(root.path()), Seen::Is(expected.to_owned()));
        }
    }

    #[test]
    fn a_system_of_images_is_told() {
        let root = tempfile::tempdir().unwrap();
        assert!(fixed(root.path()).unknown().is_some());
        fs::create_dir_all(root.path().join("usr")).unwrap();
        assert_eq!(fixed(root.path()), Seen::Absent);
        fs::create_dir_all(root.path().join("run")).unwrap();
        fs::write(root.path().join("run/ostree-booted"), "").unwrap();
        assert_eq!(fixed(root.path()), Seen::Is(Fixed::Ostree));
    }
}
