//! The block for root: a shell's linter reads it for every system on record, and a shell runs what
//! changes files, twice.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and one that cannot run says so"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rootless6::diagnose::{Code, diagnose, for_root, of_start};
use rootless6::facts::Facts;

const EVERYTHING: &str = "everything-that-only-root-can-mend";

#[test]
fn every_block_for_root_is_clean_to_a_linter() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|place| place.join("shellcheck").is_file()) {
        let why = "there is no shellcheck";
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
        eprintln!("NOT RUN: {why}");
        return;
    }
    let blocks = blocks();
    assert!(blocks.len() > 20, "the blocks have been lost");
    let mut looked_at: Vec<&String> = Vec::new();
    for (name, block) in &blocks {
        if looked_at.contains(&block) {
            continue;
        }
        looked_at.push(block);
        let (status, said) = run("shellcheck", &["-s", "sh", "-"], block);
        assert!(status, "{name}:\n{said}\n{block}");
    }
}

#[test]
fn a_block_names_each_code_once_and_everything_at_once_names_them_all() {
    for (name, block) in blocks() {
        let comments: Vec<&str> = block.lines().filter(|line| line.starts_with('#')).collect();
        for code in Code::ALL {
            let names = |line: &&&str| line[1..].split(',').any(|word| word.trim() == code.name());
            let times = comments.iter().filter(names).count();
            assert!(times <= 1, "{name}: {code} is there {times} times");
        }
        let is_about_it = |line: &str| {
            line.starts_with('#') || line == "(set -e" || line.starts_with("); ended $?")
        };
        for line in block.lines().filter(|line| !is_about_it(line)) {
            let times = block.lines().filter(|other| *other == line).count();
            assert_eq!(times, 1, "{name}: {line}");
        }
    }
    let blocks = blocks();
    let all = &blocks[EVERYTHING];
    for code in [
        "host-ipv6-disabled",
        "host-ping-group-range",
        "tun-unavailable",
        "userns-restricted",
        "subids-missing",
        "newuidmap-missing",
        "no-linger",
        "pasta-missing",
    ] {
        assert!(all.contains(code), "{code}:\n{all}");
    }
}

/// A folder in the place of the root directory, where commands that touch the kernel or fetch packages
/// do nothing.
fn system() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["sysctl.d", "modules-load.d", "tmpfiles.d", "apparmor.d"] {
        fs::create_dir_all(root.path().join("etc").join(directory)).unwrap();
    }
    fs::create_dir(root.path().join("bin")).unwrap();
    for name in STUBS {
        stub(root.path(), name, "");
    }
    put(root.path(), "etc/subuid", "bob:100000:65536");
    put(
        root.path(),
        "etc/wsl.conf",
        "[boot]\ncommand=true\n[user]\n systemd = false",
    );
    root
}

/// The block for that place.
fn within(root: &Path, block: &str) -> String {
    let root = root.to_str().unwrap();
    let block = block.replace("/etc/", &format!("{root}/etc/"));
    let block = block.replace("/dev/net", &format!("{root}/dev/net"));
    format!("PATH={root}/bin:$PATH\n{block}\n")
}

#[test]
fn to_run_a_block_once_more_changes_nothing() {
    for (name, block) in blocks() {
        let root = system();
        let script = within(root.path(), &block);
        let (status, said) = run("sh", &["-eu"], &script);
        assert!(status, "{name}:\n{said}\n{script}");
        let first = tree(root.path());
        let (status, said) = run("sh", &["-eu"], &script);
        assert!(status, "{name}:\n{said}\n{script}");
        assert_eq!(first, tree(root.path()), "{name}");
        if name == EVERYTHING {
            let expected = "bob:100000:65536\nDOMAIN\\alice o'neill:165536:65536\n";
            assert_eq!(first[Path::new("etc/subuid")].text, expected);
            let profile = &first[Path::new("etc/apparmor.d/rootless6-rootlesskit")].text;
            assert!(profile.contains("/home/alice/bin/rootlesskit flags=(unconfined) {"));
        }
        if name == "wsl-without-systemd" {
            let expected = "[boot]\ncommand=true\n[user]\nsystemd=true";
            assert_eq!(first[Path::new("etc/wsl.conf")].text.trim_end(), expected);
        }
    }
}

