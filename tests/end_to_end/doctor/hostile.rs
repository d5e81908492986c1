//! What others have written is shown, and moves no cursor.

use super::{Fault, Lab, State, lab};

/// Clears the screen, sets the title, colours, goes back to the line's beginning, and lies. Octal,
/// for printf.
const ESCAPES: &str = "\\033[2J\\033]0;owned\\007\\302\\23331m\\rall is well";

#[test]
fn no_escape_of_anybodys_reaches_the_terminal() {
    let Some(lab) = lab("trixie", State::SetUp) else {
        return;
    };
    let folder = "~/.config/systemd/user/docker.service.d";
    let value = format!(
        "printf '[Service]\\nEnvironment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_NET={ESCAPES}\"\\nEnvironment=\"OTHER={ESCAPES}\"\\n'"
    );
    let file = format!("printf '[Service]\\nEnvironmentFile=/home/alice/{ESCAPES}\\n'");
    let name = format!("\"$(printf '{ESCAPES}').conf\"");
    let again = "systemctl --user daemon-reload";
    for (what, seed, mend) in [
        ("a value", format!("{value} >{folder}/zzz.conf"), format!("rm {folder}/zzz.conf")),
        ("the name of a drop-in", format!("{value} >{folder}/zzz{name}"), format!("rm {folder}/zzz*")),
        ("the name of an EnvironmentFile=", format!("{file} >{folder}/zzz.conf"), format!("rm {folder}/zzz.conf")),
        (
            "the unit file",
            format!("cp -a ~/.config/systemd/user/docker.service ~/unit; printf '%b' '{ESCAPES}=1\\n[{ESCAPES}]\\nExecStart={ESCAPES}\\n' >>~/.config/systemd/user/docker.service"),
            "mv ~/unit ~/.config/systemd/user/docker.service".to_owned(),
        ),
        (
            "daemon.json",
            format!("cp -a ~/.config/docker/daemon.json ~/daemon.json; printf '%b' '{{\"{ESCAPES}\": \"{ESCAPES}\", {ESCAPES}' >~/.config/docker/daemon.json"),
            "mv ~/daemon.json ~/.config/docker/daemon.json".to_owned(),
        ),
        (
            "the subnet in daemon.json",
            "cp -a ~/.config/docker/daemon.json ~/daemon.json; echo '{\"ipv6\": false, \"fixed-cidr-v6\": \"fd00::/64\\u001b[2J\", \"iptables\": false}' >~/.config/docker/daemon.json".to_owned(),
            "mv ~/daemon.json ~/.config/docker/daemon.json".to_owned(),
        ),
        (
            "the context",
            "cp -a ~/.docker/config.json ~/config.json; echo '{\"currentContext\": \"\\u001b[2J\\u0007\\u009b31m\\rwork\"}' >~/.docker/config.json".to_owned(),
            "mv ~/config.json ~/.docker/config.json".to_owned(),
        ),
    ] {
        println!("\n=== {what}");
        lab.alice(&format!("{seed} && {again}")).exits(0);
        shows_no_escape(&lab, "");
        lab.alice(&format!("{mend} && {again}")).exits(0);
    }
    shows_no_escape(
        &lab,
        &format!("DOCKER_HOST=\"$(printf 'unix:///{ESCAPES}')\""),
    );
    shows_no_escape(&lab, &format!("DOCKER_CONTEXT=\"$(printf '{ESCAPES}')\""));
    shows_no_escape(&lab, &format!("XDG_RUNTIME_DIR=\"$(printf '/{ESCAPES}')\""));
    a_subid_file_lies(&lab);
    an_engine_lies(&lab);
}

/// In the file of others' ranges, which is root's to write, and has lines for many.
fn a_subid_file_lies(lab: &Lab) {
    lab.root(&format!(
        "cp -a /etc/subuid /opt/subuid && printf '%b' '{ESCAPES}:1:1\nalice:1:{ESCAPES}\n' >/etc/subuid && grep -c owned /etc/subuid"
    ))
    .exits(0);
    shows_no_escape(lab, "");
    lab.root("mv /opt/subuid /etc/subuid").exits(0);
}

/// With the names and versions that an Engine has of itself.
fn an_engine_lies(lab: &Lab) {
    Fault::take_along(lab);
    let escapes = "\\\\u001b[2J\\\\u0007\\\\u009b31m\\\\rall is well";
    lab.root(&format!(
        "cd /opt/lab && sed 's/\"OperatingSystem\":\"Debian[^\"]*\"/\"OperatingSystem\":\"{escapes}\"/; s/\"Name\":\"host\"/\"Name\":\"{escapes}\"/; s/\"ServerVersion\":\"27.4.0\"/\"ServerVersion\":\"27.4.0{escapes}\"/' faults/engine-not-rootless >faults/lies && grep -c u001b faults/lies && ./fault seed lies"
    ))
    .exits(0);
    shows_no_escape(lab, "DOCKER_HOST=unix:///run/user/1000/other/docker.sock");
    lab.root("/opt/lab/fault mend lies").exits(0);
}

fn shows_no_escape(lab: &Lab, environment: &str) {
    for command in ["doctor", "doctor --json", "status"] {
        let output = lab.alice(&format!("{environment} rootless6 {command}"));
        assert!(output.status == 0 || output.status == 1, "{command}");
        for stream in [&output.stdout, &output.stderr] {
            let moves = |c: char| c.is_control() && c != '\n';
            assert!(!stream.contains(moves), "{command}: {stream:?}");
            assert!(
                !stream.contains('\u{fffd}'),
                "{command}: what is no UTF-8 is shown as such"
            );
        }
    }
}
