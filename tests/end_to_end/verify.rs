//! verify cleans up after itself, and after one that was killed; what it makes can do little.

use serde_json::Value;

use crate::harness::{Lab, Output, outcome};

const PROBES: &str = "docker ps -aq --filter label=rootless6.run | wc -l";

/// Sets the system up, and then nothing of what containers send arrives: their probes take seconds,
/// however busy this machine is.
fn set_up_with_slow_containers(lab: &Lab) {
    lab.set_up();
    lab.alice(
        "child=$(cat $XDG_RUNTIME_DIR/dockerd-rootless/child_pid)
        nsenter -t $child -U -n --preserve-credentials ip6tables -I FORWARD -j DROP
        rootless6 verify",
    )
    .exits(1);
}

/// Runs verify until its containers run, then a script with verify's `$pid`.
fn while_probing(lab: &Lab, script: &str) -> Output {
    // With job control a background process heeds SIGINT, as it does in a terminal.
    lab.alice(&format!(
        "set -m; rootless6 verify >/dev/null 2>&1 & pid=$!
        until [ $(docker ps -q --filter label=rootless6.run | wc -l) = 2 ] || ! kill -0 $pid; do :; done
        {script}
        wait -f $pid"
    ))
}

fn probes(lab: &Lab) -> u32 {
    lab.alice(PROBES).exits(0).stdout.trim().parse().unwrap()
}

#[test]
fn no_probe_container_outlives_a_verify_not_even_an_interrupted_one() {
    let Some(lab) = Lab::up("trixie") else { return };
    set_up_with_slow_containers(&lab);
    assert_eq!(probes(&lab), 0);
    for signal in ["INT", "TERM", "HUP"] {
        while_probing(&lab, &format!("kill -{signal} $pid")).exits(130);
        assert_eq!(probes(&lab), 0, "after SIG{signal}");
    }
    // While the Engine makes them, and before.
    for head_start in ["0.02", "0.1", "0.2", "0.3", "0.4"] {
        lab.alice(&format!(
            "set -m; rootless6 verify >/dev/null 2>&1 & pid=$!
            sleep {head_start}; kill -INT $pid; wait $pid"
        ))
        .exits(130);
        assert_eq!(probes(&lab), 0, "interrupted after {head_start} s");
    }
}

#[test]
fn what_a_killed_verify_has_left_is_swept_by_the_next_but_nothing_of_one_that_lives() {
    let Some(lab) = Lab::up("trixie") else { return };
    set_up_with_slow_containers(&lab);
    while_probing(&lab, "kill -KILL $pid").exits(137);
    assert_eq!(probes(&lab), 2);
    // Its process's number has another process now; this one's label is of an older program.
    let planted = "docker run -d --stop-signal KILL --label";
    lab.alice(&format!(
        "{planted} rootless6.run=1-1-$(stat -Lc %i /proc/self/ns/pid) --name recycled busybox sleep 600
        {planted} rootless6.run=young --name young busybox sleep 600"
    ))
    .exits(0);
    let beside = while_probing(
        &lab,
        "kill -STOP $pid
        mine=$(docker ps -aq --no-trunc --filter label=rootless6.run --filter name=rootless6-$pid-)
        rootless6 verify --from container >/dev/null
        kept=$(docker ps -aq --no-trunc --filter label=rootless6.run --filter name=rootless6-$pid-)
        docker ps -a --format '{{.Names}}' >/tmp/names
        kill -CONT $pid
        [ \"$mine\" ] && echo \"$mine $kept\"",
    );
    let beside = beside.exits(1).stdout;
    let seen: Vec<&str> = beside.split_whitespace().collect();
    assert_eq!(seen[..2], seen[2..], "those of the run that lives");
    let names = lab.read("/tmp/names");
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names.len(), 3, "and nothing else but {names:?}");
    assert!(names.contains(&"young"), "it may belong to somebody");
    assert_eq!(probes(&lab), 1);
}

