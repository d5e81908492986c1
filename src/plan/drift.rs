//! What setup has put in place beside what it would put in place now: what has been taken away or
//! changed since, what other versions need, and what they need no more.

use std::path::PathBuf;

use super::daemon_json::Change;
use super::environment::{FLAGS, MTU, PATH};
use super::files::Files;
use super::{Given, daemon_json, dropin, engine, environment, uplink, wait_online};
use crate::capability;
use crate::facts::{Facts, NetDriver, ReliedOn, Seen, Unit, Version, value_of};
use crate::request::{Intent, Uplink};

/// What is no longer as setup has left it, or should not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Somebody has taken it away or changed it.
    pub edited: Vec<Drifted>,
    /// Other versions than those at setup need it.
    pub needed: Vec<Drifted>,
    /// Other versions than those at setup do without it.
    pub idle: Vec<Drifted>,
}

/// One thing, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// What it is about.
    pub part: Part,
    /// What was seen and what is needed.
    pub seen: String,
}

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// How RootlessKit is started.
    RootlessKit,
    /// Options that RootlessKit gets beside `--ipv6`.
    Options,
    /// The MTU of tap0 and all networks.
    Mtu,
    /// Who gives tap0 its IPv6.
    Tap,
    /// How long a start waits.
    Wait,
    /// docker0 and the packet filter.
    Bridge,
    /// Which subnet docker0 has.
    Subnet,
    /// Networks that are made from now on.
    NewNetworks,
}

/// Compares; nothing where setup has put nothing in place, or where no plan can be made.
pub fn drift(facts: &Facts, intent: &Intent) -> Drift {
    let mut drift = Drift::default();
    let unit = facts.unit.is().filter(|unit| unit.is_loaded());
    let (Some(relied_on), Some(unit)) = (facts.relied_on.is(), unit) else {
        return drift;
    };
    if relied_on.files.is_empty() {
        return drift;
    }
    let case = Case {
        facts,
        intent,
        unit,
        files: Files::of(facts, unit),
        relied_on,
    };
    case.environment(&mut drift);
    case.daemon_json(&mut drift);
    drift
}

struct Case<'a> {
    facts: &'a Facts,
    intent: &'a Intent,
    unit: &'a Unit,
    files: Files<'a>,
    relied_on: &'a ReliedOn,
}

