//! Subnets of containers that are somebody else's as well.

use serde_json::Value;

use super::super::daemon_json::{configured, seen};
use super::{Code, Cure, Facts, Finding, POOLS, Severity, Unit, plain};
use crate::capability;
use crate::facts::{Address, NetDriver};
use crate::plan::subnet::{Subnet, TAP_NETWORK};
use crate::request::{Intent, SubnetChoice};

/// Whose subnet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Docker0,
    Pool,
    Network,
}

/// A subnet that is, or may become, a network of the Engine's.
struct Taken {
    /// Which it is, in words, the subnet included.
    name: String,
    of: Of,
    subnet: Subnet,
    /// Where that is written, if it is.
    written: Option<String>,
    cure: Cure,
}

pub(in super::super) fn subnet_collides(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let taken: Vec<Taken> = docker0(facts)
        .into_iter()
        .chain(pools(facts))
        .chain(networks(facts))
        .collect();
    let findings = taken
        .iter()
        .filter_map(|taken| with_tap(facts, taken).or_else(|| with_host(facts, intent, taken)));
    let mut findings: Vec<Finding> = findings.collect();
    findings.sort_by_key(|finding| finding.severity);
    let mut findings = findings.into_iter();
    let worst = findings.next()?;
    // One finding for all of them: the rest is told as evidence.
    Some(findings.fold(worst, |worst, other| worst.seen(other.title)))
}

fn docker0(facts: &Facts) -> Option<Taken> {
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let key = ["fixed-cidr-v6"];
    let (text, written, cure) = match options.given(key[0]) {
        Some(given) => (
            given.value.clone()?,
            format!("ExecStart= has {}", given.word),
            Cure::Words(format!(
                "take {} out of ExecStart=, or choose another subnet there",
                given.word
            )),
        ),
        None => (
            configured(facts, &key)?.as_str()?.to_owned(),
            seen(facts, &key),
            Cure::Setup,
        ),
    };
    Some(Taken {
        name: format!("docker0's subnet {text}"),
        of: Of::Docker0,
        subnet: text.parse().ok()?,
        written: Some(written),
        cure,
    })
}

fn pools(facts: &Facts) -> Vec<Taken> {
    let pools = configured(facts, &[POOLS]);
    let pools = pools.as_ref().and_then(Value::as_array);
    let bases = pools
        .into_iter()
        .flatten()
        .filter_map(|pool| pool.get("base")?.as_str());
    let taken = |subnet: Subnet| Taken {
        name: format!("the pool {subnet} for new networks"),
        of: Of::Pool,
        subnet,
        written: Some(format!(
            "{POOLS} in {}",
            facts.short(&facts.daemon_json.path)
        )),
        cure: Cure::Words(format!(
            "choose another \"base\" in {POOLS} in {}, and restart dockerd",
            facts.short(&facts.daemon_json.path)
        )),
    };
    bases
        .filter_map(|base| base.parse().ok())
        .map(taken)
        .collect()
}

fn networks(facts: &Facts) -> Vec<Taken> {
    let networks = facts.engine.is().map_or(&[][..], |engine| &engine.networks);
    let user_made = networks
        .iter()
        .filter(|network| network.driver == "bridge" && network.name != "bridge");
    let subnets = user_made.flat_map(|network| {
        let subnets = network.subnets.iter().filter_map(|text| text.parse().ok());
        subnets.map(move |subnet| (network, subnet))
    });
    let taken = subnets.map(|(network, subnet)| {
        let name = plain(&network.name);
        Taken {
            cure: Cure::Words(format!(
                "make {name} again with another subnet: `docker network rm` and `docker network create --ipv6`"
            )),
            name: format!("{name}'s subnet {subnet}"),
            of: Of::Network,
            subnet,
            written: None,
        }
    });
    taken.collect()
}

fn with_tap(facts: &Facts, taken: &Taken) -> Option<Finding> {
    if !taken.subnet.overlaps(TAP_NETWORK) {
        return None;
    }
    let (severity, verb) = if may_be_taps(facts) {
        (Severity::Broken, "overlaps")
    } else {
        (Severity::Weak, "will overlap, from RootlessKit 3.2 on,")
    };
    // A pool is not a network yet.
    let severity = match taken.of {
        Of::Pool => Severity::Weak,
        Of::Docker0 | Of::Network => severity,
    };
    let title = format!(
        "{} {verb} the network that RootlessKit uses itself",
        taken.name
    );
    let finding = Finding::new(Code::SubnetCollides, severity, title, taken.cure.clone());
    let finding = taken.written.iter().fold(finding, Finding::seen);
    let on_tap = facts
        .tap
        .is()
        .and_then(|tap| tap.global().find(|address| is_taps(address)));
    Some(finding.seen(match on_tap {
        Some(address) => format!("tap0 has {}", address.address),
        None => format!(
            "tap0 is in {TAP_NETWORK} with slirp4netns, and with pasta from RootlessKit 3.2 on"
        ),
    }))
}

fn is_taps(address: &Address) -> bool {
    Subnet::around(address.address, 128).overlaps(TAP_NETWORK)
}

/// Whether tap0 is, or is about to be, in its usual network; nobody knows is yes.
fn may_be_taps(facts: &Facts) -> bool {
    let Some(version) = facts.rootlesskit_version() else {
        return true;
    };
    let can = capability::rootlesskit(version);
    let slirp4netns = facts
        .rootlesskit
        .is()
        .is_some_and(|kit| kit.net == NetDriver::Slirp4netns && kit.ipv6);
    let is_there = facts.tap.is().is_some_and(|tap| tap.global().any(is_taps));
    is_there || slirp4netns || can.fixed_tap || !can.pasta
}

/// Who is in a network of the host's is not reached from containers that have it as well. docker0
/// gives out the first addresses of its subnet, a host's own among them (seen with Engine 28.5: no
/// answer comes back; 26.1 makes them from the hardware's).
fn with_host(facts: &Facts, intent: &Intent, taken: &Taken) -> Option<Finding> {
    let host = facts.host.network.is()?;
    // Bridges of another Engine's are nobody's way out.
    let is_bridge = |name: &str| name == "docker0" || name.starts_with("br-");
    let address = host
        .global()
        .filter(|address| !is_bridge(&address.interface))
        .find(|address| Subnet::around(address.address, address.prefix).overlaps(taken.subnet))?;
    let is_within = |address: &Address| Subnet::around(address.address, 128).overlaps(taken.subnet);
    let in_order = facts
        .engine_version()
        .is_some_and(|version| !capability::engine(version).fixed_cidr_v6);
    let on_tap = facts
        .tap
        .is()
        .is_some_and(|tap| tap.global().any(is_within));
    let (severity, limit) = if in_order && on_tap && taken.of == Of::Docker0 {
        (
            Severity::Broken,
            "and a container gets the host's own address",
        )
    } else {
        (
            Severity::Weak,
            "whose machines containers cannot reach then",
        )
    };
    let title = format!("{} overlaps the host's own network, {limit}", taken.name);
    let cure = match (&taken.cure, intent.subnet) {
        (Cure::Setup, SubnetChoice::Named(_)) => Cure::Setup,
        (Cure::Setup, _) => Cure::Words(
            "choose another one: `rootless6 setup --subnet CIDR`, from fd00::/8 with 40 random bits"
                .to_owned(),
        ),
        (cure, _) => cure.clone(),
    };
    let finding = Finding::new(Code::SubnetCollides, severity, title, cure);
    let finding = taken.written.iter().fold(finding, Finding::seen);
    Some(finding.seen(format!(
        "the host has {}/{} on {}",
        address.address, address.prefix, address.interface
    )))
}
