//! What dockerd and RootlessKit are told by files, beside what runs.
//!
//! dockerd-rootless.sh fills in what nobody says (moby:contrib/dockerd-rootless.sh): its defaults are
//! those of the Engine's version. What the running RootlessKit was told is on its command line.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::environment::{DETACH_NETNS, FLAGS, MTU, NET, PORT_DRIVER, SCRIPT_DETACHES};
use super::files::Files;
use super::{daemon_json, dropin, uplink};
use crate::capability;
use crate::facts::{Engine, Facts, NetDriver, Network, RootlessKit, Seen, Unit, Version, value_of};

/// From here on the script takes pasta where there is no slirp4netns, hands ports to pasta, and has
/// one MTU for both.
const SCRIPT_KNOWS_PASTA: Version = Version::new(28, 5, 2);

/// RootlessKit's network driver.
pub const NAME_NET: &str = "net";
/// Whether RootlessKit has `--ipv6`.
pub const NAME_IPV6: &str = "ipv6";
/// RootlessKit's port driver.
pub const NAME_PORT_DRIVER: &str = "port_driver";
/// The MTU of tap0.
pub const NAME_MTU: &str = "mtu";
/// Whether docker0 has IPv6.
pub const NAME_BRIDGE: &str = "docker0_ipv6";
/// Whether each start of dockerd runs the uplink.
pub const NAME_UPLINK: &str = "uplink";

/// One setting, as it is written and as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its stable name.
    pub name: &'static str,
    /// What the next start of dockerd will have.
    pub configured: Seen<String>,
    /// Who says so.
    pub by: By,
    /// What runs now; absent where nothing does.
    pub running: Seen<String>,
}

/// Who has the last word on a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A file, and the line in it where that is known.
    File { file: PathBuf, line: Option<usize> },
    /// Nobody, so that it is the default of this.
    Default(String),
    /// The environment of the user's systemd.
    Manager,
    /// That could not be told.
    Unknown,
}

impl Setting {
    /// Whether what runs is not what is written; none where either is not known.
    pub fn differs(&self) -> Option<bool> {
        Some(self.configured.is()? != self.running.is()?)
    }
}

/// The settings that IPv6 in containers depends on; none where dockerd has no unit.
pub fn settings(facts: &Facts) -> Vec<Setting> {
    let Some(unit) = facts.unit.is().filter(|unit| unit.is_loaded()) else {
        return Vec::new();
    };
    let script = Script {
        facts,
        unit,
        files: Files::of(facts, unit),
        version: facts.engine_version(),
    };
    let net = script.net();
    vec![
        script.setting(NAME_NET, net.clone(), |kit| Some(kit.net.name().to_owned())),
        script.setting(NAME_PORT_DRIVER, script.port_driver(&net.0), |kit| {
            Some(kit.port_driver.clone())
        }),
        script.setting(NAME_IPV6, script.ipv6(), |kit| Some(switch(kit.ipv6))),
        script.setting(NAME_MTU, script.mtu(), |kit| Some(kit.mtu?.to_string())),
        script.setting("detach_netns", script.detaches(), |kit| {
            Some(switch(kit.detached))
        }),
        script.uplink(),
        script.bridge(),
        script.ip6tables(),
    ]
}

fn switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// A value, and who says so.
type Said = (Seen<String>, By);

/// The unit's start script, and all that it goes by.
struct Script<'a> {
    facts: &'a Facts,
    unit: &'a Unit,
    files: Files<'a>,
    version: Option<Version>,
}

