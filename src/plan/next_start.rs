//! What RootlessKit is started with next, and who says so.
//!
//! dockerd-rootless.sh hands on three variables as options of RootlessKit's, then those in a fourth,
//! FLAGS, which therefore win, and fills in what nobody says (moby:contrib/dockerd-rootless.sh): its
//! defaults are those of the Engine's version.

use super::dropin;
use super::environment::{DETACH_NETNS, FLAGS, MTU, NET, PORT_DRIVER, SCRIPT_DETACHES};
use super::files::Files;
use super::said::{By, Said, variable};
use crate::capability::script_knows_pasta;
use crate::facts::{Facts, Flags, NetDriver, Seen, Unit, Version};

/// RootlessKit's options at dockerd's next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStart {
    /// `--net`
    pub net: Told,
    /// `--port-driver`
    pub port_driver: Told,
    /// `--mtu`
    pub mtu: Told,
    /// `--ipv6`, `on` or `off`.
    pub ipv6: Told,
    /// `--detach-netns`, `on` or `off`.
    pub detach_netns: Told,
}

/// An option of RootlessKit's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name, with dashes.
    pub option: &'static str,
    /// Its value, and who says so.
    pub said: Said,
    /// The variable that says so, and all that it is set to.
    pub variable: Option<(&'static str, String)>,
}

impl NextStart {
    fn unknown() -> Self {
        let unknown = |option| Told {
            option,
            said: Said {
                value: Seen::Unknown("dockerd is not started by dockerd-rootless.sh".to_owned()),
                by: By::Unknown,
            },
            variable: None,
        };
        Self {
            net: unknown("--net"),
            port_driver: unknown("--port-driver"),
            mtu: unknown("--mtu"),
            ipv6: unknown("--ipv6"),
            detach_netns: unknown("--detach-netns"),
        }
    }

    /// RootlessKit's network driver, if it can be told.
    pub fn driver(&self) -> Option<NetDriver> {
        self.net.value().map(NetDriver::named)
    }
}

impl Told {
    /// Its value, if it can be told.
    pub fn value(&self) -> Option<&str> {
        self.said.value.is().map(String::as_str)
    }

    /// Whether a switch is on, if it can be told.
    pub fn is_on(&self) -> Option<bool> {
        self.value().map(|value| value == ON)
    }

    /// Whether it stands in FLAGS, which setup adds to and takes nothing from.
    pub fn is_in_flags(&self) -> bool {
        matches!(self.variable, Some((FLAGS, _)))
    }

    /// In one line: file, line and assignment, or that dockerd-rootless.sh chooses it.
    pub fn from(&self, facts: &Facts) -> String {
        let Some((name, value)) = &self.variable else {
            let option = self.option;
            let value = self.value().unwrap_or("what it finds");
            return format!("nothing sets it, so dockerd-rootless.sh takes {option}={value}");
        };
        let place = self.said.by.place(facts);
        let place = place.unwrap_or_else(|| "the unit's environment".to_owned());
        format!("{place}: {name}={value}")
    }
}

const ON: &str = "on";
const OFF: &str = "off";

/// A switch in one word.
pub(super) fn switch(on: bool) -> String {
    if on { ON } else { OFF }.to_owned()
}

/// Reads the unit as its next start will; none where dockerd has none.
pub fn next_start(facts: &Facts) -> Option<NextStart> {
    let unit = facts.unit.is().filter(|unit| unit.is_loaded())?;
    if !is_started_by_the_script(unit) {
        return Some(NextStart::unknown());
    }
    let files = Files::of(facts, unit);
    let flags = variable(unit, &files, FLAGS);
    let script = Script {
        facts,
        unit,
        files,
        version: facts.engine_version(),
        given: flags.value.is().map(|value| dropin::flags(value)),
        flags,
    };
    let net = script.net();
    Some(NextStart {
        port_driver: script.port_driver(&net),
        mtu: script.mtu(),
        ipv6: script.ipv6(),
        detach_netns: script.detach_netns(),
        net,
    })
}

/// Whoever starts rootlesskit by themselves has no defaults that are known here.
fn is_started_by_the_script(unit: &Unit) -> bool {
    let program = unit.exec_start.first();
    program.is_none_or(|program| program.contains("dockerd-rootless"))
}

/// The unit's start script, and all that it goes by.
struct Script<'a> {
    facts: &'a Facts,
    unit: &'a Unit,
    files: Files<'a>,
    version: Option<Version>,
    flags: Said,
    /// What is in FLAGS; none where they are not set or nobody can tell.
    given: Option<Flags>,
}

