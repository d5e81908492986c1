//! Who gives tap0 its IPv6: RootlessKit, or a command of ours at each start.

use super::dropin;
use super::files::Files;
use crate::capability;
use crate::facts::{Address, Facts, NetDriver, Network, Seen};
use crate::request::{Intent, Uplink};

/// The hidden command that gives tap0 its IPv6.
pub(super) const COMMAND: &str = "uplink";

/// Whether each start of dockerd runs the uplink now.
pub fn is_brought(facts: &Facts) -> bool {
    let unit = facts.unit.is();
    unit.is_some_and(|unit| is_in(&Files::of(facts, unit).now()))
}

/// Whether a unit of these files gives tap0 its IPv6.
pub(super) fn is_in(texts: &[&str]) -> bool {
    command_in(texts).is_some()
}

/// The command with which a unit of these files gives tap0 its IPv6, if it does.
pub(super) fn command_in(texts: &[&str]) -> Option<String> {
    dropin::own_command(texts, "ExecStartPost", COMMAND)
}

/// Whether each start shall run it, with this driver.
pub(super) fn is_wanted(
    facts: &Facts,
    intent: &Intent,
    rehearsed: &Seen<Network>,
    net: Option<&NetDriver>,
) -> bool {
    match intent.uplink {
        Uplink::Always => true,
        Uplink::Never => false,
        // Its router advertisements are lost on a kernel that forwards, as dockerd makes it.
        Uplink::Auto if net == Some(&NetDriver::Slirp4netns) => true,
        Uplink::Auto => !configures_ipv6(facts, rehearsed),
    }
}

/// Whether RootlessKit lets pasta give the tap interface IPv6: what a rehearsal has shown, where
/// the host had any to give, else the table. A version that nobody knows gets the uplink: where it
/// is not needed it finds everything in place and does nothing.
fn configures_ipv6(facts: &Facts, rehearsed: &Seen<Network>) -> bool {
    let host_has_ipv6 = facts.host.network.is().is_some_and(Network::reaches_out);
    match rehearsed.is() {
        Some(tap) if host_has_ipv6 => tap.reaches_out(),
        _ => configures_by_table(facts),
    }
}

fn configures_by_table(facts: &Facts) -> bool {
    let version = facts.rootlesskit_version();
    version.is_some_and(|version| capability::rootlesskit(version).ipv6_config)
}

/// By how much the host's first global address is younger than the RootlessKit that runs, in
/// hundredths of a second, where tap0 lacks IPv6 because of that: pasta looks at the host's network
/// once, at its start.
///
/// Addresses are stamped on a clock that stands still while the machine sleeps, processes on one
/// that does not: what seems younger is younger, and what seems older may not be. Then nothing is
/// claimed here.
pub fn started_before_ipv6(facts: &Facts) -> Option<u64> {
    let kit = facts.rootlesskit.is()?;
    let started = kit.started?;
    let host = facts.host.network.is()?;
    // Else tap0 would be without IPv6 in any case.
    let gets_ipv6_at_a_start = is_brought(facts) || configures_by_table(facts);
    if kit.net != NetDriver::Pasta
        || !kit.ipv6
        || facts.tap.is()?.reaches_out()
        || !host.is_online()
        || !gets_ipv6_at_a_start
    {
        return None;
    }
    let routed = |address: &&Address| {
        host.default_routes
            .iter()
            .any(|route| route.interface == address.interface)
    };
    let first = host
        .global()
        .filter(routed)
        .map(|address| address.created)
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .min()?;
    first.checked_sub(started).filter(|younger| *younger > 0)
}

/// Whether tap0 is without the IPv6 that a start would give it. pasta can give only what the host
/// has.
pub(super) fn is_lost(facts: &Facts, uplink: bool) -> bool {
    let (Some(kit), Some(tap)) = (facts.rootlesskit.is(), facts.tap.is()) else {
        return false;
    };
    let would_help = match kit.net {
        NetDriver::Pasta => {
            let host = facts.host.network.is();
            kit.ipv6
                && (uplink || configures_by_table(facts))
                && host.is_some_and(Network::is_online)
        }
        _ => uplink,
    };
    would_help && !tap.reaches_out()
}
