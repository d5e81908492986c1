//! What a rehearsal beside dockerd shows before anything is touched, and that nothing of it stays.

use crate::harness::{Lab, Output};

const SETUP: &str = "rootless6 setup --yes --accept containers-restart";

/// The files that a rehearsal could leave, and what it has to do with: a pasta or a keeper that is left
/// has nothing in its command line that tells it from dockerd's.
const ABOUT: &str =
    "ls -d $XDG_RUNTIME_DIR/rootless6-rehearsal* /tmp/rootlesskit-b* /tmp/rksys* 2>/dev/null
    ps -u alice -o comm= | grep -E '^(pasta|slirp4netns|rootlesskit|exe|rootless6|sleep)' | sort";

/// pasta's place is taken by a shell script; asked for its version, it says pasta's own.
fn stand_in_for_pasta(lab: &Lab, script: &str) -> String {
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *--version*) exec /usr/bin/pasta \"$@\" ;; esac\n{script}\n"
    );
    lab.write("~/stand-in/pasta", &text);
    lab.alice("chmod 755 ~/stand-in/pasta").exits(0);
    "--flag=--pasta-binary=/home/alice/stand-in/pasta".to_owned()
}

/// Setup ends before any downtime: containers, settings and dockerd are as they were.
#[track_caller]
fn refuses(lab: &Lab, flags: &str, status: i32) -> Output {
    let before = (lab.tree(), lab.invocation(), containers(lab), about(lab));
    let setup = lab.alice(&format!("{SETUP} {flags}")).exits(status);
    setup.says(&[
        "rehearsal beside dockerd",
        "nothing was changed",
        "--rehearse never",
    ]);
    let after = (lab.tree(), lab.invocation(), containers(lab), about(lab));
    assert_eq!(before, after);
    setup
}

fn containers(lab: &Lab) -> String {
    lab.alice("docker ps --no-trunc --format '{{.ID}} {{.State}}'")
        .exits(0)
        .stdout
}

fn about(lab: &Lab) -> String {
    lab.alice(ABOUT).stdout
}

/// Waits until it is so, a minute at least.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it does not come about");
}

fn with_a_container(suite: &str) -> Option<Lab> {
    let lab = Lab::up(suite)?;
    lab.alice("docker run -d --name sleeper busybox sleep 600")
        .exits(0);
    Some(lab)
}

#[test]
fn a_pasta_that_cannot_work_is_seen_before_any_downtime() {
    let Some(lab) = with_a_container("trixie") else {
        return;
    };
    for (script, words) in [
        (
            "echo 'No external interface' >&2; exit 1",
            "No external interface",
        ),
        ("exec sleep 4444", "nobody serves tap0"),
        ("sleep 4444 & yes rubbish >&2", "caused by: rubbish"),
        (
            "echo 'pasta: unrecognized option' >&2; exit 1",
            "pasta-too-old",
        ),
    ] {
        let flags = stand_in_for_pasta(&lab, script);
        refuses(&lab, &flags, 3).says(&[words]);
    }
}

#[test]
fn a_rootlesskit_that_cannot_start_is_seen_before_any_downtime() {
    let Some(lab) = with_a_container("trixie") else {
        return;
    };
    refuses(&lab, "--flag=--no-such-option", 3).says(&["-no-such-option", "`--flag`"]);
    for tun in ["chmod 600 /dev/net/tun", "mv /dev/net/tun /dev/net/away"] {
        lab.root(tun).exits(0);
        let setup = refuses(&lab, "", 5);
        setup.says(&["tun-unavailable", "as root:", "/dev/net/tun"]);
    }
    lab.root("mv /dev/net/away /dev/net/tun").exits(0);
    // As root does what was printed.
    lab.root("chmod 666 /dev/net/tun").exits(0);
    lab.set_up();
}

#[test]
fn a_tap0_without_a_way_out_is_seen_before_any_downtime_and_the_restart_agrees() {
    for (suite, net) in [
        ("trixie", "pasta"),
        ("forky", "pasta"),
        ("bookworm", "slirp4netns"),
    ] {
        let Some(lab) = with_a_container(suite) else {
            return;
        };
        let flags = format!("--net {net} --uplink never");
        refuses(&lab, &flags, 3).says(&["rootlesskit-without-ipv6-config", "--uplink auto"]);
        // It would not have worked, as one sees who goes ahead all the same.
        let setup = lab.alice(&format!("{SETUP} {flags} --rehearse never"));
        setup.exits(3).says(&["everything was put back"]);
    }
}

