//! RootlessKit and its network driver.

use super::{Code, Cure, Finding, Severity, install, uplink};
use crate::capability;
use crate::facts::{Facts, NetDriver, RootlessKit, Seen};
use crate::plan::next_start::{Told, next_start};
use crate::request::{DEFAULT_MTU, Intent, Net};

/// pasta's window needs a queue that an MTU of 1500 does not leave it: throughput falls by a
/// factor of ten and more (rootlesskit#615).
const SMALL_MTU: u32 = 1500;

const NEWER_ROOTLESSKIT: &str =
    "RootlessKit 2.0 and later, as Docker Engine 25.0 and Debian 13 bring it, has pasta";

const PING6_NEEDS: &str = "ping6 needs RootlessKit 2.0 or later, as Docker Engine 25.0 and Debian 13 bring it, or libslirp 4.8";

pub(super) fn without_pasta(facts: &Facts) -> Option<Finding> {
    let version = facts.rootlesskit_version()?;
    let can = capability::rootlesskit(version);
    if can.pasta || !can.ipv6 {
        return None;
    }
    if let Some(asked) = asks_for_pasta(facts) {
        return Some(
            Finding::new(
                Code::RootlesskitWithoutPasta,
                Severity::Broken,
                format!(
                    "RootlessKit {version} has no pasta driver, and dockerd does not start with it"
                ),
                Cure::Words(format!(
                    "`rootless6 setup --net slirp4netns` does without; {NEWER_ROOTLESSKIT}"
                )),
            )
            .seen(asked.from(facts)),
        );
    }
    let (limit, cure) = match facts.slirp4netns_forwards_echo() {
        Some(true) => (
            "slirp4netns has to do the work",
            format!("{NEWER_ROOTLESSKIT}; `rootless6 setup --net slirp4netns` does without"),
        ),
        Some(false) => (
            "TCP and UDP over IPv6 can work, ping6 cannot",
            format!("{PING6_NEEDS}; `rootless6 setup --net slirp4netns` gives TCP and UDP"),
        ),
        None => (
            "TCP and UDP over IPv6 can work, ping6 perhaps not",
            format!("{PING6_NEEDS}; `rootless6 setup --net slirp4netns` gives TCP and UDP"),
        ),
    };
    Some(
        Finding::new(
            Code::RootlesskitWithoutPasta,
            Severity::Weak,
            format!("RootlessKit {version} has no pasta driver: {limit}"),
            Cure::Words(cure),
        )
        .seen(format!("rootlesskit {version}")),
    )
}

/// The setting with which dockerd would start pasta next time.
fn asks_for_pasta(facts: &Facts) -> Option<Told> {
    let next = next_start(facts)?;
    (next.driver()? == NetDriver::Pasta).then_some(next.net)
}

pub(super) fn pasta_missing(facts: &Facts, intent: &Intent) -> Option<Finding> {
    if is_chosen_instead(facts, intent) {
        return None;
    }
    let nowhere = facts.tools.pasta == Seen::Absent && facts.tools.pasta_elsewhere == Seen::Absent;
    (nowhere && has_pasta(facts)).then(|| {
        Finding::new(
            Code::PastaMissing,
            without_pasta_is(facts),
            format!("pasta is not on {}", facts.path_in_words()),
            install("passt", facts),
        )
    })
}

/// Whether slirp4netns was asked for though there is pasta.
pub(super) fn is_chosen_instead(facts: &Facts, intent: &Intent) -> bool {
    intent.net == Net::Slirp4netns && has_pasta(facts)
}

/// Whether there is a driver for pasta in RootlessKit; one that nobody knows counts as a new one.
pub(super) fn has_pasta(facts: &Facts) -> bool {
    let version = facts.rootlesskit_version();
    version.is_none_or(|version| capability::rootlesskit(version).pasta)
}

/// How bad it is to lack pasta: slirp4netns may have been chosen in its place.
pub(super) fn without_pasta_is(facts: &Facts) -> Severity {
    let chosen = |kit: &RootlessKit| kit.net == NetDriver::Slirp4netns && kit.ipv6;
    if facts.rootlesskit.is().is_some_and(chosen) {
        Severity::Weak
    } else {
        Severity::Broken
    }
}

pub(super) fn driver_without_ipv6(facts: &Facts) -> Option<Finding> {
    if let Some(finding) = no_driver_with_ipv6(facts) {
        return Some(finding);
    }
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
        .seen(kit.options()),
    )
}

/// Neither pasta nor slirp4netns: setup cannot help, and has to say so.
fn no_driver_with_ipv6(facts: &Facts) -> Option<Finding> {
    let version = facts.rootlesskit_version()?;
    let can = capability::rootlesskit(version);
    let (title, cure) = if !can.ipv6 {
        let upgrade = "upgrade to Docker Engine 20.10.6 or later, which brings RootlessKit 0.14";
        (
            format!("RootlessKit {version} has no IPv6 at all"),
            Cure::Words(upgrade.to_owned()),
        )
    } else if !can.pasta && facts.tools.slirp4netns == Seen::Absent {
        (
            format!(
                "slirp4netns, the only driver here that has IPv6, is not on {}",
                facts.path_in_words()
            ),
            install("slirp4netns", facts),
        )
    } else {
        return None;
    };
    let finding = Finding::new(Code::DriverWithoutIpv6, Severity::Broken, title, cure);
    Some(finding.seen(format!("rootlesskit {version}")))
}

