//! RootlessKit and its network driver.

use super::{Code, Cure, Finding, Severity, uplink};
use crate::capability;
use crate::facts::{Facts, NetDriver, RootlessKit, Seen, Version};

/// pasta's window needs a queue that an MTU of 1500 does not leave it: throughput falls by a
/// factor of ten and more (rootlesskit#615).
const SMALL_MTU: u32 = 1500;

pub(super) fn without_pasta(facts: &Facts) -> Option<Finding> {
    let version = facts.rootlesskit_version()?;
    if capability::rootlesskit(version).pasta {
        return None;
    }
    Some(
        Finding::new(
            Code::RootlesskitWithoutPasta,
            Severity::Broken,
            format!("RootlessKit {version} has no pasta driver, and without pasta ping6 cannot leave"),
            Cure::Words(
                "upgrade to RootlessKit 2.0 or later: Docker Engine 25.0 and later, or Debian 13 and later, bring it"
                    .to_owned(),
            ),
        )
        .seen(format!("rootlesskit {version}")),
    )
}

pub(super) fn pasta_missing(facts: &Facts) -> Option<Finding> {
    matches!(facts.tools.pasta, Seen::Absent).then(|| {
        Finding::new(
            Code::PastaMissing,
            Severity::Broken,
            "pasta is not on the PATH of the unit",
            install_passt(facts.host.distribution.is().map_or("", String::as_str)),
        )
    })
}

/// Every distribution calls the package passt; the commands are those of the families that
/// os-release(5) names.
fn install_passt(distribution: &str) -> Cure {
    let families = [
        ("debian", "apt-get install -y passt"),
        ("ubuntu", "apt-get install -y passt"),
        ("fedora", "dnf install -y passt"),
        ("rhel", "dnf install -y passt"),
        ("suse", "zypper --non-interactive install passt"),
        ("opensuse", "zypper --non-interactive install passt"),
        ("arch", "pacman -S --noconfirm passt"),
        ("alpine", "apk add passt"),
    ];
    let is = |family: &str| {
        distribution
            .split(' ')
            .any(|id| id == family || id.starts_with(&format!("{family}-")))
    };
    match families.iter().find(|(family, _)| is(family)) {
        Some((_, command)) => Cure::Root(vec![(*command).to_owned()]),
        None => Cure::Words("install the package passt, which has pasta in it".to_owned()),
    }
}

fn seen(kit: &RootlessKit) -> String {
    format!(
        "rootlesskit runs with --net={} --port-driver={}{}",
        kit.net.name(),
        kit.port_driver,
        if kit.ipv6 { " --ipv6" } else { "" }
    )
}

pub(super) fn driver_without_ipv6(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    if kit.net == NetDriver::Pasta || (kit.net == NetDriver::Slirp4netns && kit.ipv6) {
        return None;
    }
    Some(
        Finding::new(
            Code::DriverWithoutIpv6,
            Severity::Broken,
            format!("RootlessKit's driver {} gives no IPv6 here", kit.net.name()),
            Cure::Setup,
        )
        .seen(seen(kit)),
    )
}

pub(super) fn ipv6_flag_missing(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    (kit.net == NetDriver::Pasta && !kit.ipv6).then(|| {
        Finding::new(
            Code::Ipv6FlagMissing,
            Severity::Broken,
            "RootlessKit runs pasta without --ipv6, so pasta is limited to IPv4",
            Cure::Setup,
        )
        .seen(seen(kit))
    })
}

pub(super) fn driver_without_icmp6(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    (kit.net == NetDriver::Slirp4netns && kit.ipv6).then(|| {
        Finding::new(
            Code::DriverWithoutIcmp6,
            Severity::Broken,
            "slirp4netns forwards no ICMPv6: TCP and UDP may work, ping6 never does",
            Cure::Setup,
        )
        .seen(seen(kit))
    })
}

pub(super) fn without_ipv6_config(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    let tap = facts.tap.is()?;
    if kit.net != NetDriver::Pasta || !kit.ipv6 || tap.reaches_out() {
        return None;
    }
    if uplink::started_before_ipv6(facts).is_some() {
        return None;
    }
    Some(
        Finding::new(
            Code::RootlesskitWithoutIpv6Config,
            Severity::Broken,
            "tap0 in RootlessKit's netns has no global IPv6 address or no default route",
            Cure::Setup,
        )
        .seen(format!(
            "rootlesskit {}; before 2.3.0 it configures IPv4 alone",
            kit.version
                .is()
                .map_or_else(|| "unknown".to_owned(), Version::to_string)
        ))
        .seen(format!(
            "{} global addresses, {} default routes",
            tap.global().count(),
            tap.default_routes.len()
        )),
    )
}

pub(super) fn mtu_trap(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    let mtu = kit.mtu?;
    (kit.net == NetDriver::Pasta && mtu <= SMALL_MTU).then(|| {
        Finding::new(
            Code::MtuTrap,
            Severity::Weak,
            format!("pasta runs with an MTU of {mtu}, which makes it many times slower"),
            Cure::Setup,
        )
        .seen(format!("--mtu={mtu}"))
    })
}
