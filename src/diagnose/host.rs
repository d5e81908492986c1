//! The host's own network.

use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::Facts;

/// What lets the user's processes, pasta among them, send echo requests.
const ALLOW_PING: &[&str] = &[
    "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
    "echo \"net.ipv4.ping_group_range = 0 2147483647\" > /etc/sysctl.d/60-rootless6.conf",
];

pub(super) fn no_ipv6_route(facts: &Facts) -> Option<Finding> {
    let network = facts.host.network.is()?;
    if !network.default_routes.is_empty() {
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
    let has_pasta = facts
        .rootlesskit_version()
        .is_none_or(|version| capability::rootlesskit(version).pasta);
    let forwards = has_pasta || facts.slirp4netns_forwards_echo() == Some(true);
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
