//! What tap0 has of the host's IPv6, and when it was looked for.

use super::{Code, Cure, Finding, Severity};
use crate::facts::{Address, Facts, NetDriver};
use crate::plan::{self, subnet};

pub(super) fn started_before_ipv6(facts: &Facts) -> Option<Finding> {
    let younger = plan::uplink::started_before_ipv6(facts)?;
    Some(
        Finding::new(
            Code::StartedBeforeIpv6,
            Severity::Broken,
            "dockerd was started before the host had IPv6, and pasta looks for it only once",
            Cure::Setup,
        )
        .seen(format!(
            "the host's first global address is {} s younger than RootlessKit",
            younger.div_ceil(100)
        )),
    )
}

/// pasta forwards all the same, whatever address a packet comes from (seen with passt 2025_05_03 and
/// 2026_10_02), so this is no reason for a failure.
pub(super) fn stale_address(facts: &Facts) -> Option<Finding> {
    let kit = facts.rootlesskit.is()?;
    if kit.net != NetDriver::Pasta || !kit.ipv6 {
        return None;
    }
    let host = facts.host.network.is()?;
    let on_tap: Vec<&Address> = facts.tap.is()?.global().collect();
    let stale = on_tap.first()?;
    let own = host.global().next()?;
    let known = |address: &&Address| {
        host.addresses
            .iter()
            .any(|own| own.address == address.address)
    };
    // RootlessKit 3.2 and later have one address for all.
    let fixed = |address: &&Address| {
        subnet::overlaps(&format!("{}/128", address.address), subnet::TAP_NETWORK)
    };
    if on_tap
        .iter()
        .any(|address| known(address) || fixed(address))
    {
        return None;
    }
    Some(
        Finding::new(
            Code::StaleAddress,
            Severity::Weak,
            format!(
                "tap0 has {}, which the host does not have, so containers cannot reach whoever has it",
                stale.address
            ),
            Cure::Words(if plan::uplink::is_brought(facts) {
                "`rootless6 uplink` brings the host's own at once, and so does each start of dockerd"
                    .to_owned()
            } else {
                let unit = &facts.unit_name;
                format!("restart dockerd: `systemctl --user restart {unit}`")
            }),
        )
        .seen(format!("the host has {}", own.address)),
    )
}
