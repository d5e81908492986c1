//! The whole program where nothing is needed but the program: help, usage, completions, manual.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that panics has failed; shells check the completions"
)]

use std::io::Write;
use std::process::{Command as Shell, Stdio};

use assert_cmd::Command;
use serde_json::Value;

/// The program in an environment of nothing.
fn rootless6(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("rootless6");
    command
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent");
    command
}

fn stdout(arguments: &[&str]) -> String {
    let output = rootless6(arguments).assert().success().stderr("");
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_help_names_every_command_flag_and_exit_status_of_the_contract() {
    let help = stdout(&["--help"]);
    for word in [
        "setup",
        "verify",
        "ping",
        "status",
        "undo",
        "--json",
        "--quiet",
        "--verbose",
        "--color",
        "--user",
        "--unit",
        "--timeout",
        "Exit status",
        "  7 ",
        "  130 ",
    ] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
    let commands: [(&str, &[&str]); 5] = [
        (
            "setup",
            &[
                "--yes",
                "--accept",
                "containers-restart",
                "--config",
                "--dry-run",
                "--net",
                "--port-driver",
                "--mtu",
                "--flag",
                "--subnet",
                "--new-networks",
                "--uplink",
                "--wait-online",
                "--no-restart",
                "--no-verify",
                "--keep",
                "--target",
            ],
        ),
        ("verify", &["--from", "--network", "--target", "netns"]),
        (
            "ping",
            &[
                "TARGET",
                "--from",
                "--count",
                "--interval",
                "--wait",
                "--size",
                "-c",
                "-i",
                "-W",
                "-s",
            ],
        ),
        ("status", &["--json"]),
        ("undo", &["--yes"]),
    ];
    for (command, words) in commands {
        let help = stdout(&[command, "--help"]);
        assert_eq!(help, stdout(&["help", command]), "{command}");
        for word in words {
            assert!(help.contains(word), "{command}: {word} is not in {help}");
        }
        assert!(!help.contains("ROOTLESS6_"), "variables are the manual's");
        assert!(!help.contains('\x1b'), "no colour in a pipe");
    }
}

#[test]
fn the_version_is_one_line() {
    let version = format!("rootless6 {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&["--version"]), version);
    assert_eq!(stdout(&["-V"]), version);
}

#[test]
fn what_is_typed_wrong_goes_to_stderr_with_status_2() {
    for (arguments, word) in [
        (&[][..], "Usage"),
        (&["frobnicate"], "frobnicate"),
        (&["setup", "--frobnicate"], "--frobnicate"),
        (&["setup", "--mtu", "12"], "1280"),
        (&["setup", "--subnet", "fe80::/64x"], "fe80::/64x"),
        (&["setup", "--accept", "everything"], "containers-restart"),
        (
            &["verify", "--network", "db", "--container", "db"],
            "container[db]",
        ),
        (&["verify", "--from", "moon"], "netns"),
        (&["--timeout", "0", "status"], "0"),
        (&["completions", "csh"], "zsh"),
    ] {
        let output = rootless6(arguments).assert().code(2).stdout("");
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[test]
fn json_is_one_document_also_for_what_is_typed_wrong() {
    let wrong = ["setup", "--frobnicate"];
    for mut command in [
        rootless6(&["setup", "--frobnicate", "--json"]),
        rootless6(&["--json", "setup", "--frobnicate"]),
        {
            let mut command = rootless6(&wrong);
            command.env("ROOTLESS6_JSON", "1");
            command
        },
    ] {
        let output = command.assert().code(2).stderr("");
        let document: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        assert_eq!(document["schema"], 1);
        assert_eq!(document["exit"], 2);
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains("--frobnicate"), "{message}");
        assert!(document["error"]["hints"][0].is_string());
    }
}

#[test]
fn without_a_terminal_setup_says_at_once_which_flag_it_lacks() {
    let output = rootless6(&["setup", "--json"]).assert().code(2).stderr("");
    let document: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(document["command"], "setup");
    assert_eq!(document["changed"], false);
    assert!(document["error"]["hints"].to_string().contains("--yes"));
}

#[test]
fn a_user_who_cannot_be_become_is_refused_before_anything_is_looked_at() {
    for user in ["nosuch", "4294967294", "root", "0"] {
        let output = rootless6(&["--user", user, "status", "--json"])
            .assert()
            .code(2)
            .stderr("");
        let document: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        let error = document["error"].to_string();
        assert!(error.contains(user) || error.contains("root"), "{error}");
        assert!(document["unit"].is_null());
    }
}

#[test]
fn variables_are_read_as_flags_are() {
    for (name, value) in [
        ("ROOTLESS6_MTU", "12"),
        ("ROOTLESS6_NET", "vpnkit"),
        ("ROOTLESS6_ACCEPT", "containers-restart,everything"),
        ("ROOTLESS6_SUBNET", "10.0.0.0/8"),
        ("ROOTLESS6_TIMEOUT", "soon"),
    ] {
        let mut command = rootless6(&["setup", "--yes"]);
        let output = command.env(name, value).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        let last = value.split(',').next_back().unwrap();
        assert!(stderr.contains(last), "{name}: {stderr}");
    }
}

#[test]
fn completions_are_scripts_that_their_shells_take() {
    for (shell, check) in [
        ("bash", &["bash", "-n"][..]),
        ("zsh", &["zsh", "-n"]),
        ("fish", &["fish", "--no-execute"]),
    ] {
        let script = stdout(&["completions", shell]);
        for word in ["rootless6", "setup", "accept", "containers-restart", "undo"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let spawned = Shell::new(check[0])
            .args(&check[1..])
            .stdin(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            continue; // this shell is not on this machine
        };
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success(), "{shell} refuses it");
    }
}

#[test]
fn the_manual_page_is_a_manual_page() {
    let page = stdout(&["man"]);
    for word in [".TH", ".SH NAME", ".SH SYNOPSIS", "setup", "undo", "130"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Shell::new(env!("CARGO_BIN_EXE_rootless6"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "");
}

#[test]
fn a_result_that_cannot_be_written_is_no_success_but_a_reader_who_has_enough_is() {
    let program = assert_cmd::cargo::cargo_bin!("rootless6");
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = Shell::new(program)
        .args(["completions", "bash"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{talk}");
    assert!(
        talk.contains("write the result to standard output"),
        "{talk}"
    );
    assert!(talk.contains("No space left"), "{talk}");

    let mut reader = Shell::new(program)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(reader.stdout.take());
    assert_eq!(reader.wait().unwrap().code(), Some(0));
}
