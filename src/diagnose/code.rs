//! The stable names of what can be wrong. Scripts rely on them; each has a page in
//! `templates/explain`.

use std::fmt;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;

macro_rules! codes {
    ($($group:ident: $($code:ident $name:literal)*;)*) => {
        /// What can be wrong, in the order in which a packet meets it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Code {
            $($(#[serde(rename = $name)] $code,)*)*
        }

        impl Code {
            /// All of them: the list is closed.
            pub const ALL: &[Self] = &[$($(Self::$code,)*)*];

            /// As it is typed.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$code => $name,)*)*
                }
            }

            /// Where it is found.
            pub fn group(self) -> Group {
                match self {
                    $($(Self::$code)|* => Group::$group,)*
                }
            }

            /// What it is, how it was seen, why it matters, the fix, how to check it, sources.
            pub fn page(self) -> &'static str {
                match self {
                    $($(Self::$code => {
                        include_str!(concat!("../../templates/explain/", $name, ".md"))
                    })*)*
                }
            }
        }
    };
}

codes! {
    Host:
        HostIpv6Disabled "host-ipv6-disabled"
        HostNoIpv6Route "host-no-ipv6-route"
        HostIpv6Unreachable "host-ipv6-unreachable"
        HostPingGroupRange "host-ping-group-range"
        TunUnavailable "tun-unavailable"
        UsernsRestricted "userns-restricted"
        SubidsMissing "subids-missing"
        NewuidmapMissing "newuidmap-missing";
    Unit:
        NoUserBus "no-user-bus"
        NoLinger "no-linger"
        UnitMissing "unit-missing"
        UnitNotRunning "unit-not-running"
        UnitStartLimit "unit-start-limit"
        NeedsDaemonReload "needs-daemon-reload"
        DropinShadowed "dropin-shadowed"
        EnvironmentFileWins "environment-file-wins"
        UnitPathLacksPasta "unit-path-lacks-pasta";
    RootlessKit:
        RootlesskitWithoutPasta "rootlesskit-without-pasta"
        RootlesskitWithoutIpv6Config "rootlesskit-without-ipv6-config"
        DriverWithoutIcmp6 "driver-without-icmp6"
        DriverWithoutIpv6 "driver-without-ipv6"
        Ipv6FlagMissing "ipv6-flag-missing"
        PortDriverMismatch "port-driver-mismatch"
        PortDriverWithoutIpv6 "port-driver-without-ipv6"
        MtuTrap "mtu-trap"
        PastaMissing "pasta-missing"
        PastaTooOld "pasta-too-old"
        PastaDeniedByApparmor "pasta-denied-by-apparmor"
        PastaDualStackBug "pasta-dual-stack-bug"
        LoopbackPublishBroken "loopback-publish-broken"
        StartedBeforeIpv6 "started-before-ipv6"
        StaleAddress "stale-address";
    Engine:
        DaemonJsonInvalid "daemon-json-invalid"
        BridgeWithoutIpv6 "bridge-without-ipv6"
        NetworkWithoutIpv6 "network-without-ipv6"
        NewNetworksWithoutIpv6 "new-networks-without-ipv6"
        Ip6tablesOff "ip6tables-off"
        IptablesOff "iptables-off"
        Ip6tablesModuleMissing "ip6tables-module-missing"
        SubnetCollides "subnet-collides"
        EngineNotRootless "engine-not-rootless"
        DockerDesktop "docker-desktop"
        ContextElsewhere "context-elsewhere"
        ContainerdRootlessConflict "containerd-rootless-conflict"
        SettingsDrifted "settings-drifted";
    Path:
        NetnsUnreachable "netns-unreachable"
        ContainerUnreachable "container-unreachable"
        PublishedPortDead "published-port-dead"
        PmtuBlackHole "pmtu-black-hole"
        DnsWithoutAaaa "dns-without-aaaa"
        IcmpFiltered "icmp-filtered"
        ForgedReplies "forged-replies"
        PrefersIpv4 "prefers-ipv4";
}

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The machine itself.
    Host,
    /// The user's systemd and its unit.
    Unit,
    /// RootlessKit and its network driver.
    RootlessKit,
    /// dockerd and its networks.
    Engine,
    /// The way that packets take.
    Path,
}

impl Code {
    /// Whether it takes packets to find it, which `doctor` does not send and `verify` does.
    pub fn is_found_by_packets(self) -> bool {
        self.group() == Group::Path || self == Self::HostIpv6Unreachable
    }

    /// What it is, in one line: the title of its page.
    pub fn title(self) -> &'static str {
        let first = self.page().lines().next().unwrap_or_default();
        first.trim_start_matches('#').trim_start()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ValueEnum for Code {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_people_are_told_the_same_name() {
        for code in Code::ALL {
            let json = serde_json::to_value(code).unwrap();
            assert_eq!(json, code.to_string());
            assert_eq!(Code::from_str(code.name(), false), Ok(*code));
        }
        assert_eq!(Code::ALL.len(), 53);
    }
}
