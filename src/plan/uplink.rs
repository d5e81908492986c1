//! Who gives tap0 its IPv6: RootlessKit, or a command of ours at each start.

use super::dropin;
use crate::capability;
use crate::facts::{Facts, NetDriver, Network, Seen};
use crate::request::{Intent, Uplink};

/// The hidden command that gives tap0 its IPv6.
pub(super) const COMMAND: &str = "uplink";

/// Whether each start of dockerd runs the uplink now.
pub fn is_brought(facts: &Facts) -> bool {
    let ours = facts.our_drop_in.text.is();
    ours.is_some_and(|text| command_in(text).is_some())
}

/// The command with which a unit file gives tap0 its IPv6, if it has one.
pub(super) fn command_in(text: &str) -> Option<String> {
    dropin::own_command(text, "ExecStartPost", COMMAND)
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
    let by_table = || {
        let version = facts.rootlesskit_version();
        version.is_some_and(|version| capability::rootlesskit(version).ipv6_config)
    };
    let host_has_ipv6 = facts.host.network.is().is_some_and(Network::reaches_out);
    match rehearsed.is() {
        Some(tap) if host_has_ipv6 => tap.reaches_out(),
        _ => by_table(),
    }
}

/// Whether tap0 is without the IPv6 that a start would give it. pasta can give only what the host
/// has.
pub(super) fn is_lost(facts: &Facts, uplink: bool) -> bool {
    let (Some(kit), Some(tap)) = (facts.rootlesskit.is(), facts.tap.is()) else {
        return false;
    };
    let would_help = match kit.net {
        NetDriver::Pasta => {
            let configured = facts
                .rootlesskit_version()
                .is_some_and(|version| capability::rootlesskit(version).ipv6_config);
            let host = facts.host.network.is();
            kit.ipv6 && (uplink || configured) && host.is_some_and(Network::is_online)
        }
        _ => uplink,
    };
    would_help && !tap.reaches_out()
}