#[test]
fn what_passes_the_rehearsal_works() {
    for (suite, flags) in [
        ("trixie", ""),
        ("forky", ""),
        ("bookworm", "--net slirp4netns"),
    ] {
        let Some(lab) = Lab::up(suite) else { return };
        let setup = lab.alice(&format!("{SETUP} {flags} --json"));
        let setup = setup.exits(0).json();
        let steps = setup["steps"].to_string();
        assert!(steps.contains("rehearse"), "{steps}");
        assert_eq!(setup["changed"], true);
        // One RootlessKit and one network driver: dockerd's.
        let about = about(&lab);
        for name in ["rootlesskit", "pasta", "slirp4netns"] {
            let count = about.lines().filter(|line| line.starts_with(name)).count();
            assert!(count <= 1, "{about}");
        }
        assert!(
            !about.contains("rehearsal") && !about.contains("/tmp"),
            "{about}"
        );
    }
}

#[test]
fn what_somebody_elses_command_may_mend_is_not_refused() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "own-uplink.conf",
        "[Service]\nExecStartPost=%h/.local/bin/rootless6 uplink\n",
    );
    let setup = lab.alice(&format!("{SETUP} --uplink never")).exits(0);
    setup.says(&["? rehearse RootlessKit", "counts for nothing here"]);
    lab.ping_from("bridge").exits(0);
}

#[test]
fn a_published_port_that_dockerd_holds_is_not_in_the_way() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.plant(
        "published.conf",
        "[Service]\nEnvironment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=-p 0.0.0.0:2376:2376/tcp\"\n",
    );
    lab.alice("systemctl --user restart docker").exits(0);
    lab.alice(&format!("{SETUP} --net slirp4netns --port-driver builtin"))
        .exits(0);
}

#[test]
fn nothing_is_left_of_a_rehearsal_whose_program_was_killed() {
    let Some(lab) = with_a_container("trixie") else {
        return;
    };
    let before = (lab.tree(), lab.invocation(), containers(&lab));
    let about = about(&lab);
    let flags = stand_in_for_pasta(&lab, "sleep 4444 & exec sleep 4444");
    for signal in ["KILL", "TERM"] {
        lab.alice(&format!(
            "{SETUP} {flags} >/dev/null 2>&1 & setup=$!
            until pgrep -fx 'sleep 4444' >/dev/null; do sleep 0.05; done
            kill -{signal} $setup; wait $setup; true"
        ))
        .exits(0);
        until(|| self::about(&lab) == about);
    }
    assert_eq!(before, (lab.tree(), lab.invocation(), containers(&lab)));
    // What the keeper itself left when it was killed, too, is swept by the next run.
    lab.alice("mkdir -p $XDG_RUNTIME_DIR/rootless6-rehearsal-1; touch -d '1 hour ago' $XDG_RUNTIME_DIR/rootless6-rehearsal-1 $XDG_RUNTIME_DIR/rootless6-rehearsal-1/lock")
        .exits(0);
    lab.alice(&format!("{SETUP} --flag=--no-such-option"))
        .exits(3);
    assert_eq!(self::about(&lab), about);
}

#[test]
fn a_keeper_that_is_killed_takes_rootlesskit_with_it() {
    let Some(lab) = with_a_container("trixie") else {
        return;
    };
    let processes = || {
        let about = about(&lab);
        let processes = about.lines().filter(|line| !line.starts_with('/'));
        processes.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = (lab.tree(), lab.invocation(), containers(&lab), processes());
    let flags = stand_in_for_pasta(&lab, "exec sleep 4444");
    lab.alice(&format!(
        "{SETUP} {flags} >/dev/null 2>&1 & setup=$!
        until pgrep -fx 'sleep 4444' >/dev/null; do sleep 0.05; done
        kill -KILL $(pgrep -P $setup -f ' vantage$'); wait $setup; true"
    ))
    .exits(0);
    // RootlessKit 2.0 lets pasta be, which ends with the namespace; a stand-in does not.
    lab.alice("pkill -fx 'sleep 4444'; true").exits(0);
    until(|| processes() == before.3);
    assert_eq!(before.0, lab.tree());
    assert_eq!((before.1, before.2), (lab.invocation(), containers(&lab)));
}
