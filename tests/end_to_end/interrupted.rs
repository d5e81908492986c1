//! Ctrl-C, SIGKILL and a second run in the middle of a restart.

use crate::harness::{Lab, Output};

/// Holds each start with pasta until somebody is through with it.
const HELD: &str = "[Service]
ExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || { touch /tmp/held; exec sleep 100; }'
";

const SETUP: &str = "rootless6 setup --yes --accept containers-restart --json";

/// Runs setup until dockerd's start is held, then a script with setup's `$pid`; its status is
/// setup's.
fn while_held(lab: &Lab, script: &str) -> Output {
    // With job control a background process heeds SIGINT, as it does in a terminal.
    let script = format!(
        "set -m; rm -f /tmp/held
        {SETUP} & pid=$!
        until [ -e /tmp/held ] || ! kill -0 $pid; do sleep 0.05; done
        {script}
        wait $pid"
    );
    lab.alice(&script)
}

#[test]
fn an_interrupt_during_the_restart_puts_everything_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    signalled_it_puts_everything_back(&lab, "INT");
}

/// A terminal that is closed, a machine that shuts down.
#[test]
fn a_hangup_or_a_termination_during_the_restart_puts_everything_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    signalled_it_puts_everything_back(&lab, "TERM");
    signalled_it_puts_everything_back(&lab, "HUP");
}

fn signalled_it_puts_everything_back(lab: &Lab, signal: &str) {
    lab.plant("held.conf", HELD);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    let setup = while_held(lab, &format!("kill -{signal} $pid"));
    let setup = setup.exits(130).json();
    assert_eq!(setup["rolled_back"], true);
    assert_eq!(setup["changed"], false);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_second_run_is_told_that_another_is_at_work() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant("held.conf", HELD);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    while_held(
        &lab,
        "rootless6 setup --yes --accept containers-restart >/tmp/second 2>&1; echo $? >>/tmp/second
        rootless6 undo --yes >/tmp/third 2>&1; echo $? >>/tmp/third
        kill -INT $pid",
    )
    .exits(130);
    for run in ["/tmp/second", "/tmp/third"] {
        let text = lab.read(run);
        assert!(text.contains("another rootless6 is at work"), "{run}");
        assert!(text.ends_with("\n7\n"), "{run}: exit 7");
    }
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn what_a_killed_setup_has_left_is_taken_back_by_undo_and_not_built_upon() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant("held.conf", HELD);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    while_held(&lab, "kill -KILL $pid").exits(137);
    let half_done = lab.tree();
    assert_ne!(half_done, before);

    let setup = lab.alice("rootless6 setup --yes").exits(3);
    setup.says(&["cut short", "rootless6 undo"]);
    assert_eq!(lab.tree(), half_done);

    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    let again = lab.alice("rootless6 undo --yes").exits(0);
    again.says(&["nothing to undo"]);
}
