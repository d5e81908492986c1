//! Where setup writes, and where it does not.

use crate::harness::Lab;

const SETUP: &str = "rootless6 setup --yes --accept containers-restart";

#[test]
fn what_is_not_plainly_ones_own_is_refused_and_nothing_is_written_anywhere() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.alice("mkdir -p ~/.config/docker ~/dotfiles; echo '{}' >~/dotfiles/daemon.json")
        .exits(0);
    let cases = [
        (
            "ln -s ~/dotfiles/daemon.json ~/.config/docker/",
            &[
                "symlink to",
                "setup --follow-symlinks` writes to /home/alice/dotfiles/daemon.json",
            ][..],
            "rm ~/.config/docker/daemon.json",
        ),
        (
            "ln ~/dotfiles/daemon.json ~/.config/docker/",
            &["hard link", "hint: `cp -p "],
            "rm ~/.config/docker/daemon.json",
        ),
        (
            "mkfifo ~/.config/docker/daemon.json",
            &["daemon.json", "not a regular file"],
            "rm ~/.config/docker/daemon.json",
        ),
        (
            "mkdir -p ~/.config/systemd/user/docker.service.d; mkfifo ~/.config/systemd/user/docker.service.d/zz-rootless6.conf",
            &[
                "zz-rootless6.conf",
                "not a regular file",
                "hint: see what it is",
            ],
            "rm -r ~/.config/systemd/user/docker.service.d",
        ),
        (
            "chmod 777 ~/.config/docker",
            &[
                "other users may write",
                "hint: `chmod go-w /home/alice/.config/docker`",
            ],
            "chmod 755 ~/.config/docker",
        ),
        (
            "chgrp users ~/.config/systemd && chmod 775 ~/.config/systemd",
            &[
                "other users may write",
                "chmod go-w /home/alice/.config/systemd",
            ],
            "chgrp alice ~/.config/systemd && chmod 755 ~/.config/systemd",
        ),
        (
            "mv ~/.config/docker ~/dotfiles/; ln -s ../dotfiles/docker ~/.config/docker",
            &["symlink to ../dotfiles/docker", "--follow-symlinks"],
            "rm ~/.config/docker; mv ~/dotfiles/docker ~/.config/",
        ),
    ];
    lab.root("usermod -aG users alice").exits(0);
    for (make, words, unmake) in cases {
        // The shell of this session does not have the new group yet.
        lab.root(&format!(
            "su - alice -c '{make}' || su - alice -c 'sg users \"{make}\"'"
        ))
        .exits(0);
        let (before, invocation) = (lab.tree(), lab.invocation());
        lab.alice(SETUP).exits(3).says(words);
        assert_eq!(lab.tree(), before, "{make}");
        assert_eq!(lab.invocation(), invocation, "{make}");
        lab.alice(unmake).exits(0);
    }
    lab.root("install -d -o root -g root -m 777 /home/alice/.config/systemd/user/docker.service.d")
        .exits(0);
    lab.alice(SETUP)
        .exits(3)
        .says(&["it belongs to root", "chown"]);
    lab.root("rmdir /home/alice/.config/systemd/user/docker.service.d")
        .exits(0);
    // A group that is the user's own lets nobody else in.
    lab.alice("chmod 775 ~/.config/docker ~/.config").exits(0);
    lab.set_up();
    lab.alice("rootless6 undo --yes").exits(0);
    lab.runs_as_before();
}

#[test]
fn a_dotfile_managers_symlinks_are_followed_when_asked_for_and_stay() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice(
        "set -e; mkdir -p ~/dotfiles/docker ~/dotfiles/drop-ins ~/.config/docker
        echo '{\"debug\": true}' >~/dotfiles/docker/daemon.json
        ln -s ../../dotfiles/docker/daemon.json ~/.config/docker/daemon.json
        ln -s ~/dotfiles/drop-ins ~/.config/systemd/user/docker.service.d",
    )
    .exits(0);
    let before = lab.tree();
    let dry = lab
        .alice("rootless6 setup --dry-run --follow-symlinks")
        .exits(0);
    dry.says(&[
        "through a symlink: ~/dotfiles/docker/daemon.json",
        "through a symlink: ~/dotfiles/drop-ins/zz-rootless6.conf",
    ]);
    lab.alice(&format!("{SETUP} --follow-symlinks"))
        .exits(0)
        .says(&["--follow-symlinks"]);
    lab.ping_from("bridge").exits(0);
    lab.alice("test -L ~/.config/docker/daemon.json -a -f ~/dotfiles/drop-ins/zz-rootless6.conf")
        .exits(0);
    let undo = lab.alice("rootless6 undo --yes").exits(0);
    undo.says(&["put back", "~/dotfiles/docker/daemon.json"]);
    assert_eq!(lab.tree(), before);
    // What is somebody else's is not written, however it is reached.
    lab.root("chown root: /home/alice/dotfiles/docker/daemon.json")
        .exits(0);
    lab.alice(&format!("{SETUP} --follow-symlinks"))
        .exits(3)
        .says(&["it is a symlink to"]);
    lab.runs_as_before();
}

#[test]
fn a_journal_that_cannot_be_believed_is_named_and_stops_what_relies_on_it() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    let state = "~/.local/state/rootless6";
    lab.alice(&format!("cp -p {state}/0001.json /tmp/whole"))
        .exits(0);
    let before = lab.tree();
    for (spoil, words) in [
        (": >FILE", &["0001.json", "it is empty"][..]),
        ("head -c 700 /tmp/whole >FILE", &["0001.json", "EOF"]),
        (
            "sed 's/\"schema\": 2/\"schema\": 99/' /tmp/whole >FILE",
            &["its format is 99", "use the rootless6 that wrote it"],
        ),
        (
            "sed 's#/.config/systemd/user/docker.service.d/zz-rootless6.conf#/.profile#' /tmp/whole >FILE",
            &["/home/alice/.profile is not a file of your configuration"],
        ),
        ("mv FILE /tmp/moved && ln -s /tmp/moved FILE", &["symlink"]),
    ] {
        let file = format!("{state}/0001.json");
        lab.alice(&spoil.replace("FILE", &file)).exits(0);
        for command in [SETUP, "rootless6 undo --yes"] {
            let told = lab.alice(command).exits(3);
            told.says(words);
            told.says(&["hint: `mv /home/alice/.local/state/rootless6/0001.json"]);
        }
        lab.alice(&format!("rm {file}; cp -p /tmp/whole {file}"))
            .exits(0);
        assert_eq!(lab.tree(), before, "{spoil}");
    }
    lab.root("chown root /home/alice/.local/state/rootless6/0001.json")
        .exits(0);
    lab.alice("rootless6 undo --yes")
        .exits(3)
        .says(&["it belongs to root"]);
    lab.root("chown alice /home/alice/.local/state/rootless6/0001.json")
        .exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    lab.runs_as_before();
}
