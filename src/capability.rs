//! What each RootlessKit and Engine can do, by version.
//!
//! One table for both diagnose and plan. It is keyed on what the running parts say of themselves:
//! distributions ship a RootlessKit that is not the one bundled with their Engine. What is seen on
//! the live system overrules it.

use crate::facts::Version;

/// RootlessKit's abilities (rootlesskit's release notes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootlessKitCan {
    /// `--ipv6`, with slirp4netns alone: 0.14.0.
    pub ipv6: bool,
    /// `--net=pasta` and `--port-driver=implicit`: 2.0.0.
    pub pasta: bool,
    /// Lets pasta configure IPv6 in the netns (`--config-net`): 2.3.0, rootlesskit#458. Without
    /// it the uplink is needed. From 3.2.0 on it is always fd00::100 by fd00::2, rather than what
    /// the host has.
    pub ipv6_config: bool,
}

/// Looks a RootlessKit up.
pub fn rootlesskit(version: Version) -> RootlessKitCan {
    RootlessKitCan {
        ipv6: version >= Version::new(0, 14, 0),
        pasta: version >= Version::new(2, 0, 0),
        ipv6_config: version >= Version::new(2, 3, 0),
    }
}

/// Whether slirp4netns forwards ICMPv6 echo, as every libslirp did not before 4.8.0 (seen: 4.7.0
/// drops what 4.8.0 and 4.9.5 forward).
pub fn slirp4netns_forwards_echo(libslirp: Version) -> bool {
    libslirp >= Version::new(4, 8, 0)
}

/// What an Engine needs in daemon.json for IPv6 in containers (moby's release notes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineNeeds {
    /// `ip6tables` is off and, before 27.0, counts as experimental.
    pub ip6tables: bool,
    /// `ipv6` alone stops dockerd before 28.0: docker0's subnet must be named.
    pub fixed_cidr_v6: bool,
    /// Before 27.0 no IPv6 pool is built in, so a network's subnet must be named or a pool given.
    pub address_pool: bool,
    /// From 27.0 on, new networks can have IPv6 by default.
    pub new_networks: bool,
}

/// Looks an Engine up.
pub fn engine(version: Version) -> EngineNeeds {
    let before_27 = version < Version::new(27, 0, 0);
    EngineNeeds {
        ip6tables: before_27,
        fixed_cidr_v6: version < Version::new(28, 0, 0),
        address_pool: before_27,
        new_networks: !before_27,
    }
}

/// Whether a published port takes connections from a link-local address, as it does since 28.0
/// (moby#48570); before, ip6tables sends them on to the container, and the kernel drops them.
pub fn publishes_to_link_local(engine: Version) -> bool {
    engine >= Version::new(28, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debian_releases_are_told_apart() {
        let cases = [
            (
                (1, 1, 0),
                (20, 10, 24),
                (false, false),
                (true, true, true, false),
            ),
            (
                (2, 0, 2),
                (26, 1, 5),
                (true, false),
                (true, true, true, false),
            ),
            (
                (2, 0, 2),
                (28, 5, 2),
                (true, false),
                (false, false, false, true),
            ),
            (
                (2, 3, 1),
                (27, 3, 0),
                (true, true),
                (false, true, false, true),
            ),
            (
                (3, 0, 1),
                (29, 7, 2),
                (true, true),
                (false, false, false, true),
            ),
            (
                (3, 2, 0),
                (29, 9, 3),
                (true, true),
                (false, false, false, true),
            ),
        ];
        for (kit, moby, can, needs) in cases {
            let kit = rootlesskit(Version::new(kit.0, kit.1, kit.2));
            assert_eq!((kit.pasta, kit.ipv6_config), can);
            let moby = engine(Version::new(moby.0, moby.1, moby.2));
            assert_eq!(
                (
                    moby.ip6tables,
                    moby.fixed_cidr_v6,
                    moby.address_pool,
                    moby.new_networks
                ),
                needs
            );
        }
    }
}
