use std::path::PathBuf;

use super::*;
use crate::facts::{
    Address, DaemonJson, DockerNetwork, Engine, NetDriver, Route, Unit, UnitFile, Version,
};

const FRAGMENT: &str = "[Service]\nExecStart=/usr/bin/dockerd-rootless.sh\n";
const UPLINK: &str =
    "[Service]\n\nExecStartPost=-/home/alice/.local/bin/rootless6 uplink docker.service\n";

/// An Engine 28.5.2 whose unit has these files.
fn facts(texts: &[&str]) -> Facts {
    let file = |(number, text): (usize, &&str)| UnitFile {
        path: format!("/{number}.conf").into(),
        text: (*text).to_owned(),
    };
    Facts {
        unit: Seen::Is(Unit {
            load_state: "loaded".to_owned(),
            files: texts.iter().enumerate().map(file).collect(),
            ..Unit::default()
        }),
        engine: Seen::Is(Engine {
            version: Version::new(28, 5, 2),
            ..Engine::default()
        }),
        ..Facts::default()
    }
}

fn setting(facts: &Facts, name: &str) -> Setting {
    let mut all = settings(facts).into_iter();
    all.find(|setting| setting.name == name).unwrap()
}

fn line(file: &str, line: usize) -> By {
    By::line(&PathBuf::from(file), line)
}

#[test]
fn without_a_unit_there_are_no_settings() {
    assert_eq!(settings(&Facts::default()), []);
}

#[test]
fn what_runs_is_what_the_command_line_tells() {
    let kit = RootlessKit {
        net: NetDriver::Pasta,
        port_driver: "implicit".to_owned(),
        ipv6: true,
        ..RootlessKit::default()
    };
    let mut facts = facts(&[FRAGMENT]);
    for name in [NAME_NET, NAME_PORT_DRIVER, NAME_IPV6, NAME_MTU] {
        assert_eq!(setting(&facts, name).running, Seen::Absent, "{name}");
    }
    facts.rootlesskit = Seen::Is(kit);
    for (name, running, differs) in [
        (NAME_NET, Some("pasta"), None),
        (NAME_PORT_DRIVER, Some("implicit"), None),
        (NAME_IPV6, Some("on"), Some(true)),
        (NAME_MTU, None, None),
        ("detach_netns", Some("off"), Some(false)),
    ] {
        let setting = setting(&facts, name);
        assert_eq!(setting.running.is().map(String::as_str), running, "{name}");
        assert_eq!(setting.differs(), differs, "{name}");
    }
}

#[test]
fn the_command_line_says_more_than_daemon_json_and_that_more_than_the_default() {
    let default = By::Default("Engine 28.5.2".to_owned());
    let json = |line| By::File {
        file: "/daemon.json".into(),
        line: Some(line),
    };
    for (exec_start, text, expected, by) in [
        ("", None, Some("off"), default.clone()),
        ("", Some("{}"), Some("off"), default),
        ("", Some("{\n  \"ipv6\": true\n}"), Some("on"), json(2)),
        ("", Some("{\"ipv6\": \"true\"}"), None, By::Unknown),
        ("", Some("{"), None, By::Unknown),
        (
            " --ipv6=false",
            Some("{\"ipv6\": true}"),
            Some("off"),
            line("/0.conf", 2),
        ),
        (" --ipv6=maybe", None, None, line("/0.conf", 2)),
    ] {
        let text_of_unit = format!("{}{exec_start}\n", FRAGMENT.trim_end());
        let mut facts = facts(&[&text_of_unit]);
        if let Seen::Is(unit) = &mut facts.unit {
            unit.exec_start = format!("/usr/bin/dockerd-rootless.sh{exec_start}")
                .split(' ')
                .map(str::to_owned)
                .collect();
        }
        facts.daemon_json = DaemonJson {
            path: "/daemon.json".into(),
            text: text.map_or(Seen::Absent, |text| Seen::Is(text.to_owned())),
            ..DaemonJson::default()
        };
        let said = setting(&facts, NAME_BRIDGE).configured;
        assert_eq!(
            said.value.is().map(String::as_str),
            expected,
            "{exec_start} {text:?}"
        );
        assert_eq!(said.by, by, "{exec_start} {text:?}");
    }
}

#[test]
fn docker0_runs_with_what_the_engine_tells_of_it() {
    let mut facts = facts(&[FRAGMENT]);
    assert_eq!(setting(&facts, NAME_BRIDGE).running, Seen::Absent);
    if let Seen::Is(engine) = &mut facts.engine {
        engine.networks = vec![DockerNetwork {
            name: "bridge".to_owned(),
            driver: "bridge".to_owned(),
            ipv6: true,
            ..DockerNetwork::default()
        }];
    }
    assert_eq!(setting(&facts, NAME_BRIDGE).differs(), Some(true));
    assert!(setting(&facts, "ip6tables").running.unknown().is_some());
    facts.engine = Seen::Unknown("no answer".to_owned());
    let running = setting(&facts, NAME_BRIDGE).running;
    assert_eq!(running.unknown(), Some("no answer"));
}

#[test]
fn the_uplink_has_run_where_tap0_has_what_nobody_else_gives() {
    let taken_back = "[Service]\nExecStartPost=\n";
    for (texts, kit, reaches, configured, running) in [
        (&[UPLINK][..], "2.0.2", true, "on", Some("on")),
        (&[UPLINK], "2.0.2", false, "on", None),
        (&[UPLINK, taken_back], "2.0.2", false, "off", Some("off")),
        (&[UPLINK, taken_back], "2.0.2", true, "off", Some("on")),
        (&[FRAGMENT], "2.3.6", true, "off", None),
        (&[FRAGMENT], "2.3.6", false, "off", None),
    ] {
        let mut facts = facts(texts);
        facts.rootlesskit = Seen::Is(RootlessKit {
            net: NetDriver::Pasta,
            version: Seen::Is(Version::find(kit).unwrap()),
            ..RootlessKit::default()
        });
        facts.tap = Seen::Is(if reaches {
            online()
        } else {
            Network::default()
        });
        let setting = setting(&facts, NAME_UPLINK);
        let context = format!("{texts:?} {kit} {reaches}");
        assert_eq!(
            setting.configured.value.is().unwrap(),
            configured,
            "{context}"
        );
        assert_eq!(
            setting.running.is().map(String::as_str),
            running,
            "{context}"
        );
        let by = if configured == "on" {
            line("/0.conf", 3)
        } else {
            By::Unknown
        };
        assert_eq!(setting.configured.by, by, "{context}");
    }
}

fn online() -> Network {
    Network {
        addresses: vec![Address {
            address: "2001:db8:1::2".parse().unwrap(),
            prefix: 64,
            interface: "tap0".to_owned(),
            tentative: false,
            deprecated: false,
            created: None,
        }],
        default_routes: vec![Route {
            gateway: None,
            interface: "tap0".to_owned(),
            metric: 0,
        }],
    }
}
