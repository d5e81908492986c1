//! What a switch to pasta costs: ports that are published on loopback alone.

use super::environment::{self, Variables};
use crate::facts::{Facts, LoopbackPort, NetDriver, Seen};

/// Whether they answer now, for all that shows, and will not with these variables.
pub(super) fn is_lost(facts: &Facts, base: &Variables, planned: &Variables) -> bool {
    let (net, port_driver) = environment::drivers(facts, base, planned);
    net.map(NetDriver::named) == Some(NetDriver::Pasta)
        && port_driver == Some("implicit")
        && facts.pasta_loses_loopback_ports()
        && !facts.may_lose_loopback_ports()
}

/// Those of running containers.
pub(super) fn published(facts: &Facts) -> Vec<LoopbackPort> {
    facts.loopback_ports.is().cloned().unwrap_or_default()
}

/// What is lost, and the way out.
pub(super) fn note(facts: &Facts) -> Option<String> {
    let kit = facts.rootlesskit_version()?;
    let lost = match &facts.loopback_ports {
        Seen::Is(ports) if !ports.is_empty() => {
            let ports: Vec<_> = ports
                .iter()
                .map(|LoopbackPort { container, address }| format!("{container} on {address}"))
                .collect();
            format!(
                "what is published on loopback alone stops answering: {}",
                ports.join(", ")
            )
        }
        // Nobody is hit now: the page has the ways out.
        Seen::Is(_) | Seen::Absent => {
            return Some(format!(
                "with pasta and RootlessKit {kit}, `-p 127.0.0.1:8080:80` does not answer and `-p 8080:80` does: `rootless6 explain loopback-publish-broken`"
            ));
        }
        Seen::Unknown(why) => format!(
            "what is published on loopback alone (`-p 127.0.0.1:8080:80`) stops answering, and whether there is any is unknown ({why})"
        ),
    };
    Some(format!(
        "with pasta and RootlessKit {kit}, {lost}; {}",
        way_out(facts)
    ))
}

fn way_out(facts: &Facts) -> String {
    let everywhere = "publish on all addresses (`-p 8080:80`), which others reach too";
    if facts.tools.slirp4netns.is().is_none() {
        return everywhere.to_owned();
    }
    let echo = match facts.slirp4netns_forwards_echo() {
        Some(true) => ", and has ping6 too",
        Some(false) => ", without ping6",
        None => "",
    };
    format!("`rootless6 setup --net slirp4netns` keeps that working{echo}, or {everywhere}")
}
