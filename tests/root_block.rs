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

use rootless6::diagnose::{Code, diagnose, for_root};
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
        for line in block.lines().filter(|line| !line.starts_with('#')) {
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
        "pasta-denied-by-apparmor",
    ] {
        assert!(all.contains(code), "{code}:\n{all}");
    }
}

/// With a folder in the place of the root directory, and commands that touch the kernel or fetch
/// packages left out.
#[test]
fn to_run_a_block_once_more_changes_nothing() {
    for (name, block) in blocks() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["sysctl.d", "modules-load.d", "tmpfiles.d", "apparmor.d"] {
            fs::create_dir_all(root.path().join("etc").join(directory)).unwrap();
        }
        stub_programs(&root.path().join("bin"));
        put(root.path(), "etc/subuid", "bob:100000:65536");
        put(
            root.path(),
            "etc/wsl.conf",
            "[boot]\ncommand=true\n[user]\n systemd = false",
        );
        let root_name = root.path().to_str().unwrap();
        let script = block
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let line = line.replace("/etc/", &format!("{root_name}/etc/"));
                line.replace("/dev/net", &format!("{root_name}/dev/net"))
            })
            .collect::<Vec<_>>()
            .join("\n");
        let script = format!("PATH={root_name}/bin:$PATH\n{script}\n");
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

/// What a block runs that is not for files below /etc.
const STUBS: [&str; 15] = [
    "apt-get",
    "dnf",
    "zypper",
    "pacman",
    "apk",
    "sysctl",
    "modprobe",
    "semanage",
    "mknod",
    "chown",
    "chmod",
    "loginctl",
    "systemctl",
    "apparmor_parser",
    "update-alternatives",
];

fn stub_programs(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for name in STUBS {
        put(directory, name, "#!/bin/sh\n");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.join(name), executable).unwrap();
    }
}

/// By the system's name; those without a line are left out.
fn blocks() -> BTreeMap<String, String> {
    let cases = fs::read_dir("tests/facts").unwrap();
    let blocks = cases.map(|entry| {
        let path: PathBuf = entry.unwrap().path();
        let facts: Facts = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let lines = for_root(&diagnose(&facts));
        (name, lines.join("\n"))
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
