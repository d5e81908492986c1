//! Programs and their versions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Seen, Version};

/// Programs that the unit finds with its own PATH.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// passt's pasta.
    pub pasta: Seen<Tool>,
    /// pasta in another place, looked for only where the unit does not find it.
    pub pasta_elsewhere: Seen<Tool>,
    /// slirp4netns.
    pub slirp4netns: Seen<Tool>,
    /// The libslirp in it.
    pub libslirp: Seen<Version>,
    /// docker-rootlesskit, else rootlesskit.
    pub rootlesskit: Seen<Tool>,
    /// dockerd, looked for only where the Engine does not answer.
    pub dockerd: Seen<Tool>,
    /// The PATH along which all were looked for, where it is not the unit's: that of the RootlessKit
    /// that runs, where a wrapper around dockerd-rootless.sh has started it.
    pub path_of_a_wrapper: Option<String>,
}

/// A program and the version that it prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tool {
    /// The file.
    pub path: PathBuf,
    /// As printed, `1.2.1` or `0.0~git20250503.587980c-2`.
    pub version: String,
}
