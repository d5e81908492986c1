//! Undo takes back what is ours and nothing else.

use crate::harness::Lab;

#[test]
fn undo_leaves_a_file_alone_that_somebody_has_edited_since() {
    let Some(lab) = Lab::up("trixie") else { return };
    let no_terminal = lab.alice("rootless6 undo").exits(0);
    no_terminal.says(&["nothing to undo"]);
    lab.set_up();
    let no_terminal = lab.alice("rootless6 undo").exits(2);
    no_terminal.says(&["--yes"]);
    assert_eq!(lab.status()["rootlesskit"]["net"], "pasta");

    lab.alice("echo >>~/.config/docker/daemon.json").exits(0);
    let edited = lab.read("~/.config/docker/daemon.json");
    let undo = lab.alice("rootless6 undo --yes --json").exits(3).json();
    let skipped = undo["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0]["path"], "/home/alice/.config/docker/daemon.json");
    assert!(skipped[0]["why"].as_str().unwrap().contains("edited"));
    assert_eq!(lab.read("~/.config/docker/daemon.json"), edited);
    lab.alice("! test -e ~/.config/systemd/user/docker.service.d")
        .exits(0);
    lab.runs_as_before();
    let again = lab.alice("rootless6 undo --yes").exits(3);
    again.says(&["left alone", "daemon.json"]);

    // Another setup works on top, and comes back with the next undo.
    let before = lab.tree();
    lab.set_up();
    lab.ping_from("bridge").exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn undo_has_nothing_to_restart_where_the_unit_is_masked_or_gone() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    for away in [
        "ln -s /dev/null docker.service; systemctl --user daemon-reload; systemctl --user stop docker",
        // systemd is not told, and still has it in memory.
        "true",
    ] {
        lab.set_up();
        lab.alice(&format!(
            "cd ~/.config/systemd/user && mv docker.service /tmp && {away}"
        ))
        .exits(0);
        lab.alice("rootless6 undo --yes").exits(0);
        lab.alice("rootless6 undo --yes")
            .exits(0)
            .says(&["nothing to undo"]);
        lab.alice(
            "cd ~/.config/systemd/user && rm -f docker.service && mv /tmp/docker.service . &&
             systemctl --user daemon-reload && systemctl --user start docker",
        )
        .exits(0);
        assert_eq!(lab.tree(), before);
    }
}

#[test]
fn an_undo_whose_restart_fails_is_over_all_the_same() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    lab.set_up();
    lab.plant(
        "zz-broken.conf",
        "[Service]\nRestart=no\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" = pasta'\n",
    );
    let undo = lab.alice("rootless6 undo --yes").exits(4);
    undo.says(&["the old files are back", "systemctl --user restart docker"]);
    assert!(!undo.stderr.contains("tries again"), "it would not");
    lab.alice("rootless6 undo --yes")
        .exits(0)
        .says(&["nothing to undo"]);
    lab.alice("rm -r ~/.config/systemd/user/docker.service.d")
        .exits(0);
    assert_eq!(lab.tree(), before);
    lab.alice("systemctl --user daemon-reload && systemctl --user restart docker")
        .exits(0);
    lab.runs_as_before();
}
