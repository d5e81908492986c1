//! What runs the containers where it is no rootless dockerd of this machine, told by its marks.

use super::paragraph;
use crate::diagnose::Code;
use crate::facts::Engine;

/// What runs the containers, if it is no rootless dockerd of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    DockerDesktop,
    DockerDesktopOnLinux,
    OrbStack,
    Colima,
    Lima,
    RancherDesktop,
    Podman,
    Rootful,
    /// Not on a socket of this machine.
    Remote,
}

impl Product {
    /// By what the Engine says of itself; none for a rootless dockerd of this machine.
    pub(super) fn of(engine: &Engine, socket: &str, host_name: &str) -> Option<Self> {
        let system = engine.operating_system.as_str();
        let name = Some(engine.name.as_str()).filter(|name| *name != host_name);
        let named = |prefix| name.is_some_and(|name| name.starts_with(prefix));
        Some(match () {
            // Rootless Podman calls itself rootless as well.
            () if engine.podman => Self::Podman,
            () if system.starts_with("Docker Desktop") => Self::docker_desktop(socket),
            () if system.starts_with("OrbStack") => Self::OrbStack,
            () if system.contains("Rancher Desktop") || named("lima-rancher-desktop") => {
                Self::RancherDesktop
            }
            () if named("colima") => Self::Colima,
            () if named("lima-") => Self::Lima,
            () if !engine.rootless => Self::Rootful,
            () => return None,
        })
    }

    /// By where the socket is, where nobody answers on it.
    pub(super) fn at(socket: &str) -> Option<Self> {
        let known = [
            ("/.docker/desktop/", Self::DockerDesktopOnLinux),
            ("/.docker/run/", Self::DockerDesktop),
            ("/.orbstack/", Self::OrbStack),
            ("/.colima/", Self::Colima),
            ("/colima/", Self::Colima),
            ("/.rd/", Self::RancherDesktop),
            ("/.lima/", Self::Lima),
            ("/podman.sock", Self::Podman),
        ];
        let found = known.iter().find(|(part, _)| socket.contains(part));
        found.map(|(_, product)| *product)
    }

    fn docker_desktop(socket: &str) -> Self {
        match Self::at(socket) {
            Some(Self::DockerDesktopOnLinux) => Self::DockerDesktopOnLinux,
            _ => Self::DockerDesktop,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DockerDesktop | Self::DockerDesktopOnLinux => "Docker Desktop",
            Self::OrbStack => "OrbStack",
            Self::Colima => "Colima",
            Self::Lima => "a virtual machine of Lima's",
            Self::RancherDesktop => "Rancher Desktop",
            Self::Podman => "Podman",
            Self::Rootful => "a dockerd that runs as root",
            Self::Remote => "another machine",
        }
    }

    pub(super) fn code(self) -> Code {
        match self {
            Self::DockerDesktop | Self::DockerDesktopOnLinux => Code::DockerDesktop,
            Self::Podman | Self::Rootful => Code::EngineNotRootless,
            Self::OrbStack | Self::Colima | Self::Lima | Self::RancherDesktop | Self::Remote => {
                Code::ContextElsewhere
            }
        }
    }

    /// What is so, in the first line, and what to do instead, in the others.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        paragraph(match self {
            Self::DockerDesktop => include_str!("../../../templates/platform/docker-desktop.txt"),
            Self::DockerDesktopOnLinux => {
                include_str!("../../../templates/platform/docker-desktop-on-linux.txt")
            }
            Self::OrbStack => include_str!("../../../templates/platform/orbstack.txt"),
            Self::Colima => include_str!("../../../templates/platform/colima.txt"),
            Self::Lima => include_str!("../../../templates/platform/lima.txt"),
            Self::RancherDesktop => include_str!("../../../templates/platform/rancher-desktop.txt"),
            Self::Podman => include_str!("../../../templates/platform/podman.txt"),
            Self::Rootful => include_str!("../../../templates/platform/rootful.txt"),
            Self::Remote => include_str!("../../../templates/platform/remote.txt"),
        })
    }
}
