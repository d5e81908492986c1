//! The RootlessKit that runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Seen, Version};

/// RootlessKit's network driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NetDriver {
    /// User-mode networking with libslirp.
    #[default]
    Slirp4netns,
    /// passt's pasta.
    Pasta,
    /// Built into RootlessKit 3.
    GvisorTapVsock,
    /// Anything else, by name.
    Other(String),
}

impl NetDriver {
    /// From RootlessKit's own word for it.
    pub fn named(name: &str) -> Self {
        match name {
            "slirp4netns" => Self::Slirp4netns,
            "pasta" => Self::Pasta,
            "gvisor-tap-vsock" => Self::GvisorTapVsock,
            other => Self::Other(other.to_owned()),
        }
    }

    /// RootlessKit's own word for it.
    pub fn name(&self) -> &str {
        match self {
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
            Self::GvisorTapVsock => "gvisor-tap-vsock",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for NetDriver {
    fn from(name: String) -> Self {
        Self::named(&name)
    }
}

impl From<NetDriver> for String {
    fn from(driver: NetDriver) -> Self {
        driver.name().to_owned()
    }
}

/// The running RootlessKit, read from its command line, state directory and API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RootlessKit {
    /// Its own version: its own word, else the Engine's, else the program's on disk.
    pub version: Seen<Version>,
    /// `--net`
    pub net: NetDriver,
    /// `--port-driver`
    pub port_driver: String,
    /// Whether `--ipv6` was given.
    pub ipv6: bool,
    /// `--mtu`
    pub mtu: Option<u32>,
    /// Whether its netns is detached (`--detach-netns`): dockerd then runs in the host's.
    pub detached: bool,
    /// Where `child_pid` and `api.sock` are.
    pub state_dir: PathBuf,
    /// The child, whose user namespace and netns (or state directory) lead inside.
    pub child_pid: u32,
    /// When it was started, if known: hundredths of a second since boot.
    pub started: Option<u64>,
}

impl RootlessKit {
    /// The options that matter here, as it was started with them.
    pub fn options(&self) -> String {
        format!(
            "rootlesskit runs with --net={} --port-driver={}{}",
            self.net.name(),
            self.port_driver,
            if self.ipv6 { " --ipv6" } else { "" }
        )
    }
}
