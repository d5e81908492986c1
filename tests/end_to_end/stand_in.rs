//! RootlessKit 2.3 and later, which is in no Debian suite: a stand-in for it, see
//! tests/lab/stand-in/rootlesskit for what it imitates and what not.

use serde_json::Value;

use crate::harness::{Lab, TARGET, outcome};

const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/stand-in/");
const PLACE: &str = "/opt/lab/stand-in/";
const STATE: &str = "/run/user/1000/dockerd-rootless";
const DROP_IN: &str = "~/.config/systemd/user/docker.service.d/zz-rootless6.conf";

/// A forky whose RootlessKit is the stand-in: its arguments are a version and how its netns is.
fn with_stand_in(arguments: &str) -> Option<Lab> {
    let lab = Lab::up("forky")?;
    for name in ["rootlesskit", "install"] {
        lab.push(&format!("{STAND_IN}{name}"), &format!("{PLACE}{name}"));
    }
    lab.root(&format!("{PLACE}install {arguments}")).exits(0);
    lab.alice("systemctl --user restart docker").exits(0);
    Some(lab)
}

/// Where RootlessKit's netns is, found without the program.
#[derive(Clone, Copy)]
enum Netns {
    Attached,
    Detached,
}

impl Netns {
    /// A command as root of that namespace.
    fn run(self, lab: &Lab, script: &str) -> String {
        let net = match self {
            Self::Attached => "/proc/$child/ns/net".to_owned(),
            Self::Detached => format!("/proc/$child/root{STATE}/netns"),
        };
        let enter = format!(
            "child=$(cat {STATE}/child_pid)
            nsenter --user=/proc/$child/ns/user --net={net} --preserve-credentials sh -c '{script}'"
        );
        lab.alice(&enter).exits(0).stdout
    }

    fn take_ipv6_away(self, lab: &Lab) {
        self.run(lab, "ip -6 addr flush dev tap0; ip -6 route flush dev tap0");
    }
}

/// The host's own addresses, routes and interfaces: nothing in here may ever change them.
fn host_network(lab: &Lab) -> String {
    // Without the lifetimes, which run.
    let script = "ip -6 -oneline addr show | grep -o '^[^\\\\]*'; ip -6 route; ls /sys/class/net";
    lab.alice(script).exits(0).stdout
}

#[test]
fn rootlesskit_2_3_needs_no_uplink() {
    let Some(lab) = with_stand_in("2.3.6 attached") else {
        return;
    };
    from_default_start_to_undo(&lab, "2.3.6", Netns::Attached);
}

#[test]
fn rootlesskit_3_with_its_netns_detached_needs_no_uplink() {
    let Some(lab) = with_stand_in("3.0.1 detached") else {
        return;
    };
    from_default_start_to_undo(&lab, "3.0.1", Netns::Detached);
}

fn from_default_start_to_undo(lab: &Lab, version: &str, netns: Netns) {
    let (before, host) = (lab.tree(), host_network(lab));
    lab.runs_as_before();
    let kit = &lab.status()["rootlesskit"];
    assert_eq!(kit["version"], version);
    assert_eq!(kit["detached"], matches!(netns, Netns::Detached));

    assert_eq!(lab.set_up()["verify"]["verdict"], "pass");
    assert!(!lab.read(DROP_IN).contains("ExecStartPost"), "no uplink");
    works(lab);
    assert!(netns.run(lab, "ip -6 addr").contains("tap0"));
    lab.alice("systemctl --user restart docker").exits(0);
    works(lab);

    netns.take_ipv6_away(lab);
    only_the_host_passes(lab);
    let tap = &lab.status()["netns"];
    assert_eq!(
        tap["ipv6_addresses"],
        serde_json::json!([]),
        "not the host's"
    );
    lab.alice("systemctl --user restart docker").exits(0);
    works(lab);

    let undo = lab.alice("rootless6 undo --yes --json").exits(0).json();
    assert_eq!(undo["skipped"].as_array().map(Vec::len), Some(0));
    assert_eq!(lab.tree(), before, "~/.config is what it was");
    lab.runs_as_before();
    assert_eq!(host_network(lab), host);
}

