//! What may keep RootlessKit or its network driver from starting.
//!
//! The look at each is one for what is in the way: `Absent` is well.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Seen;
use super::subids::TooFew;

/// What was found in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InTheWay {
    /// Why this user cannot open /dev/net/tun, if so.
    pub tun: Seen<TunUnusable>,
    /// Settings of the kernel's that leave this user no user namespaces.
    pub userns: Seen<Vec<UsernsSwitch>>,
    /// AppArmor, where the kernel runs with it.
    pub apparmor: Seen<AppArmor>,
    /// The user's lack of subordinate users, /etc/subuid.
    pub subuids: Seen<TooFew>,
    /// The user's lack of subordinate groups, /etc/subgid.
    pub subgids: Seen<TooFew>,
    /// Why newuidmap is of no use, if so.
    pub newuidmap: Seen<MapperUnfit>,
    /// Why newgidmap is of no use, if so.
    pub newgidmap: Seen<MapperUnfit>,
}

impl InTheWay {
    /// What could not be looked at, and why.
    pub fn unknown(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let looks = [
            ("start.tun", self.tun.unknown()),
            ("start.userns", self.userns.unknown()),
            ("start.apparmor", self.apparmor.unknown()),
            ("start.subuids", self.subuids.unknown()),
            ("start.subgids", self.subgids.unknown()),
            ("start.newuidmap", self.newuidmap.unknown()),
            ("start.newgidmap", self.newgidmap.unknown()),
        ];
        looks
            .into_iter()
            .filter_map(|(name, why)| Some((name, why?)))
    }
}

/// Why /dev/net/tun is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunUnusable {
    /// It is not there, or there is no driver behind it.
    Absent,
    /// Its mode and owner are not for this user.
    Denied,
    /// Its mode is for everybody, and yet it is not permitted: so says a container's list of devices.
    Forbidden,
    /// There is no driver, and the kernel that runs has no modules any more: it has been replaced.
    Replaced,
    /// There is no driver, and no modules of any kernel's, as in a container.
    Foreign,
}

/// A setting that is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsernsSwitch {
    /// `kernel.unprivileged_userns_clone`, which Debian and Arch have added to their kernels.
    UnprivilegedClone,
    /// `user.max_user_namespaces` (namespaces(7)).
    MaxNumber,
}

/// AppArmor, as far as RootlessKit and pasta are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppArmor {
    /// Whether a program without a profile gets no user namespace
    /// (`kernel.apparmor_restrict_unprivileged_userns`).
    pub restricts_userns: bool,
    /// The pasta that RootlessKit would start.
    pub pasta: Seen<Confined>,
    /// The RootlessKit that the unit would start.
    pub rootlesskit: Seen<Confined>,
}

/// A program, and AppArmor's word on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Confined {
    /// The file that is run in the end, all symlinks followed: AppArmor goes by that.
    pub path: PathBuf,
    /// The symlink by which it is called, where the file has another name: AppArmor takes it for that.
    pub link: Option<PathBuf>,
    /// The file in /etc/apparmor.d with a profile for it.
    pub profile: Seen<PathBuf>,
    /// Whether that profile forbids anything, and not all in it is allowed (`flags=(unconfined)`).
    pub confines: bool,
    /// Whether that file, and no other, is for this program, and for nothing else.
    pub is_for_it_alone: bool,
}

/// Why newuidmap or newgidmap is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperUnfit {
    /// It is nowhere.
    Missing,
    /// It is not on the unit's PATH, but here.
    NotOnPath(PathBuf),
    /// The one that the unit finds is neither setuid root nor has it the capability.
    Unprivileged(PathBuf),
    /// Its file system is mounted with nosuid, which takes both from all programs there.
    NoSuid(PathBuf),
}
