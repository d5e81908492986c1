//! What each RootlessKit and Engine can do, by version.
//!
//! One table for both diagnose and plan. It is keyed on what the running parts say of themselves:
//! distributions ship a RootlessKit that is not the one bundled with their Engine. What is seen on
//! the live system overrules it.

use crate::facts::{PasstDate, Version};

/// RootlessKit's abilities (rootlesskit's release notes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table of capabilities"
)]
pub struct RootlessKitCan {
    /// `--ipv6`, with slirp4netns alone: 0.14.0.
    pub ipv6: bool,
    /// `--net=pasta` and `--port-driver=implicit`: 2.0.0.
    pub pasta: bool,
    /// Lets pasta configure IPv6 in the netns (`--config-net`): 2.3.0, rootlesskit#458. Without
    /// it the uplink is needed. From 3.2.0 on it is always fd00::100 by fd00::2, rather than what
    /// the host has.
    pub ipv6_config: bool,
    /// Tells pasta to leave connections to loopback on loopback (`--host-lo-to-ns-lo`): 2.3.2,
    /// rootlesskit#482.
    pub loopback_ports: bool,
    /// `--port-driver=pesto`: 3.1.0, rootlesskit#616.
    pub pesto: bool,
    /// The same with IPv6: 3.2.0, rootlesskit#629.
    pub pesto_ipv6: bool,
    /// With `--ipv6` tap0 is always in fd00::/64, whatever the host has: 3.2.0, rootlesskit#620.
    pub fixed_tap: bool,
}

/// Looks a RootlessKit up.
pub fn rootlesskit(version: Version) -> RootlessKitCan {
    RootlessKitCan {
        ipv6: version >= Version::new(0, 14, 0),
        pasta: version >= Version::new(2, 0, 0),
        ipv6_config: version >= Version::new(2, 3, 0),
        loopback_ports: version >= Version::new(2, 3, 2),
        pesto: version >= Version::new(3, 1, 0),
        pesto_ipv6: version >= Version::new(3, 2, 0),
        fixed_tap: version >= Version::new(3, 2, 0),
    }
}

/// What a pasta does, for RootlessKit (passt's release notes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table of capabilities"
)]
pub struct PastaDoes {
    /// Starts with the options that RootlessKit gives it: 2023_06_25 (rootlesskit:docs/network.md).
    pub starts: bool,
    /// Copies IPv6 addresses and routes though it is given those of IPv4: 2024_08_14, passt
    /// fbb0c95. Before, RootlessKit 2.3 and later may fail with "Couldn't set IPv6 route(s)".
    pub copies_ipv6: bool,
    /// Its addresses are of use at once, without duplicate address detection: 2024_08_21.
    pub is_quick: bool,
    /// Hands connections to loopback on to the netns's own address, where no port that is published
    /// on loopback alone listens: 2024_10_30, passt b4dace8.
    pub moves_loopback: bool,
    /// Does not start when it is limited to IPv4 and told to forward ports: 2026_05_07 until
    /// 2026_05_26, rootlesskit#591.
    pub needs_ipv6: bool,
}

/// The pasta that serves RootlessKit without any of the known faults.
pub const GOOD_PASTA: PasstDate = PasstDate::new(2024, 8, 21);

/// The pasta that mends the fault of [`PastaDoes::needs_ipv6`].
pub const PASTA_WITHOUT_DUAL_STACK_BUG: PasstDate = PasstDate::new(2026, 5, 26);

/// Looks a pasta up.
pub fn pasta(released: PasstDate) -> PastaDoes {
    let dual_stack_bug = PasstDate::new(2026, 5, 7)..PASTA_WITHOUT_DUAL_STACK_BUG;
    PastaDoes {
        starts: released >= PasstDate::new(2023, 6, 25),
        copies_ipv6: released >= PasstDate::new(2024, 8, 14),
        is_quick: released >= GOOD_PASTA,
        moves_loopback: released >= PasstDate::new(2024, 10, 30),
        needs_ipv6: dual_stack_bug.contains(&released),
    }
}

/// Whether dockerd-rootless.sh, where nobody chooses, takes pasta if there is no slirp4netns, and
/// with pasta the port driver implicit rather than builtin: 28.5.2 (moby:contrib/dockerd-rootless.sh).
pub fn script_knows_pasta(engine: Version) -> bool {
    engine >= Version::new(28, 5, 2)
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

/// Whether dockerd-rootless.sh takes a kernel without IPv6 for a failure: 29.0.0 and 29.0.1
/// (moby#51541).
pub fn needs_ipv6_to_start(engine: Version) -> bool {
    (Version::new(29, 0, 0)..Version::new(29, 0, 2)).contains(&engine)
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
    fn each_threshold_of_passts_is_where_it_was_released() {
        for (day, starts, copies, quick, moves, needs) in [
            ((2023, 6, 24), false, false, false, false, false),
            ((2023, 6, 25), true, false, false, false, false),
            ((2024, 8, 13), true, false, false, false, false),
            ((2024, 8, 14), true, true, false, false, false),
            ((2024, 8, 21), true, true, true, false, false),
            ((2024, 10, 30), true, true, true, true, false),
            ((2026, 5, 6), true, true, true, true, false),
            ((2026, 5, 7), true, true, true, true, true),
            ((2026, 5, 25), true, true, true, true, true),
            ((2026, 5, 26), true, true, true, true, false),
        ] {
            let expected = PastaDoes {
                starts,
                copies_ipv6: copies,
                is_quick: quick,
                moves_loopback: moves,
                needs_ipv6: needs,
            };
            let released = PasstDate::new(day.0, day.1, day.2);
            assert_eq!(pasta(released), expected, "{released}");
        }
    }

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
