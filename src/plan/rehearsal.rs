//! What a rehearsal of RootlessKit's next start is to be like.

use super::dropin;
use super::environment::{self, Variables};
use crate::facts::{Facts, NetDriver, Unit, Version};
use crate::request::{Intent, SubnetChoice, Uplink};

/// From here on dockerd-rootless.sh itself makes RootlessKit's netns forward IPv6.
const SCRIPT_FORWARDS: Version = Version::new(29, 0, 0);

/// Options of RootlessKit's that must not be rehearsed, each with a value: dockerd's own RootlessKit
/// holds the published port, and the processes of this run's cgroup are not RootlessKit's to move.
const NOT_REHEARSED: &[&str] = &["-p", "--publish", "--evacuate-cgroup2"];

/// How to rehearse RootlessKit's next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// RootlessKit's options.
    pub options: Vec<String>,
    /// Its network driver.
    pub net: NetDriver,
    /// Whether the uplink is brought after the start.
    pub uplink: Uplink,
    /// Whether dockerd will make the netns forward IPv6.
    pub forwards: bool,
    /// Whether nothing that somebody else has planned for the start can change what is seen.
    pub is_whole: bool,
}

pub(super) fn planned(
    facts: &Facts,
    unit: &Unit,
    intent: &Intent,
    base: &Variables,
    environment: &Variables,
) -> Option<Rehearsal> {
    let options = environment::options(facts, base, environment)?;
    let by_script = facts
        .engine_version()
        .is_some_and(|version| version >= SCRIPT_FORWARDS);
    Some(Rehearsal {
        options: without_side_effects(options),
        net: environment::net(facts, base, environment)?,
        uplink: intent.uplink,
        forwards: by_script || intent.subnet != SubnetChoice::None,
        is_whole: !has_helpers(facts, unit),
    })
}

/// Whether the unit runs something of somebody else's once dockerd is up, which may well be what
/// brings IPv6 about.
fn has_helpers(facts: &Facts, unit: &Unit) -> bool {
    let others = unit
        .files
        .iter()
        .filter(|file| file.path != facts.our_drop_in.path);
    others
        .flat_map(|file| dropin::parse(&file.text).assignments)
        .any(|line| line.section == "Service" && line.key == "ExecStartPost")
}

fn without_side_effects(options: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.into_iter();
    while let Some(option) = options.next() {
        let name = option
            .split_once('=')
            .map_or(option.as_str(), |(name, _)| name);
        if !NOT_REHEARSED.contains(&name) {
            kept.push(option);
        } else if name == option {
            options.next();
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_ports_nor_other_processes_are_touched() {
        let options = "--net=slirp4netns -p 0.0.0.0:2376:2376/tcp --publish=8080:80/tcp --ipv6 \
             --publish 1:1/tcp --evacuate-cgroup2=all --pidns";
        let options = options.split_whitespace().map(str::to_owned).collect();
        let kept = without_side_effects(options);
        assert_eq!(kept, ["--net=slirp4netns", "--ipv6", "--pidns"]);
    }
}