impl Script<'_> {
    fn setting(
        &self,
        name: &'static str,
        (configured, by): Said,
        running: impl Fn(&RootlessKit) -> Option<String>,
    ) -> Setting {
        let (configured, by) = if self.is_known() {
            (configured, by)
        } else {
            let why = "dockerd is not started by dockerd-rootless.sh";
            (Seen::Unknown(why.to_owned()), By::Unknown)
        };
        let running = match &self.facts.rootlesskit {
            Seen::Is(kit) => running(kit).map_or_else(
                || Seen::Unknown("its command line does not tell".to_owned()),
                Seen::Is,
            ),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why.clone()),
        };
        Setting {
            name,
            configured,
            by,
            running,
        }
    }

    /// Whoever starts rootlesskit by themselves has no defaults that are known here.
    fn is_known(&self) -> bool {
        let program = self.unit.exec_start.first();
        program.is_none_or(|program| program.contains("dockerd-rootless"))
    }

    /// A variable as the next start has it: absent where nobody sets it.
    fn variable(&self, name: &str) -> Said {
        if let Some((file, value)) = self.unit.from_files(name) {
            let file = file.path.clone();
            return (Seen::Is(value.to_owned()), By::File { file, line: None });
        }
        let all = self.files.all();
        let texts: Vec<&str> = all.iter().map(|(_, text)| *text).collect();
        let written = dropin::environment(&texts);
        let set = written.variable(name);
        let by = set.map_or(By::Unknown, |set| at(all[set.file].0, set.line));
        if !self.unit.needs_reload {
            let effective = self.unit.effective(name);
            let by = if set.is_some() || effective.is_none() {
                by
            } else {
                By::Manager
            };
            let value = effective.map(str::to_owned);
            return (value.map_or(Seen::Absent, Seen::Is), by);
        }
        let is_unset = written.unset.iter().any(|unset| {
            unset.text == name
                || set.is_some_and(|set| unset.text == format!("{name}={}", set.value))
        });
        match set {
            _ if is_unset => (Seen::Absent, by),
            Some(set) if set.uncertain => {
                let why = format!("only systemd knows what {:?} stands for", set.value);
                (Seen::Unknown(why), by)
            }
            Some(set) => (Seen::Is(set.value.clone()), by),
            None => match value_of(&self.unit.manager_environment, name) {
                Some(value) => (Seen::Is(value.to_owned()), By::Manager),
                None => (Seen::Absent, By::Unknown),
            },
        }
    }

    /// The last word on one of RootlessKit's options: the flags come after the script's own.
    fn flag(&self, read: impl Fn(&[&str]) -> Option<String>) -> Option<Said> {
        match self.variable(FLAGS) {
            (Seen::Is(flags), by) => {
                let words: Vec<&str> = flags.split_whitespace().collect();
                Some((Seen::Is(read(&words)?), by))
            }
            (Seen::Absent, _) => None,
            (Seen::Unknown(why), by) => Some((Seen::Unknown(why), by)),
        }
    }

    /// A variable that says something: an empty one is one that is not set.
    fn chosen(&self, name: &str) -> Option<Said> {
        match self.variable(name) {
            (Seen::Absent, _) => None,
            (Seen::Is(value), _) if value.is_empty() => None,
            said => Some(said),
        }
    }

    fn default(&self, value: Seen<String>) -> Said {
        let engine = self.version.map_or_else(
            || "dockerd-rootless.sh".to_owned(),
            |version| format!("Engine {version}"),
        );
        (value, By::Default(engine))
    }

    fn is_from(&self, version: Version) -> bool {
        self.version.is_some_and(|known| known >= version)
    }

    fn net(&self) -> Said {
        self.flag(|words| option(words, "--net"))
            .unwrap_or_else(|| self.net_of_the_script())
    }

    fn net_of_the_script(&self) -> Said {
        if let Some(chosen) = self.chosen(NET) {
            return chosen;
        }
        let tools = &self.facts.tools;
        let pasta = match &tools.pasta {
            _ if !self.is_from(SCRIPT_KNOWS_PASTA) => &Seen::Absent,
            known => known,
        };
        self.default(match (&tools.slirp4netns, pasta) {
            (Seen::Is(_), _) => Seen::Is("slirp4netns".to_owned()),
            (Seen::Unknown(why), _) | (Seen::Absent, Seen::Unknown(why)) => {
                Seen::Unknown(why.clone())
            }
            (Seen::Absent, Seen::Is(_)) => Seen::Is("pasta".to_owned()),
            (Seen::Absent, Seen::Absent) => {
                Seen::Unknown("the script takes what else it finds".to_owned())
            }
        })
    }

    fn port_driver(&self, net: &Seen<String>) -> Said {
        let option = self.flag(|words| option(words, "--port-driver"));
        option
            .or_else(|| self.chosen(PORT_DRIVER))
            .unwrap_or_else(|| {
                let default = match NetDriver::named(net.is().map_or("", String::as_str)) {
                    NetDriver::Slirp4netns => Some("builtin"),
                    NetDriver::Pasta => self.version.map(|version| {
                        if version >= SCRIPT_KNOWS_PASTA {
                            "implicit"
                        } else {
                            "builtin"
                        }
                    }),
                    NetDriver::GvisorTapVsock | NetDriver::Other(_) => None,
                };
                self.default(default.map_or_else(unknown_default, |it| Seen::Is(it.to_owned())))
            })
    }

    fn ipv6(&self) -> Said {
        self.flag(|words| flag(words, "--ipv6"))
            .unwrap_or_else(|| self.default(Seen::Is(switch(false))))
    }

    fn mtu(&self) -> Said {
        let option = self.flag(|words| option(words, "--mtu"));
        option.or_else(|| self.chosen(MTU)).unwrap_or_else(|| {
            let is_chosen = self.chosen(NET).is_some();
            let (net, _) = self.net_of_the_script();
            let net = net.is().map(|net| NetDriver::named(net));
            let default = match (net, self.version) {
                (Some(NetDriver::Slirp4netns), _) if !is_chosen => Some("65520"),
                (Some(NetDriver::Slirp4netns | NetDriver::Pasta), Some(version)) => {
                    Some(if version >= SCRIPT_KNOWS_PASTA {
                        "65520"
                    } else {
                        "1500"
                    })
                }
                _ => None,
            };
            self.default(default.map_or_else(unknown_default, |it| Seen::Is(it.to_owned())))
        })
    }

    fn detaches(&self) -> Said {
        let said = self.flag(|words| flag(words, "--detach-netns"));
        let detaches = self.is_from(SCRIPT_DETACHES);
        said.unwrap_or_else(|| match self.variable(DETACH_NETNS) {
            (Seen::Is(value), by) if detaches && !value.is_empty() => {
                (Seen::Is(switch(matches!(value.as_str(), "true" | "1"))), by)
            }
            (Seen::Unknown(why), by) if detaches => (Seen::Unknown(why), by),
            // Whoever changes nothing keeps what runs.
            _ => match (&self.facts.rootlesskit, self.version) {
                (Seen::Is(kit), _) => self.default(Seen::Is(switch(kit.detached))),
                (_, Some(_)) => self.default(Seen::Is(switch(detaches))),
                (_, None) => self.default(unknown_default()),
            },
        })
    }

    /// It shows where RootlessKit gives tap0 nothing by itself.
    fn uplink(&self) -> Setting {
        let all = self.files.all();
        let texts: Vec<&str> = all.iter().map(|(_, text)| *text).collect();
        let on = uplink::is_in(&texts);
        let by = all.iter().rev().find_map(|(path, text)| {
            let lines = dropin::parse(text).assignments;
            let line = lines.iter().rev().find(|line| {
                line.key == "ExecStartPost"
                    && uplink::is_in(&[&as_service("ExecStartPost", &line.value)])
            })?;
            Some(at(path, line.line))
        });
        let by = by.filter(|_| on);
        Setting {
            name: NAME_UPLINK,
            configured: Seen::Is(switch(on)),
            by: by.unwrap_or(By::Unknown),
            running: self.brought(on),
        }
    }

    /// Whether the uplink has given tap0 its IPv6, as far as that shows.
    fn brought(&self, on: bool) -> Seen<String> {
        let facts = self.facts;
        let kit = match &facts.rootlesskit {
            Seen::Is(kit) => kit,
            Seen::Absent => return Seen::Absent,
            Seen::Unknown(why) => return Seen::Unknown(why.clone()),
        };
        let by_itself = kit
            .version
            .is()
            .map(|version| capability::rootlesskit(*version).ipv6_config);
        match (&facts.tap, by_itself) {
            (Seen::Is(tap), Some(false)) => {
                let host = facts.host.network.is();
                let could = kit.ipv6 && host.is_some_and(Network::is_online);
                if could || !on {
                    Seen::Is(switch(tap.reaches_out()))
                } else {
                    Seen::Unknown("the host has nothing to give".to_owned())
                }
            }
            _ => Seen::Unknown("RootlessKit may do the same by itself".to_owned()),
        }
    }

    /// A switch of dockerd's: an option of its command line, else a key of daemon.json.
    fn of_dockerd(&self, name: &str, default: Option<bool>) -> Said {
        let options = self.unit.options();
        if let Some(given) = options.given(name) {
            let on = given.on().map_or_else(
                || Seen::Unknown(format!("dockerd refuses {}", given.word)),
                |on| Seen::Is(switch(on)),
            );
            return (on, self.exec_start());
        }
        let daemon_json = &self.facts.daemon_json;
        let text = match &daemon_json.text {
            Seen::Is(text) => text,
            Seen::Absent => "",
            Seen::Unknown(why) => return (Seen::Unknown(why.clone()), By::Unknown),
        };
        match daemon_json::lookup(text, &[name]) {
            Ok(Some(Value::Bool(on))) => {
                let line = daemon_json::line_of(text, &[name]);
                let file = daemon_json.path.clone();
                (Seen::Is(switch(on)), By::File { file, line })
            }
            Ok(Some(_)) => (
                Seen::Unknown(format!("{name} in daemon.json is neither true nor false")),
                By::Unknown,
            ),
            Ok(None) => {
                self.default(default.map_or_else(unknown_default, |on| Seen::Is(switch(on))))
            }
            Err(error) => (Seen::Unknown(error.to_string()), By::Unknown),
        }
    }

    fn exec_start(&self) -> By {
        let all = self.files.all();
        let last = all.iter().rev().find_map(|(path, text)| {
            let lines = dropin::parse(text).assignments;
            let line = lines
                .iter()
                .rev()
                .find(|line| line.section == "Service" && line.key == "ExecStart")?;
            Some(at(path, line.line))
        });
        last.unwrap_or(By::Unknown)
    }

    fn bridge(&self) -> Setting {
        let (configured, by) = self.of_dockerd("ipv6", Some(false));
        let running = match &self.facts.engine {
            Seen::Is(engine) => engine
                .docker0()
                .map_or(Seen::Absent, |docker0| Seen::Is(switch(docker0.ipv6))),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why.clone()),
        };
        Setting {
            name: NAME_BRIDGE,
            configured,
            by,
            running,
        }
    }

    fn ip6tables(&self) -> Setting {
        let default = self
            .version
            .map(|version| !capability::engine(version).ip6tables);
        let (configured, by) = self.of_dockerd("ip6tables", default);
        let running = match &self.facts.engine {
            Seen::Is(Engine { .. }) => Seen::Unknown("the Engine does not tell".to_owned()),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why.clone()),
        };
        Setting {
            name: "ip6tables",
            configured,
            by,
            running,
        }
    }
}

fn at(file: &Path, line: usize) -> By {
    By::File {
        file: file.to_owned(),
        line: Some(line),
    }
}

fn as_service(key: &str, value: &str) -> String {
    format!("[Service]\n{key}={value}\n")
}

fn unknown_default() -> Seen<String> {
    Seen::Unknown("the default of this Engine is not known".to_owned())
}

/// The value of `--name VALUE` or `--name=VALUE`; the last one wins.
fn option(words: &[&str], name: &str) -> Option<String> {
    let mut found = None;
    for (index, word) in words.iter().enumerate() {
        match word.strip_prefix(name) {
            Some("") => found = words.get(index + 1).map(|&value| value.to_owned()),
            Some(rest) if rest.starts_with('=') => found = Some(rest[1..].to_owned()),
            _ => {}
        }
    }
    found
}

/// A switch that is given; the last one wins.
fn flag(words: &[&str], name: &str) -> Option<String> {
    let last = words.iter().rev().find_map(|word| {
        word.strip_prefix(name)
            .filter(|rest| rest.is_empty() || rest.starts_with('='))
    })?;
    Some(switch(!matches!(last, "=false" | "=0")))
}
