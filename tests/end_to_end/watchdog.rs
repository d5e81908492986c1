//! What brings the old state back when the program itself cannot: killed, stopped, or cut off from
//! whoever should have confirmed.

use crate::harness::Lab;

const SETUP: &str = "rootless6 setup --yes --accept containers-restart --json";

/// A container that comes back by itself, one process that ends at once when it is told to.
const KEPT: &str = "docker run -d --restart always --name kept busybox \
    sh -c 'trap exit TERM; while :; do sleep 1; done'";

/// Runs a command that is killed at a checkpoint, as by SIGKILL.
fn killed_at(lab: &Lab, checkpoint: &str, command: &str) {
    lab.alice(&format!(
        "ROOTLESS6_KILL_AT={checkpoint} {command}; exit $?"
    ))
    .exits(137);
}

/// Waits until nothing is left to be watched.
fn until_disarmed(lab: &Lab) {
    lab.alice(
        "for _ in $(seq 200); do
            systemctl --user --quiet is-active 'rootless6-recover*' || exit 0
            sleep 0.5
        done
        systemctl --user status --no-pager 'rootless6-recover*'; exit 1",
    )
    .exits(0);
}

/// The old state stands, dockerd runs with it, and the container runs again.
fn is_back(lab: &Lab, before: &str) {
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    lab.alice(
        "for _ in $(seq 60); do
            docker inspect -f '{{.State.Status}}' kept | grep running && exit
            sleep 0.5
        done; exit 1",
    )
    .exits(0);
    let list = lab.alice("rootless6 undo --list --json").exits(0).json();
    assert_eq!(list["generations"][0]["state"], "undone");
    assert!(list["unfinished"].is_null());
}

fn killed_in_the_restart_it_is_taken_back_by_the_timer(suite: &str) {
    let Some(lab) = Lab::up(suite) else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    killed_at(&lab, "restart-done", SETUP);
    until_disarmed(&lab);
    is_back(&lab, &before);
}

#[test]
fn killed_on_bookworm_it_is_taken_back_by_the_timer() {
    killed_in_the_restart_it_is_taken_back_by_the_timer("bookworm");
}

#[test]
fn killed_on_trixie_it_is_taken_back_by_the_timer() {
    killed_in_the_restart_it_is_taken_back_by_the_timer("trixie");
}

#[test]
fn killed_on_forky_it_is_taken_back_by_the_timer() {
    killed_in_the_restart_it_is_taken_back_by_the_timer("forky");
}

#[test]
fn what_nobody_confirms_in_time_is_taken_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    let setup = lab.alice(&format!("{SETUP} --confirm-within 20")).exits(0);
    assert_eq!(setup.json()["confirm_within"], 20);
    assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");
    until_disarmed(&lab);
    is_back(&lab, &before);
    let late = lab.alice("rootless6 confirm").exits(3);
    late.says(&["nothing to confirm", "taken back"]);
}

/// Seconds from a moment to the end of the timer's last run, both by the lab's clock.
fn seconds_until_back(lab: &Lab, since: f64) -> f64 {
    let script = "journalctl --user -o json -u 'rootless6-recover*.service' --no-pager \
        | grep -o '\"__REALTIME_TIMESTAMP\":\"[0-9]*' | grep -o '[0-9]*$' | sort -n | tail -1";
    let ended = lab.alice(script).exits(0).stdout;
    ended.trim().parse::<f64>().unwrap() / 1e6 - since
}

#[test]
fn killed_while_it_works_or_just_after_the_old_state_is_back_within_40_s() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    for checkpoint in ["proved", "marked"] {
        killed_at(&lab, checkpoint, &format!("{SETUP} --confirm-within 20"));
        let now = lab.alice("date +%s.%N").exits(0).stdout;
        until_disarmed(&lab);
        let seconds = seconds_until_back(&lab, now.trim().parse().unwrap());
        println!("{checkpoint}: back after {seconds} s");
        assert!(seconds <= 40.0, "{seconds} s after {checkpoint}");
        is_back(&lab, &before);
    }
}

#[test]
fn without_linger_nobody_is_promised_a_way_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    lab.root("mv /var/lib/systemd/linger/alice /root/").exits(0);
    let refused = lab.alice(&format!("{SETUP} --confirm-within 20")).exits(5);
    assert_eq!(
        refused.json()["needs_root"][0],
        "loginctl enable-linger alice"
    );
    assert_eq!(lab.tree(), before);
    lab.root("mv /root/alice /var/lib/systemd/linger/").exits(0);
}

#[test]
fn a_dockerd_that_the_watchdog_could_not_bring_back_is_told_until_it_answers() {
    let Some(lab) = Lab::up("trixie") else { return };
    killed_at(&lab, "restart-done", SETUP);
    lab.plant("zz-never.conf", "[Service]\nExecStartPre=/bin/false\n");
    until_disarmed(&lab);
    for _ in 0..2 {
        let status = lab.alice("rootless6 status").exits(0);
        let told = &status.stderr;
        assert!(
            told.contains("was taken back") && told.contains("systemctl --user"),
            "{told}"
        );
    }
    assert_eq!(lab.status()["unfinished"]["state"], "down");
    lab.alice(
        "rm ~/.config/systemd/user/docker.service.d/zz-never.conf
        systemctl --user daemon-reload; systemctl --user reset-failed docker
        systemctl --user restart docker",
    )
    .exits(0);
    assert!(lab.status()["unfinished"].is_null());
}