#[test]
fn what_verify_makes_can_do_little_and_is_gone_with_its_images_after_undo() {
    let Some(lab) = Lab::up("forky") else { return };
    set_up_with_slow_containers(&lab);
    let containers = while_probing(
        &lab,
        "docker inspect $(docker ps -q --filter label=rootless6.run)",
    );
    let containers: Value = serde_json::from_str(&containers.exits(1).stdout).unwrap();
    let containers = containers.as_array().unwrap();
    assert_eq!(containers.len(), 2);
    let mut capabilities = Vec::new();
    let mut published = 0;
    for container in containers {
        let host_config = &container["HostConfig"];
        for (key, value) in [
            ("NetworkMode", "bridge".into()),
            ("IpcMode", "none".into()),
            ("ReadonlyRootfs", true.into()),
            ("Privileged", false.into()),
            ("AutoRemove", true.into()),
            ("CapDrop", serde_json::json!(["ALL"])),
            ("SecurityOpt", serde_json::json!(["no-new-privileges"])),
            (
                "LogConfig",
                serde_json::json!({"Type": "none", "Config": {}}),
            ),
            ("Binds", Value::Null),
        ] {
            assert_eq!(host_config[key], value, "{key}");
        }
        assert_eq!(host_config["RestartPolicy"]["Name"], "no");
        let networks = container["NetworkSettings"]["Networks"].as_object();
        assert_eq!(networks.unwrap().len(), 1);
        let capability = host_config["CapAdd"].as_array().map(Vec::as_slice);
        capabilities.extend(capability.unwrap_or_default().iter().cloned());
        published += host_config["PortBindings"]
            .as_object()
            .map_or(0, |ports| ports.len());
    }
    let raw: Vec<_> = capabilities.iter().filter_map(Value::as_str).collect();
    assert!(matches!(raw[..], ["NET_RAW" | "CAP_NET_RAW"]), "{raw:?}");
    assert_eq!(published, 1);
    let images = "docker images -q rootless6-probe | wc -l";
    assert_eq!(lab.alice(images).stdout.trim(), "1");
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.alice(images).stdout.trim(), "0");
}

/// One address for two containers, one container in the way of the port, thirty networks at once.
#[test]
fn networks_that_are_full_fail_alone_and_thirty_are_no_trouble() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    lab.alice(
        "docker network create --subnet 10.98.0.0/30 full
        for i in $(seq 30); do docker network create --ipv6 --subnet 10.99.$i.0/28 --subnet fd99:$i::/64 n$i; done",
    )
    .exits(0);
    let full = lab.alice("rootless6 verify --network full --json").exits(1);
    let full = full.json();
    assert_eq!(outcome(&full, "container.internet.icmp6"), "pass");
    assert_eq!(outcome(&full, "container[full].internet.icmp6"), "unknown");
    assert_eq!(probes(&lab), 0);

    let names: Vec<String> = (1..=30).map(|number| format!("n{number}")).collect();
    let all = lab.alice(&format!(
        "rootless6 verify --network {} --json & pid=$!
        while kill -0 $pid 2>/dev/null; do {PROBES} >>/tmp/most; done
        wait -f $pid",
        names.join(",")
    ));
    let all = all.exits(0).json();
    assert_eq!(all["verdict"], "pass");
    let checks = all["checks"].as_array().unwrap();
    let ids = checks.iter().filter_map(|check| check["id"].as_str());
    let order: Vec<&str> = ids
        .filter_map(|id| {
            id.strip_prefix("container[")?
                .strip_suffix("].internet.icmp6")
        })
        .collect();
    assert_eq!(order, names);
    let most = lab.read("/tmp/most");
    let most: Option<u32> = most.lines().filter_map(|line| line.parse().ok()).max();
    assert!(
        most.is_some_and(|most| (2..=10).contains(&most)),
        "{most:?}"
    );
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

