//! The host's own network.

use super::{Code, Cure, Finding, Severity, etc, rootlesskit};
use crate::capability;
use crate::facts::{Facts, Ipv6Off, Network};

/// Sorts after what else is there (sysctl.d(5)), which has switched IPv6 off.
const SYSCTL_FILE: &str = "/etc/sysctl.d/zz-rootless6.conf";

/// What lets the user's processes, pasta among them, send echo requests. The file's name sorts after
/// those of guides for hardening.
pub const ALLOW_PING: &[&str] = &[
    "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
    "echo \"net.ipv4.ping_group_range = 0 2147483647\" > /etc/sysctl.d/zz-rootless6-ping.conf",
];

/// Where boot entries are files of their own, as on Fedora, /etc/default/grub has no say in them.
const OFF_THE_COMMAND_LINE: &[&str] = &[
    "root takes ipv6.disable=1 off the kernel's command line and restarts the machine",
    "Debian, Ubuntu: in /etc/default/grub, then `update-grub`",
    "Fedora: `grubby --update-kernel=ALL --remove-args=ipv6.disable=1`",
    "others: see `rootless6 explain host-ipv6-disabled`",
];

pub(super) fn ipv6_disabled(facts: &Facts) -> Option<Finding> {
    let reaches_out = |network: &Network| !network.default_routes.is_empty();
    if facts.host.network.is().is_some_and(reaches_out) {
        return None;
    }
    let finding =
        |title: &str, cure| Finding::new(Code::HostIpv6Disabled, Severity::Broken, title, cure);
    let finding = match facts.host.ipv6_off.is()? {
        Ipv6Off::Kernel { told: true } => finding(
            "the kernel was started without IPv6",
            Cure::Words(OFF_THE_COMMAND_LINE.join("\n")),
        )
        .seen("/proc/cmdline has ipv6.disable=1"),
        Ipv6Off::Kernel { told: false } => finding(
            "the kernel has no IPv6",
            Cure::Words(
                "root loads the module (`modprobe ipv6`), or starts a kernel that has IPv6"
                    .to_owned(),
            ),
        )
        .seen("there is no /proc/sys/net/ipv6"),
        Ipv6Off::Sysctl(names) => return Some(switched_off(names)),
    };
    let engine = facts.engine_version();
    let needs_ipv6 = engine.filter(|version| capability::needs_ipv6_to_start(*version));
    Some(match needs_ipv6 {
        Some(engine) => finding.seen(format!(
            "Docker Engine {engine} does not start without it; 29.0.2 and later do"
        )),
        None => finding,
    })
}

fn switched_off(names: &[String]) -> Finding {
    // A full stop in an interface's name is written as a slash (sysctl(8)).
    let keys: Vec<_> = names
        .iter()
        .map(|name| format!("net.ipv6.conf.{}.disable_ipv6", name.replace('.', "/")))
        .collect();
    let lines = keys
        .iter()
        .flat_map(|key| etc::setting(key, "0", SYSCTL_FILE));
    let finding = Finding::new(
        Code::HostIpv6Disabled,
        Severity::Broken,
        "IPv6 is switched off on the host",
        Cure::Root(lines.collect()),
    );
    let seen = |finding: Finding, key| finding.seen(format!("{key} = 1"));
    let finding = keys.iter().fold(finding, seen);
    if names.iter().any(|name| name == "all") {
        finding.seen("addresses come back with the next router advertisement, or when the network is configured again")
    } else {
        finding.seen("NetworkManager does that to a connection with ipv6.method=disabled")
    }
}

pub(super) fn no_ipv6_route(facts: &Facts) -> Option<Finding> {
    let network = facts.host.network.is()?;
    if !network.default_routes.is_empty() || ipv6_disabled(facts).is_some() {
        return None;
    }
    let addresses = network.global().count();
    Some(
        Finding::new(
            Code::HostNoIpv6Route,
            Severity::Broken,
            "the host itself has no IPv6 default route",
            Cure::Words(
                "give the host IPv6 first: no setting of Docker's can create it".to_owned(),
            ),
        )
        .seen(format!(
            "{addresses} global IPv6 addresses, 0 default routes"
        )),
    )
}

pub(super) fn ping_group_range(facts: &Facts) -> Option<Finding> {
    let forwards = rootlesskit::has_pasta(facts) || facts.slirp4netns_forwards_echo() == Some(true);
    if facts.host.may_ping()? || !forwards {
        return None;
    }
    let (low, high) = facts.host.ping_group_range.is()?;
    Some(
        Finding::new(
            Code::HostPingGroupRange,
            Severity::Broken,
            "the kernel lets none of your groups send echo requests, so neither pasta nor slirp4netns can",
            Cure::Root(ALLOW_PING.iter().map(|&line| line.to_owned()).collect()),
        )
        .seen(format!("net.ipv4.ping_group_range = {low} {high}"))
        .seen("TCP and UDP over IPv6 are not affected"),
    )
}
