//! What the Engine says of itself, its networks and its containers.

use serde::{Deserialize, Serialize};

use super::Version;

/// What the Engine API answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// `28.5.2`
    pub version: Version,
    /// Whether `/info` says `name=rootless`.
    pub rootless: bool,
    /// `/info`'s OperatingSystem, such as `Debian GNU/Linux 13` or `Docker Desktop`.
    pub operating_system: String,
    /// `/info`'s Name: that of the machine on which it runs.
    pub name: String,
    /// Whether it is Podman that answers as Docker would.
    pub podman: bool,
    /// RootlessKit's own version, where the Engine reports it (23.0 and later).
    pub rootlesskit: Option<Version>,
    /// The networks, by name.
    pub networks: Vec<DockerNetwork>,
}

impl Engine {
    /// docker0, which dockerd may be told to do without (`"bridge": "none"`).
    pub fn docker0(&self) -> Option<&DockerNetwork> {
        let mut networks = self.networks.iter();
        networks.find(|network| network.name == "bridge")
    }

    /// Whether dockerd has been told to do without docker0; networks that are always there show that
    /// it lists them at all.
    pub fn is_without_docker0(&self) -> bool {
        !self.networks.is_empty() && self.docker0().is_none()
    }

    /// Whether it is a rootless dockerd on the machine of this name.
    pub fn is_rootless_docker_on(&self, host_name: &str) -> bool {
        self.rootless && !self.podman && self.name == host_name
    }
}

/// A network of the Engine's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerNetwork {
    /// `bridge`, `host`, or what the user chose.
    pub name: String,
    /// `bridge`, `host`, `null` …
    pub driver: String,
    /// Whether the Engine gives its containers IPv6 addresses.
    pub ipv6: bool,
    /// The subnets of both families.
    pub subnets: Vec<String>,
    /// Whether its containers are kept from each other (`enable_icc` is off).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_apart: bool,
}

/// A running container and what a restart of dockerd does to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name, without the leading slash.
    pub name: String,
    /// Its restart policy; `no` means that it stays down.
    pub restart: String,
    /// Its published ports, `0.0.0.0:8080->80/tcp`.
    pub ports: Vec<String>,
}

impl Container {
    /// Whether dockerd starts it again by itself.
    pub fn comes_back(&self) -> bool {
        matches!(self.restart.as_str(), "always" | "unless-stopped")
    }
}
