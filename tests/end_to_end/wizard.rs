//! The wizard in a real terminal: a shell in a lab, typed at.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::harness::{LAB, Lab};

/// As long as a restart and a proof may take on a busy machine.
const LIMIT_MILLISECONDS: u64 = 120_000;

const PROMPT: &str = "@@$ ";
const FIRST_QUESTION: &str = "have IPv6 too? (y)es, (n)o";
const LAST_QUESTION: &str = "Do it? (y)es, (n)o, (e)xplain";
const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// A shell at a terminal, and everything that has been on its screen since the last command.
struct Screen {
    session: PtySession,
    seen: String,
}

impl Screen {
    /// Alice's.
    fn of(lab: &Lab) -> Self {
        Self::start(lab, "sh")
    }

    fn of_root(lab: &Lab) -> Self {
        Self::start(lab, "root")
    }

    fn start(lab: &Lab, shell: &str) -> Self {
        let mut command = Command::new(LAB);
        command
            .args([shell, &lab.name, "bash", "--norc", "--noprofile"])
            .env("TERM", "xterm-256color");
        let session = spawn_command(command, Some(LIMIT_MILLISECONDS)).unwrap();
        let mut screen = Self {
            session,
            seen: String::new(),
        };
        screen.press("PS1='@@''$ '; stty rows 50 columns 120\r");
        screen.wait_for(PROMPT);
        screen
    }

    fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    fn wait_for(&mut self, text: &str) {
        match self.session.exp_string(text) {
            Ok(before) => self.seen.push_str(&format!("{before}{text}")),
            Err(error) => panic!("{text:?} does not appear after {:?}: {error}", self.seen),
        }
    }

    fn begin(&mut self, command: &str) {
        self.seen.clear();
        self.press(&format!("{command}\r"));
    }

    /// Waits for the shell and asks it for the last status and for the terminal's settings.
    fn ends(&mut self, status: u8) {
        self.wait_for(PROMPT);
        println!("{}", self.seen);
        if let Some(hidden) = self.seen.rfind(HIDE_CURSOR) {
            assert!(
                self.seen.rfind(SHOW_CURSOR) > Some(hidden),
                "the cursor is back"
            );
        }
        let seen = std::mem::take(&mut self.seen);
        // The line editor of the shell changes these settings; what a program sees is what was.
        self.press(
            "echo status=$?; stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|opost'\r",
        );
        self.wait_for("status=");
        self.wait_for("status=");
        self.wait_for(PROMPT);
        let after = self.seen.rsplit("status=").next().unwrap_or_default();
        let mut lines = after.lines().map(str::trim);
        assert_eq!(lines.next(), Some(status.to_string().as_str()), "{seen}");
        assert_eq!(lines.next(), Some("4"), "a terminal as it should be");
        self.seen = seen;
    }
}

#[test]
fn the_wizard_changes_nothing_without_a_yes_and_leaves_the_terminal_as_it_was() {
    let Some(lab) = Lab::up("forky") else { return };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let mut screen = Screen::of(&lab);

    screen.begin("rootless6 setup");
    screen.wait_for(FIRST_QUESTION);
    screen.press("\x03");
    screen.ends(130);

    screen.begin("rootless6 setup");
    screen.wait_for(FIRST_QUESTION);
    screen.press("y\r");
    screen.wait_for("zz-rootless6.conf");
    screen.wait_for("No container is running");
    screen.wait_for(LAST_QUESTION);
    screen.press("\x03");
    screen.ends(130);

    screen.begin("rootless6 setup --new-networks keep");
    screen.wait_for(LAST_QUESTION);
    assert!(!screen.seen.contains(FIRST_QUESTION), "a flag said it");
    screen.press("perhaps\r");
    screen.wait_for("answer one of");
    screen.press("\x15no\r");
    screen.wait_for("nothing was changed");
    screen.ends(3);

    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation);
    lab.runs_as_before();
}

