//! newuidmap and newgidmap, which write the maps of a user namespace with root's rights.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use rustix::io::Errno;

use crate::facts::{MapperUnfit, Seen};
use crate::inspect::tools::{self, Places};

/// File capabilities (capabilities(7)).
const CAPABILITY: &str = "security.capability";

/// `CAP_SETGID` and `CAP_SETUID`, as bits.
const SETGID: u32 = 1 << 6;
const SETUID: u32 = 1 << 7;

/// `S_ISUID`
const SETUID_BIT: u32 = 0o4000;

/// Why they are of no use, newuidmap and newgidmap.
pub(in crate::inspect) fn unfit(places: &Places) -> [Seen<MapperUnfit>; 2] {
    [("newuidmap", SETUID), ("newgidmap", SETGID)].map(|(name, capability)| {
        let Some(path) = tools::find(name, &places.unit) else {
            return Seen::Is(match tools::find(name, &places.elsewhere) {
                Some(path) => MapperUnfit::NotOnPath(path),
                None => MapperUnfit::Missing,
            });
        };
        let is_in_vain = statvfs(&path).map(|system| system.f_flag);
        let is_in_vain = is_in_vain.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOSUID));
        match is_privileged(&path, capability) {
            Ok(true) if is_in_vain => Seen::Is(MapperUnfit::NoSuid(path)),
            Ok(true) => Seen::Absent,
            Ok(false) => Seen::Is(MapperUnfit::Unprivileged(path)),
            Err(why) => Seen::Unknown(format!("look at {}: {why}", path.display())),
        }
    })
}

fn is_privileged(path: &Path, capability: u32) -> Result<bool, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.uid() == 0 && metadata.mode() & SETUID_BIT != 0 {
        return Ok(true);
    }
    // linux:include/uapi/linux/capability.h `vfs_ns_cap_data` is the longest.
    let mut value = [0; 24];
    match getxattr(path, CAPABILITY, &mut value) {
        Ok(length) => Ok(permits(&value[..length.min(value.len())], capability)),
        // No attribute, or a file system without any.
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// The second word, with the lower half of what is permitted, is little-endian everywhere.
fn permits(value: &[u8], capability: u32) -> bool {
    let word = value.get(4..8).and_then(|word| word.try_into().ok());
    word.is_some_and(|word| u32::from_le_bytes(word) & capability != 0)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// As `setcap cap_setuid+ep` writes it.
    const CAP_SETUID_EP: [u8; 20] = [
        1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn a_capability_is_read_from_its_bit() {
        assert!(permits(&CAP_SETUID_EP, SETUID));
        assert!(!permits(&CAP_SETUID_EP, SETGID));
        for odd in [&CAP_SETUID_EP[..0], &CAP_SETUID_EP[..7], &[0xff; 4][..]] {
            assert!(!permits(odd, SETUID), "{odd:?}");
        }
    }

    #[test]
    fn one_that_is_not_there_or_not_privileged_is_of_no_use() {
        let place = tempfile::tempdir().unwrap();
        let elsewhere = place.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let places = Places {
            unit: place.path().as_os_str().to_owned(),
            elsewhere: elsewhere.clone().into_os_string(),
        };
        assert_eq!(
            unfit(&places),
            [
                Seen::Is(MapperUnfit::Missing),
                Seen::Is(MapperUnfit::Missing)
            ]
        );
        for (directory, name) in [(place.path(), "newuidmap"), (&elsewhere, "newgidmap")] {
            let file = directory.join(name);
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let expected = [
            Seen::Is(MapperUnfit::Unprivileged(place.path().join("newuidmap"))),
            Seen::Is(MapperUnfit::NotOnPath(elsewhere.join("newgidmap"))),
        ];
        assert_eq!(unfit(&places), expected);
    }
}
