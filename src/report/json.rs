//! What the contract has for scripts. What is unknown is null, with its reason in `unknown`.

use serde_json::{Map, Value, json};

use crate::facts::{ChosenBy, Facts, Seen};

mod doctor;
mod ping;
mod settings;

pub use doctor::{codes, examination};
pub use ping::pinged;

/// The body of `status --json`.
pub fn status(facts: &Facts) -> Value {
    let engine = facts.engine.is();
    let kit = facts.rootlesskit.is();
    let unit = facts.unit.is();
    let host = facts.host.network.is();
    let environment: Option<Map<String, Value>> = unit.map(|unit| {
        unit.environment
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect()
    });
    json!({
        "engine": {
            "version": engine.map(|engine| engine.version.to_string()),
            "rootless": engine.map(|engine| engine.rootless),
            "operating_system": engine.map(|engine| &engine.operating_system),
            "socket": facts.socket,
        },
        "docker": docker(facts),
        "rootlesskit": {
            "version": kit.and_then(|kit| kit.version.is()).map(ToString::to_string),
            "net": kit.map(|kit| kit.net.name()),
            "port_driver": kit.map(|kit| &kit.port_driver),
            "ipv6": kit.map(|kit| kit.ipv6),
            "mtu": kit.and_then(|kit| kit.mtu),
            "detached": kit.map(|kit| kit.detached),
            "state_dir": kit.map(|kit| &kit.state_dir),
            "child_pid": kit.map(|kit| kit.child_pid),
        },
        "netns": {
            "ipv6_addresses": facts.tap.is().map(addresses),
            "ipv6_default_route": facts.tap.is().and_then(default_route),
        },
        "unit": {
            "name": unit.map(|unit| &unit.name),
            "active": unit.map(|unit| unit.is_active()),
            "enabled": unit.map(|unit| unit.is_enabled()),
            "fragment": unit.and_then(|unit| unit.fragment.as_ref()),
            "drop_ins": unit.map(|unit| &unit.drop_ins),
            "environment": environment,
            "needs_reload": unit.map(|unit| unit.needs_reload),
            "invocation_id": unit.map(|unit| &unit.invocation_id),
        },
        "user": {
            "name": facts.session.user,
            "linger": facts.session.linger.is(),
        },
        "host": {
            "ipv6_addresses": host.map(addresses),
            "ipv6_default_route": host.and_then(default_route),
            "ping_group_range": facts.host.ping_group_range.is(),
        },
        "tools": {
            "pasta": facts.tools.pasta.is().map(|tool| &tool.version),
            "slirp4netns": facts.tools.slirp4netns.is().map(|tool| &tool.version),
        },
        "networks": engine.map(|engine| {
            engine
                .networks
                .iter()
                .map(|network| json!({
                    "name": network.name,
                    "ipv6": network.ipv6,
                    "subnets": network.subnets,
                }))
                .collect::<Vec<_>>()
        }),
        "settings": settings::settings(facts),
        "unknown": unknown(facts),
    })
}

/// Where `docker` leads: null where that is the unit's own socket, or where it is unknown.
fn docker(facts: &Facts) -> Option<Value> {
    let there = facts.platform.elsewhere.is()?;
    let context = match &there.chosen_by {
        ChosenBy::Context(name) => Some(name),
        ChosenBy::DockerHost | ChosenBy::Nobody => None,
    };
    Some(json!({ "address": there.address, "context": context }))
}

fn addresses(network: &crate::facts::Network) -> Vec<String> {
    network
        .global()
        .map(|address| format!("{}/{}", address.address, address.prefix))
        .collect()
}

fn default_route(network: &crate::facts::Network) -> Option<String> {
    let route = network.default_routes.first()?;
    Some(match route.gateway {
        Some(gateway) => format!("via {gateway} dev {}", route.interface),
        None => format!("dev {}", route.interface),
    })
}

fn unknown(facts: &Facts) -> Map<String, Value> {
    let mut reasons = Map::new();
    let mut note = |name: &str, why: Option<&str>| {
        if let Some(why) = why {
            reasons.insert(name.to_owned(), json!(why));
        }
    };
    note("unit", why(&facts.unit, "there is no such unit"));
    note(
        "user.linger",
        why(&facts.session.linger, "there is no systemd-logind"),
    );
    note("engine", why(&facts.engine, "nobody answers on its socket"));
    note("docker", facts.platform.elsewhere.unknown());
    note("rootlesskit", why(&facts.rootlesskit, "it is not running"));
    note("netns", why(&facts.tap, "RootlessKit is not running"));
    note("host", why(&facts.host.network, "there is no network"));
    note(
        "host.ping_group_range",
        why(
            &facts.host.ping_group_range,
            "the kernel has no such setting",
        ),
    );
    note(
        "tools.pasta",
        why(&facts.tools.pasta, "not on the unit's PATH"),
    );
    note(
        "tools.slirp4netns",
        why(&facts.tools.slirp4netns, "not on the unit's PATH"),
    );
    for (name, why) in facts.start.unknown() {
        note(name, Some(why));
    }
    reasons
}

fn why<'a, T>(seen: &'a Seen<T>, absent: &'a str) -> Option<&'a str> {
    match seen {
        Seen::Is(_) => None,
        Seen::Absent => Some(absent),
        Seen::Unknown(why) => Some(why),
    }
}
