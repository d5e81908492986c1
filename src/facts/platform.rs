//! What surrounds the user's own unit: where `docker` leads, and what kind of machine this is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Engine, Seen};

/// Where `docker` leads, and what kind of machine this is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platform {
    /// Where `docker` leads in this environment; absent where that is the unit's own socket.
    pub elsewhere: Seen<Elsewhere>,
    /// This machine's name: an Engine of another name runs on another machine.
    pub host_name: String,
    /// `/proc/sys/kernel/osrelease`
    pub kernel: Seen<String>,
    /// Whether systemd is pid 1 (sd_booted(3)); unset where nobody looked.
    pub systemd: Option<bool>,
    /// The state directory of a rootless containerd beside dockerd, if there is one.
    pub containerd_rootless: Option<PathBuf>,
}

impl Platform {
    /// Whether this is a distribution in WSL2 (`6.6.87.2-microsoft-standard-WSL2`).
    pub fn is_wsl(&self) -> bool {
        self.kernel
            .is()
            .is_some_and(|kernel| kernel.contains("microsoft"))
    }
}

/// An Engine that `docker` leads to instead of the unit's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elsewhere {
    /// What says so.
    pub chosen_by: ChosenBy,
    /// As `DOCKER_HOST` has it: `unix:///var/run/docker.sock`, `ssh://alice@example.com` …
    pub address: String,
    /// Who answers there; asked only on sockets of this machine.
    pub engine: Seen<Engine>,
}

impl Elsewhere {
    /// The path of the socket, if it is one of this machine.
    pub fn socket(&self) -> Option<&str> {
        self.address.strip_prefix("unix://")
    }
}

/// What decides where `docker` leads, the strongest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChosenBy {
    /// `DOCKER_HOST`
    DockerHost,
    /// `DOCKER_CONTEXT`, or `currentContext` of docker's own settings, by name.
    Context(String),
    /// Nobody: docker's own default.
    #[default]
    Nobody,
}

/// Why the host has no IPv6 at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ipv6Off {
    /// The kernel was started without it, or has none; its command line has `ipv6.disable=1` or not.
    Kernel {
        /// Whether the command line says so.
        told: bool,
    },
    /// The parts of `net.ipv6.conf` where `disable_ipv6` is 1: `all`, which has set all others, or
    /// the interfaces with an IPv4 default route.
    Sysctl(Vec<String>),
}
