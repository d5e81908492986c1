//! What cannot be made to work is put back.

use serde_json::Value;

use crate::harness::{Lab, TARGET};

const SETUP: &str = "rootless6 setup --yes --accept containers-restart --json";

/// What was planted lets dockerd run as it is and not as setup would have it.
fn is_put_back(lab: &Lab) -> Value {
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    let setup = lab.alice(SETUP).exits(3).json();
    assert_eq!(setup["rolled_back"], true);
    assert_eq!(setup["changed"], false);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    setup
}

#[test]
fn a_dockerd_that_does_not_start_any_more_is_brought_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta'\n",
    );
    let setup = is_put_back(&lab);
    let hints = setup["error"]["hints"].to_string();
    assert!(
        hints.contains("journalctl --user -u docker.service"),
        "where to look"
    );
    let again = lab.alice("rootless6 undo --yes").exits(0);
    again.says(&["nothing to undo"]);
}

#[test]
fn a_dockerd_that_dies_after_its_start_is_brought_back() {
    let Some(lab) = Lab::up("forky") else { return };
    // Started as far as systemd is concerned, and killed at once: a crash loop under Restart=always.
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPost=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || kill -KILL $MAINPID'\n",
    );
    is_put_back(&lab);
}

/// It starts with pasta, answers, and dies three seconds later.
const DIES_LATE: &str = "[Service]
ExecStartPost=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || \\
  { setsid sh -c \"sleep 3; kill -KILL $MAINPID\" >/dev/null 2>&1 & }'
";

#[test]
fn a_dockerd_that_answers_and_dies_after_three_seconds_is_brought_back() {
    for (suite, flags) in [("trixie", ""), ("forky", "--no-verify")] {
        let Some(lab) = Lab::up(suite) else { return };
        lab.plant("zz-dies-late.conf", DIES_LATE);
        lab.alice("systemctl --user restart docker").exits(0);
        let before = lab.tree();
        let setup = lab.alice(&format!("{SETUP} {flags}")).exits(3).json();
        assert_eq!(setup["rolled_back"], true);
        let message = setup["error"]["message"].as_str().unwrap();
        assert!(message.contains("dies again"), "{message}");
        assert_eq!(lab.tree(), before);
        lab.runs_as_before();
    }
}

#[test]
fn a_drop_in_that_wins_over_ours_is_named_before_anything_restarts() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "zzz.conf",
        "[Service]\nEnvironment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns\n",
    );
    lab.alice("systemctl --user restart docker").exits(0);
    let (before, invocation) = (lab.tree(), lab.invocation());
    let setup = lab.alice("rootless6 setup --yes").exits(3);
    setup.says(&["docker.service.d/zzz.conf", "dropin-shadowed", "hint"]);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation, "nothing restarted");
    lab.runs_as_before();
    let needs_reload = &lab.status()["unit"]["needs_reload"];
    assert_eq!(needs_reload, false, "systemd knows the old files again");
}

#[test]
fn a_dockerd_that_starts_but_has_no_way_to_the_target_is_taken_back() {
    let Some(lab) = Lab::up("forky") else { return };
    // The host reaches the target, containers never will.
    let unreachable = format!(
        "[Service]\nExecStartPost=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || \
         nsenter --preserve-credentials -U -n -t $(cat $XDG_RUNTIME_DIR/dockerd-rootless/child_pid) \
         ip -6 route add unreachable {TARGET}'\n"
    );
    lab.plant("zzz-unreachable.conf", &unreachable);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();

    let setup = lab.alice(SETUP).exits(3).json();
    assert_eq!(setup["rolled_back"], true);
    assert_eq!(setup["verify"]["verdict"], "fail");
    assert!(setup["verify"]["cause"].is_string(), "a cause is named");
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    lab.alice("docker ps -aq --filter label=rootless6.run | wc -l")
        .says(&["0"]);

    // Whoever wants it all the same says so, and hears that it does not work.
    let kept = lab.alice(&format!("{SETUP} --keep")).exits(1).json();
    assert_eq!(kept["changed"], true);
    assert_eq!(kept["verify"]["verdict"], "fail");
    assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_host_without_a_way_to_the_target_is_left_alone() {
    let Some(lab) = Lab::up("trixie") else { return };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let setup = lab.alice("rootless6 setup --yes --target 2001:db8:53::dead");
    setup
        .exits(3)
        .says(&["does not reach the target", "--target", "--no-verify"]);
    lab.root("ip -6 route del default").exits(0);
    let setup = lab.alice("rootless6 setup --yes").exits(6);
    setup.says(&["error:", "hint:"]);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation);
}