fn works(lab: &Lab) {
    lab.ping_from("bridge").exits(0);
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    for from in ["host", "netns", "container"] {
        assert_eq!(outcome(&verify, &format!("{from}.internet.icmp6")), "pass");
        assert_eq!(outcome(&verify, &format!("{from}.internet.tcp6")), "pass");
    }
    lab.alice("docker run -d --rm --stop-signal KILL --name web busybox sleep 600")
        .exits(0);
    for from in ["netns", "container:web"] {
        lab.alice(&format!("rootless6 ping --from {from} {TARGET}"))
            .exits(0);
    }
    lab.alice("docker stop web").exits(0);
}

fn only_the_host_passes(lab: &Lab) {
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["verdict"], "fail");
    assert!(verify["cause"].is_string(), "a cause is named");
    for (from, expected) in [("host", "pass"), ("netns", "fail"), ("container", "fail")] {
        for proto in ["icmp6", "tcp6"] {
            let id = format!("{from}.internet.{proto}");
            assert_eq!(outcome(&verify, &id), expected, "{id}");
        }
    }
}

#[test]
fn an_uplink_that_is_asked_for_goes_to_the_detached_netns_and_not_to_the_host() {
    let Some(lab) = with_stand_in("3.0.1 detached") else {
        return;
    };
    let host = host_network(&lab);
    let setup = "rootless6 setup --yes --accept containers-restart --uplink always";
    lab.alice(setup).exits(0);
    assert!(lab.read(DROP_IN).contains("ExecStartPost"));
    let idle = lab.alice("rootless6 uplink --json").exits(0).json();
    assert_eq!(idle["changed"], false, "RootlessKit has done it already");

    Netns::Detached.take_ipv6_away(&lab);
    let uplink = lab.alice("rootless6 uplink --json").exits(0).json();
    assert_eq!(uplink["changed"], true);
    assert!(
        Netns::Detached
            .run(&lab, "ip -6 addr")
            .contains("2001:db8:1::2")
    );
    works(&lab);
    assert_eq!(host_network(&lab), host);
}

#[test]
fn a_netns_that_is_detached_without_a_word_on_the_command_line_is_found() {
    let Some(lab) = with_stand_in("3.0.1 detached unasked") else {
        return;
    };
    let line = lab.alice("tr '\\0' ' ' </proc/$(systemctl --user show -P MainPID docker)/cmdline");
    assert!(!line.exits(0).stdout.contains("detach"));
    assert_eq!(lab.status()["rootlesskit"]["detached"], true);
    lab.set_up();
    works(&lab);
}

#[test]
fn nothing_meant_for_rootlesskits_netns_lands_in_the_hosts() {
    let Some(lab) = with_stand_in("3.0.1 detached unasked") else {
        return;
    };
    lab.set_up();
    let host = host_network(&lab);

    // For everybody outside the child's mount namespace an ordinary file; the child is in the host's netns.
    for (net, why) in [
        (
            format!("{STATE}/netns"),
            "cannot join the network namespace",
        ),
        ("/proc/'$child'/ns/net".to_owned(), "is the host's own"),
    ] {
        let probe = lab.alice(&format!(
            "child=$(cat {STATE}/child_pid)
            rootless6 vantage '{{\"join\":{{\"user\":\"/proc/'$child'/ns/user\",\"net\":\"{net}\"}},\"task\":\"look\"}}'"
        ));
        probe.exits(1).says(&[why]);
    }

    // Without the file nothing tells any more that the netns is detached.
    lab.alice(&format!("rm -f {STATE}/netns")).exits(0);
    let status = lab.status();
    assert_eq!(status["netns"]["ipv6_addresses"], Value::Null);
    let people = lab.alice("rootless6 status").exits(0);
    people.says(&["tap0", "is the host's own network namespace"]);
    let uplink = lab.alice("rootless6 uplink").exits(1);
    uplink.says(&["is the host's own network namespace"]);
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(outcome(&verify, "host.internet.icmp6"), "pass");
    for id in ["netns.internet.icmp6", "netns.internet.tcp6"] {
        assert_eq!(outcome(&verify, id), "unknown", "{id}");
    }
    assert_ne!(verify["verdict"], "pass");
    assert_eq!(host_network(&lab), host);
}