#[test]
fn what_fails_for_one_finding_loses_no_other_and_the_block_has_failed() {
    let block = &blocks()[EVERYTHING];
    let whole = system();
    let (status, said) = run("sh", &["-eu"], &within(whole.path(), block));
    assert!(status, "{said}");
    let expected = tree(whole.path());
    for (program, code) in [
        ("apt-get", "newuidmap-missing, pasta-missing"),
        ("modprobe", "tun-unavailable"),
        ("sysctl", "userns-restricted"),
        ("apparmor_parser", "userns-restricted"),
        ("loginctl", "no-linger"),
    ] {
        let root = system();
        stub(root.path(), program, "exit 1");
        let script = within(root.path(), block);
        let script = script.replace("test -e /sys/class/misc/tun || ", "");
        let (status, said) = run("sh", &["-eu"], &script);
        assert!(!status, "{program} failed");
        assert!(
            said.contains(&format!("rootless6: failed: {code}")),
            "{said}"
        );
        let found = tree(root.path());
        for kept in ["etc/subuid", "etc/subgid"] {
            assert_eq!(found.get(Path::new(kept)), expected.get(Path::new(kept)));
        }
    }
}

/// Between doctor and root there may be days.
#[test]
fn a_range_that_is_taken_or_a_file_in_use_gets_no_line() {
    let block = &blocks()["subids-missing"];
    for (taken, lock, is_added) in [
        ("", None, true),
        ("# a comment\n::\nnonsense\nbob:1:2:3\n", None, true),
        (" # alice:165536:65536\n#:165536:65536\n", None, true),
        ("bob:100000:65536\ncarol:231072:65536", None, true),
        ("bob:165536:65536\n", None, false),
        ("bob:231071:1\n", None, false),
        ("bob:165535:2\n", None, false),
        ("bob:0:4294967295\n", None, false),
        ("", Some("1"), false),
    ] {
        let root = system();
        for file in ["etc/subuid", "etc/subgid"] {
            put(root.path(), file, taken);
            if let Some(process) = lock {
                put(root.path(), &format!("{file}.lock"), process);
            }
        }
        let (status, said) = run("sh", &["-eu"], &within(root.path(), block));
        assert_eq!(status, is_added, "{taken}: {said}");
        let text = fs::read_to_string(root.path().join("etc/subuid")).unwrap();
        assert_eq!(
            text.lines().any(|line| line == "alice:165536:65536"),
            is_added
        );
        assert_eq!(
            said.contains("run rootless6 doctor again"),
            !is_added,
            "{said}"
        );
        let is_locked = root.path().join("etc/subuid.lock").exists();
        assert_eq!(is_locked, lock.is_some(), "{taken}");
    }
}

/// What a block runs that is not for files below /etc.
const STUBS: [&str; 16] = [
    "apt-get",
    "dnf",
    "zypper",
    "pacman",
    "apk",
    "sysctl",
    "modprobe",
    "mknod",
    "chown",
    "chmod",
    "setcap",
    "semanage",
    "loginctl",
    "systemctl",
    "apparmor_parser",
    "update-alternatives",
];

fn stub(root: &Path, name: &str, text: &str) {
    let place = format!("bin/{name}");
    put(root, &place, &format!("#!/bin/sh\n{text}\n"));
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.join(place), executable).unwrap();
}

/// By the system's name; those without a line are left out.
fn blocks() -> BTreeMap<String, String> {
    let cases = fs::read_dir("tests/facts").unwrap();
    // As pasta says it where it is denied.
    let said = "Couldn't open user namespace /proc/9/ns/user: Permission denied".to_owned();
    let blocks = cases.flat_map(|entry| {
        let path: PathBuf = entry.unwrap().path();
        let facts: Facts = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let found = diagnose(&facts);
        let said: Vec<_> = of_start(std::slice::from_ref(&said), &facts)
            .into_iter()
            .collect();
        [
            (format!("{name}-and-denied"), for_root(&said).join("\n")),
            (name, for_root(&found).join("\n")),
        ]
    });
    blocks.filter(|(_, block)| !block.is_empty()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test may run programs")]
fn run(program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
fn put(root: &Path, name: &str, text: &str) {
    fs::write(root.join(name), text).unwrap();
}

/// What is at a path: a file's text, where a link leads, nothing of a directory's.
#[derive(Debug, PartialEq)]
struct Entry {
    mode: u32,
    text: String,
}

fn tree(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let text = if metadata.is_dir() {
                open.push(path.clone());
                String::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                fs::read_to_string(&path).unwrap()
            };
            let mode = metadata.permissions().mode();
            let name = path.strip_prefix(root).unwrap().to_owned();
            found.insert(name, Entry { mode, text });
        }
    }
    found
}
