//! What the unit starts RootlessKit with next, and which file says so.

use std::path::Path;

use crate::capability;
use crate::facts::{Facts, NetDriver, Seen, Unit};
use crate::plan::dropin;

const NET: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET";
const PORT_DRIVER: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER";
const MTU: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU";
const FLAGS: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS";

/// An option of RootlessKit's and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    /// In one line: file, line and assignment, or that dockerd's script chooses it.
    pub(super) from: String,
    /// Whether it stands in FLAGS, which setup adds to and takes nothing from.
    pub(super) in_flags: bool,
}

/// RootlessKit's options at dockerd's next start; those that nobody can tell are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartsWith {
    pub(super) net: Option<Setting>,
    pub(super) port_driver: Option<Setting>,
    pub(super) mtu: Option<Setting>,
    /// `--ipv6`, where it is given.
    pub(super) ipv6: Option<Setting>,
}

impl StartsWith {
    /// RootlessKit's network driver, if it can be told.
    pub(super) fn driver(&self) -> Option<NetDriver> {
        self.net.as_ref().map(|net| NetDriver::named(&net.value))
    }
}

/// Reads the unit as its next start will; none where there is no unit.
///
/// dockerd-rootless.sh puts its own options first and FLAGS behind them, so that FLAGS win.
pub(super) fn starts_with(facts: &Facts) -> Option<StartsWith> {
    let unit = facts.unit.is().filter(|unit| unit.is_loaded())?;
    let flags = variable(facts, unit, FLAGS);
    let given = |name: &str| in_flags(flags.as_ref()?, name);
    let net = given("--net")
        .or_else(|| variable(facts, unit, NET))
        .or_else(|| chosen_net(facts));
    let port_driver = given("--port-driver")
        .or_else(|| variable(facts, unit, PORT_DRIVER))
        .or_else(|| chosen_port_driver(facts, net.as_ref()?));
    Some(StartsWith {
        port_driver,
        mtu: given("--mtu").or_else(|| variable(facts, unit, MTU)),
        ipv6: given("--ipv6").filter(|ipv6| !matches!(ipv6.value.as_str(), "false" | "0")),
        net,
    })
}

/// A variable as the service gets it, unless it is empty, which the script takes for not set. What
/// systemd has not read yet is what it will have read by then.
fn variable(facts: &Facts, unit: &Unit, name: &str) -> Option<Setting> {
    if let Some((file, value)) = unit.from_files(name) {
        return setting(name, value, Some(format!("{}: ", facts.short(&file.path))));
    }
    let texts: Vec<&str> = unit.files.iter().map(|file| file.text.as_str()).collect();
    let written = dropin::environment(&texts);
    let written = written.variable(name);
    let in_file = written.and_then(|variable| {
        let path: &Path = &unit.files.get(variable.file)?.path;
        Some(format!("{}, line {}: ", facts.short(path), variable.line))
    });
    if unit.needs_reload {
        let certain = written.filter(|variable| !variable.uncertain);
        return setting(name, &certain?.value, in_file);
    }
    let value = unit.effective(name)?;
    let agrees = written.is_some_and(|variable| variable.uncertain || variable.value == value);
    setting(name, value, in_file.filter(|_| agrees))
}

fn setting(name: &str, value: &str, place: Option<String>) -> Option<Setting> {
    let place = place.unwrap_or_else(|| "the unit's environment: ".to_owned());
    (!value.is_empty()).then(|| Setting {
        value: value.to_owned(),
        from: format!("{place}{name}={value}"),
        in_flags: false,
    })
}

/// The last one wins. `--ipv6` is a switch and has its value behind `=` only.
fn in_flags(flags: &Setting, name: &str) -> Option<Setting> {
    let words: Vec<&str> = flags.value.split_whitespace().collect();
    let mut found = None;
    for (index, word) in words.iter().enumerate() {
        match word.strip_prefix(name) {
            Some("") if name == "--ipv6" => found = Some("true"),
            Some("") => found = words.get(index + 1).copied(),
            Some(rest) if rest.starts_with('=') => found = Some(&rest[1..]),
            _ => {}
        }
    }
    Some(Setting {
        value: found?.to_owned(),
        from: flags.from.clone(),
        in_flags: true,
    })
}

/// What the script takes by itself: slirp4netns where it is there, and from 28.5.2 on pasta next.
fn chosen_net(facts: &Facts) -> Option<Setting> {
    let tools = &facts.tools;
    let net = match (&tools.slirp4netns, &tools.pasta) {
        (Seen::Is(_), _) => "slirp4netns",
        (Seen::Absent, Seen::Is(_)) if capability::script_knows_pasta(facts.engine_version()?) => {
            "pasta"
        }
        _ => return None,
    };
    Some(by_script("--net", net))
}

