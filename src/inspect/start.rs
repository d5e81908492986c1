//! What may keep RootlessKit or its network driver from starting.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;

use super::read;
use crate::facts::{InTheWay, Seen, Session, TooFew, TunUnusable, UsernsSwitch, subids};
use crate::hostile::plain;

pub(super) mod apparmor;
pub(super) mod mappers;

/// Where everybody looks for it (linux:Documentation/networking/tuntap.rst).
const TUN: &str = "/dev/net/tun";

/// Where its driver shows itself, built in or loaded.
const TUN_DRIVER: &str = "/sys/class/misc/tun";

/// Where kernels have their modules, a directory for each release.
const MODULES: [&str; 2] = [
    "/lib/modules",
    "/run/booted-system/kernel-modules/lib/modules",
];

/// What leaves a user no user namespaces where it is 0.
const SWITCHES: [(UsernsSwitch, &str); 2] = [
    (
        UsernsSwitch::UnprivilegedClone,
        "kernel/unprivileged_userns_clone",
    ),
    (UsernsSwitch::MaxNumber, "user/max_user_namespaces"),
];

/// Looks whether something of the kernel's or of the user's is in the way of a start.
pub(super) fn in_the_way(proc: &Path, etc: &Path, session: &Session) -> InTheWay {
    let [subuids, subgids] = subordinate(etc, session);
    InTheWay {
        tun: unusable(Path::new(TUN)).map(|why| match why {
            TunUnusable::Absent if !Path::new(TUN_DRIVER).exists() => {
                let release = nix::sys::utsname::uname();
                let release = release
                    .map(|it| it.release().to_owned())
                    .unwrap_or_default();
                no_driver(&MODULES.map(Path::new), Path::new(&release))
            }
            why => why,
        }),
        userns: switched_off(&proc.join("sys")),
        subuids,
        subgids,
        ..InTheWay::default()
    }
}

/// To open it makes no interface yet.
fn unusable(device: &Path) -> Seen<TunUnusable> {
    let Err(error) = File::options().read(true).write(true).open(device) else {
        return Seen::Absent;
    };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM) if is_for_everybody(device) => Seen::Is(TunUnusable::Forbidden),
        Some(Errno::EACCES | Errno::EPERM) => Seen::Is(TunUnusable::Denied),
        // A node without a driver is as good as none.
        Some(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => Seen::Is(TunUnusable::Absent),
        _ => Seen::Unknown(format!("open {}: {error}", device.display())),
    }
}

/// A list of devices answers EPERM, whatever the mode (linux:security/device_cgroup.c).
fn is_for_everybody(device: &Path) -> bool {
    fs::metadata(device).is_ok_and(|metadata| metadata.mode() & 0o006 == 0o006)
}

/// Whether the driver could be loaded.
fn no_driver(places: &[&Path], release: &Path) -> TunUnusable {
    if places.iter().any(|place| place.join(release).is_dir()) {
        return TunUnusable::Absent;
    }
    let others = places.iter().filter_map(|place| fs::read_dir(place).ok());
    if others
        .flatten()
        .flatten()
        .any(|entry| entry.path().is_dir())
    {
        TunUnusable::Replaced
    } else {
        TunUnusable::Foreign
    }
}

fn switched_off(settings: &Path) -> Seen<Vec<UsernsSwitch>> {
    let mut off = Vec::new();
    let mut unknown = None;
    for (switch, name) in SWITCHES {
        match number(&settings.join(name)) {
            Seen::Is(0) => off.push(switch),
            // A kernel without the setting has no such limit.
            Seen::Is(_) | Seen::Absent => {}
            Seen::Unknown(why) => unknown = Some(why),
        }
    }
    match unknown {
        Some(why) if off.is_empty() => Seen::Unknown(why),
        _ if off.is_empty() => Seen::Absent,
        _ => Seen::Is(off),
    }
}

/// A setting of the kernel's that is a number.
fn number(setting: &Path) -> Seen<u64> {
    read(setting).and_then(|text| match text.trim().parse() {
        Ok(number) => Seen::Is(number),
        Err(_) => Seen::Unknown(format!("{} is {:?}", setting.display(), plain(&text))),
    })
}

