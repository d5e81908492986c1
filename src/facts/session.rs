use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Seen;

/// The user, and what their systemd lives in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// The user's name, or number where there is no name.
    pub user: String,
    /// The user's number.
    pub uid: u32,
    /// Whether the user's systemd runs from boot on and outlives the last logout (loginctl(1),
    /// `enable-linger`); absent where there is no systemd-logind.
    pub linger: Seen<bool>,
    /// `$XDG_RUNTIME_DIR`
    pub runtime: PathBuf,
    /// Whom that directory belongs to.
    pub runtime_owner: Seen<u32>,
    /// Whether systemd listens on its socket there; what was left by one that crashed does not.
    pub systemd_listens: bool,
}

impl Session {
    /// Whether the directory is the one that systemd makes for the user.
    pub fn is_systemds_own(&self) -> bool {
        self.runtime == Path::new(&format!("/run/user/{}", self.uid))
    }
}