#[test]
fn what_another_shell_confirms_stays() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    lab.alice(&format!("{SETUP} --confirm-within 900")).exits(0);
    let list = lab.alice("rootless6 undo --list").exits(0);
    list.says(&["to be confirmed within", "daemon.json"]);
    let on_top = lab.alice(SETUP).exits(3);
    on_top.says(&["rootless6 confirm"]);
    // The timer fires, and leaves it alone.
    lab.alice(
        "for _ in $(seq 100); do
            systemctl --user show -P LastTriggerUSec 'rootless6-recover*.timer' | grep . && exit
            sleep 0.5
        done; exit 1",
    )
    .exits(0);
    lab.alice("env -i HOME=$HOME PATH=$PATH XDG_RUNTIME_DIR=/run/user/1000 rootless6 confirm")
        .exits(0)
        .says(&["confirmed"]);
    until_disarmed(&lab);
    lab.alice("rootless6 recover").exits(0);
    assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");
    let again = lab.alice("rootless6 confirm --json").exits(0).json();
    assert!(again["confirmed"].is_null());
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_run_that_is_stopped_past_its_deadline_is_ended_and_taken_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    // Hours would do as well: the record of the stopped run is told that its time is over.
    lab.alice(&format!(
        "{SETUP} & pid=$!; journal=.local/state/rootless6/0001.json
        until grep -s '\"restarted\": true' $journal; do sleep 0.05; done
        kill -STOP $pid
        sed -i 's/\"seconds\": [0-9]*/\"seconds\": 1/' $journal; cat $journal
        wait $pid"
    ))
    .exits(137);
    until_disarmed(&lab);
    is_back(&lab, &before);
}

#[test]
fn a_reboot_in_between_does_not_keep_the_old_state_from_coming_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    for unfinished in [
        format!("ROOTLESS6_KILL_AT=read-back {SETUP}; true"),
        // A lab's reboot is none to the kernel: the record is told of another boot.
        format!(
            "{SETUP} --confirm-within 900; systemctl --user stop 'rootless6-recover*.timer'
            sed -i 's/\"boot\": \"[^\"]*/&-before/' .local/state/rootless6/0002.json"
        ),
    ] {
        lab.alice(&unfinished).exits(0);
        lab.reboot();
        lab.alice(
            "for _ in $(seq 200); do
                rootless6 undo --list --json | grep -m1 state | grep undone && exit
                sleep 0.5
            done; exit 1",
        )
        .exits(0);
        until_disarmed(&lab);
        is_back(&lab, &before);
    }
}

#[test]
fn what_a_killed_run_left_is_told_first_and_finished_before_anything_else() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice(KEPT).exits(0);
    let before = lab.tree();
    let unwatched = |checkpoint, command| {
        killed_at(
            &lab,
            checkpoint,
            &format!(
                "{command}; killed=$?; systemctl --user stop 'rootless6-recover*.timer'; (exit $killed)"
            ),
        );
    };
    unwatched("restart-done", SETUP);
    let status = lab.alice("rootless6 status --quiet").exits(0);
    for words in ["was cut short", "daemon.json", "`rootless6 undo`"] {
        assert!(status.stderr.contains(words), "{words:?} is told");
    }
    let status = lab.status();
    assert_eq!(status["unfinished"]["state"], "begun");
    assert_eq!(status["rootlesskit"]["net"], "pasta");
    let undo = lab.alice("rootless6 undo --yes --json").exits(0).json();
    assert_eq!(undo["unfinished"]["generation"], 1);
    assert_eq!(undo["taken_back"][0], 1);
    is_back(&lab, &before);

    lab.set_up();
    unwatched("undoing", "rootless6 undo --yes");
    let on_top = lab.set_up();
    assert_eq!(on_top["unfinished"]["state"], "undoing");
    assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");
    lab.alice("rootless6 undo --yes").exits(0);
    is_back(&lab, &before);
}

#[test]
fn several_generations_are_listed_and_go_back_at_once() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    lab.set_up();
    let first = lab.tree();
    for mtu in ["1500", "9000"] {
        lab.alice(&format!("{SETUP} --mtu {mtu}")).exits(0);
    }
    let list = lab.alice("rootless6 undo --list --json").exits(0).json();
    let numbers: Vec<_> = list["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|generation| generation["generation"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [3, 2, 1]);
    let none = lab.alice("rootless6 undo --yes --to 7").exits(2);
    none.says(&["generation 7", "undo --list"]);
    let undo = lab.alice("rootless6 undo --yes --to 1 --json").exits(0);
    assert_eq!(undo.json()["taken_back"], serde_json::json!([3, 2]));
    assert_eq!(lab.tree(), first);
    assert_eq!(lab.status()["rootlesskit"]["mtu"], 65520);
    lab.alice("rootless6 undo --yes --to 0").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}