impl Case<'_> {
    /// What comes after our drop-in and overrules it is a [`super::Shadow`], and told as one.
    fn environment(&self, drift: &mut Drift) {
        let planned = environment::base(self.facts, self.unit).and_then(|base| {
            let planned = environment::planned(self.facts, &base, self.intent)?;
            let net = environment::net(self.facts, &base, &planned);
            Ok((planned, net))
        });
        let Ok((planned, net)) = planned else {
            return;
        };
        let ours = &self.facts.our_drop_in;
        if ours.text == Seen::Absent && self.relied_on.written(&ours.path).is_some() {
            let path = self.facts.short(&ours.path);
            drift.edited.push(Drifted {
                part: Part::RootlessKit,
                seen: format!("{path}, which setup wrote, is gone"),
            });
        }
        let texts = self.files.up_to_ours();
        let written = dropin::environment(&texts);
        // A PATH without pasta is told as that.
        for (name, needed) in planned.iter().filter(|(name, _)| name != PATH) {
            let set = written.variable(name);
            let now = match set {
                Some(set) if set.uncertain && self.unit.needs_reload => continue,
                Some(set) if set.uncertain => self.unit.variable(name),
                Some(set) => Some(set.value.as_str()),
                None => value_of(&self.unit.manager_environment, name),
            };
            if now == Some(needed) {
                continue;
            }
            let place = set.and_then(|set| {
                let (path, _) = self.files.all().get(set.file).copied()?;
                Some(format!("{}, line {}: ", self.facts.short(path), set.line))
            });
            let drifted = Drifted {
                part: part_of(name, now),
                seen: match now {
                    Some(now) => {
                        format!(
                            "{}{name}={now}; needed is {needed}",
                            place.unwrap_or_default()
                        )
                    }
                    None => format!("{name} is not set; needed is {needed}"),
                },
            };
            let then = value_of(&self.relied_on.environment, name);
            if then == Some(needed) {
                drift.edited.push(drifted);
            } else {
                drift.needed.push(drifted);
            }
        }
        self.uplink(&texts, net.as_ref(), drift);
        self.wait(&texts, drift);
    }

    /// A rehearsal may have shown setup what no table knows: the table is asked only for what it says
    /// otherwise than then.
    fn uplink(&self, texts: &[&str], net: Option<&NetDriver>, drift: &mut Drift) {
        let facts = self.facts;
        let is_there = uplink::is_in(texts);
        let written = self.relied_on.written(&facts.our_drop_in.path);
        let was_there = written.is_some_and(|text| uplink::is_in(&[text]));
        let wanted = uplink::is_wanted(facts, self.intent, &Seen::Absent, net);
        let then = self.relied_on.versions.rootlesskit.as_deref();
        let then = then.and_then(Version::find);
        let now = facts.rootlesskit_version();
        let by_itself = |version| capability::rootlesskit(version).ipv6_config;
        // A version that nobody knows is not another one.
        let both = then.zip(now);
        let is_another = both.is_some_and(|(then, now)| by_itself(then) != by_itself(now));
        let drifted = |seen: String| Drifted {
            part: Part::Tap,
            seen,
        };
        let kit = now.map_or_else(
            || "RootlessKit".to_owned(),
            |now| format!("RootlessKit {now}"),
        );
        match (was_there, is_there, wanted) {
            (true, false, true) => drift.edited.push(drifted(
                "no ExecStartPost= runs `rootless6 uplink` any more, which gives tap0 its IPv6"
                    .to_owned(),
            )),
            (false, false, true) if is_another => drift.needed.push(drifted(format!(
                "{kit} gives tap0 no IPv6; needed is `rootless6 uplink` at each start"
            ))),
            (true, true, false) if is_another && self.intent.uplink == Uplink::Auto => {
                drift.idle.push(drifted(format!(
                    "{kit} gives tap0 its IPv6 by itself; `rootless6 uplink` at each start has nothing to do"
                )));
            }
            _ => {}
        }
    }

    fn wait(&self, texts: &[&str], drift: &mut Drift) {
        let asked = self.intent.wait_online.filter(|seconds| *seconds > 0);
        let now = wait_online::seconds_in(texts);
        if let Some(seconds) = asked.filter(|_| now != asked) {
            let now = now.map_or_else(|| "not".to_owned(), |now| format!("{now} s"));
            drift.edited.push(Drifted {
                part: Part::Wait,
                seen: format!(
                    "a start waits {now} for the host's IPv6; asked for were {seconds} s"
                ),
            });
        }
    }

    fn daemon_json(&self, drift: &mut Drift) {
        let facts = self.facts;
        let path = facts.short(&facts.daemon_json.path);
        let text = facts.daemon_json.text.is().map_or("", String::as_str);
        let written = self.relied_on.written(&facts.daemon_json.path);
        // Where a file that is no JSON is to be changed, another rule says so.
        let Ok(lacking) = engine::lacking(facts, self.intent, &nothing_given()) else {
            return;
        };
        if daemon_json::edit(Some(text), &lacking).is_err() {
            return;
        }
        let then = self.relied_on.versions.engine.as_deref();
        let then = then.and_then(Version::find).map(capability::engine);
        let now = facts.engine_version().map(capability::engine);
        let is_another = then.zip(now).is_some_and(|(then, now)| then != now);
        for change in lacking {
            let keys: Vec<&str> = change.path().iter().map(String::as_str).collect();
            let at = |text| daemon_json::lookup(text, &keys).ok().flatten();
            let part = match keys.first() {
                Some(&("default-network-opts" | "default-address-pools")) => Part::NewNetworks,
                Some(&"fixed-cidr-v6") if at(text).is_some() => Part::Subnet,
                _ => Part::Bridge,
            };
            let key = keys.join(" . ");
            let now = at(text).map_or_else(|| "is not there".to_owned(), |now| format!("is {now}"));
            let was = written.and_then(at);
            let needed = match (&change, &was) {
                (_, Some(was)) => was.to_string(),
                (Change::Set { value, .. }, None) if !is_made_up(&keys) => value.to_string(),
                _ => "one of its own".to_owned(),
            };
            let drifted = Drifted {
                part,
                seen: format!("{path}: {key} {now}; needed is {needed}"),
            };
            let told = |known: &[Drifted]| known.contains(&drifted);
            if told(&drift.edited) || told(&drift.needed) {
                continue;
            }
            if was.is_none() && is_another {
                drift.needed.push(drifted);
            } else {
                drift.edited.push(drifted);
            }
        }
    }
}

/// What a variable of RootlessKit's is about, with the value that it has now.
fn part_of(name: &str, now: Option<&str>) -> Part {
    let has_ipv6 = || now.is_some_and(|now| now.split_whitespace().any(|word| word == "--ipv6"));
    match name {
        MTU => Part::Mtu,
        FLAGS if has_ipv6() => Part::Options,
        _ => Part::RootlessKit,
    }
}

/// Whether setup makes its value up at random.
fn is_made_up(keys: &[&str]) -> bool {
    matches!(keys, ["fixed-cidr-v6" | "default-address-pools", ..])
}

/// Nothing of it is written: only what is lacking counts.
fn nothing_given() -> Given {
    Given {
        program: PathBuf::new(),
        global_id: [0; 5],
        rehearsed: Seen::Absent,
    }
}

#[cfg(test)]
mod tests;
