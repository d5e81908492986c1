//! The host's addresses change while containers run.

use crate::harness::{Lab, TARGET};

/// What is on tap0, in one line, best read aloud: `2001:db8:2::2/128`.
const ON_TAP: &str = "
    nsenter -U --preserve-credentials -n -t $(cat $XDG_RUNTIME_DIR/dockerd-rootless/child_pid) \
        ip -6 -o addr show dev tap0 scope global | awk '{print $4}'";

const FOLLOWERS: &str = "pgrep -fc '^rootless6 follow$'";

#[test]
fn on_trixie_running_containers_stay_on_line_when_the_host_is_renumbered() {
    let Some(lab) = Lab::up("trixie") else { return };
    renumbered(&lab);
}

#[test]
fn on_forky_running_containers_stay_on_line_when_the_host_is_renumbered() {
    let Some(lab) = Lab::up("forky") else { return };
    renumbered(&lab);
}

fn renumbered(lab: &Lab) {
    lab.set_up();
    lab.alice(
        "docker run -d --name sleeper --stop-signal KILL busybox sleep 6000
         docker run -d --name web -p 8080:80 --stop-signal KILL busybox \
             sh -c 'echo hello >index.html; exec httpd -f -p 80'",
    )
    .exits(0);
    let invocation = lab.invocation();
    for prefix in ["2001:db8:2:", "2001:db8:3:"] {
        renumber(lab, prefix);
        is_followed(lab, prefix);
    }

    // Lost and found again, the same and another.
    lab.root("ip -6 addr flush dev eth0 scope global; ip -6 route flush default")
        .exits(0);
    fails_at_the_host(lab);
    renumber(lab, "2001:db8:3:");
    is_followed(lab, "2001:db8:3:");
    // Down, it loses its IPv4 route as well, and with it the containers' resolver.
    lab.root(
        "ip link set eth0 down; ip link set eth0 name wan0; ip link set wan0 up
         ip route replace default via 192.0.2.129 dev wan0",
    )
    .exits(0);
    give(lab, "wan0", "2001:db8:4:");
    far_side(lab, "2001:db8:4:");
    is_followed(lab, "2001:db8:4:");
    assert_eq!(lab.invocation(), invocation, "dockerd was not restarted");
}

#[test]
fn an_address_that_nobody_followed_is_named_and_each_start_leaves_one_follower() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    assert_eq!(lab.alice(FOLLOWERS).stdout, "1\n");
    lab.alice("rootless6 uplink").exits(0);
    lab.alice("systemctl --user restart docker && systemctl --user restart docker")
        .exits(0);
    assert_eq!(lab.alice(FOLLOWERS).stdout, "1\n", "after two restarts");

    lab.alice("kill -9 $(pgrep -f '^rootless6 follow$')")
        .exits(0);
    renumber(&lab, "2001:db8:2:");
    lab.ping_from("bridge").exits(0);
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    assert_eq!(verify["findings"][0]["code"], "stale-address");
    let people = lab.alice("rootless6 verify").exits(0);
    people.says(&["weak", "stale-address", "2001:db8:1::2"]);
    lab.alice("rootless6 status").says(&["stale-address"]);
    lab.alice("rootless6 uplink")
        .exits(0)
        .says(&["tap0 has 2001:db8:2::2 now instead of 2001:db8:1::2"]);
    is_followed(&lab, "2001:db8:2:");
    assert_eq!(lab.alice(FOLLOWERS).stdout, "0\n", "by hand, once");

    lab.alice("systemctl --user reset-failed docker && systemctl --user restart docker")
        .exits(0);
    assert_eq!(lab.alice(FOLLOWERS).stdout, "1\n", "the next start has one");
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    assert_eq!(verify["findings"], serde_json::json!([]));

    // systemd starts what has crashed again; its follower goes with it.
    lab.alice("kill -9 $(systemctl --user show -P MainPID docker)")
        .exits(0);
    let restarted = "until [ $(systemctl --user show -P NRestarts docker) -gt 0 ] \
         && systemctl --user -q is-active docker; do sleep 0.1; done";
    lab.alice(&format!("timeout 60 bash -c '{restarted}'"))
        .exits(0);
    assert_eq!(lab.alice(FOLLOWERS).stdout, "1\n", "after a crash");
    is_followed(&lab, "2001:db8:2:");

    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.alice(FOLLOWERS).stdout, "0\n", "after the undo");
}

#[test]
fn what_could_not_be_brought_at_once_is_brought_later() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    lab.alice("kill -STOP $(pgrep pasta)").exits(0);
    renumber(&lab, "2001:db8:2:");
    lab.root(
        "timeout 60 sh -c 'until journalctl -o cat | grep -q \"pasta forwards no IPv6\"; do sleep 0.1; done'",
    )
    .exits(0);
    lab.alice("kill -CONT $(pgrep pasta)").exits(0);
    is_followed(&lab, "2001:db8:2:");
}

/// A new prefix on both sides of the wire, the old one gone.
fn renumber(lab: &Lab, prefix: &str) {
    far_side(lab, prefix);
    give(lab, "eth0", prefix);
}

fn far_side(lab: &Lab, prefix: &str) {
    lab.internet(&format!(
        "ip -6 addr flush dev net0 scope global; ip addr add {prefix}:1/64 dev net0 nodad"
    ))
    .exits(0);
}

fn give(lab: &Lab, interface: &str, prefix: &str) {
    lab.root(&format!(
        "ip addr add {prefix}:2/64 dev {interface} nodad
         ip -6 route replace default via {prefix}:1 dev {interface}
         for old in $(ip -6 -o addr show dev {interface} scope global | awk '{{print $4}}'); do
             [ $old = {prefix}:2/64 ] || ip addr del $old dev {interface}
         done"
    ))
    .exits(0);
}

/// tap0 has the host's address and no other within five seconds, and it serves both ways.
fn is_followed(lab: &Lab, prefix: &str) {
    lab.alice(&format!(
        "for i in $(seq 50); do [ \"$({ON_TAP})\" = {prefix}:2/128 ] && exit 0; sleep 0.1; done
         {ON_TAP}; exit 1"
    ))
    .exits(0);
    let get = format!(
        "exec 3<>/dev/tcp/{prefix}:2/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"
    );
    if lab.alice("docker inspect web").status == 0 {
        // pasta looks once a second which ports to forward, and a first connection may be lost
        // while neighbours still learn the new address.
        lab.internet(&format!(
            "for i in $(seq 50); do timeout 3 bash -c \"{get}\" && exit 0; sleep 0.2; done; exit 1"
        ))
        .exits(0)
        .says(&["hello"]);
        lab.alice(&format!("docker exec sleeper ping6 -c2 -W3 {TARGET}"))
            .exits(0);
    }
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    assert_eq!(verify["findings"], serde_json::json!([]));
}

fn fails_at_the_host(lab: &Lab) {
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["cause"], "host-no-ipv6-route");
}