#[test]
fn a_state_directory_that_lies_makes_rootlesskit_unknown_and_hangs_nothing() {
    let Some(lab) = with_stand_in("2.3.6 attached") else {
        return;
    };
    let pid_file = format!("{STATE}/child_pid");
    lab.alice(&format!("cp {pid_file} ~/child_pid")).exits(0);
    for (lie, why) in [
        ("mkfifo $f", "is no regular file"),
        ("mkdir $f", "is no regular file"),
        ("echo garbage >$f", "is not a process number"),
        ("head -c 100000000 /dev/zero >$f", "is not a process number"),
        ("true & wait; echo $! >$f", "does not run"),
        ("echo 1 >$f", "is not a child of rootlesskit"),
        ("true", "No such file"),
    ] {
        lab.alice(&format!("f={pid_file}; rm -rf $f; {lie}"))
            .exits(0);
        let status = lab.status();
        assert_eq!(status["rootlesskit"]["child_pid"], Value::Null, "{lie}");
        let said = status["unknown"]["rootlesskit"].as_str();
        assert!(
            said.is_some_and(|said| said.contains(why)),
            "{lie}: {said:?}"
        );
        let verify = lab.alice("rootless6 verify --json").exits(1).json();
        assert_eq!(outcome(&verify, "netns.internet.tcp6"), "unknown", "{lie}");
        assert_eq!(outcome(&verify, "host.internet.tcp6"), "pass", "{lie}");
    }
    lab.alice(&format!("rm -rf {pid_file}; cp ~/child_pid {pid_file}"))
        .exits(0);
    assert_eq!(lab.status()["rootlesskit"]["version"], "2.3.6");
}

#[test]
fn the_running_rootlesskits_word_on_its_version_counts_as_long_as_it_has_one() {
    let Some(lab) = with_stand_in("2.3.6 attached") else {
        return;
    };
    // As after an upgrade without a restart.
    lab.root(&format!("echo 3.0.1 >{PLACE}version")).exits(0);
    assert_eq!(lab.status()["rootlesskit"]["version"], "2.3.6");

    let nonsense = "while ($c = $s->accept) { print $c qq(nonsense\n) }";
    instead_of_the_api(&lab, nonsense);
    let status = lab.status();
    assert_eq!(status["rootlesskit"]["version"], "3.0.1", "the program's");
    assert_eq!(status["rootlesskit"]["net"], "slirp4netns");
    assert_eq!(status["engine"]["version"], "28.5.2");

    // dockerd waits for it as well before it tells its own version.
    instead_of_the_api(&lab, "sleep 600");
    let status = lab.status();
    assert_eq!(status["rootlesskit"]["version"], "3.0.1", "the program's");
    assert!(status["unknown"]["engine"].is_string());
}

/// Somebody else, in perl, listens with `$s` where RootlessKit's API was.
fn instead_of_the_api(lab: &Lab, then: &str) {
    let listen = "use IO::Socket::UNIX; $s = IO::Socket::UNIX->new(Local => shift, Listen => 9)";
    lab.alice(&format!(
        "rm {STATE}/api.sock
        setsid perl -e '{listen}; {then}' {STATE}/api.sock </dev/null >/dev/null 2>&1 &
        until [ -S {STATE}/api.sock ]; do :; done"
    ))
    .exits(0);
}
