//! The Engine and its networks.

use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::{Facts, Unit, UnitFile};
use crate::plan::daemon_json::lookup;
use crate::plan::dropin::parse;
use crate::plan::subnet;
use crate::request::{Intent, SubnetChoice};
use serde_json::Value;

fn configured(facts: &Facts, key: &str) -> Option<Value> {
    lookup(facts.daemon_json.text.is()?, &[key]).ok().flatten()
}

/// A switch in ExecStart= that is off, as it is written, and what to type to be rid of it.
fn switched_off(facts: &Facts, name: &str) -> Option<(String, Cure)> {
    let unit = facts.unit.is()?;
    let options = unit.options();
    let word = &options
        .given(name)
        .filter(|given| given.on() == Some(false))?
        .word;
    let holds = |file: &&UnitFile| {
        let assignments = parse(&file.text).assignments.into_iter().rev();
        assignments
            .take_while(|line| line.key != "ExecStart" || !line.value.is_empty())
            .any(|line| line.key == "ExecStart" && line.value.contains(word.as_str()))
    };
    let edit = |file: &UnitFile| {
        let path = facts.short(&file.path);
        let command = format!("sed -i 's/ {word}//' {path}");
        if path.starts_with("~/") {
            return Some(format!(
                "take it out with `{command} && systemctl --user daemon-reload`"
            ));
        }
        let fragment = unit.fragment.as_ref() == Some(&file.path);
        (!fragment).then(|| {
            format!("take it out as root with `{command}`, then `systemctl --user daemon-reload`")
        })
    };
    // Somebody else's unit is best copied, and systemctl knows how.
    let file = unit.files.iter().rev().find(holds);
    let cure = file.and_then(edit).unwrap_or_else(|| {
        format!(
            "take it out of ExecStart= with `systemctl --user edit --full {}`",
            facts.typed_unit()
        )
    });
    Some((word.clone(), Cure::Words(cure)))
}

pub(super) fn iptables_off(facts: &Facts) -> Option<Finding> {
    let finding = |cure| {
        Finding::new(
            Code::IptablesOff,
            Severity::Broken,
            "dockerd sets up no packet filter, so containers are not masqueraded",
            cure,
        )
    };
    if let Some((word, cure)) = switched_off(facts, "iptables") {
        let whose = if word == "--iptables=false" {
            ", which `dockerd-rootless-setuptool.sh install --skip-iptables` leaves there"
        } else {
            ""
        };
        return Some(finding(cure).seen(format!("ExecStart= has {word}{whose}")));
    }
    (configured(facts, "iptables") == Some(Value::Bool(false))).then(|| {
        let path = facts.short(&facts.daemon_json.path);
        finding(Cure::Words(format!("take \"iptables\" out of {path}")))
            .seen("daemon.json has \"iptables\": false")
    })
}

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
    let bridge = facts.engine.is()?.docker0()?;
    (!bridge.ipv6).then(|| {
        finding(Cure::Setup).seen(format!("subnets of bridge: {}", bridge.subnets.join(", ")))
    })
}

pub(super) fn ip6tables_off(facts: &Facts, intent: &Intent) -> Option<Finding> {
    if intent.subnet == SubnetChoice::None {
        return None;
    }
    let finding = |cure| {
        Finding::new(
            Code::Ip6tablesOff,
            Severity::Broken,
            "dockerd does not masquerade IPv6, so containers' packets cannot return",
            cure,
        )
    };
    if let Some((word, cure)) = switched_off(facts, "ip6tables") {
        return Some(finding(cure).seen(format!("ExecStart= has {word}")));
    }
    let needs = capability::engine(facts.engine_version()?);
    let option = facts.unit.is().map(Unit::options).unwrap_or_default();
    let on = match configured(facts, "ip6tables") {
        Some(value) => value == Value::Bool(true),
        None => !needs.ip6tables || option.given("ip6tables").is_some(),
    };
    (!on).then(|| {
        finding(Cure::Setup).seen(if needs.ip6tables {
            "before Engine 27 `ip6tables` is off by default"
        } else {
            "daemon.json has \"ip6tables\": false"
        })
    })
}

pub(super) fn subnet_collides(facts: &Facts) -> Option<Finding> {
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let option = options.given("fixed-cidr-v6");
    let key = || Some(configured(facts, "fixed-cidr-v6")?.as_str()?.to_owned());
    let (text, cure) = match option {
        Some(given) => (
            given.value.clone()?,
            Cure::Words(format!(
                "take {} out of ExecStart=, or choose another subnet there",
                given.word
            )),
        ),
        None => (key()?, Cure::Setup),
    };
    subnet::overlaps(&text, subnet::TAP_NETWORK).then(|| {
        Finding::new(
            Code::SubnetCollides,
            Severity::Broken,
            format!("docker0's subnet {text} overlaps the network that RootlessKit uses itself"),
            cure,
        )
        .seen(format!("tap0 may be in {}", subnet::TAP_NETWORK))
    })
}

pub(super) fn networks_without_ipv6(facts: &Facts) -> Option<Finding> {
    let engine = facts.engine.is()?;
    let names: Vec<_> = engine
        .networks
        .iter()
        .filter(|network| network.driver == "bridge" && network.name != "bridge" && !network.ipv6)
        .map(|network| network.name.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            Code::NetworkWithoutIpv6,
            Severity::Note,
            "networks made without IPv6 keep it that way until they are made again",
            Cure::Words(
                "`docker network rm NAME` and `docker network create --ipv6 NAME`, or compose down and up"
                    .to_owned(),
            ),
        )
        .seen(names.join(", "))
    })
}
