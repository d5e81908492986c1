//! A fresh system, from a failing ping6 to the undo.

use serde_json::Value;

use crate::harness::{Lab, TARGET, outcome};

const PROVED: [&str; 6] = [
    "host.internet.icmp6",
    "host.internet.tcp6",
    "netns.internet.icmp6",
    "netns.internet.tcp6",
    "container.internet.icmp6",
    "container.internet.tcp6",
];

#[test]
fn a_fresh_trixie_gets_ping6_for_good_and_loses_it_again_without_a_trace() {
    let Some(lab) = Lab::up("trixie") else { return };
    from_failing_ping_to_undo(&lab, "docker network create --ipv6 n1");
}

#[test]
fn a_fresh_forky_gets_ping6_for_good_and_loses_it_again_without_a_trace() {
    let Some(lab) = Lab::up("forky") else { return };
    from_failing_ping_to_undo(&lab, "docker network create n1");
}

fn from_failing_ping_to_undo(lab: &Lab, new_network: &str) {
    let before = lab.tree();
    nothing_works_yet(lab);

    proves(&lab.set_up()["verify"]);
    lab.alice(new_network).exits(0);
    works(lab);
    lab.alice("systemctl --user restart docker").exits(0);
    works(lab);
    lab.reboot();
    works(lab);

    a_second_setup_does_nothing(lab);
    status_tells_it_all(lab);

    let undo = lab.alice("rootless6 undo --yes --json").exits(0).json();
    assert_eq!(undo["skipped"].as_array().map(Vec::len), Some(0));
    assert_eq!(lab.tree(), before, "~/.config is what it was");
    lab.runs_as_before();
    let again = lab.alice("rootless6 undo --yes").exits(0);
    again.says(&["nothing to undo"]);
    lab.runs_as_before();
}

fn nothing_works_yet(lab: &Lab) {
    assert_ne!(lab.ping_from("bridge").status, 0);
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["verdict"], "fail");
    assert!(verify["cause"].is_string(), "a cause is named");
    assert_eq!(outcome(&verify, "host.internet.icmp6"), "pass");
    assert_eq!(outcome(&verify, "container.internet.icmp6"), "fail");
    let people = lab.alice("rootless6 verify").exits(1);
    people.says(&["IPv6 does not work", verify["cause"].as_str().unwrap()]);
}

fn works(lab: &Lab) {
    lab.ping_from("bridge").exits(0);
    lab.ping_from("n1").exits(0);
    let verify = lab.alice("rootless6 verify --network n1 --json");
    let verify = verify.exits(0).json();
    proves(&verify);
    assert_eq!(outcome(&verify, "container[n1].internet.icmp6"), "pass");
}

fn proves(verification: &Value) {
    assert_eq!(verification["verdict"], "pass");
    assert_eq!(verification["cause"], Value::Null);
    for id in PROVED {
        assert_eq!(outcome(verification, id), "pass", "{id}");
    }
    let checks = verification["checks"].as_array().unwrap();
    for check in checks.iter().filter(|check| check["outcome"] == "pass") {
        assert!(check["received"].as_u64() > Some(0), "an answer: {check}");
        let to_the_internet = check["id"].as_str().unwrap().contains(".internet.");
        assert!(
            !to_the_internet || check["to"] == TARGET,
            "its own target: {check}"
        );
    }
}

fn a_second_setup_does_nothing(lab: &Lab) {
    let (invocation, times) = (lab.invocation(), lab.times());
    // Nothing restarts, so there is nothing to accept, not even with a container running.
    lab.alice("docker run -d --name sleeper busybox sleep 600")
        .exits(0);
    let again = lab.alice("rootless6 setup --yes --json").exits(0).json();
    assert_eq!(again["changed"], false);
    assert_eq!(again["rolled_back"], false);
    proves(&again["verify"]);
    assert_eq!(lab.invocation(), invocation, "dockerd was not restarted");
    assert_eq!(lab.times(), times, "no file was written");
    lab.alice("docker rm -f sleeper").exits(0);
}

fn status_tells_it_all(lab: &Lab) {
    let status = lab.status();
    for pointer in [
        "/engine/version",
        "/rootlesskit/version",
        "/rootlesskit/state_dir",
        "/rootlesskit/child_pid",
        "/unit/fragment",
        "/unit/drop_ins/0",
        "/host/ipv6_default_route",
        "/host/ping_group_range",
        "/tools/pasta",
        "/tools/slirp4netns",
    ] {
        let value = status.pointer(pointer).expect(pointer);
        assert!(!value.is_null(), "{pointer} is known");
    }
    let kit = &status["rootlesskit"];
    assert_eq!(kit["net"], "pasta");
    assert_eq!(kit["port_driver"], "implicit");
    assert_eq!(kit["ipv6"], true);
    assert_eq!(kit["mtu"], 65520);
    assert_eq!(kit["detached"], false);
    assert_eq!(status["unit"]["name"], "docker.service");
    assert_eq!(status["unit"]["active"], true);
    let flags = &status["unit"]["environment"]["DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"];
    assert_eq!(flags, "--ipv6");
    let addresses = status["host"]["ipv6_addresses"].as_array().unwrap();
    assert!(addresses.contains(&Value::from("2001:db8:1::2/64")));
    let networks = status["networks"].as_array().unwrap();
    for name in ["bridge", "n1"] {
        let network = networks.iter().find(|network| network["name"] == name);
        let network = network.expect(name);
        assert_eq!(network["ipv6"], true, "{name}");
        let subnets = network["subnets"].as_array().unwrap().iter();
        let ipv6: Vec<_> = subnets
            .filter_map(Value::as_str)
            .filter(|subnet| subnet.contains(':'))
            .collect();
        assert!(!ipv6.is_empty(), "{name} has an IPv6 subnet");
        assert!(
            ipv6.iter().all(|subnet| !subnet.starts_with("fd00::")),
            "{name}: not RootlessKit's own fd00::/64, but {ipv6:?}"
        );
    }
    assert_eq!(status["unknown"], serde_json::json!({}));
}

#[test]
fn dockerd_starts_without_the_program_that_brings_the_uplink() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    lab.alice("mv ~/.local/bin/rootless6 ~/.local/bin/gone")
        .exits(0);
    lab.alice("systemctl --user restart docker").exits(0);
    lab.alice("docker version && systemctl --user is-active docker")
        .exits(0);
    lab.reboot();
    lab.alice("docker version").exits(0);
    assert_ne!(lab.ping_from("bridge").status, 0, "there is no uplink");
    let verify = lab.alice("~/.local/bin/gone verify --json").exits(1).json();
    assert!(verify["cause"].is_string(), "a cause is named");
    // Back again, the next start has it.
    lab.alice("mv ~/.local/bin/gone ~/.local/bin/rootless6 && systemctl --user restart docker")
        .exits(0);
    lab.ping_from("bridge").exits(0);
}