#[test]
fn a_restart_put_off_is_taken_back_with_what_was_written_then() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    lab.alice("rootless6 setup --yes --no-restart").exits(0);
    assert_eq!(lab.status()["rootlesskit"]["net"], "slirp4netns");
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta'\n",
    );
    let setup = lab.alice(SETUP).exits(3).json();
    assert_eq!(setup["rolled_back"], true);
    lab.runs_as_before();
    lab.alice("rm ~/.config/systemd/user/docker.service.d/zz-broken.conf; rmdir ~/.config/systemd/user/docker.service.d")
        .exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_disk_that_fills_up_on_the_way_does_not_keep_dockerd_from_coming_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.root(
        "install -d -o alice -g alice /home/alice/.local/state
        mount -t tmpfs -o size=64k,mode=700,uid=alice,gid=alice tmpfs /home/alice/.local/state",
    )
    .exits(0);
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || \
         { cat /dev/zero >/home/alice/.local/state/fill; exit 1; }'\n",
    );
    is_put_back(&lab);
}

#[test]
fn a_start_may_wait_longer_than_a_restart_may_take() {
    let Some(lab) = Lab::up("trixie") else { return };
    // As the host's IPv6 would come 20 seconds after the start.
    lab.plant(
        "zzz-wait.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'sleep 20' rootless6 wait-online --for 30\n",
    );
    lab.alice("rootless6 setup --yes --timeout 15").exits(0);
    lab.ping_from("bridge").exits(0);
}

#[test]
fn what_was_done_to_one_unit_is_undone_on_that_unit() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice(
        "cd ~/.config/systemd/user && systemctl --user disable --now docker 2>&1 &&
        mv docker.service other.service && systemctl --user daemon-reload && systemctl --user start other",
    )
    .exits(0);
    let before = lab.tree();
    lab.alice("rootless6 setup --yes --unit other.service")
        .exits(0);
    for unit in ["third.service", "docker.service"] {
        lab.alice(&format!("rootless6 undo --yes --unit {unit}"))
            .exits(2)
            .says(&["other.service", unit]);
    }
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    let status = lab
        .alice("rootless6 status --json --unit other.service")
        .exits(0)
        .json();
    assert_eq!(status["rootlesskit"]["net"], "slirp4netns");
}

#[test]
fn a_setup_that_fails_takes_nothing_of_an_earlier_good_one_with_it() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    lab.plant(
        "zzz.conf",
        "[Service]\nEnvironment=DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=1500\n",
    );
    lab.alice("systemctl --user daemon-reload").exits(0);
    let before = lab.tree();
    lab.alice("rootless6 setup --yes")
        .exits(3)
        .says(&["zzz.conf"]);
    assert_eq!(lab.tree(), before);
    lab.ping_from("bridge").exits(0);
}

#[test]
fn what_was_written_without_a_restart_is_not_called_set_up() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    let other = "rootless6 setup --yes --json --subnet fd12:3456:789a:1::/64";
    lab.alice(&format!("{other} --no-restart")).exits(0);
    let again = lab.alice(&format!("{other} --no-restart")).exits(0).json();
    assert_eq!(again["changed"], false);
    let setup = lab.alice(other).exits(0).json();
    assert_eq!(setup["changed"], true);
    let networks = lab.status()["networks"].to_string();
    assert!(networks.contains("fd12:3456:789a:1::/64"), "{networks}");
    let again = lab.alice(other).exits(0).json();
    assert_eq!(again["changed"], false);
}

#[test]
fn undo_brings_a_dockerd_back_that_failed_in_a_setup_cut_short() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.plant(
        "zz-broken.conf",
        "[Service]\nRestart=no\nExecStartPre=/bin/sh -c \
         'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || { touch /tmp/held; sleep 2; exit 1; }'\n",
    );
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    lab.alice(
        "rootless6 setup --yes >/dev/null 2>&1 & \
         until test -e /tmp/held; do sleep 0.1; done; kill -KILL $!; \
         while systemctl --user is-active docker | grep -q activating; do sleep 0.1; done; \
         systemctl --user is-failed docker",
    )
    .exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}
