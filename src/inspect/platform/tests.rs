use std::fs::{File, create_dir_all};
use std::io::Write as _;

use super::*;
use crate::host::DockerChoice;

/// A home with nothing in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn host(&self, docker_host: Option<&str>, docker_context: Option<&str>) -> Host {
        let home = self.0.path().to_owned();
        Host {
            config: home.join(".config"),
            state: home.join(".local/state"),
            runtime: home.join("run"),
            bus: Vec::new(),
            socket: home.join("run/docker.sock"),
            docker: DockerChoice {
                host: docker_host.map(str::to_owned),
                context: docker_context.map(str::to_owned),
                config: home.join(".docker"),
            },
            proc: home.join("proc"),
            path: "/nonexistent".into(),
            unit: "docker.service".to_owned(),
            home,
        }
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path)
            .unwrap()
            .write_all(bytes.as_ref())
            .unwrap();
    }

    fn context(&self, name: &str, meta: impl AsRef<[u8]>) {
        let path = format!(".docker/contexts/meta/{}/meta.json", directory(name));
        self.write(&path, meta);
    }
}

fn leading_to(address: &str) -> String {
    format!(r#"{{"Name":"x","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{address}"}}}}}}"#)
}

fn context(name: &str, address: &str) -> Seen<(ChosenBy, String)> {
    Seen::Is((ChosenBy::Context(name.to_owned()), address.to_owned()))
}

#[test]
fn a_contexts_directory_is_named_as_dockers_own_command_names_it() {
    let found = "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e";
    assert_eq!(directory("desktop-linux"), found);
}

#[test]
fn dockers_order_is_host_then_variable_then_settings() {
    let home = Home::new();
    assert_eq!(chosen(&home.host(None, None)), Seen::Absent);

    home.write(".docker/config.json", r#"{"currentContext":"work"}"#);
    home.context("work", leading_to("ssh://alice@example.com"));
    home.context("play", leading_to("unix:///tmp/play.sock"));
    let work = context("work", "ssh://alice@example.com");
    assert_eq!(chosen(&home.host(None, None)), work);
    let play = context("play", "unix:///tmp/play.sock");
    assert_eq!(chosen(&home.host(None, Some("play"))), play);
    assert_eq!(chosen(&home.host(None, Some("default"))), Seen::Absent);
    let host = Seen::Is((ChosenBy::DockerHost, "tcp://[::1]:2375".to_owned()));
    assert_eq!(
        chosen(&home.host(Some("tcp://[::1]:2375"), Some("play"))),
        host
    );
}

#[test]
fn settings_that_name_no_context_choose_nothing() {
    for settings in [
        "{}",
        r#"{"currentContext":""}"#,
        r#"{"currentContext":"default"}"#,
    ] {
        let home = Home::new();
        home.write(".docker/config.json", settings);
        assert_eq!(chosen(&home.host(None, None)), Seen::Absent, "{settings}");
    }
}

#[test]
fn what_is_broken_is_unknown_with_the_file_and_the_reason() {
    let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(2 << 20));
    let deep = "[".repeat(100_000);
    let cases: [(&[u8], &str); 8] = [
        (b"{", "EOF"),
        (b"", "EOF"),
        (b"[]", "no JSON object"),
        (b"\xff\xfe{}", "expected value"),
        (br#"{"currentContext":7}"#, "is no text"),
        (br#"{"currentContext":"gone"}"#, "`docker context ls`"),
        (huge.as_bytes(), "longer than"),
        (deep.as_bytes(), "recursion"),
    ];
    for (settings, reason) in cases {
        let home = Home::new();
        home.write(".docker/config.json", settings);
        let seen = chosen(&home.host(None, None));
        let why = seen
            .unknown()
            .unwrap_or_else(|| panic!("{reason}: {seen:?}"));
        assert!(why.contains(reason), "{why} does not say {reason}");
        assert!(why.contains(".docker/") || reason.contains('`'), "{why}");
    }
}

#[test]
fn a_contexts_file_may_be_broken_too() {
    let nameless = r#"{"Name":"x","Endpoints":{"docker":{}}}"#;
    let wrong = r#"{"Endpoints":["docker"]}"#;
    for (meta, reason) in [
        ("{", "EOF"),
        (nameless, "no address"),
        (wrong, "no address"),
    ] {
        let home = Home::new();
        home.context("x", meta);
        let seen = chosen(&home.host(None, Some("x")));
        let why = seen
            .unknown()
            .unwrap_or_else(|| panic!("{reason}: {seen:?}"));
        assert!(why.contains(reason), "{why}");
    }
    let home = Home::new();
    let hostile = chosen(&home.host(None, Some("\x1b[2J../../etc")));
    assert!(!hostile.unknown().unwrap().contains('\x1b'));
}

#[test]
fn a_pipe_in_the_settings_place_is_not_waited_for() {
    let home = Home::new();
    create_dir_all(home.0.path().join(".docker")).unwrap();
    let pipe = home.0.path().join(".docker/config.json");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let seen = chosen(&home.host(None, None));
    assert!(
        seen.unknown().unwrap().contains("not a regular file"),
        "{seen:?}"
    );
}

fn ipv6_off_with(files: &[(&str, &str)]) -> Seen<Ipv6Off> {
    let home = Home::new();
    for (path, text) in files {
        home.write(&format!("proc/{path}"), text);
    }
    ipv6_off(&home.0.path().join("proc"))
}

#[test]
fn ipv6_is_off_by_the_kernel_by_its_command_line_or_by_a_sysctl() {
    let conf = |name| format!("sys/net/ipv6/conf/{name}/disable_ipv6");
    let (all, default, uplink) = (conf("all"), conf("default"), conf("eth0.7"));
    let route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                 eth0.7\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
                 docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n";
    let sysctl = |names: &[&str]| {
        Seen::Is(Ipv6Off::Sysctl(
            names.iter().map(|&name| name.to_owned()).collect(),
        ))
    };
    let on = [(all.as_str(), "0\n"), (&default, "0\n"), (&uplink, "0\n")];
    assert_eq!(ipv6_off_with(&on), Seen::Absent);
    let off = [(all.as_str(), "1\n"), (&default, "1\n"), (&uplink, "0\n")];
    assert_eq!(ipv6_off_with(&off), sysctl(&["all"]));
    let one = [
        (all.as_str(), "0\n"),
        (&uplink, "1\n"),
        ("net/route", route),
    ];
    assert_eq!(ipv6_off_with(&one), sysctl(&["eth0.7"]));
    // A directory is nothing that can be read.
    let unreadable = format!("{all}/directory");
    let unreadable = (unreadable.as_str(), "");
    assert!(ipv6_off_with(&[unreadable]).unknown().is_some());
    let one = [unreadable, (&uplink, "1\n"), ("net/route", route)];
    assert_eq!(ipv6_off_with(&one), sysctl(&["eth0.7"]));

    let none = ("sys/net/ipv4/ip_forward", "0\n");
    let told = ("cmdline", "quiet ipv6.disable=1 ro\n");
    let kernel = |told| Seen::Is(Ipv6Off::Kernel { told });
    assert_eq!(ipv6_off_with(&[none, told]), kernel(true));
    assert_eq!(
        ipv6_off_with(&[none, ("cmdline", "ipv6.disable=10")]),
        kernel(false)
    );
    assert!(
        ipv6_off_with(&[]).unknown().is_some(),
        "without /proc nobody can tell"
    );
}

/// An Engine on this machine, rootless or not.
fn engine(rootless: bool) -> Seen<Engine> {
    Seen::Is(Engine {
        rootless,
        name: host_name(),
        ..Engine::default()
    })
}

#[test]
fn a_unit_that_runs_here_is_looked_at_by_its_own_socket_or_by_the_one_docker_host_names() {
    let home = Home::new();
    let host = home.host(None, None);
    let own = host.socket.clone();
    let elsewhere = host.runtime.join("there.sock");
    let there = |chosen_by: &ChosenBy, engine: &Seen<Engine>| {
        Seen::Is(Elsewhere {
            chosen_by: chosen_by.clone(),
            address: format!("unix://{}", elsewhere.display()),
            engine: engine.clone(),
        })
    };
    let docker_host = ChosenBy::DockerHost;
    let context = ChosenBy::Context("x".to_owned());
    let (rootless, rootful, silent) = (engine(true), engine(false), Seen::Absent);
    // Who has chosen, who answers on the unit's own socket and there, whether the unit is here,
    // and which socket it comes to.
    for (chosen_by, at_home, at_there, has_unit, socket) in [
        (&docker_host, &silent, &rootless, Some(true), &elsewhere),
        (&docker_host, &rootless, &rootful, Some(true), &own),
        (&docker_host, &silent, &rootful, Some(true), &own),
        (&docker_host, &silent, &silent, Some(true), &elsewhere),
        (&docker_host, &rootless, &silent, Some(true), &own),
        (&context, &rootless, &rootless, Some(true), &own),
        (&context, &silent, &rootful, Some(true), &own),
        (&context, &silent, &rootful, Some(false), &elsewhere),
        (&context, &rootless, &rootful, Some(false), &elsewhere),
        (&context, &silent, &silent, Some(false), &own),
        (
            &ChosenBy::Nobody,
            &silent,
            &rootful,
            Some(false),
            &elsewhere,
        ),
        (&ChosenBy::Nobody, &rootless, &rootful, Some(false), &own),
        (&ChosenBy::Nobody, &silent, &rootful, None, &own),
        (&context, &silent, &rootful, None, &elsewhere),
    ] {
        let there = there(chosen_by, at_there);
        let (chosen, engine, _) = choose(&host, at_home.clone(), there.clone(), has_unit);
        assert_eq!(&chosen, socket, "{there:?}, unit: {has_unit:?}");
        let answers = if *socket == own { at_home } else { at_there };
        assert_eq!(&engine, answers);
    }
}
