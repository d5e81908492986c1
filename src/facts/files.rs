//! The files that setup may have to write.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Seen;

/// dockerd's configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonJson {
    /// Where dockerd looks for it.
    pub path: PathBuf,
    /// What it says.
    pub text: Seen<String>,
    /// Whether `--config-file` names it: dockerd does not start without it then.
    pub named: bool,
    /// Why it cannot be written, if it cannot.
    pub locked: Option<String>,
    /// Where symlinks lead from there, if that is the user's own to write.
    pub leads_to: Option<PathBuf>,
    /// What to type so that it can be written.
    pub mend: Option<String>,
}

/// The drop-in that this program writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OurDropIn {
    /// `…/docker.service.d/zz-rootless6.conf`
    pub path: PathBuf,
    /// What it says now.
    pub text: Seen<String>,
    /// Why it cannot be written, if it cannot.
    pub locked: Option<String>,
    /// Where symlinks lead from there, if that is the user's own to write.
    pub leads_to: Option<PathBuf>,
    /// What to type so that it can be written.
    pub mend: Option<String>,
}
