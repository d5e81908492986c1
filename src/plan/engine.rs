//! What daemon.json must say for containers to have IPv6.

use serde_json::{Value, json};

use super::daemon_json::{Change, edit, lookup};
use super::subnet::{Subnet, TAP_NETWORK, overlaps};
use super::{FileChange, Given, file_change};
use crate::capability::{self, EngineNeeds};
use crate::error::{Error, Exit, Result};
use crate::facts::{Engine, Facts, Options, Seen, Unit};
use crate::request::{Intent, NewNetworks, SubnetChoice};

/// The pools that are built into the Engine (moby's ipamutils). Naming any pool replaces the whole
/// list, so they are named again when an IPv6 pool joins them.
const BUILT_IN_POOLS: &[(&str, u8)] = &[
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
];

/// docker0's Subnet ID within the site's /48.
const BRIDGE_ID: u16 = 1;

/// The first Subnet ID of the pool for user networks: a /56, which is 256 networks. Engines before
/// 27 lay out every network of a pool in memory, so a whole /48 would be too many.
const POOL_ID: u16 = 0x100;
const POOL_PREFIX: u8 = 56;

const NETWORK_SIZE: u8 = 64;

/// The change to daemon.json, if one is needed, and what the person should know.
pub(super) fn daemon_json(
    facts: &Facts,
    intent: &Intent,
    given: &Given,
) -> Result<(Option<FileChange>, Vec<String>)> {
    let wishes = wishes(facts, intent, given)?;
    if wishes.changes.is_empty() {
        return Ok((None, wishes.notes));
    }
    let text = facts.daemon_json.text.is().map(String::as_str);
    let after = edit(text, &wishes.changes).map_err(|error| {
        Error::cannot(
            Exit::NotApplied,
            format!("change {}", facts.daemon_json.path.display()),
        )
        .caused_by(error)
        .hint("mend the file by hand, then run `rootless6 setup` again")
    })?;
    let change = file_change(&facts.daemon_json.path, &facts.daemon_json.text, after)?;
    Ok((change, wishes.notes))
}

/// What daemon.json does not say, and should.
pub(super) fn lacking(facts: &Facts, intent: &Intent, given: &Given) -> Result<Vec<Change>> {
    Ok(wishes(facts, intent, given)?.changes)
}

fn wishes<'a>(facts: &'a Facts, intent: &Intent, given: &Given) -> Result<Wishes<'a>> {
    let text = match &facts.daemon_json.text {
        Seen::Is(text) => Some(text.as_str()),
        Seen::Absent => None,
        Seen::Unknown(why) => {
            return Err(Error::cannot(
                Exit::NotApplied,
                format!(
                    "change {} without having read it",
                    facts.daemon_json.path.display()
                ),
            )
            .caused_by(why));
        }
    };
    let Some(version) = facts.engine_version() else {
        return Err(Error::cannot(
            Exit::NotApplied,
            "configure an Engine whose version is not known",
        )
        .hint(format!(
            "start it first: `systemctl --user start {}`",
            facts.typed_unit()
        )));
    };
    let needs = capability::engine(version);
    let mut wishes = Wishes {
        text: text.unwrap_or("{}"),
        options: facts.unit.is().map(Unit::options).unwrap_or_default(),
        changes: Vec::new(),
        notes: Vec::new(),
    };
    wishes.bridge(needs, intent, given);
    wishes.new_networks(needs, intent, given);
    Ok(wishes)
}

/// Whether dockerd must be restarted for daemon.json, though it is written already.
pub(super) fn not_live(facts: &Facts, intent: &Intent) -> bool {
    let docker0 = facts.engine.is().and_then(Engine::docker0);
    docker0.is_some_and(|docker0| !docker0.ipv6) && intent.subnet != SubnetChoice::None
}

struct Wishes<'a> {
    text: &'a str,
    /// dockerd's command line: a key that is there as an option must not be in the file as well.
    options: Options,
    changes: Vec<Change>,
    notes: Vec<String>,
}

