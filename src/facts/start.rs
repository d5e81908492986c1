//! What may keep RootlessKit or its network driver from starting, looked at once it did not.

use std::path::PathBuf;

/// What was found in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InTheWay {
    /// Why this user cannot open /dev/net/tun, if so.
    pub tun: Option<TunUnusable>,
    /// AppArmor, where the kernel runs with it.
    pub apparmor: Option<AppArmor>,
}

/// Why /dev/net/tun is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunUnusable {
    /// It is not there, or there is no driver behind it.
    Absent,
    /// Its mode and owner are not for this user.
    Denied,
}

/// AppArmor, as far as pasta is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppArmor {
    /// The file with pasta's profile, if there is one.
    pub profile: Option<PathBuf>,
}
