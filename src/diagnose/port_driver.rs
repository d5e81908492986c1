//! RootlessKit's drivers for ports: which go with its network driver, and what they carry.

use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::{Facts, NetDriver, RootlessKit, Seen};
use crate::plan::next_start::{NextStart, Told, next_start};

/// Port drivers that only pasta has (rootlesskit:cmd/rootlesskit/main.go).
const PASTAS: &[&str] = &["implicit", "pesto"];

/// Port drivers that pasta does not take.
const NEVER_PASTAS: &[&str] = &["builtin", "slirp4netns", "gvisor-tap-vsock"];

/// Options that RootlessKit refuses together: dockerd does not start with them.
pub(super) fn mismatch(facts: &Facts) -> Option<Finding> {
    let next = next_start(facts)?;
    let driver = next.driver()?;
    if driver == NetDriver::GvisorTapVsock && next.ipv6.is_on() == Some(true) {
        return Some(refused(facts, "--ipv6", &next.net, &next.ipv6));
    }
    let port = next.port_driver.value()?;
    let refuses = match &driver {
        NetDriver::Pasta => NEVER_PASTAS.contains(&port) || is_unknown(port, facts),
        NetDriver::Slirp4netns => is_pastas(port),
        NetDriver::GvisorTapVsock | NetDriver::Other(_) => is_pastas(port) || port == "slirp4netns",
    };
    let runs = |kit: &RootlessKit| kit.net == driver && kit.port_driver == port;
    if facts.rootlesskit.is().is_some_and(runs) {
        return None;
    }
    refuses.then(|| {
        let option = format!("--port-driver={port}");
        let finding = refused(facts, &option, &next.net, &next.port_driver);
        if !is_unknown(port, facts) {
            return finding;
        }
        let version = facts.rootlesskit_version().unwrap_or_default();
        let words = format!(
            "RootlessKit {version} does not know pesto, which came with 3.1.0: `rootless6 setup --port-driver implicit`"
        );
        Finding {
            cure: Cure::Words(words),
            ..finding
        }
    })
}

fn is_pastas(port_driver: &str) -> bool {
    PASTAS.contains(&port_driver)
}

/// A driver of a newer RootlessKit's.
fn is_unknown(port_driver: &str, facts: &Facts) -> bool {
    let version = facts.rootlesskit_version();
    let can = version.map(capability::rootlesskit);
    port_driver == "pesto" && can.is_some_and(|can| can.pasta && !can.pesto)
}

fn refused(facts: &Facts, option: &str, net: &Told, other: &Told) -> Finding {
    let (net_driver, other_value) = (net.value().unwrap_or_default(), other.value());
    let take_out = |option: &str| {
        Cure::Words(format!(
            "take {option} out of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS, then `rootless6 setup`"
        ))
    };
    let is_pasta = NetDriver::named(net_driver) == NetDriver::Pasta;
    let is_wanted = option == "--ipv6" || other_value.is_some_and(is_pastas);
    let cure = if other.is_in_flags() && !is_wanted {
        take_out(option)
    } else if net.is_in_flags() && !is_pasta {
        take_out(&format!("--net={net_driver}"))
    } else {
        Cure::Setup
    };
    let finding = Finding::new(
        Code::PortDriverMismatch,
        Severity::Broken,
        format!(
            "RootlessKit does not start with --net={net_driver} and {option} together, so dockerd will not start again"
        ),
        cure,
    )
    .seen(net.from(facts));
    let other = other.from(facts);
    if finding.evidence.contains(&other) {
        finding
    } else {
        finding.seen(other)
    }
}

/// Ports that are published work over IPv4 alone.
pub(super) fn without_ipv6(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    let (why, cure) = match kit.port_driver.as_str() {
        "slirp4netns" => (
            "slirp4netns forwards ports over IPv4 alone".to_owned(),
            setup_unless_in_flags(facts),
        ),
        "pesto" => pesto(kit)?,
        _ => return None,
    };
    Some(
        Finding::new(
            Code::PortDriverWithoutIpv6,
            Severity::Weak,
            format!(
                "published ports are reached over IPv4 alone: so it is with the port driver {}",
                kit.port_driver
            ),
            cure,
        )
        .seen(why)
        .seen(kit.options()),
    )
}

fn pesto(kit: &RootlessKit) -> Option<(String, Cure)> {
    let version = kit.version.is().copied();
    if let Some(old) = version.filter(|version| !capability::rootlesskit(*version).pesto_ipv6) {
        let words = "`rootless6 setup --port-driver implicit`; RootlessKit 3.2, as later Docker Engines bring it, has IPv6 with pesto too";
        return Some((
            format!("rootlesskit {old}; pesto has IPv6 from 3.2.0 on"),
            Cure::Words(words.to_owned()),
        ));
    }
    (!kit.ipv6).then(|| {
        let why = "pesto has IPv6 where RootlessKit is given --ipv6";
        (why.to_owned(), Cure::Setup)
    })
}

/// Setup writes the variable and leaves what is in FLAGS, which wins.
fn setup_unless_in_flags(facts: &Facts) -> Cure {
    let in_flags = |next: NextStart| next.port_driver.is_in_flags();
    if next_start(facts).is_some_and(in_flags) {
        let words =
            "take --port-driver out of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS, then `rootless6 setup`";
        return Cure::Words(words.to_owned());
    }
    Cure::Setup
}

/// pasta hands what comes to the host's loopback on to an address of the netns where nothing listens
/// that is published on loopback alone. Ports published on all addresses are not affected (seen with
/// passt 2025_05_03 and 2026_10_02 under RootlessKit 2.0.2: reset, over IPv4 and IPv6).
pub(super) fn loopback_publish_broken(facts: &Facts) -> Option<Finding> {
    if !facts.may_lose_loopback_ports() {
        return None;
    }
    let kit = facts.rootlesskit.is()?.version.is()?;
    let ports = facts.loopback_ports.is().map_or(&[][..], Vec::as_slice);
    let (severity, title) = if ports.is_empty() {
        let title =
            "a port that is published on loopback alone (`-p 127.0.0.1:8080:80`) would not answer";
        (Severity::Note, title)
    } else {
        let title = "ports that are published on loopback alone do not answer";
        (Severity::Weak, title)
    };
    // Its port driver, builtin, answers on loopback (seen with RootlessKit 2.0.2).
    let without_pasta = match facts.tools.slirp4netns {
        Seen::Is(_) => ", or do without pasta: `rootless6 setup --net slirp4netns`",
        _ => "",
    };
    let finding = Finding::new(
        Code::LoopbackPublishBroken,
        severity,
        title,
        Cure::Words(format!(
            "publish them on all addresses (`-p 8080:80`), which others reach too{without_pasta}; RootlessKit 2.3.2 and later, as Docker Engine 27.5.1 brings it, needs no such detour"
        )),
    );
    let finding = ports.iter().fold(finding, |finding, port| {
        finding.seen(format!(
            "{} is published on {}",
            port.container, port.address
        ))
    });
    let finding = match &facts.loopback_ports {
        Seen::Unknown(why) => finding.seen(format!("what is published is unknown: {why}")),
        _ => finding,
    };
    let passt = facts.passt()?;
    Some(finding.seen(format!(
        "passt {passt}, which needs --host-lo-to-ns-lo since 2024_10_30, and rootlesskit {kit}, which gives it that from 2.3.2 on"
    )))
}
