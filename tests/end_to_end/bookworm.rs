//! Debian 12: a RootlessKit that knows no pasta gets TCP and UDP, and is told the rest.

use crate::harness::{Lab, outcome};

#[test]
fn bookworm_gets_tcp_over_ipv6_and_is_told_that_ping6_cannot_work() {
    let Some(lab) = Lab::up("bookworm") else {
        return;
    };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let status = lab.alice("rootless6 status").exits(0);
    status.says(&["rootlesskit-without-pasta", "20.10.24", "`rootless6 setup`"]);

    let pasta = lab.alice("rootless6 setup --yes --net pasta").exits(3);
    pasta.says(&["rootlesskit-without-pasta", "hint:", "--net slirp4netns"]);
    let json = lab.alice("rootless6 setup --yes --net pasta --json");
    let json = json.exits(3).json();
    assert_eq!(json["changed"], false);
    assert_eq!(json["rolled_back"], false);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation, "nothing restarted");

    let setup = lab.set_up();
    for id in ["netns.internet.tcp6", "container.internet.tcp6"] {
        assert_eq!(outcome(&setup["verify"], id), "pass", "{id}");
    }
    assert_eq!(setup["verify"]["verdict"], "pass", "all that was asked for");
    assert_eq!(setup["verify"]["cause"], "driver-without-icmp6");
    assert_eq!(setup["exit"], 0);
    lab.reboot();
    lab.connect_from("bridge").exits(0);
    lab.alice("docker network create --ipv6 n1").exits(0);
    lab.connect_from("n1").exits(0);

    let verify = lab.alice("rootless6 verify --network n1 --json");
    let verify = verify.exits(1).json();
    assert_eq!(verify["verdict"], "fail", "ping6 was asked about");
    assert_eq!(verify["cause"], "driver-without-icmp6");
    for from in ["netns", "container", "container[n1]"] {
        let id = format!("{from}.internet");
        assert_eq!(outcome(&verify, &format!("{id}.tcp6")), "pass", "{from}");
        assert_eq!(outcome(&verify, &format!("{id}.icmp6")), "fail", "{from}");
    }
    let people = lab.alice("rootless6 verify").exits(1);
    people.says(&[
        "IPv6 works for TCP, but not for ping6",
        "driver-without-icmp6",
    ]);

    let invocation = lab.invocation();
    let again = lab.alice("rootless6 setup --yes --net slirp4netns --json");
    assert_eq!(again.exits(0).json()["changed"], false);
    assert_eq!(lab.invocation(), invocation, "dockerd was not restarted");

    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}
