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
fn a_setup_killed_while_dockerd_starts_is_taken_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant("held.conf", HELD);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    // The watchdog may be faster than the next command, or at it.
    let undo = "until rootless6 undo --yes; do
            status=$?; [ $status = 7 ] || exit $status; sleep 0.5
        done";
    while_held(&lab, &format!("kill -KILL $pid; {undo}")).exits(137);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    let again = lab.alice("rootless6 undo --yes").exits(0);
    again.says(&["nothing to undo"]);
}

#[test]
fn a_standard_error_that_nobody_reads_keeps_no_change_waiting() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    let full = "rm -f full; mkfifo full; exec 3<>full
        dd if=/dev/zero of=full bs=4096 oflag=nonblock 2>/dev/null";
    for arguments in ["", "-vv"] {
        lab.alice(&format!(
            "{full}; rootless6 {arguments} setup --yes --accept containers-restart 2>full"
        ))
        .exits(0);
        assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");
        lab.alice(&format!("{full}; rootless6 {arguments} undo --yes 2>full"))
            .exits(0);
        lab.runs_as_before();
    }
    lab.alice("rm full").exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_standard_output_that_is_closed_keeps_no_change_from_being_made() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    let setup = "rootless6 setup --yes --accept containers-restart";
    for closed in [">&-", ">&- 2>&- <&-", "| true; exit ${PIPESTATUS[0]}"] {
        lab.alice(&format!("{setup} {closed}")).exits(0);
        lab.ping_from("bridge").exits(0);
        lab.alice(&format!("rootless6 undo --yes {closed}"))
            .exits(0);
        assert_eq!(lab.tree(), before, "{closed}");
    }
}
