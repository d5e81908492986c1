//! The Engine and its networks.

use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::{Facts, Seen};
use crate::plan::daemon_json::lookup;
use crate::plan::subnet;
use serde_json::Value;

pub(super) fn daemon_json_invalid(facts: &Facts) -> Option<Finding> {
    let path = facts.daemon_json.path.display();
    let why = match &facts.daemon_json.text {
        Seen::Is(text) => crate::plan::daemon_json::edit(Some(text), &[])
            .err()?
            .to_string(),
        Seen::Unknown(why) => why.clone(),
        Seen::Absent => return None,
    };
    Some(
        Finding::new(
            Code::DaemonJsonInvalid,
            Severity::Broken,
            format!("{path} is not the JSON object that dockerd wants"),
            Cure::Words(format!(
                "mend {path}; dockerd does not start with it either"
            )),
        )
        .seen(why),
    )
}

fn configured(facts: &Facts, key: &str) -> Option<Value> {
    lookup(facts.daemon_json.text.is()?, &[key]).ok().flatten()
}

pub(super) fn iptables_off(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    let flag = unit
        .exec_start
        .iter()
        .any(|word| word == "--iptables=false");
    let key = configured(facts, "iptables") == Some(Value::Bool(false));
    if !flag && !key {
        return None;
    }
    let (seen, cure) = if flag {
        (
            "ExecStart has --iptables=false, which `dockerd-rootless-setuptool.sh install --skip-iptables` leaves there",
            format!(
                "take it out with `systemctl --user edit --full {}`",
                unit.name
            ),
        )
    } else {
        (
            "daemon.json has \"iptables\": false",
            "take the key out".to_owned(),
        )
    };
    Some(
        Finding::new(
            Code::IptablesOff,
            Severity::Broken,
            "dockerd sets up no packet filter, so containers are not masqueraded",
            Cure::Words(cure),
        )
        .seen(seen),
    )
}

pub(super) fn bridge_without_ipv6(facts: &Facts) -> Option<Finding> {
    let engine = facts.engine.is()?;
    let bridge = engine
        .networks
        .iter()
        .find(|network| network.name == "bridge")?;
    (!bridge.ipv6).then(|| {
        Finding::new(
            Code::BridgeWithoutIpv6,
            Severity::Broken,
            "docker0, the default network, has no IPv6",
            Cure::Setup,
        )
        .seen(format!("subnets of bridge: {}", bridge.subnets.join(", ")))
    })
}

pub(super) fn ip6tables_off(facts: &Facts) -> Option<Finding> {
    let needs = capability::engine(facts.engine_version()?);
    let on = match configured(facts, "ip6tables") {
        Some(value) => value == Value::Bool(true),
        None => !needs.ip6tables,
    };
    (!on).then(|| {
        Finding::new(
            Code::Ip6tablesOff,
            Severity::Broken,
            "dockerd does not masquerade IPv6, so containers' packets cannot return",
            Cure::Setup,
        )
        .seen(if needs.ip6tables {
            "before Engine 27 `ip6tables` is off by default"
        } else {
            "daemon.json has \"ip6tables\": false"
        })
    })
}

pub(super) fn subnet_collides(facts: &Facts) -> Option<Finding> {
    let value = configured(facts, "fixed-cidr-v6")?;
    let text = value.as_str()?;
    subnet::overlaps(text, subnet::TAP_NETWORK).then(|| {
        Finding::new(
            Code::SubnetCollides,
            Severity::Broken,
            format!("docker0's subnet {text} overlaps the network that RootlessKit uses itself"),
            Cure::Setup,
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