/// What the user lacks in /etc/subuid and in /etc/subgid.
fn subordinate(etc: &Path, session: &Session) -> [Seen<TooFew>; 2] {
    let nsswitch = read(&etc.join("nsswitch.conf"));
    let other = match &nsswitch {
        Seen::Is(text) => subids::other_source(text)
            .map(|source| format!("nsswitch.conf leaves it to {}", plain(source))),
        Seen::Absent => None,
        Seen::Unknown(why) => Some(why.clone()),
    };
    if let Some(why) = other {
        return [Seen::Unknown(why.clone()), Seen::Unknown(why)];
    }
    // A file that is not there gives nobody any.
    let [users, groups] = ["subuid", "subgid"].map(|name| match read(&etc.join(name)) {
        Seen::Absent => Seen::Is(String::new()),
        seen => seen,
    });
    [(&users, &groups), (&groups, &users)].map(|(one, other)| {
        let other = other.is().map_or("", String::as_str);
        one.clone().and_then(|text| {
            subids::lacking(&text, other, &session.user, session.uid).map_or(Seen::Absent, Seen::Is)
        })
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_absent() {
        let place = tempfile::tempdir().unwrap();
        let absent = unusable(&place.path().join("tun"));
        assert_eq!(absent, Seen::Is(TunUnusable::Absent));
        assert_eq!(unusable(Path::new("/dev/null")), Seen::Absent);
        // EISDIR: it is not known what is the matter.
        assert!(unusable(place.path()).unknown().is_some());
    }

    #[test]
    fn a_driver_without_modules_is_for_others_to_load() {
        let place = tempfile::tempdir().unwrap();
        let tell = || {
            no_driver(
                &[&place.path().join("none"), place.path()],
                "6.12.1".as_ref(),
            )
        };
        assert_eq!(tell(), TunUnusable::Foreign);
        fs::write(place.path().join("README"), "").unwrap();
        assert_eq!(tell(), TunUnusable::Foreign);
        fs::create_dir(place.path().join("6.12.2")).unwrap();
        assert_eq!(tell(), TunUnusable::Replaced);
        fs::create_dir(place.path().join("6.12.1")).unwrap();
        assert_eq!(tell(), TunUnusable::Absent);
    }

    #[test]
    fn only_a_nought_switches_user_namespaces_off() {
        use UsernsSwitch::{MaxNumber, UnprivilegedClone};
        let odd = "Is(\"odd\")";
        for (clone, number, expected) in [
            (None, None, Some(vec![])),
            (Some("1\n"), Some("96365\n"), Some(vec![])),
            (Some("0\n"), Some("96365\n"), Some(vec![UnprivilegedClone])),
            (None, Some("0\n"), Some(vec![MaxNumber])),
            (
                Some("0"),
                Some("0"),
                Some(vec![UnprivilegedClone, MaxNumber]),
            ),
            (Some("0"), Some(odd), Some(vec![UnprivilegedClone])),
            (Some("1"), Some(odd), None),
            (Some(""), None, None),
            (Some("-1"), None, None),
            (Some("\u{1b}[31m0"), None, None),
        ] {
            let place = tempfile::tempdir().unwrap();
            for (value, name) in [(clone, SWITCHES[0].1), (number, SWITCHES[1].1)] {
                let file = place.path().join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                if let Some(value) = value {
                    fs::write(file, value).unwrap();
                }
            }
            let seen = switched_off(place.path());
            let off = match &seen {
                Seen::Is(off) => Some(off.clone()),
                Seen::Absent => Some(vec![]),
                Seen::Unknown(why) => {
                    assert!(!why.contains('\u{1b}'));
                    None
                }
            };
            assert_eq!(off, expected, "{clone:?}, {number:?}: {seen:?}");
        }
    }

    #[test]
    fn the_files_for_subordinate_ids_may_hold_anything() {
        let session = Session {
            user: "alice".to_owned(),
            uid: 1000,
            ..Session::default()
        };
        let huge = "#".repeat(2 << 20).into_bytes();
        let line = b"alice:100000:65536\n".to_vec();
        let none = |seen: &Seen<TooFew>| seen.is().is_some_and(|few| few.has == 0);
        for (users, groups, nsswitch, expected) in [
            (Some(&line), Some(&line), None, ["absent", "absent"]),
            (Some(&line), None, None, ["absent", "none"]),
            (None, None, Some("subid: files\n"), ["none", "none"]),
            (Some(&line), None, Some("subid: sss\n"), ["unknown"; 2]),
            (Some(&huge), Some(&line), None, ["unknown", "absent"]),
            (Some(&b"\xff\xfe".to_vec()), None, None, ["unknown", "none"]),
        ] {
            let etc = tempfile::tempdir().unwrap();
            let nsswitch = nsswitch.map(|text: &str| text.as_bytes().to_vec());
            let files = [
                ("subuid", users),
                ("subgid", groups),
                ("nsswitch.conf", nsswitch.as_ref()),
            ];
            for (name, bytes) in files {
                if let Some(bytes) = bytes {
                    fs::write(etc.path().join(name), bytes).unwrap();
                }
            }
            let seen = subordinate(etc.path(), &session);
            let words = seen.each_ref().map(|seen| match seen {
                Seen::Absent => "absent",
                Seen::Unknown(_) => "unknown",
                seen if none(seen) => "none",
                Seen::Is(_) => "some",
            });
            assert_eq!(words, expected, "{seen:?}");
        }
    }
}
