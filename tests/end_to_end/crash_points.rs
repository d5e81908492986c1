//! The program is killed at the places that matter most, and what comes next brings back the old
//! state or keeps the new one: whole, and dockerd answering.

use crate::harness::Lab;

const SETUP: &str = "rootless6 setup --yes --accept containers-restart";

/// Lets no dockerd start with pasta.
const BROKEN: &str = "[Service]
ExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta'
";

/// What dockerd has gone through once the old state is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dockerd {
    RanOn,
    WasRestarted,
}

/// The command is killed at the checkpoint, and the shell lives to tell.
fn killed(lab: &Lab, command: &str, checkpoint: &str) {
    lab.alice(&format!(
        "ROOTLESS6_KILL_AT={checkpoint} {command}; exit $?"
    ))
    .exits(137);
}

/// The next command; the watchdog may be faster, or at it.
fn taken_back(lab: &Lab) {
    lab.alice(
        "until rootless6 undo --yes; do
            status=$?; [ $status = 7 ] || exit $status; sleep 0.5
        done",
    )
    .exits(0);
}

fn comes_back_from(lab: &Lab, command: &str, checkpoint: &str, dockerd: Dockerd) {
    let (before, invocation) = (lab.tree(), lab.invocation());
    killed(lab, command, checkpoint);
    taken_back(lab);
    assert_eq!(lab.tree(), before, "{checkpoint}");
    lab.runs_as_before();
    match dockerd {
        Dockerd::RanOn => assert_eq!(lab.invocation(), invocation, "{checkpoint}"),
        Dockerd::WasRestarted => assert_ne!(lab.invocation(), invocation, "{checkpoint}"),
    }
    let needs_reload = &lab.status()["unit"]["needs_reload"];
    assert_eq!(needs_reload, false, "{checkpoint}");
    let again = lab.alice("rootless6 undo --yes").exits(0);
    again.says(&["nothing to undo"]);
}

fn run_a_container(lab: &Lab) {
    lab.alice(
        "docker run -d --name kept --restart always --stop-signal KILL busybox sleep 1000000",
    )
    .exits(0);
}

/// The container with a restart policy, and how it was started last.
fn container(lab: &Lab) -> String {
    let script = "docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' kept";
    let state = lab.alice(script).exits(0).stdout;
    assert!(state.starts_with("true"), "{state}");
    state
}

#[test]
fn killed_before_the_restart_it_costs_no_container_a_restart() {
    let Some(lab) = Lab::up("trixie") else { return };
    run_a_container(&lab);
    let started = container(&lab);
    for checkpoint in [
        "begun",
        "armed",
        "written",
        "reloaded",
        "read-back",
        "restart-recorded",
    ] {
        comes_back_from(&lab, SETUP, checkpoint, Dockerd::RanOn);
    }
    assert_eq!(container(&lab), started);
}

#[test]
fn killed_in_or_after_the_restart_the_old_dockerd_comes_back() {
    let Some(lab) = Lab::up("forky") else { return };
    run_a_container(&lab);
    for checkpoint in ["restart-asked", "restart-done", "proved", "settled"] {
        comes_back_from(&lab, SETUP, checkpoint, Dockerd::WasRestarted);
    }
    container(&lab);
}

#[test]
fn where_systemd_calls_a_start_done_too_early_it_comes_back_too() {
    let Some(lab) = Lab::up("bookworm") else {
        return;
    };
    let setup = format!("{SETUP} --net slirp4netns");
    comes_back_from(&lab, &setup, "reloaded", Dockerd::RanOn);
    comes_back_from(&lab, &setup, "restart-done", Dockerd::WasRestarted);
}

#[test]
fn killed_in_its_own_rollback_the_rollback_is_finished() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant("zz-broken.conf", BROKEN);
    lab.alice("systemctl --user restart docker").exits(0);
    for checkpoint in ["undoing", "restored", "undo-reloaded", "restart-asked:2"] {
        comes_back_from(&lab, SETUP, checkpoint, Dockerd::WasRestarted);
    }
}

#[test]
fn killed_in_undo_the_undo_is_finished() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    for checkpoint in ["undoing", "restored", "undo-reloaded", "restart-asked"] {
        lab.set_up();
        killed(&lab, "rootless6 undo --yes", checkpoint);
        taken_back(&lab);
        assert_eq!(lab.tree(), before, "{checkpoint}");
        lab.runs_as_before();
        lab.ping_from("bridge").exits(1);
    }
}

#[test]
fn killed_once_it_is_in_force_it_stays() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    killed(&lab, SETUP, "marked");
    lab.alice(
        "for _ in $(seq 200); do
            systemctl --user --quiet is-active 'rootless6-recover*' || exit 0
            sleep 0.5
        done; exit 1",
    )
    .exits(0);
    lab.ping_from("bridge").exits(0);
    let again = lab.alice(&format!("{SETUP} --json")).exits(0).json();
    assert_eq!(again["changed"], false);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_reboot_in_between_does_not_hide_what_is_half_done() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    killed(&lab, SETUP, "written");
    lab.reboot();
    taken_back(&lab);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn the_next_setup_takes_back_what_is_half_done_and_goes_on() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    for checkpoint in ["written", "restart-done"] {
        killed(&lab, SETUP, checkpoint);
        lab.alice(&format!(
            "until {SETUP}; do status=$?; [ $status = 7 ] || exit $status; sleep 0.5; done"
        ))
        .exits(0);
        lab.ping_from("bridge").exits(0);
        lab.alice("rootless6 undo --yes").exits(0);
        assert_eq!(lab.tree(), before, "{checkpoint}");
        lab.runs_as_before();
    }
}