#[test]
fn the_wizard_explains_sets_up_and_tells_how_to_do_it_without_questions() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    lab.alice("docker run -d --restart=always --name keeper --stop-signal KILL busybox sleep 600")
        .exits(0);
    let mut screen = Screen::of(&lab);

    // Before Engine 27 there is only the one question.
    screen.begin("rootless6 setup");
    screen.wait_for("1 running container stops:");
    screen.wait_for("keeper: comes back by itself");
    screen.wait_for("Do it, and stop these containers for the restart?");
    screen.press("e\r");
    screen.wait_for("With slirp4netns as Docker starts it");
    screen.wait_for("~/.local/state/rootless6");
    screen.wait_for("Do it, and stop these containers for the restart?");
    screen.press("yes\r");
    screen.wait_for("IPv6 works");
    screen.wait_for("rootless6 setup --yes --accept containers-restart");
    screen.wait_for("rootless6 undo");
    screen.ends(0);
    lab.ping_from("bridge").exits(0);

    screen.begin("rootless6 setup");
    screen.wait_for("nothing was changed");
    screen.ends(0);

    screen.begin("rootless6 undo");
    screen.wait_for("zz-rootless6.conf");
    screen.wait_for("Undo it? (y)es, (n)o");
    screen.press("\x03");
    screen.ends(130);
    screen.begin("rootless6 undo");
    screen.wait_for("Undo it? (y)es, (n)o");
    screen.press("y\r");
    screen.ends(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn root_is_asked_for_a_user_and_told_what_root_types() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.root("install -m 755 /home/alice/.local/bin/rootless6 /usr/local/bin/")
        .exits(0);
    let before = lab.tree();
    let mut screen = Screen::of_root(&lab);
    screen.begin("rootless6 --user alice setup");
    screen.wait_for(LAST_QUESTION);
    screen.press("\x03");
    screen.ends(130);
    screen.begin("rootless6 --user alice setup");
    screen.wait_for(LAST_QUESTION);
    screen.press("y\r");
    screen.wait_for("IPv6 works");
    screen.wait_for("rootless6 setup --yes --accept containers-restart --user alice");
    screen.wait_for("rootless6 --user alice undo");
    screen.ends(0);
    screen.begin("rootless6 --user alice undo");
    screen.wait_for("Undo it? (y)es, (n)o");
    screen.press("y\r");
    screen.ends(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn the_wizard_says_what_cannot_work_before_it_offers_the_rest() {
    let Some(lab) = Lab::up("bookworm") else {
        return;
    };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let mut screen = Screen::of(&lab);
    screen.begin("rootless6 setup");
    screen.wait_for("ping6 does");
    screen.wait_for("TCP and UDP over IPv6, without ping6? (y)es, (n)o");
    screen.press("n\r");
    screen.wait_for("nothing was changed");
    screen.wait_for("RootlessKit 2.0 or later");
    screen.ends(3);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation);

    screen.begin("rootless6 setup");
    screen.wait_for("without ping6?");
    screen.press("y\r");
    screen.wait_for("(libslirp before 4.8) no ICMPv6");
    screen.wait_for(LAST_QUESTION);
    screen.press("y\r");
    screen.wait_for("IPv6 works for TCP, but not for ping6");
    screen.wait_for("--accept containers-restart --net slirp4netns");
    screen.ends(0);
    lab.connect_from("bridge").exits(0);
}

#[test]
fn an_edit_made_while_the_wizard_asks_is_not_overwritten() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.write("~/.config/docker/daemon.json", "{}\n");
    let mut screen = Screen::of(&lab);
    screen.begin("rootless6 setup --new-networks ipv6");
    screen.wait_for(LAST_QUESTION);
    lab.write("~/.config/docker/daemon.json", "{\"debug\": true}\n");
    let edited = lab.tree();
    screen.press("y\r");
    screen.wait_for("daemon.json was edited while rootless6 was at work");
    screen.ends(3);
    assert_eq!(lab.tree(), edited);
    lab.runs_as_before();
}

#[test]
fn a_signal_at_a_prompt_ends_the_program_at_once() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();
    let mut screen = Screen::of(&lab);
    for signal in ["TERM", "HUP", "INT"] {
        screen.begin("rootless6 setup --new-networks ipv6");
        screen.wait_for(LAST_QUESTION);
        lab.alice(&format!("pkill -x -{signal} rootless6")).exits(0);
        screen.wait_for("nothing was changed");
        screen.ends(130);
        assert_eq!(lab.tree(), before);
    }
    lab.set_up();
    let set_up = lab.tree();
    screen.begin("rootless6 undo");
    screen.wait_for("Undo it?");
    // Nobody waits for whoever thinks.
    lab.alice("rootless6 setup --yes --accept containers-restart")
        .exits(0);
    lab.alice("pkill -x -TERM rootless6").exits(0);
    screen.wait_for("nothing was changed");
    screen.ends(130);
    assert_eq!(lab.tree(), set_up);
    screen.begin("rootless6 undo");
    screen.wait_for("Undo it?");
    lab.alice("rootless6 undo --yes").exits(0);
    screen.press("y\r");
    screen.wait_for("meanwhile");
    screen.ends(3);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn the_wizard_goes_straight_through_and_its_command_line_does_the_same() {
    let Some(lab) = Lab::up("forky") else { return };
    let mut screen = Screen::of(&lab);
    screen.begin("rootless6 setup");
    screen.wait_for(FIRST_QUESTION);
    screen.press("n\r");
    screen.wait_for(LAST_QUESTION);
    screen.press("y\r");
    screen.wait_for("IPv6 works");
    screen.ends(0);
    let equivalent = screen.seen.lines().map(str::trim);
    let equivalent: Vec<_> = equivalent
        .filter(|line| line.starts_with("rootless6 setup --yes"))
        .collect();
    assert_eq!(equivalent.len(), 1);
    assert!(equivalent[0].contains("--new-networks keep"));
    let again = lab.alice(&format!("{} --json", equivalent[0]));
    assert_eq!(again.exits(0).json()["changed"], false);
}

#[test]
fn ctrl_c_while_dockerd_restarts_puts_everything_back() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "held.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || { touch /tmp/held; exec sleep 100; }'\n",
    );
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    let mut screen = Screen::of(&lab);
    screen.begin("rootless6 setup");
    screen.wait_for(LAST_QUESTION);
    screen.press("y\r");
    screen.wait_for("restart docker.service");
    lab.alice("until [ -e /tmp/held ]; do sleep 0.05; done")
        .exits(0);
    screen.press("\x03");
    screen.wait_for("everything was put back");
    screen.ends(130);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_terminal_that_goes_away_during_the_restart_leaves_nothing_half_done() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "held.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta || \
         { touch /tmp/held; exec sleep 100; }'\n",
    );
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    let mut screen = Screen::of(&lab);
    screen.begin("rootless6 setup");
    screen.wait_for(LAST_QUESTION);
    screen.press("y\r");
    lab.alice("until test -e /tmp/held; do sleep 0.1; done")
        .exits(0);
    drop(screen);
    lab.alice("while pgrep -x rootless6; do sleep 0.5; done")
        .exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}
