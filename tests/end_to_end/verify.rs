//! verify cleans up after itself, and after one that was killed.

use crate::harness::{Lab, Output};

const PROBES: &str = "docker ps -aq --filter label=rootless6.run | wc -l";

/// Runs verify until its container runs, then a script with verify's `$pid`.
fn while_probing(lab: &Lab, script: &str) -> Output {
    // With job control a background process heeds SIGINT, as it does in a terminal.
    lab.alice(&format!(
        "set -m; rootless6 verify --target 2001:db8:53::dead >/dev/null 2>&1 & pid=$!
        until [ $({PROBES}) != 0 ] || ! kill -0 $pid; do :; done
        {script}
        wait $pid"
    ))
}

fn probes(lab: &Lab) -> u32 {
    lab.alice(PROBES).exits(0).stdout.trim().parse().unwrap()
}

#[test]
fn no_probe_container_outlives_a_verify_not_even_an_interrupted_one() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice("rootless6 verify").exits(1);
    assert_eq!(probes(&lab), 0);
    while_probing(&lab, "kill -INT $pid").exits(130);
    assert_eq!(probes(&lab), 0);
}

#[test]
fn what_a_killed_verify_has_left_is_swept_by_the_next() {
    let Some(lab) = Lab::up("trixie") else { return };
    while_probing(&lab, "kill -KILL $pid").exits(137);
    assert!(probes(&lab) <= 1, "at most one is left");
    lab.alice("rootless6 verify").exits(1);
    assert_eq!(probes(&lab), 0);
}

#[test]
fn a_verify_of_parts_tells_only_of_them() {
    let Some(lab) = Lab::up("forky") else { return };
    let host = lab
        .alice("rootless6 verify --from host --json")
        .exits(0)
        .json();
    let ids: Vec<_> = host["checks"].as_array().unwrap().iter().collect();
    assert!(
        ids.iter()
            .all(|check| check["id"].as_str().unwrap().starts_with("host.")),
    );
    assert_eq!(host["verdict"], "pass");
    let nowhere = lab.alice("rootless6 verify --network nothere --json");
    let nowhere = nowhere.exits(1).json();
    assert_ne!(nowhere["verdict"], "pass");
    let target = lab.alice("rootless6 verify --from host --target v6.test --json");
    assert_eq!(target.exits(0).json()["checks"][0]["to"], "2001:db8:53::53");
    // An address that nobody has: not pass, and the host is to blame, not Docker.
    let dead = lab.alice("rootless6 verify --target 2001:db8:53::dead --json");
    let dead = dead.exits(1).json();
    assert_eq!(dead["verdict"], "fail");
    assert_eq!(dead["cause"], "host-ipv6-unreachable");
}