#[test]
fn a_running_container_is_looked_into_from_outside_whatever_is_in_it() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    lab.alice(
        "mkdir -p /tmp/image/all && tar -C /tmp/image/all -xf /opt/lab/busybox.tar
        # One static program that only sleeps: there is no shell under that name.
        cp -L /tmp/image/all/bin/busybox /tmp/image/sleep
        tar -C /tmp/image -c sleep | docker import - bare
        docker run -d --name bare bare /sleep 600
        docker run -d --name whole busybox sleep 600
        docker run -d --name hosts --network host busybox sleep 600
        docker create --name idle busybox sleep 600
        ! docker exec bare sh -c true",
    )
    .exits(0);
    let before = lab
        .alice("docker ps -aq; docker exec whole ps -o args")
        .stdout;
    let verified = lab.alice("rootless6 verify --container whole,bare --json");
    let verified = verified.exits(0).json();
    for name in ["whole", "bare"] {
        for proto in ["icmp6", "tcp6"] {
            let id = format!("container[{name}].internet.{proto}");
            assert_eq!(outcome(&verified, &id), "pass", "{id}");
        }
    }
    for (name, exit, words) in [
        ("nothere", 2, "no container"),
        ("../whole", 2, "no container"),
        ("idle", 1, "not running"),
        ("hosts", 1, "no network of its own"),
    ] {
        let refused = lab.alice(&format!("rootless6 verify --container {name} --json"));
        let refused = refused.exits(exit).json();
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{name}: {message}");
    }
    for network in ["host", "none", "container:whole"] {
        lab.alice(&format!("rootless6 verify --network {network}"))
            .exits(2);
    }
    let after = lab
        .alice("docker ps -aq; docker exec whole ps -o args")
        .stdout;
    assert_eq!(after, before, "nothing is left behind, in there neither");
}

#[test]
fn after_setup_containers_reach_each_other_and_the_host_reaches_what_they_publish() {
    for suite in ["trixie", "forky"] {
        let Some(lab) = Lab::up(suite) else { return };
        lab.set_up();
        lab.alice("docker network create --ipv6 --subnet fd77::/64 other")
            .exits(0);
        let verified = lab.alice("rootless6 verify --network other --json");
        let verified = verified.exits(0).json();
        for id in [
            "container.container.icmp6",
            "container[other].container.icmp6",
            "host.published.tcp6",
            "host.published.tcp4",
        ] {
            assert_eq!(outcome(&verified, id), "pass", "{suite}: {id}");
        }
        let checks = verified["checks"].as_array().unwrap();
        let paths = |id: &str| {
            let check = checks.iter().find(|check| check["id"] == id);
            check.unwrap()["paths"].as_array().unwrap().clone()
        };
        // Engine 26 cannot serve this host at the address that RootlessKit's netns has too.
        let v6: &[&str] = match suite {
            "trixie" => &["::1"],
            _ => &["::1", "2001:db8:1::2"],
        };
        let v4 = &["127.0.0.1", "192.0.2.130"][..];
        for (id, expected) in [("host.published.tcp6", v6), ("host.published.tcp4", v4)] {
            let paths = paths(id);
            let to: Vec<_> = paths
                .iter()
                .filter_map(|path| path["to"].as_str())
                .collect();
            assert_eq!(to, expected, "{suite}: {id}");
            let sources = paths.iter().filter_map(|path| path["source"].as_str());
            assert_eq!(
                sources.count(),
                expected.len(),
                "the container has seen all"
            );
        }
        assert_eq!(probes(&lab), 0);
        // The Engine was not asked to do the same thing twice.
        let complaints =
            lab.root("journalctl --no-pager -o cat | grep -c 'error removing container'");
        assert_eq!(complaints.stdout.trim(), "0");
    }
}

#[test]
fn a_default_address_for_published_ports_says_nothing_of_the_others() {
    for suite in ["bookworm", "trixie", "forky"] {
        let Some(lab) = Lab::up(suite) else { return };
        lab.write("~/.config/docker/daemon.json", r#"{"ip": "127.0.0.1"}"#);
        lab.alice("systemctl --user restart docker").exits(0);
        lab.set_up();
        // Debian 12 has no ping6.
        let verified = lab.alice("rootless6 verify --json");
        for id in ["host.published.tcp6", "host.published.tcp4"] {
            assert_eq!(outcome(&verified.json(), id), "pass", "{suite}: {id}");
        }
    }
}

/// The Engine mounts a file over the path; who may unmount it can put a link there.
#[test]
fn a_link_in_a_container_is_not_followed_on_the_host() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    lab.root("echo nameserver 127.0.0.77 >/resolvers").exits(0);
    lab.alice(
        "docker run -d --name linked --privileged busybox sh -c '
            cp /etc/resolv.conf /resolvers && umount /etc/resolv.conf
            ln -sf /resolvers /etc/resolv.conf && exec sleep 600'
        until docker exec linked test -L /etc/resolv.conf; do :; done",
    )
    .exits(0);
    let verified = lab.alice("rootless6 verify --container linked --target v6.test --json");
    let verified = verified.exits(0).json();
    assert_eq!(outcome(&verified, "container[linked].dns.aaaa"), "pass");
}
