//! Every Debian in every state in which setup may find it: dockerd answers afterwards, IPv6 is
//! proved by busybox's own tools, and undo gives every byte back.

use serde_json::Value;

use crate::harness::Lab;

/// As the blogs have it.
const RECIPE: &str = r#"[Service]
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--ipv6"
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta"
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=implicit"
"#;

const OVERRIDE: &str = r#"[Service]
Environment="FOO=a  b" DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--debug
"#;

const DAEMON_JSON: &str = "{\n\t\"debug\": false,\n\t\"shutdown-timeout\": 7\n}\n";

/// What setup finds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Fresh,
    SettingsOfOnesOwn,
    ContainersRunning,
    Stopped,
    /// On bookworm dockerd crashes again and again; elsewhere it runs, in vain.
    CopiedRecipe,
}

macro_rules! table {
    ($($suite:ident: $($cell:ident $state:ident)*;)*) => {$(
        mod $suite {
            use super::{State, cell};
            $(#[test]
            fn $cell() {
                cell(stringify!($suite), State::$state);
            })*
        }
    )*};
}

table! {
    bookworm: fresh Fresh
        settings_of_ones_own SettingsOfOnesOwn
        containers_running ContainersRunning
        stopped Stopped
        crash_looping_from_the_copied_recipe CopiedRecipe;
    trixie: fresh Fresh
        settings_of_ones_own SettingsOfOnesOwn
        containers_running ContainersRunning
        stopped Stopped
        copied_recipe CopiedRecipe;
    forky: fresh Fresh
        settings_of_ones_own SettingsOfOnesOwn
        containers_running ContainersRunning
        stopped Stopped
        copied_recipe CopiedRecipe;
}

fn cell(suite: &str, state: State) {
    let Some(lab) = Lab::up(suite) else { return };
    let crashes = suite == "bookworm" && state == State::CopiedRecipe;
    bring_about(&lab, state);
    let before = lab.tree();

    let setup = lab.set_up();
    assert_eq!(setup["verify"]["verdict"], "pass");
    answers(&lab).exits(0);
    proved_by_busybox(&lab, suite);
    what_was_there_stands(&lab, state);

    let undo = lab.alice("rootless6 undo --yes --json").exits(0).json();
    assert_eq!(undo["skipped"], Value::Array(Vec::new()));
    assert_eq!(lab.tree(), before, "~/.config is what it was");
    assert_eq!(answers(&lab).status == 0, !crashes);
}

fn bring_about(lab: &Lab, state: State) {
    match state {
        State::Fresh => {}
        State::SettingsOfOnesOwn => {
            lab.plant("override.conf", OVERRIDE);
            lab.write("~/.config/docker/daemon.json", DAEMON_JSON);
            lab.alice("systemctl --user restart docker").exits(0);
            answers_soon(lab);
        }
        State::ContainersRunning => {
            // pid 1 does not heed SIGTERM, and each stop would take ten seconds.
            let sleep = "--stop-signal KILL busybox sleep 600";
            lab.alice(&format!(
                "docker run -d --restart=always --name keeper {sleep} && docker run -d --name loner {sleep}"
            ))
            .exits(0);
        }
        State::Stopped => {
            lab.alice("systemctl --user stop docker").exits(0);
        }
        State::CopiedRecipe => {
            lab.plant("override.conf", RECIPE);
            // What comes of it is what setup finds.
            lab.alice("systemctl --user restart docker");
        }
    }
}

fn answers(lab: &Lab) -> crate::harness::Output {
    lab.alice("docker version --format '{{.Server.Version}}'")
}

/// Engine 20.10 is of Type=simple: a restart ends before dockerd answers.
fn answers_soon(lab: &Lab) {
    lab.alice("timeout 30 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.1; done'")
        .exits(0);
}

fn proved_by_busybox(lab: &Lab, suite: &str) {
    if suite == "bookworm" {
        lab.connect_from("bridge").exits(0).says(&["HTTP/1.1 200"]);
        assert_ne!(
            lab.ping_from("bridge").status,
            0,
            "slirp4netns has no ICMPv6"
        );
    } else {
        lab.ping_from("bridge").exits(0);
    }
}

fn what_was_there_stands(lab: &Lab, state: State) {
    match state {
        State::SettingsOfOnesOwn => {
            let drop_ins = "~/.config/systemd/user/docker.service.d";
            assert_eq!(lab.read(&format!("{drop_ins}/override.conf")), OVERRIDE);
            let status = lab.status();
            let environment = &status["unit"]["environment"];
            assert_eq!(environment["FOO"], "a  b");
            let flags = &environment["DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"];
            assert_eq!(flags, "--debug --ipv6");
            let daemon_json = lab.read("~/.config/docker/daemon.json");
            let daemon_json: Value = serde_json::from_str(&daemon_json).unwrap();
            assert_eq!(daemon_json["shutdown-timeout"], 7);
        }
        State::ContainersRunning => {
            let running = lab.alice("docker ps --format '{{.Names}}'").stdout;
            assert_eq!(running.trim(), "keeper", "as their restart policies say");
        }
        State::Fresh | State::Stopped | State::CopiedRecipe => {}
    }
}
