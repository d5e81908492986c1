//! ping beside iputils' and busybox's own, from everywhere; what cannot be pinged or pinged from; and
//! what is left behind, which is nothing.

use serde_json::Value;

use crate::bad_input::refuses;
use crate::harness::{Lab, TARGET};

/// The far side drops what goes there without a word.
const SILENT: &str = "2001:db8:5117::1";

/// The far side has no route to it, and says so.
const UNROUTED: &str = "3fff:99::1";

/// The host itself has no route to it.
const UNREACHABLE: &str = "3fff:98::1";

/// Runs a command in RootlessKit's netns, as its root.
const INSIDE: &str = "inside() { nsenter -U --preserve-credentials -n -t $(rootless6 status --json | sed -n 's/.*\"child_pid\": \\([0-9]*\\).*/\\1/p') \"$@\"; };";

/// One that runs nothing but a program of its own: no shell, no libc, not even /etc/passwd.
const DISTROLESS: &str = "
    mkdir -p image && cp /bin/busybox image/sleep && tar -C image -c . | docker import - distroless &&
    docker run -d --stop-signal KILL --name distroless --network web --entrypoint /sleep distroless 600 &&
    ! docker exec distroless sh -c :";

/// A system that is set up, with a container that has a shell and one that has none.
fn lab_with_containers(suite: &str) -> Option<Lab> {
    let lab = Lab::up(suite)?;
    lab.set_up();
    lab.alice("docker network create --ipv6 web").exits(0);
    lab.alice("docker run -d --stop-signal KILL --name web --network web busybox sleep 600")
        .exits(0);
    lab.alice(DISTROLESS).exits(0);
    Some(lab)
}

fn ping(lab: &Lab, arguments: &str, status: i32) -> Value {
    lab.alice(&format!("rootless6 ping --json {arguments}"))
        .exits(status)
        .json()
}

/// Nobody runs any more, and the Engine has what it had.
#[track_caller]
fn leaves_nothing_behind(lab: &Lab, containers: &str) {
    let running = "until ! pgrep -fa '^rootless6 (vantage|ping)'; do sleep 0.05; done";
    lab.alice(&format!("timeout 20 bash -c \"{running}\""))
        .exits(0);
    assert_eq!(lab.alice(CONTAINERS).stdout, containers);
}

const CONTAINERS: &str = "docker ps -a --format '{{.Names}} {{.State}}' | sort";

#[test]
fn it_judges_as_ping_does_from_the_host_the_netns_and_containers() {
    let Some(lab) = lab_with_containers("forky") else {
        return;
    };
    lab.internet("ip -6 route add blackhole 2001:db8:5117::/48")
        .exits(0);
    lab.root("ip -6 route add unreachable 3fff:98::/32")
        .exits(0);
    let containers = lab.alice(CONTAINERS).stdout;
    for target in [TARGET, SILENT, UNROUTED, UNREACHABLE] {
        for (from, theirs) in [
            ("host", format!("ping -6 -c2 -W1 {target}")),
            ("netns", format!("{INSIDE} inside ping -6 -c2 -W1 {target}")),
            (
                "container:web",
                format!("docker exec web ping6 -c2 -W1 {target}"),
            ),
        ] {
            let theirs = lab.alice(&theirs).status == 0;
            assert_eq!(
                theirs,
                target == TARGET,
                "{from} to {target}: the lab is as meant"
            );
            let ours = ping(
                &lab,
                &format!("--from {from} -c2 {target}"),
                i32::from(!theirs),
            );
            let seen = &ours["targets"][0];
            assert_eq!(ours["from"], from);
            assert_eq!(seen["to"], target);
            let received = if theirs { 2 } else { 0 };
            assert_eq!(seen["received"], received, "{from} to {target}");
        }
        let status = i32::from(target != TARGET);
        ping(
            &lab,
            &format!("--from container:distroless {target}"),
            status,
        );
    }
    let told = ping(&lab, UNROUTED, 1);
    assert_eq!(told["targets"][0]["errors"][0]["message"], "no route");
    assert_eq!(told["targets"][0]["errors"][0]["offender"], "2001:db8:1::1");
    lab.alice(&format!("rootless6 ping {UNROUTED}"))
        .exits(1)
        .says(&["no route, says 2001:db8:1::1"]);
    leaves_nothing_behind(&lab, &containers);
}

/// iputils' times, sorted out by awk, beside ours on the same path and at the same pace.
#[test]
fn its_round_trips_are_those_of_ping() {
    let Some(lab) = Lab::up("trixie") else { return };
    let theirs = format!(
        "ping -6 -c 51 -i 0.02 {TARGET} | sed -n 's/.*time=\\([0-9.]*\\).*/\\1/p' | sort -n | sed -n 26p"
    );
    let mut rounds = Vec::new();
    for _ in 0..10 {
        let theirs: f64 = lab.alice(&theirs).exits(0).stdout.trim().parse().unwrap();
        let ours = ping(&lab, &format!("-c 51 -i 0.02 {TARGET}"), 0);
        let ours = ours["targets"][0]["rtt_ms"]["median"].as_f64().unwrap();
        rounds.push((theirs, ours));
        if (theirs / 3.0..theirs * 3.0).contains(&ours) {
            return;
        }
    }
    panic!("never within a factor of three: {rounds:?}");
}

