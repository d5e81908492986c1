//! The Engine's networks, those that are there and those to come.

use serde_json::Value;

use super::daemon_json::{configured, seen};
use super::packet_filter::switched_off;
use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::{DockerNetwork, Facts, Options, Unit};
use crate::hostile::plain;
use crate::request::{Intent, NewNetworks, SubnetChoice};

pub(super) use collision::subnet_collides;

mod collision;

/// What a bridge network gets of dockerd unless it asks otherwise.
const DEFAULT_OPTIONS: &[&str] = &[
    "default-network-opts",
    "bridge",
    "com.docker.network.enable_ipv6",
];

/// Where pools of the user's own are.
const POOLS: &str = "default-address-pools";

/// More names than this tell nobody more.
const MOST_NAMED: usize = 8;

pub(super) fn bridge_without_ipv6(facts: &Facts, intent: &Intent) -> Option<Finding> {
    if intent.subnet == SubnetChoice::None {
        return None;
    }
    let finding = |cure| {
        Finding::new(
            Code::BridgeWithoutIpv6,
            Severity::Broken,
            "docker0, the default network, has no IPv6",
            cure,
        )
    };
    if let Some((word, cure)) = switched_off(facts, "ipv6") {
        return Some(finding(cure).seen(format!("ExecStart= has {word}")));
    }
    let Some(engine) = facts.engine.is() else {
        // What it will do at its next start is written.
        let is_off = configured(facts, &["ipv6"]) == Some(Value::Bool(false));
        return is_off.then(|| finding(Cure::Setup).seen(seen(facts, &["ipv6"])));
    };
    let bridge = engine.docker0().filter(|bridge| !bridge.ipv6)?;
    let found = finding(Cure::Setup).seen(subnets(bridge));
    let needed = if capability::engine(engine.version).fixed_cidr_v6 {
        "\"ipv6\": true and a \"fixed-cidr-v6\""
    } else {
        "\"ipv6\": true"
    };
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let not_taken_up = |place: String| format!("{place}, with which dockerd has not been started");
    let found = match options.given("ipv6") {
        Some(given) => found.seen(not_taken_up(format!("ExecStart= has {}", given.word))),
        None if configured(facts, &["ipv6"]) == Some(Value::Bool(true)) => {
            found.seen(not_taken_up(seen(facts, &["ipv6"])))
        }
        None => found.seen(seen(facts, &["ipv6"])),
    };
    Some(found.seen(format!("Engine {} needs {needed}", engine.version)))
}

fn subnets(network: &DockerNetwork) -> String {
    let name = &network.name;
    plain(&match network.subnets.as_slice() {
        [] => format!("{name} has no IPv6 subnet"),
        subnets => format!("{name} has {} alone", subnets.join(" and ")),
    })
}

pub(super) fn without_ipv6(facts: &Facts) -> Option<Finding> {
    let engine = facts.engine.is()?;
    let without: Vec<&DockerNetwork> = engine
        .networks
        .iter()
        .filter(|network| network.driver == "bridge" && network.name != "bridge" && !network.ipv6)
        .collect();
    if without.is_empty() {
        return None;
    }
    let finding = Finding::new(
        Code::NetworkWithoutIpv6,
        Severity::Note,
        "networks made without IPv6 keep it that way until they are made again",
        Cure::Words(
            "make it again, if it is to have IPv6: `rootless6 explain network-without-ipv6` has the steps, and what is lost"
                .to_owned(),
        ),
    );
    let named = without
        .iter()
        .take(MOST_NAMED)
        .map(|network| subnets(network));
    let finding = named.fold(finding, Finding::seen);
    Some(match without.len().saturating_sub(MOST_NAMED) {
        0 => finding,
        more => finding.seen(format!("and {more} more")),
    })
}

/// What a network gets that does not ask for IPv6 by name.
pub(super) fn new_without_ipv6(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let unit = facts.unit.is().filter(|unit| unit.is_loaded())?;
    if facts.daemon_json.text.unknown().is_some() {
        return None;
    }
    let version = facts.engine_version()?;
    let needs = capability::engine(version);
    let options = unit.options();
    if !needs.new_networks {
        return without_pool(facts, &options, intent);
    }
    if has_ipv6(facts, &options) {
        return None;
    }
    let option = options.for_key(DEFAULT_OPTIONS[0]);
    let changes = intent.new_networks == NewNetworks::Ipv6 && option.is_none();
    let (severity, cure) = if changes {
        (Severity::Weak, Cure::Setup)
    } else {
        let words =
            "ask for it: `docker network create --ipv6 NAME`, and in compose `enable_ipv6: true`";
        (Severity::Note, Cure::Words(words.to_owned()))
    };
    let finding = Finding::new(
        Code::NewNetworksWithoutIpv6,
        severity,
        "networks made from now on get no IPv6 unless they ask for it",
        cure,
    );
    Some(
        finding
            .seen(match option {
                Some(given) => format!("ExecStart= has {}", given.word),
                None => seen(facts, DEFAULT_OPTIONS),
            })
            .seen(format!(
                "Engine {version} needs \"{}\": \"true\" there",
                DEFAULT_OPTIONS[2]
            )),
    )
}

fn has_ipv6(facts: &Facts, options: &Options) -> bool {
    let is_on = |value: &str| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True");
    let mut values = options.values("default-network-opt");
    let as_option = values.any(|value| {
        let given = value
            .strip_prefix("bridge=")
            .and_then(|it| it.split_once('='));
        given.is_some_and(|(name, value)| name == DEFAULT_OPTIONS[2] && is_on(value))
    });
    let key = configured(facts, DEFAULT_OPTIONS);
    as_option || key.is_some_and(|value| value.as_str().is_some_and(is_on))
}

/// Before Engine 27 a network that asks for IPv6 has to name its subnet, unless there is a pool.
fn without_pool(facts: &Facts, options: &Options, intent: &Intent) -> Option<Finding> {
    let is_ipv6 = |pool: &Value| {
        let base = pool.get("base").and_then(Value::as_str);
        base.is_some_and(|base| base.contains(':'))
    };
    let pools = configured(facts, &[POOLS]);
    let mut pools = pools
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let option = options.for_key(POOLS);
    let mut values = options.values("default-address-pool");
    if pools.any(is_ipv6) || values.any(|value| value.contains(':')) {
        return None;
    }
    let changes = intent.new_networks == NewNetworks::Ipv6 && option.is_none();
    let cure = if changes {
        Cure::Setup
    } else {
        let words = "name one: `docker network create --ipv6 --subnet CIDR NAME`";
        Cure::Words(words.to_owned())
    };
    let finding = Finding::new(
        Code::NewNetworksWithoutIpv6,
        Severity::Note,
        "a network that asks for IPv6 has to name its subnet: there is no pool to take one from",
        cure,
    );
    Some(finding.seen(match option {
        Some(given) => format!("ExecStart= has {}", given.word),
        None => seen(facts, &[POOLS]),
    }))
}
