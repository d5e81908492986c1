//! What may keep RootlessKit or its network driver from starting.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::facts::{AppArmor, InTheWay, TunUnusable};

/// Where everybody looks for it (linux:Documentation/networking/tuntap.rst).
const TUN: &str = "/dev/net/tun";

const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";

/// Where distributions have put pasta's profile; pasta is also a link to passt.
const PROFILES: [&str; 4] = ["usr.bin.pasta", "pasta", "usr.bin.passt", "passt"];

/// Looks whether something is in the way of a start.
pub fn in_the_way() -> InTheWay {
    InTheWay {
        tun: unusable(Path::new(TUN)),
        apparmor: apparmor(),
    }
}

/// To open it makes no interface yet. What cannot be looked at is nothing to tell.
fn unusable(device: &Path) -> Option<TunUnusable> {
    let opened = File::options().read(true).write(true).open(device);
    match Errno::from_raw(opened.err()?.raw_os_error()?) {
        Errno::EACCES | Errno::EPERM => Some(TunUnusable::Denied),
        // A node without a driver is as good as none.
        Errno::ENOENT | Errno::ENXIO | Errno::ENODEV => Some(TunUnusable::Absent),
        _ => None,
    }
}

fn apparmor() -> Option<AppArmor> {
    let enabled = fs::read_to_string(APPARMOR).ok()?;
    let profiles = PROFILES.map(|name| PathBuf::from("/etc/apparmor.d").join(name));
    (enabled.trim() == "Y").then(|| AppArmor {
        profile: profiles.into_iter().find(|path| path.is_file()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_absent() {
        let place = tempfile::tempdir().unwrap();
        let absent = unusable(&place.path().join("tun"));
        assert_eq!(absent, Some(TunUnusable::Absent));
        assert_eq!(unusable(Path::new("/dev/null")), None);
        // EISDIR: it is not known what is the matter.
        assert_eq!(unusable(place.path()), None);
    }
}
