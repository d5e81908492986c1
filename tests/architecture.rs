//! The pure modules stay pure: what they name is looked for in their text.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Files below `src`; a folder stands for all files in it.
const PURE: &[&str] = &[
    "capability.rs",
    "diagnose.rs",
    "diagnose",
    "facts.rs",
    "facts",
    "ping.rs",
    "inspect/netns/tables.rs",
    "plan.rs",
    "plan",
    "request.rs",
    "rehearse/blame.rs",
    "rehearse/judge.rs",
    "report.rs",
    "report",
    "verify/judge.rs",
    "verify/judge",
    "verify/verification.rs",
    "probe/packet.rs",
    "probe/drive.rs",
    "probe/ledger.rs",
    "probe/ledger",
    "probe/loss.rs",
    "probe/ping/session.rs",
    "probe/session.rs",
    "probe/icmp_error.rs",
    "probe/report.rs",
    "probe/link.rs",
    "probe/dns/message.rs",
    "probe/dns/name.rs",
    "probe/dns/resolv_conf.rs",
    "probe/pmtu/echoes.rs",
    "probe/pmtu/search.rs",
];

/// Ways out of the program, and clocks.
const OUTSIDE: &[&str] = &[
    "crate::host",
    "crate::inspect",
    "crate::apply",
    "crate::commands",
    "crate::wizard",
    "std::fs",
    "std::env",
    "std::io::stdin",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process::Command",
    "Instant::now",
    "SystemTime::now",
    "nix",
    "zbus",
    "tokio",
    "bollard",
    "rtnetlink",
];

/// File, what it names all the same, and why that is no way out.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "report/human.rs",
        "crate::apply",
        "`apply::Restored` is a plain value that is rendered here",
    ),
    (
        "report/human/generations.rs",
        "crate::apply",
        "so is the journal's `State`",
    ),
];

#[test]
fn pure_modules_name_no_file_no_environment_no_socket_and_no_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in PURE.iter().flat_map(|name| rust_files(&source.join(name))) {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap();
        let code = without_tests_and_comments(&fs::read_to_string(&path).unwrap());
        found.extend(
            OUTSIDE
                .iter()
                .filter(|outside| names(&code, outside))
                .map(|outside| (name.to_owned(), *outside)),
        );
        assert!(
            !code.contains("crate::{"),
            "{name}: one module a line, or this test does not see it"
        );
    }
    let excepted: Vec<_> = EXCEPTIONS
        .iter()
        .map(|(name, outside, _)| ((*name).to_owned(), *outside))
        .collect();
    let broken: Vec<_> = found
        .iter()
        .filter(|pair| !excepted.contains(pair))
        .collect();
    assert!(broken.is_empty(), "not pure any more: {broken:?}");
    let idle: Vec<_> = excepted
        .iter()
        .filter(|pair| !found.contains(pair))
        .collect();
    assert!(idle.is_empty(), "exceptions that nobody needs: {idle:?}");
}

#[test]
fn this_test_sees_what_it_looks_for() {
    let code = without_tests_and_comments(
        "use crate::hostile::plain; // std::fs\nuse std::io;\n#[cfg(test)]\nmod tests;\n\
         fn unix(uni: x) {}\nuse std::env;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
    );
    assert!(names(&code, "std::env"));
    for absent in ["crate::host", "std::fs", "nix"] {
        assert!(!names(&code, absent), "{absent}");
    }
    assert!(names("use nix::errno::Errno;", "nix"));
    assert!(names("use crate::host;", "crate::host"));
}

/// All files of a file or folder, but those that hold only tests.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        assert!(path.exists(), "{} has gone", path.display());
        return vec![path.to_owned()];
    }
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .flat_map(|entry| rust_files(&entry.unwrap().path()))
        .filter(|file| !file.ends_with("tests.rs"))
        .collect();
    files.sort();
    files
}

/// Tests come last in a file, or in one of their own.
fn without_tests_and_comments(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let test = line.trim() == "#[cfg(test)]";
        if test
            && lines
                .peek()
                .is_some_and(|next| next.trim_end().ends_with('{'))
        {
            break;
        }
        if test {
            lines.next();
            continue;
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

/// Whether a path is named as a whole, and a crate at the beginning of one.
fn names(code: &str, path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(path).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + path.len()..]);
        let crate_name = !path.contains(':');
        !before.ends_with(|c| is_word(c) || (crate_name && c == ':'))
            && !after.starts_with(is_word)
            && (!crate_name || after.starts_with("::"))
    })
}
