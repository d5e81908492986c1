//! Where `docker` leads elsewhere, and where the host has no IPv6: see tests/platforms.rs for the
//! places that need no system of their own.

use crate::harness::Lab;

#[test]
fn where_docker_leads_elsewhere_setup_says_so_and_asks_which_one_is_meant() {
    let Some(lab) = Lab::up("trixie") else { return };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let context = "docker context create work --docker host=ssh://alice@example.com";
    lab.alice(&format!("{context} && docker context use work"))
        .exits(0);
    for (environment, words) in [
        ("", "DOCKER_CONTEXT=default rootless6 setup"),
        (
            "DOCKER_CONTEXT=work",
            "DOCKER_CONTEXT=default rootless6 setup",
        ),
        ("DOCKER_HOST=tcp://192.0.2.1:2376", "env -u DOCKER_HOST"),
    ] {
        let setup = lab.alice(&format!("{environment} rootless6 setup --yes"));
        setup.exits(6).says(&["context-elsewhere", words]);
    }
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation, "nothing restarted");
    let status = lab.status();
    assert_eq!(status["docker"]["context"], "work");
    assert_eq!(status["engine"]["rootless"], true, "that of the unit");

    // Said which one is meant, it is done, and can be undone whatever `docker` leads to.
    lab.alice("DOCKER_CONTEXT=default rootless6 setup --yes")
        .exits(0);
    let verify = lab.alice("rootless6 verify").exits(0);
    verify.says(&["IPv6 works", "note", "context work"]);
    lab.alice("rootless6 undo --yes").exits(0);
    lab.alice("docker context use rootless").exits(0);
    lab.runs_as_before();
}

#[test]
fn a_broken_context_stops_nothing() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.write("~/.docker/config.json", "{\"currentContext\": ");
    let unknown = &lab.status()["unknown"]["docker"];
    let why = unknown.as_str().unwrap();
    assert!(why.contains("/home/alice/.docker/config.json"), "{why}");
    lab.alice("rootless6 setup --yes --no-verify").exits(0);
}

#[test]
fn a_host_without_ipv6_is_roots_to_mend_or_nobodys_here() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    lab.root("ip -6 route del default").exits(0);
    let setup = lab.alice("rootless6 setup --yes");
    setup.exits(6).says(&["host-no-ipv6-route"]);

    lab.root("sysctl -w net.ipv6.conf.all.disable_ipv6=1")
        .exits(0);
    let setup = lab.alice("rootless6 setup --yes --json").exits(5).json();
    let message = setup["error"]["message"].as_str().unwrap();
    assert!(message.contains("host-ipv6-disabled"), "{message}");
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["cause"], "host-ipv6-disabled");
    assert_eq!(lab.tree(), before);

    // The block for root is pasted as it is.
    let lines = setup["needs_root"].as_array().unwrap();
    let block: Vec<_> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    lab.root(&block.join("\n")).exits(0);
    lab.root("sysctl -n net.ipv6.conf.eth0.disable_ipv6 && cat /etc/sysctl.d/zz-rootless6.conf")
        .exits(0)
        .says(&["0\n", "net.ipv6.conf.all.disable_ipv6 = 0"]);
}