/// More than one argument of a process may hold (128 KiB), and with its answers more than a pipe.
#[test]
fn ten_thousand_targets_are_asked_at_once() {
    let Some(lab) = Lab::up("trixie") else { return };
    let any = "ip -6 route add local 3fff:6::/64 dev lo";
    lab.root(any).exits(0);
    lab.alice(&format!("{INSIDE} inside {any}")).exits(0);
    let all = "$(printf '3fff:6::%x ' $(seq 10000))";
    for from in ["host", "netns"] {
        let answer = ping(&lab, &format!("--from {from} -c1 {all}"), 0);
        let targets = answer["targets"].as_array().unwrap();
        assert_eq!(targets.len(), 10_000);
        assert!(targets.iter().all(|target| target["received"] == 1));
        let text = lab.alice(&format!(
            "rootless6 ping --from {from} -c1 {all} | tail -n 1"
        ));
        text.says(&["10000 of 10000 targets answer"]);
    }
}

#[test]
fn a_link_local_target_is_reached_through_the_interface_that_goes_with_it() {
    let Some(lab) = lab_with_containers("trixie") else {
        return;
    };
    let far = lab
        .internet("ip -6 -o addr show dev net0 scope link")
        .exits(0)
        .stdout;
    let far = far
        .split_whitespace()
        .find_map(|word| word.strip_suffix("/64"));
    let far = far.expect("the far side has a link-local address");
    ping(&lab, &format!("{far}%eth0"), 0);
    ping(
        &lab,
        &format!("{far}%$(cat /sys/class/net/eth0/ifindex)"),
        0,
    );
    // The bridge's own, from a container on it: what is called eth0 there is another link.
    let gateway = "$(docker network inspect web -f '{{.Id}}' | cut -c 1-12)";
    let bridge = format!(
        "{INSIDE} inside ip -6 -o addr show dev br-{gateway} scope link | awk '!/fe80::1\\//{{print $4}}' | cut -d/ -f1"
    );
    let bridge = lab.alice(&bridge).exits(0).stdout;
    ping(
        &lab,
        &format!("--from container:distroless {}%eth0", bridge.trim()),
        0,
    );
    let bare = lab.alice("rootless6 ping --from netns fe80::1").exits(2);
    bare.says(&[
        "through which interface",
        "`rootless6 ping --from netns fe80::1%tap0`",
    ]);
}

#[test]
fn what_cannot_be_pinged_or_pinged_from_is_said() {
    let Some(lab) = Lab::up("trixie") else { return };
    let run = "docker run -d --stop-signal KILL busybox sleep 600";
    for (name, options) in [
        ("hosts", "--network host"),
        ("behind-hosts", "--network container:hosts"),
        ("nowhere", "--network none"),
        ("paused", ""),
        ("stopped", ""),
    ] {
        let run = run.replace("-d", &format!("-d --name {name} {options}"));
        lab.alice(&run).exits(0);
    }
    lab.alice("docker pause paused && docker stop stopped")
        .exits(0);
    let containers = lab.alice(CONTAINERS).stdout;
    // A circle of CNAMEs, from a resolver that knows nothing else.
    lab.root("echo nameserver 2001:db8:53::53 > /etc/resolv.conf")
        .exits(0);
    lab.internet("kill $(pgrep dnsmasq)").exits(0);
    lab.internet(&format!(
        "perl -e '{CNAME_CIRCLE}' </dev/null >/tmp/circle 2>&1 &"
    ))
    .exits(0);
    refuses(
        &lab,
        &[
            ("rootless6 ping circle.test", 2, &["circle.test", "hint"]),
            (
                "rootless6 ping --from container:nosuch ::1",
                2,
                &["\"nosuch\"", "docker ps"],
            ),
            (
                "rootless6 ping --from container:../json ::1",
                2,
                &["docker ps"],
            ),
            (
                "rootless6 ping --from container:stopped ::1",
                1,
                &["not running", "docker start"],
            ),
            (
                "rootless6 ping --from container:hosts ::1",
                1,
                &["no network of its own", "--from netns"],
            ),
            (
                "rootless6 ping --from container:behind-hosts ::1",
                1,
                &["no network of its own"],
            ),
            (
                "rootless6 ping --from container:hosts ::1 --json",
                1,
                &["\"command\": \"ping\""],
            ),
            (
                "rootless6 ping --from netns fe80::1%eth0",
                2,
                &["eth0", "tap0"],
            ),
            (
                "rootless6 ping --from netns --unit nothere.service ::1",
                6,
                &["nothere.service"],
            ),
            ("rootless6 ping 192.0.2.1", 2, &["IPv4"]),
            ("rootless6 ping -s 70000 ::1", 2, &["65527"]),
            ("rootless6 ping -i 0 ::1", 2, &["leave it out"]),
        ],
    );
    // These have a network, if only a small one.
    ping(&lab, "--from container:paused ::1", 0);
    ping(&lab, "--from container:nowhere ::1", 0);
    let nowhere = ping(&lab, &format!("--from container:nowhere {TARGET}"), 1);
    assert_eq!(nowhere["targets"][0]["sent"], 0);
    assert!(
        nowhere["targets"][0]["errors"][0]["message"]
            .to_string()
            .contains("unreachable")
    );
    leaves_nothing_behind(&lab, &containers);
    lab.alice("systemctl --user stop docker.service").exits(0);
    lab.alice("rootless6 ping --from netns ::1")
        .exits(1)
        .says(&["not running", "hint"]);
    lab.alice("rootless6 ping --from container:web ::1")
        .exits(1)
        .says(&["Engine", "hint"]);
}

