//! What dockerd and RootlessKit are told by files, beside what runs.
//!
//! What the running RootlessKit was told is on its command line.

use super::files::Files;
use super::next_start::{NextStart, Told, next_start, switch};
use super::said::{By, Said};
use super::{dropin, uplink};
use crate::capability;
use crate::facts::{Facts, NetDriver, Network, RootlessKit, Seen};

mod dockerd;

/// RootlessKit's network driver.
pub const NAME_NET: &str = "net";
/// Whether RootlessKit has `--ipv6`.
pub const NAME_IPV6: &str = "ipv6";
/// RootlessKit's port driver.
pub const NAME_PORT_DRIVER: &str = "port_driver";
/// The MTU of tap0.
pub const NAME_MTU: &str = "mtu";
/// Whether docker0 has IPv6.
pub const NAME_BRIDGE: &str = "docker0_ipv6";
/// Whether each start of dockerd runs the uplink.
pub const NAME_UPLINK: &str = "uplink";

/// One setting, as it is written and as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its stable name.
    pub name: &'static str,
    /// What the next start of dockerd will have.
    pub configured: Said,
    /// What runs now; absent where nothing does.
    pub running: Seen<String>,
}

impl Setting {
    /// Whether what runs is not what is written; none where either is not known.
    pub fn differs(&self) -> Option<bool> {
        Some(self.configured.value.is()? != self.running.is()?)
    }
}

/// The settings that IPv6 in containers depends on; none where dockerd has no unit.
pub fn settings(facts: &Facts) -> Vec<Setting> {
    let unit = facts.unit.is();
    let (Some(unit), Some(next)) = (unit, next_start(facts)) else {
        return Vec::new();
    };
    let files = Files::of(facts, unit);
    let mut settings = of_rootlesskit(facts, next);
    settings.push(of_uplink(facts, &files));
    settings.extend(dockerd::settings(facts, unit, &files));
    settings
}

fn of_rootlesskit(facts: &Facts, next: NextStart) -> Vec<Setting> {
    type Running = fn(&RootlessKit) -> Option<String>;
    let all: [(_, Told, Running); 5] = [
        (NAME_NET, next.net, |kit| Some(kit.net.name().to_owned())),
        (NAME_PORT_DRIVER, next.port_driver, |kit| {
            Some(kit.port_driver.clone())
        }),
        (NAME_IPV6, next.ipv6, |kit| Some(switch(kit.ipv6))),
        (NAME_MTU, next.mtu, |kit| Some(kit.mtu?.to_string())),
        ("detach_netns", next.detach_netns, |kit| {
            Some(switch(kit.detached))
        }),
    ];
    let beside = |(name, told, running): (_, Told, Running)| Setting {
        name,
        configured: told.said,
        running: facts.rootlesskit.as_ref().and_then(|kit| {
            let unknown = || Seen::Unknown("its command line does not tell".to_owned());
            running(kit).map_or_else(unknown, Seen::Is)
        }),
    };
    all.into_iter().map(beside).collect()
}

/// It shows where RootlessKit gives tap0 nothing by itself.
fn of_uplink(facts: &Facts, files: &Files<'_>) -> Setting {
    let all = files.all();
    let texts: Vec<&str> = all.iter().map(|(_, text)| *text).collect();
    let on = uplink::is_in(&texts);
    let runs_it = |line: &dropin::Assignment| {
        let alone = format!("[Service]\nExecStartPost={}\n", line.value);
        line.key == "ExecStartPost" && uplink::is_in(&[&alone])
    };
    let by = files.last(runs_it).filter(|_| on);
    Setting {
        name: NAME_UPLINK,
        configured: Said {
            value: Seen::Is(switch(on)),
            by: by.unwrap_or(By::Unknown),
        },
        running: brought(facts, on),
    }
}

/// Whether the uplink has given tap0 its IPv6, as far as that shows.
fn brought(facts: &Facts, on: bool) -> Seen<String> {
    facts.rootlesskit.as_ref().and_then(|kit| {
        let version = kit.version.is();
        let by_itself = version.is_none_or(|version| capability::rootlesskit(*version).ipv6_config);
        // tap0 may lose what it was given, or the host have nothing to give: no setting is to blame.
        match facts.tap.is().map(Network::reaches_out) {
            Some(true) if on => Seen::Is(switch(true)),
            Some(reaches) if !on && !by_itself && kit.net == NetDriver::Pasta => {
                Seen::Is(switch(reaches))
            }
            _ => Seen::Unknown("nothing shows whether it has run".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests;