impl Script<'_> {
    fn net(&self) -> Told {
        self.option("--net", |flags| flags.value("net"))
            .or_else(|| self.chosen("--net", NET))
            .unwrap_or_else(|| self.default("--net", self.net_of_the_script()))
    }

    /// slirp4netns where it is there, and by a script that knows pasta that next.
    fn net_of_the_script(&self) -> Seen<String> {
        let tools = &self.facts.tools;
        let pasta = match &tools.pasta {
            _ if !self.version.is_some_and(script_knows_pasta) => &Seen::Absent,
            known => known,
        };
        match (&tools.slirp4netns, pasta) {
            (Seen::Is(_), _) => Seen::Is("slirp4netns".to_owned()),
            (Seen::Unknown(why), _) | (Seen::Absent, Seen::Unknown(why)) => {
                Seen::Unknown(why.clone())
            }
            (Seen::Absent, Seen::Is(_)) => Seen::Is("pasta".to_owned()),
            (Seen::Absent, Seen::Absent) => {
                Seen::Unknown("the script takes what else it finds".to_owned())
            }
        }
    }

    fn port_driver(&self, net: &Told) -> Told {
        let option = self.option("--port-driver", |flags| flags.value("port-driver"));
        option
            .or_else(|| self.chosen("--port-driver", PORT_DRIVER))
            .unwrap_or_else(|| {
                let default = match NetDriver::named(net.value().unwrap_or_default()) {
                    NetDriver::Slirp4netns => Some("builtin"),
                    NetDriver::Pasta => self.by_age("builtin", "implicit"),
                    NetDriver::GvisorTapVsock | NetDriver::Other(_) => None,
                };
                self.default("--port-driver", known(default))
            })
    }

    fn mtu(&self) -> Told {
        let option = self.option("--mtu", |flags| flags.value("mtu"));
        let option = option.or_else(|| self.chosen("--mtu", MTU));
        option.unwrap_or_else(|| {
            let chosen = self.chosen("--net", NET).map(|net| net.said.value);
            let net = chosen.clone().unwrap_or_else(|| self.net_of_the_script());
            let default = match net.is().map(|net| NetDriver::named(net)) {
                Some(NetDriver::Slirp4netns) if chosen.is_none() => Some("65520"),
                Some(NetDriver::Slirp4netns | NetDriver::Pasta) => self.by_age("1500", "65520"),
                _ => None,
            };
            self.default("--mtu", known(default))
        })
    }

    fn ipv6(&self) -> Told {
        self.switch("--ipv6")
            .unwrap_or_else(|| self.default("--ipv6", Seen::Is(switch(false))))
    }

    fn detach_netns(&self) -> Told {
        const OPTION: &str = "--detach-netns";
        let detaches = self
            .version
            .is_some_and(|version| version >= SCRIPT_DETACHES);
        let chosen = || {
            let mut told = self.chosen(OPTION, DETACH_NETNS).filter(|_| detaches)?;
            told.said.value = told.said.value.and_then(|value| match value.as_str() {
                "true" | "1" => Seen::Is(switch(true)),
                "false" | "0" => Seen::Is(switch(false)),
                _ => Seen::Unknown(format!("dockerd-rootless.sh refuses {value:?}")),
            });
            Some(told)
        };
        self.switch(OPTION).or_else(chosen).unwrap_or_else(|| {
            // Whoever changes nothing keeps what runs.
            let default = match (&self.facts.rootlesskit, self.version) {
                (Seen::Is(kit), _) => Seen::Is(switch(kit.detached)),
                (_, Some(_)) => Seen::Is(switch(detaches)),
                (_, None) => known(None),
            };
            self.default(OPTION, default)
        })
    }

    /// What FLAGS say of an option; they have the last word.
    fn option(&self, option: &'static str, read: impl Fn(&Flags) -> Option<&str>) -> Option<Told> {
        self.in_flags(option, |flags| Some(Seen::Is(read(flags)?.to_owned())))
    }

    fn switch(&self, option: &'static str) -> Option<Told> {
        let name = option.trim_start_matches('-');
        self.in_flags(option, |flags| match flags.switch(name) {
            Ok(on) => Some(Seen::Is(switch(on?))),
            Err(word) => Some(Seen::Unknown(format!("RootlessKit refuses {word}"))),
        })
    }

    fn in_flags(
        &self,
        option: &'static str,
        read: impl Fn(&Flags) -> Option<Seen<String>>,
    ) -> Option<Told> {
        let value = match (&self.flags.value, &self.given) {
            (Seen::Unknown(why), _) => Seen::Unknown(why.clone()),
            (_, given) => read(given.as_ref()?)?,
        };
        let all = self.flags.value.is().cloned().unwrap_or_default();
        Some(Told {
            option,
            said: Said {
                value,
                by: self.flags.by.clone(),
            },
            variable: Some((FLAGS, all)),
        })
    }

    /// A variable that says something: to the script an empty one is not set.
    fn chosen(&self, option: &'static str, name: &'static str) -> Option<Told> {
        let said = variable(self.unit, &self.files, name);
        let all = match &said.value {
            Seen::Absent => return None,
            Seen::Is(value) if value.is_empty() => return None,
            Seen::Is(value) => value.clone(),
            Seen::Unknown(_) => String::new(),
        };
        Some(Told {
            option,
            said,
            variable: Some((name, all)),
        })
    }

    fn default(&self, option: &'static str, value: Seen<String>) -> Told {
        Told {
            option,
            said: Said {
                value,
                by: By::default_of(self.facts),
            },
            variable: None,
        }
    }

    /// What a script has that does not know pasta, and what one that does.
    fn by_age(&self, old: &'static str, new: &'static str) -> Option<&'static str> {
        let knows_pasta = script_knows_pasta(self.version?);
        Some(if knows_pasta { new } else { old })
    }
}

/// A default, if there is one that is known.
pub(super) fn known(default: Option<&str>) -> Seen<String> {
    default.map_or_else(
        || Seen::Unknown("the default of this Engine is not known".to_owned()),
        |value| Seen::Is(value.to_owned()),
    )
}

#[cfg(test)]
mod tests;
