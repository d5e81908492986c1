//! How much doctor and status do to look: they execute nothing where others can tell.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{LAB, Lab};

/// The version that a program has printed is known by its file, below `$XDG_RUNTIME_DIR`.
const KNOWN: &str = "/run/user/1000/rootless6/versions.json";

#[test]
fn on_trixie_nothing_is_executed_to_look_again() {
    let Some(lab) = Lab::up("trixie") else { return };
    nothing_is_executed(&lab);
}

#[test]
fn on_forky_nothing_is_executed_to_look_again() {
    let Some(lab) = Lab::up("forky") else { return };
    nothing_is_executed(&lab);
}

fn nothing_is_executed(lab: &Lab) {
    let without = |lab: &Lab| {
        lab.alice(&format!("rm -f {KNOWN}")).exits(0);
        lab.status()
    };
    // Before setup, on slirp4netns, and after.
    for is_set_up in [false, true] {
        if is_set_up {
            lab.set_up();
        }
        let asked = without(lab);
        assert_eq!(asked, lab.status(), "as it was when everybody was asked");
        sees_what_the_helper_sees(lab, &asked);
        for command in ["doctor", "status"] {
            assert_eq!(executed(lab, command), [""; 0], "{command}");
        }
    }
    // What cannot be remembered is asked for again, and nothing else goes wrong.
    lab.alice(&format!(
        "rm -r $(dirname {KNOWN}) && ln -s /tmp $(dirname {KNOWN})"
    ))
    .exits(0);
    lab.status();
    lab.alice("! ls /tmp/versions.json").exits(0);
    assert_ne!(executed(lab, "status"), [""; 0]);
}

/// tap0 as iproute2 has it in there, and the Engine as it tells of itself.
fn sees_what_the_helper_sees(lab: &Lab, status: &Value) {
    let inside = "nsenter -U --preserve-credentials -n \
        -t $(cat $XDG_RUNTIME_DIR/dockerd-rootless/child_pid || cat /tmp/rootlesskit*/child_pid)";
    let addresses = lab.alice(&format!(
        "{inside} ip -json -6 addr show dev tap0 scope global"
    ));
    let addresses: Value = serde_json::from_str(&addresses.exits(0).stdout).unwrap();
    let addresses: Vec<_> = addresses
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|interface| interface["addr_info"].as_array().into_iter().flatten())
        .filter_map(|address| {
            // Of another scope there is an empty object.
            let local = address["local"].as_str()?;
            Some(format!("{local}/{}", address["prefixlen"]))
        })
        .collect();
    assert_eq!(status["netns"]["ipv6_addresses"], Value::from(addresses));
    let routes = lab.alice(&format!("{inside} ip -json -6 route show default"));
    let routes: Value = serde_json::from_str(&routes.exits(0).stdout).unwrap();
    let route = routes.as_array().unwrap().first().map(|route| {
        format!(
            "via {} dev {}",
            route["gateway"].as_str().unwrap(),
            route["dev"].as_str().unwrap()
        )
    });
    assert_eq!(status["netns"]["ipv6_default_route"], Value::from(route));
    let info = lab.alice("docker info --format '{{json .}}'").exits(0);
    let info: Value = serde_json::from_str(&info.stdout).unwrap();
    let engine = &status["engine"];
    assert_eq!(engine["operating_system"], info["OperatingSystem"]);
    assert_eq!(engine["rootless"], true);
    let version = info["ServerVersion"].as_str().unwrap();
    assert!(version.starts_with(engine["version"].as_str().unwrap()));
}

/// The programs that a command of ours has executed: strace(1) sees them all from outside, after those
/// of the lab that lead to it.
fn executed(lab: &Lab, command: &str) -> Vec<String> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=execve",
            "-e",
            "signal=none",
            "-e",
            "status=successful",
            "-o",
        ])
        .arg(log.path())
        .args([LAB, "sh", &lab.name, "rootless6", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("strace is there: `apt-get install strace`");
    // Before setup doctor finds what is broken, which is 1.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    let log = std::fs::read_to_string(Path::new(log.path())).unwrap();
    let mut lines = log.lines().filter(|line| line.contains("execve("));
    let program = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let own = lines.find(|line| program(line).ends_with("/rootless6"));
    assert!(own.is_some(), "{log}");
    lines.map(program).collect()
}
