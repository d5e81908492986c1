//! Without any rights doctor still tells what it can; all else is unknown, with the reason.

use super::{Lab, Said, State, lab};

const PROGRAM: &str = "/usr/local/bin/rootless6";

/// A `/proc` and a home that tell nothing, for one command.
const HIDING: &[(&str, &str)] = &[
    ("others' processes", "mount -t proc -o hidepid=2 proc /proc"),
    ("all of /proc", "mount -t tmpfs none /proc"),
    ("/proc/sys", "mount -t tmpfs none /proc/sys"),
    ("/sys", "mount -t tmpfs none /sys"),
    ("the home", "mount -t tmpfs -o mode=700 none /home/alice"),
    (
        "the runtime directory",
        "mount -t tmpfs -o mode=700 none /run/user/1000",
    ),
    ("/etc", "mount -t tmpfs -o mode=700 none /etc"),
];

#[test]
fn without_any_rights_doctor_tells_what_it_can() {
    let Some(lab) = lab("trixie", State::SetUp) else {
        return;
    };
    lab.root(&format!(
        "install -m 755 /home/alice/.local/bin/rootless6 {PROGRAM}"
    ))
    .exits(0);
    for who in [
        "setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME=/ PATH=/usr/bin:/bin",
        "setpriv --reuid=4711 --regid=4711 --clear-groups env -i HOME=/",
        "setpriv --reuid=4711 --regid=4711 --clear-groups env -i HOME=/nowhere XDG_RUNTIME_DIR=/nowhere XDG_CONFIG_HOME=/nowhere",
        "setpriv --reuid=1000 --regid=1000 --clear-groups env -i HOME=/root XDG_RUNTIME_DIR=/run/user/0",
    ] {
        tells_what_it_can(&lab, &format!("{who} {PROGRAM} doctor"));
    }
    for (what, hide) in HIDING {
        println!("\n=== without {what}");
        let alice = "setpriv --reuid=1000 --regid=1000 --clear-groups env -i HOME=/home/alice PATH=/usr/bin:/bin XDG_RUNTIME_DIR=/run/user/1000";
        let script = format!("{hide} && exec {alice} {PROGRAM} doctor");
        tells_what_it_can(
            &lab,
            &format!("unshare --mount bash -c '{script} \"$@\"' -"),
        );
    }
    for path in [
        "~/.config/docker/daemon.json",
        "~/.config/systemd/user/docker.service.d",
        "~/.config/systemd",
        "~/.config",
        "$XDG_RUNTIME_DIR/docker.sock",
        "$XDG_RUNTIME_DIR/dockerd-rootless",
        "$XDG_RUNTIME_DIR/bus",
    ] {
        lab.alice(&format!("stat -c %a {path} >~/mode && chmod 0 {path}"))
            .exits(0);
        let said = Said::by(&lab, "");
        lab.alice(&format!("chmod $(cat ~/mode) {path}")).exits(0);
        reasons(&said);
    }
    let said = Said::by(&lab, "");
    assert_eq!(said.exit, 0, "well again: {:?}", said.codes());
}

fn tells_what_it_can(lab: &Lab, command: &str) {
    let said = Said::of(&lab.root(&format!("{command} --json")));
    reasons(&said);
    assert!(
        !said.findings().is_empty() || !said.document["unknown"].as_object().unwrap().is_empty(),
        "there is something to say"
    );
    let people = lab.root(command);
    assert_eq!(people.status, said.exit);
    assert!(!people.stderr.contains("panicked"));
    assert!(!people.stdout.trim().is_empty());
}

fn reasons(said: &Said) {
    assert_eq!(said.objection(), None);
    for (what, why) in said.document["unknown"].as_object().unwrap() {
        assert!(
            why.as_str().is_some_and(|why| !why.is_empty()),
            "{what} is unknown for no reason: {why}"
        );
    }
}