/// Answers each question with a.test → b.test → a.test, whatever it was.
const CNAME_CIRCLE: &str = r#"
    use IO::Socket::IP;
    my $socket = IO::Socket::IP->new(LocalAddr => "2001:db8:53::53", LocalPort => 53, Proto => "udp") or die;
    while ($socket->recv(my $query, 512)) {
        my ($name) = substr($query, 12) =~ /^((?:[^\0].*?)?\0....)/s;
        my $there = "\1b\4test\0";
        my $first = "\xc0\x0c" . pack("nnNn", 5, 1, 60, length $there) . $there;
        my $back = $there . pack("nnNn", 5, 1, 60, 2) . "\xc0\x0c";
        $socket->send(substr($query, 0, 2) . pack("n5", 0x8180, 1, 2, 0, 0) . $name . $first . $back);
    }"#;

#[test]
fn without_a_socket_it_says_what_root_can_do() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.root("sysctl -w net.ipv4.ping_group_range='1 0'")
        .exits(0);
    let blocked = lab.alice("rootless6 ping ::1").exits(5);
    blocked.says(&[
        "no socket",
        "as root:",
        "sysctl -w net.ipv4.ping_group_range",
    ]);
    let document = ping(&lab, "::1", 5);
    assert!(document["error"]["needs_root"][0].is_string());
    // RootlessKit's root is another matter.
    ping(&lab, "--from netns ::1", 0);
}

/// Runs a ping without end until it has shown something, then a script with its `$pid`; its status
/// is the ping's, and what it printed is in `screen`.
fn while_pinging(lab: &Lab, arguments: &str, script: &str) -> crate::harness::Output {
    // With job control a background process heeds SIGINT, as it does in a terminal.
    lab.alice(&format!(
        "set -m; rm -f screen
        rootless6 ping -c0 -i 0.1 {arguments} >screen 2>&1 & pid=$!
        until [ $(wc -l <screen) -ge 3 ] || ! kill -0 $pid; do sleep 0.05; done
        {script}
        wait $pid; status=$?; cat screen; exit $status"
    ))
}

#[test]
fn interrupted_it_tells_what_it_has_seen() {
    let Some(lab) = lab_with_containers("trixie") else {
        return;
    };
    lab.internet("ip -6 route add blackhole 2001:db8:5117::/48")
        .exits(0);
    let containers = lab.alice(CONTAINERS).stdout;
    // Ctrl-C reaches the whole group, kill one process.
    for (from, kill) in [
        ("host", "kill -INT $pid"),
        ("netns", "kill -INT -- -$pid"),
        ("container:distroless", "kill -INT -- -$pid"),
        ("container:web", "kill -TERM $pid"),
    ] {
        let well = while_pinging(&lab, &format!("--from {from} {TARGET}"), kill).exits(0);
        well.says(&["seq 3", "✓ ok", "received, 0 % lost"]);
        let silent = while_pinging(&lab, &format!("--from {from} -W 0.1 {SILENT}"), kill);
        silent
            .exits(130)
            .says(&["no answer within 0.1 s", "✗ silent", "error: interrupted"]);
    }
    leaves_nothing_behind(&lab, &containers);
}

#[test]
fn nobody_goes_on_pinging_for_one_who_is_gone() {
    let Some(lab) = lab_with_containers("trixie") else {
        return;
    };
    let containers = lab.alice(CONTAINERS).stdout;
    let from = format!("--from container:web {TARGET}");
    while_pinging(&lab, &from, "kill -KILL $pid").exits(137);
    leaves_nothing_behind(&lab, &containers);
    let dead = while_pinging(&lab, &from, "kill -KILL $(pgrep -P $pid)").exits(1);
    dead.says(&[
        "error: the vantage point ended without an answer",
        "SIGKILL",
    ]);
    // A container that stops takes nothing with it: its network lives as long as somebody is in it.
    let stopped = while_pinging(&lab, &from, "docker stop web; kill -INT $pid");
    stopped.exits(0).says(&["received"]);
}