fn chosen_port_driver(facts: &Facts, net: &Setting) -> Option<Setting> {
    let implicit = match NetDriver::named(&net.value) {
        NetDriver::Pasta => capability::script_knows_pasta(facts.engine_version()?),
        NetDriver::Slirp4netns => false,
        NetDriver::GvisorTapVsock | NetDriver::Other(_) => return None,
    };
    let driver = if implicit { "implicit" } else { "builtin" };
    Some(by_script("--port-driver", driver))
}

fn by_script(option: &str, value: &str) -> Setting {
    Setting {
        value: value.to_owned(),
        from: format!("nothing sets it, so dockerd-rootless.sh takes {option}={value}"),
        in_flags: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Tool, UnitFile};

    fn facts(engine: &str, variables: &[(&str, &str)]) -> Facts {
        let environment: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| {
                (
                    format!("DOCKERD_ROOTLESS_ROOTLESSKIT_{name}"),
                    (*value).to_owned(),
                )
            })
            .collect();
        let lines = environment
            .iter()
            .map(|(name, value)| format!("Environment=\"{name}={value}\"\n"));
        let mut facts = Facts {
            home: "/home/alice".into(),
            unit: Seen::Is(Unit {
                load_state: "loaded".to_owned(),
                files: vec![UnitFile {
                    path: "/home/alice/override.conf".into(),
                    text: format!("[Service]\n{}", lines.collect::<String>()),
                }],
                environment,
                ..Unit::default()
            }),
            ..Facts::default()
        };
        let tool = |version: &str| {
            Seen::Is(Tool {
                version: version.to_owned(),
                ..Tool::default()
            })
        };
        facts.tools.dockerd = tool(engine);
        facts.tools.pasta = tool("2024_10_30");
        facts
    }

    #[test]
    fn flags_win_over_variables_and_those_over_the_script() {
        for (engine, slirp4netns, variables, net, port_driver, ipv6) in [
            (
                "26.1.5",
                true,
                &[][..],
                Some("slirp4netns"),
                Some("builtin"),
                false,
            ),
            ("26.1.5", false, &[], None, None, false),
            ("28.5.2", false, &[], Some("pasta"), Some("implicit"), false),
            (
                "28.5.1",
                true,
                &[("NET", "pasta")],
                Some("pasta"),
                Some("builtin"),
                false,
            ),
            (
                "28.5.2",
                true,
                &[("NET", "pasta")],
                Some("pasta"),
                Some("implicit"),
                false,
            ),
            (
                "28.5.2",
                true,
                &[("NET", "")],
                Some("slirp4netns"),
                Some("builtin"),
                false,
            ),
            (
                "26.1.5",
                true,
                &[
                    ("NET", "slirp4netns"),
                    ("FLAGS", "--debug --net=pasta --port-driver implicit --ipv6"),
                ],
                Some("pasta"),
                Some("implicit"),
                true,
            ),
            (
                "26.1.5",
                true,
                &[("FLAGS", "--ipv6 --ipv6=false")],
                Some("slirp4netns"),
                Some("builtin"),
                false,
            ),
            (
                "29.5.0",
                true,
                &[("NET", "gvisor-tap-vsock")],
                Some("gvisor-tap-vsock"),
                None,
                false,
            ),
        ] {
            let mut facts = facts(engine, variables);
            if slirp4netns {
                facts.tools.slirp4netns = facts.tools.pasta.clone();
            }
            let starts = starts_with(&facts).unwrap();
            let value = |setting: &Option<Setting>| setting.as_ref().map(|it| it.value.clone());
            assert_eq!(value(&starts.net).as_deref(), net, "{engine} {variables:?}");
            assert_eq!(
                value(&starts.port_driver).as_deref(),
                port_driver,
                "{engine} {variables:?}"
            );
            assert_eq!(starts.ipv6.is_some(), ipv6, "{engine} {variables:?}");
        }
    }

    #[test]
    fn a_setting_names_the_file_and_the_line() {
        let facts = facts("28.5.2", &[("NET", "pasta"), ("PORT_DRIVER", "builtin")]);
        let starts = starts_with(&facts).unwrap();
        assert_eq!(
            starts.port_driver.unwrap().from,
            "~/override.conf, line 3: DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=builtin"
        );
    }

    #[test]
    fn what_systemd_has_not_read_yet_is_what_it_will_start_with() {
        let mut facts = facts("28.5.2", &[("NET", "pasta")]);
        if let Seen::Is(unit) = &mut facts.unit {
            unit.needs_reload = true;
            unit.environment[0].1 = "slirp4netns".to_owned();
        }
        assert_eq!(
            starts_with(&facts).unwrap().driver(),
            Some(NetDriver::Pasta)
        );
    }
}
