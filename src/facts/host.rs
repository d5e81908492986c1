//! The host outside RootlessKit's namespaces.

use serde::{Deserialize, Serialize};

use super::{Ipv6Off, Network, Seen};

/// The host outside RootlessKit's namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostFacts {
    /// Its addresses and default routes.
    pub network: Seen<Network>,
    /// Why it has no IPv6 at all; absent where IPv6 is on.
    pub ipv6_off: Seen<Ipv6Off>,
    /// `net.ipv4.ping_group_range`: the groups that may open ICMP datagram sockets, ICMPv6 too.
    pub ping_group_range: Seen<(u32, u32)>,
    /// The groups that the user is in, the effective one included.
    pub groups: Vec<u32>,
    /// `ID` and `ID_LIKE` of os-release(5): `debian`, `ubuntu debian` …
    pub distribution: Seen<String>,
    /// What keeps packages from being installed into the running system, if so.
    pub fixed: Seen<Fixed>,
    /// The kernel's release, as uname(2) has it.
    pub kernel: Seen<String>,
    /// The version of the user's systemd.
    pub systemd: Seen<String>,
}

/// How a system whose /usr is not written to gets its packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fixed {
    /// By rpm-ostree, or with a new image.
    Ostree,
    /// By transactional-update, into a new snapshot.
    Transactional,
    /// In a way that is not known.
    ReadOnly,
}

impl HostFacts {
    /// Whether the user's processes, pasta among them, may open ICMP datagram sockets.
    pub fn may_ping(&self) -> Option<bool> {
        let (low, high) = self.ping_group_range.is()?;
        Some(
            self.groups
                .iter()
                .any(|group| (low..=high).contains(&group)),
        )
    }
}