impl Wishes<'_> {
    fn bridge(&mut self, needs: EngineNeeds, intent: &Intent, given: &Given) {
        if intent.subnet == SubnetChoice::None {
            return;
        }
        self.set(&["ipv6"], json!(true));
        match intent.subnet {
            SubnetChoice::Named(subnet) => self.set(&["fixed-cidr-v6"], json!(subnet.to_string())),
            _ if needs.fixed_cidr_v6 || self.subnet_collides() => self.unique_subnet(given),
            _ => {}
        }
        if needs.ip6tables {
            self.set(&["experimental"], json!(true));
        }
        if needs.ip6tables || self.has(&["ip6tables"]) {
            self.set(&["ip6tables"], json!(true));
        }
    }

    /// A subnet that is there and does no harm stays.
    fn unique_subnet(&mut self, given: &Given) {
        let there = self.value(&["fixed-cidr-v6"]);
        let sound = there
            .as_ref()
            .and_then(Value::as_str)
            .is_some_and(|text| text.parse::<Subnet>().is_ok() && !overlaps(text, TAP_NETWORK));
        if !sound {
            let subnet = Subnet::unique_local(given.global_id).with_id(BRIDGE_ID, NETWORK_SIZE);
            self.set(&["fixed-cidr-v6"], json!(subnet.to_string()));
        }
    }

    fn subnet_collides(&self) -> bool {
        self.value(&["fixed-cidr-v6"])
            .as_ref()
            .and_then(Value::as_str)
            .is_some_and(|text| overlaps(text, TAP_NETWORK))
    }

    fn new_networks(&mut self, needs: EngineNeeds, intent: &Intent, given: &Given) {
        if intent.new_networks == NewNetworks::Keep {
            return;
        }
        if needs.new_networks {
            self.set(
                &[
                    "default-network-opts",
                    "bridge",
                    "com.docker.network.enable_ipv6",
                ],
                json!("true"),
            );
            return;
        }
        self.notes.push(
            "this Engine gives a new network IPv6 only when asked: `docker network create --ipv6 NAME`"
                .to_owned(),
        );
        if needs.address_pool {
            self.address_pool(given);
        }
    }

    fn address_pool(&mut self, given: &Given) {
        let pools = self.value(&["default-address-pools"]);
        let there = pools.as_ref().and_then(Value::as_array);
        let is_ipv6 = |pool: &Value| {
            pool.get("base")
                .and_then(Value::as_str)
                .is_some_and(|base| base.contains(':'))
        };
        if there.is_some_and(|pools| pools.iter().any(is_ipv6)) {
            return;
        }
        let path = ["default-address-pools"];
        if self.is_option(path[0]) {
            return;
        }
        if there.is_none() {
            for (base, size) in BUILT_IN_POOLS {
                self.changes
                    .push(Change::append(path, json!({"base": base, "size": size})));
            }
        }
        let pool = Subnet::unique_local(given.global_id).with_id(POOL_ID, POOL_PREFIX);
        self.changes.push(Change::append(
            path,
            json!({"base": pool.to_string(), "size": NETWORK_SIZE}),
        ));
    }

    /// A text that is no JSON has no values; the edit that follows says so.
    fn value(&self, path: &[&str]) -> Option<Value> {
        lookup(self.text, path).ok().flatten()
    }

    fn has(&self, path: &[&str]) -> bool {
        self.value(path).is_some()
    }

    /// dockerd does not start with a setting that is both an option and a key.
    fn is_option(&mut self, key: &str) -> bool {
        let Some(option) = self.options.for_key(key) else {
            return false;
        };
        self.notes.push(format!(
            "{key} is left to {} in ExecStart=: dockerd takes it in one place only",
            option.word
        ));
        true
    }

    fn set(&mut self, path: &[&str], value: Value) {
        if self.is_option(path[0]) {
            return;
        }
        if self.value(path).as_ref() != Some(&value) {
            self.changes.push(Change::set(path.iter().copied(), value));
        }
    }
}
