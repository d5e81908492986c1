//! `rootless6 ping` as a whole program, to ::1 and nowhere else.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that panics has failed, one that cannot run says so, and one has a reader go away"
)]

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use serde_json::Value;

const LOOPBACK: &str = "::1";

/// The program in an environment of nothing.
fn ping(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("rootless6");
    command
        .arg("ping")
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C.UTF-8");
    command
}

/// Whether ::1 can be pinged at all, by somebody with these rights on a machine with IPv6.
fn can_ping() -> bool {
    let output = ping(&["-q", "-c1", LOOPBACK]).output().unwrap();
    if output.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        env::var("CI").as_deref() != Ok("true"),
        "::1 cannot be pinged here: {why}"
    );
    eprintln!("NOT RUN: {why}");
    false
}

/// What is printed, without what no two runs share.
fn printed(arguments: &[&str], status: i32) -> String {
    let output = ping(arguments).assert().code(status).stderr("");
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    text.lines().map(without_times).collect()
}

fn without_times(line: &str) -> String {
    let mut words: Vec<_> = line.split(' ').collect();
    for at in 1..words.len() {
        if words[at] == "ms" {
            words[at - 1] = "N";
        }
    }
    words.join(" ") + "\n"
}

fn json(arguments: &[&str], status: i32) -> Value {
    let output = ping(arguments)
        .arg("--json")
        .assert()
        .code(status)
        .stderr("");
    let document: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["command"], "ping");
    assert_eq!(document["exit"], status);
    document
}

#[test]
fn each_answer_is_a_line_and_the_last_line_is_the_verdict() {
    if !can_ping() {
        return;
    }
    assert_eq!(
        printed(&["-c3", LOOPBACK], 0),
        "::1  seq 1  hop limit 64  N ms\n\
         ::1  seq 2  hop limit 64  N ms\n\
         ::1  seq 3  hop limit 64  N ms\n\
         \n\
         ✓ ok      ::1  3 sent, 3 received, 0 % lost  min N ms  median N ms  max N ms\n"
    );
    assert_eq!(
        printed(&["-q", LOOPBACK], 0),
        "✓ ok      ::1  5 sent, 5 received, 0 % lost  min N ms  median N ms  max N ms\n"
    );
}

#[test]
fn json_has_the_names_of_the_contract() {
    if !can_ping() {
        return;
    }
    let document = json(&["-c4", "-s", "1000", LOOPBACK], 0);
    assert!(document["error"].is_null());
    assert_eq!(document["from"], "host");
    assert_eq!(document["interrupted"], false);
    assert!(["raw", "datagram"].contains(&document["socket"].as_str().unwrap()));
    assert!(document["socket_notes"].is_array());
    let [target] = document["targets"].as_array().unwrap().as_slice() else {
        panic!("one target");
    };
    assert_eq!(target["to"], LOOPBACK);
    assert_eq!(
        (&target["sent"], &target["received"]),
        (&4.into(), &4.into())
    );
    for none in ["late", "duplicates", "reordered"] {
        assert_eq!(target[none], 0, "{none}");
    }
    assert_eq!(target["hop_limit"], 64);
    assert_eq!(target["errors"], Value::Array(Vec::new()));
    assert!(target["rejected"].is_object());
    let rtt = |name: &str| target["rtt_ms"][name].as_f64().unwrap();
    assert!(0.0 < rtt("min") && rtt("min") <= rtt("median") && rtt("median") <= rtt("max"));
}

#[test]
fn what_is_given_twice_is_asked_once() {
    if !can_ping() {
        return;
    }
    let often = vec![LOOPBACK; 10_000];
    let document = json(&[&["-c1"], often.as_slice()].concat(), 0);
    assert_eq!(document["targets"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_typed_wrong_is_refused_with_the_reason() {
    for (arguments, words) in [
        (&["-i", "0", LOOPBACK][..], "leave it out"),
        (&["-i", "-1", LOOPBACK], "0.001 to 3600"),
        (&["-i", "nan", LOOPBACK], "0.001 to 3600"),
        (&["-i", "1e99", LOOPBACK], "0.001 to 3600"),
        (&["-W", "0", LOOPBACK], "0.001 to 3600"),
        (&["-W", "inf", LOOPBACK], "0.001 to 3600"),
        (&["-s", "70000", LOOPBACK], "65527"),
        (&["-s", "7", LOOPBACK], "8..=65527"),
        (&["-c", "-1", LOOPBACK], "-1"),
        (&["-c", "many", LOOPBACK], "many"),
        (&["--from", "moon", LOOPBACK], "container:NAME"),
        (&["--from", "container", LOOPBACK], "container:NAME"),
        (&["--from", "container:", LOOPBACK], "container:NAME"),
        (&[], "TARGET"),
        (&["192.0.2.1"], "IPv4"),
        (&[LOOPBACK, "192.0.2.1"], "192.0.2.1"),
        (&["::ffff:192.0.2.1"], "IPv4"),
        (&["::"], "nobody's address"),
        (&["ff02::1"], "multicast"),
        (&["fe80::1"], "through which interface"),
        (&["fe80::1%nothere"], "\"nothere\""),
        (&["2001:db8::1%lo"], "not link-local"),
        (&[""], "empty"),
    ] {
        let output = ping(arguments).assert().code(2).stdout("");
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_name_is_shown_without_what_a_terminal_would_obey() {
    let error = json(&["x\u{1b}[31m\u{7}.invalid"], 2)["error"].to_string();
    assert!(error.contains("x[31m.invalid"), "{error}");
}

#[test]
fn each_option_has_a_variable() {
    for (name, value) in [
        ("ROOTLESS6_PING_FROM", "moon"),
        ("ROOTLESS6_PING_COUNT", "many"),
        ("ROOTLESS6_PING_INTERVAL", "0"),
        ("ROOTLESS6_PING_WAIT", "soon"),
        ("ROOTLESS6_PING_SIZE", "70000"),
    ] {
        let output = ping(&[LOOPBACK]).env(name, value).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(value), "{name}: {stderr}");
    }
}

#[test]
fn one_without_end_ends_with_its_reader() {
    if !can_ping() {
        return;
    }
    let mut child = Process::new(env!("CARGO_BIN_EXE_rootless6"))
        .args(["ping", "-c0", "-i0.01", LOOPBACK])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("::1  seq 1  "), "{first}");
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "all have answered");
}
