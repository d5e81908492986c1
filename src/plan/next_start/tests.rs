use super::*;
use crate::facts::{EnvironmentFile, RootlessKit, Tool, UnitFile};

fn tool(version: &str) -> Seen<Tool> {
    Seen::Is(Tool {
        version: version.to_owned(),
        ..Tool::default()
    })
}

fn full(name: &str) -> String {
    format!("DOCKERD_ROOTLESS_ROOTLESSKIT_{name}")
}

/// A unit with one drop-in that sets these, by the last part of their names; slirp4netns is not there.
fn facts(engine: &str, variables: &[(&str, &str)]) -> Facts {
    let environment: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| (full(name), (*value).to_owned()))
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
    facts.tools.dockerd = tool(engine);
    facts.tools.pasta = tool("2024_10_30");
    facts
}

fn with_slirp4netns(mut facts: Facts) -> Facts {
    facts.tools.slirp4netns = tool("1.2.1");
    facts
}

fn unit(facts: &mut Facts) -> &mut Unit {
    match &mut facts.unit {
        Seen::Is(unit) => unit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_win_over_variables_and_those_over_the_script() {
    let all = "--debug --net=pasta --port-driver implicit -ipv6 --mtu=9000";
    for (engine, slirp4netns, variables, expected) in [
        ("26.1.5", true, &[][..], "slirp4netns builtin 65520 off"),
        ("26.1.5", false, &[], "? ? ? off"),
        ("28.5.2", false, &[], "pasta implicit 65520 off"),
        (
            "28.5.1",
            true,
            &[("NET", "pasta")],
            "pasta builtin 1500 off",
        ),
        (
            "28.5.2",
            true,
            &[("NET", "pasta")],
            "pasta implicit 65520 off",
        ),
        (
            "28.5.2",
            true,
            &[("NET", "")],
            "slirp4netns builtin 65520 off",
        ),
        (
            "28.5.1",
            true,
            &[("NET", "slirp4netns")],
            "slirp4netns builtin 1500 off",
        ),
        (
            "26.1.5",
            true,
            &[("NET", "slirp4netns"), ("MTU", "1400"), ("FLAGS", all)],
            "pasta implicit 9000 on",
        ),
        (
            "26.1.5",
            true,
            &[("FLAGS", "--net=pasta")],
            "pasta builtin 65520 off",
        ),
        (
            "26.1.5",
            true,
            &[("FLAGS", "--ipv6 --ipv6=false")],
            "slirp4netns builtin 65520 off",
        ),
        (
            "26.1.5",
            true,
            &[("FLAGS", "--ipv6=yes")],
            "slirp4netns builtin 65520 ?",
        ),
        (
            "29.5.0",
            true,
            &[("NET", "gvisor-tap-vsock"), ("MTU", "1400")],
            "gvisor-tap-vsock ? 1400 off",
        ),
    ] {
        let facts = facts(engine, variables);
        let facts = if slirp4netns {
            with_slirp4netns(facts)
        } else {
            facts
        };
        let next = next_start(&facts).unwrap();
        let all = [&next.net, &next.port_driver, &next.mtu, &next.ipv6];
        let all = all.map(|told| told.value().unwrap_or("?")).join(" ");
        assert_eq!(all, expected, "{engine} {variables:?}");
    }
}

#[test]
fn a_netns_is_detached_as_it_is_said_to_be_else_as_it_runs_else_by_default() {
    for (engine, variables, running, expected) in [
        ("29.4.3", &[][..], None, Some("off")),
        ("29.5.0", &[], None, Some("on")),
        ("29.5.0", &[], Some(false), Some("off")),
        ("29.5.0", &[("DETACH_NETNS", "0")], Some(true), Some("off")),
        ("29.5.0", &[("DETACH_NETNS", "true")], None, Some("on")),
        ("29.5.0", &[("DETACH_NETNS", "auto")], None, None),
        ("29.4.3", &[("DETACH_NETNS", "true")], None, Some("off")),
        ("26.1.5", &[("FLAGS", "--detach-netns")], None, Some("on")),
    ] {
        let mut facts = facts(engine, variables);
        if let Some(detached) = running {
            facts.rootlesskit = Seen::Is(RootlessKit {
                detached,
                ..RootlessKit::default()
            });
        }
        let next = next_start(&facts).unwrap();
        assert_eq!(
            next.detach_netns.value(),
            expected,
            "{engine} {variables:?} {running:?}"
        );
    }
}

#[test]
fn whoever_says_so_is_named_with_what_is_said() {
    const NAME: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=builtin";
    let written = || facts("28.5.2", &[("NET", "pasta"), ("PORT_DRIVER", "builtin")]);
    let in_environment_file = || {
        let mut facts = facts("28.5.2", &[]);
        unit(&mut facts).environment_files = vec![EnvironmentFile {
            path: "/etc/docker.env".into(),
            optional: false,
            variables: Seen::Is(vec![(full("PORT_DRIVER"), "builtin".to_owned())]),
        }];
        facts
    };
    let in_no_file = || {
        let mut facts = written();
        unit(&mut facts).files.clear();
        facts
    };
    let overruled = || {
        let mut facts = written();
        unit(&mut facts).files[0].text = written().unit.is().unwrap().files[0]
            .text
            .replace("builtin", "implicit");
        facts
    };
    let of_the_manager = || {
        let mut facts = facts("28.5.2", &[]);
        unit(&mut facts).manager_environment = vec![(full("PORT_DRIVER"), "builtin".to_owned())];
        facts
    };
    for (facts, from) in [
        (written(), format!("~/override.conf, line 3: {NAME}")),
        (in_environment_file(), format!("/etc/docker.env: {NAME}")),
        (in_no_file(), format!("the unit's environment: {NAME}")),
        (overruled(), format!("the unit's environment: {NAME}")),
        (
            of_the_manager(),
            format!("the environment of the user's systemd: {NAME}"),
        ),
        (
            with_slirp4netns(facts("28.5.2", &[])),
            "nothing sets it, so dockerd-rootless.sh takes --port-driver=builtin".to_owned(),
        ),
    ] {
        let told = next_start(&facts).unwrap().port_driver;
        assert_eq!(told.value(), Some("builtin"));
        assert_eq!(told.from(&facts), from);
        assert!(!told.is_in_flags());
    }
    let flags = "--ipv6 --port-driver=builtin";
    let facts = facts("28.5.2", &[("FLAGS", flags)]);
    let told = next_start(&facts).unwrap().port_driver;
    assert!(told.is_in_flags());
    assert!(told.from(&facts).ends_with(&format!("FLAGS={flags}")));
}

#[test]
fn what_systemd_has_not_read_yet_is_what_it_will_start_with() {
    let text = |line: &str| format!("[Service]\n{line}\n");
    for (text, net) in [
        (
            text("Environment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta"),
            Some("pasta"),
        ),
        (
            text("Environment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=%t"),
            None,
        ),
        (text(""), Some("vpnkit")),
        (
            text(
                "Environment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta\nUnsetEnvironment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET",
            ),
            Some("slirp4netns"),
        ),
        (
            text("Environment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--state-dir=%t/x\""),
            None,
        ),
    ] {
        let mut facts = with_slirp4netns(facts("28.5.2", &[("NET", "slirp4netns")]));
        let unit = unit(&mut facts);
        unit.needs_reload = true;
        unit.manager_environment = vec![(full("NET"), "vpnkit".to_owned())];
        unit.files[0].text.clone_from(&text);
        assert_eq!(next_start(&facts).unwrap().net.value(), net, "{text}");
    }
}

#[test]
fn who_starts_rootlesskit_otherwise_is_not_known_to_start_it_with_anything() {
    let starts = |program: &str| {
        let mut facts = facts("28.5.2", &[("NET", "pasta")]);
        unit(&mut facts).exec_start = vec![program.to_owned()];
        next_start(&facts).unwrap()
    };
    let script = starts("/nix/store/x/bin/.dockerd-rootless.sh-wrapped");
    assert_eq!(script.driver(), Some(NetDriver::Pasta));
    assert_eq!(starts("/usr/bin/rootlesskit").driver(), None);
    assert_eq!(next_start(&Facts::default()), None);
}