pub(super) fn ipv6_flag_missing(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    (kit.net == NetDriver::Pasta && !kit.ipv6).then(|| {
        let ipv6 = next_start(facts).map(|next| next.ipv6);
        let finding = Finding::new(
            Code::Ipv6FlagMissing,
            Severity::Broken,
            "RootlessKit runs pasta without --ipv6, so pasta is limited to IPv4",
            Cure::Setup,
        )
        .seen(kit.options());
        match ipv6 {
            Some(ipv6) if ipv6.is_on() == Some(true) => finding.seen(not_taken_up(facts, &ipv6)),
            Some(ipv6) if ipv6.is_on() == Some(false) => finding.seen(without_ipv6(facts, &ipv6)),
            _ => finding,
        }
    })
}

/// Why the next start has no `--ipv6`.
pub(super) fn without_ipv6(facts: &Facts, ipv6: &Told) -> String {
    if ipv6.is_in_flags() {
        ipv6.from(facts)
    } else {
        "--ipv6 is not in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS".to_owned()
    }
}

/// A setting that is right, and that dockerd has not been started with.
fn not_taken_up(facts: &Facts, told: &Told) -> String {
    let from = told.from(facts);
    format!("{from}, with which dockerd has not been started")
}

pub(super) fn driver_without_icmp6(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    let forwards = facts.slirp4netns_forwards_echo();
    let (severity, cure) = if is_chosen_instead(facts, intent) {
        let words = "`rootless6 setup --net pasta` brings ping6 as well";
        (Severity::Note, Cure::Words(words.to_owned()))
    } else if has_pasta(facts) {
        (Severity::Broken, Cure::Setup)
    } else {
        (Severity::Weak, Cure::Words(PING6_NEEDS.to_owned()))
    };
    let (severity, title) = match forwards {
        Some(_) => (
            severity,
            "slirp4netns forwards no ICMPv6 before libslirp 4.8: TCP and UDP may work, ping6 does not",
        ),
        None => (
            Severity::Note,
            "slirp4netns forwards ICMPv6 from libslirp 4.8 on, and which one it has is not known",
        ),
    };
    let libslirp = match &facts.tools.libslirp {
        Seen::Is(version) => version.to_string(),
        Seen::Absent => "not found".to_owned(),
        Seen::Unknown(why) => format!("unknown: {why}"),
    };
    (kit.net == NetDriver::Slirp4netns && kit.ipv6 && forwards != Some(true)).then(|| {
        Finding::new(Code::DriverWithoutIcmp6, severity, title, cure)
            .seen(kit.options())
            .seen(format!("libslirp {libslirp}"))
    })
}

pub(super) fn without_ipv6_config(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    let tap = facts.tap.is()?;
    let has_ipv6 = matches!(kit.net, NetDriver::Pasta | NetDriver::Slirp4netns) && kit.ipv6;
    // The uplink comes last of all that a start does.
    let is_starting = facts.unit.is()?.active_state == "activating";
    if !has_ipv6 || tap.reaches_out() || is_starting {
        return None;
    }
    if uplink::started_before_ipv6(facts).is_some() {
        return None;
    }
    let why = match (kit.net.clone(), kit.version.is()) {
        (NetDriver::Slirp4netns, _) => {
            "slirp4netns announces its prefix, and a kernel that forwards does not listen"
                .to_owned()
        }
        (_, Some(version)) if capability::rootlesskit(*version).ipv6_config => {
            format!("rootlesskit {version}, which lets pasta configure it at each start")
        }
        (_, Some(version)) => {
            format!("rootlesskit {version}; before 2.3.0 it configures IPv4 alone")
        }
        (_, None) => "rootlesskit of unknown version".to_owned(),
    };
    Some(
        Finding::new(
            Code::RootlesskitWithoutIpv6Config,
            Severity::Broken,
            "tap0 in RootlessKit's netns has no global IPv6 address or no default route",
            Cure::Setup,
        )
        .seen(why)
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
        let finding = Finding::new(
            Code::MtuTrap,
            Severity::Weak,
            format!("pasta runs with an MTU of {mtu}, which makes it many times slower"),
            Cure::Setup,
        )
        .seen(format!(
            "rootlesskit runs with --mtu={mtu}; {DEFAULT_MTU} is best"
        ));
        let next = next_start(facts).map(|next| next.mtu);
        match next.filter(|next| next.value().is_some()) {
            Some(next) if next.value() != Some(&mtu.to_string()) => {
                finding.seen(not_taken_up(facts, &next))
            }
            Some(next) if next.variable.is_some() => finding.seen(next.from(facts)),
            _ => finding.seen("nothing sets it, and dockerd-rootless.sh takes 1500 before 28.5.2"),
        }
    })
}
