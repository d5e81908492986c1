//! install.sh, with a program that is ready-made: what it places, and that it takes away just that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rootless6");

const PLACED: [&str; 6] = [
    "bin/rootless6",
    "share/bash-completion/completions/rootless6",
    "share/fish/vendor_completions.d/rootless6.fish",
    "share/man/man1/rootless6.1",
    "share/rootless6/installed",
    "share/zsh/site-functions/_rootless6",
];

#[test]
fn uninstall_leaves_the_tree_as_it_was_before_install() {
    let home = home_with_a_stranger();
    let before = tree(home.path());
    install(home.path(), &["--binary", PROGRAM]).success();
    install(home.path(), &["--binary", PROGRAM]).success();
    for file in PLACED {
        assert!(prefix(home.path()).join(file).is_file(), "{file}");
    }
    let installed = prefix(home.path()).join("bin/rootless6");
    Command::new(installed).arg("--version").assert().success();
    install(home.path(), &["--uninstall"]).success();
    assert_eq!(tree(home.path()), before);
}

#[test]
fn uninstall_stops_while_a_drop_in_starts_the_program() {
    let home = home_with_a_stranger();
    install(home.path(), &["--binary", PROGRAM]).success();
    let drop_ins = home.path().join(".config/systemd/user/docker.service.d");
    fs::create_dir_all(&drop_ins).unwrap();
    let program = prefix(home.path()).join("bin/rootless6");
    let text = format!(
        "[Service]\nExecStartPost=-\"{}\" uplink\n",
        program.display()
    );
    fs::File::create_new(drop_ins.join("zz-rootless6.conf"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .unwrap();
    let refusal = install(home.path(), &["--uninstall"]).failure().code(1);
    let said = String::from_utf8_lossy(&refusal.get_output().stderr).into_owned();
    assert!(said.contains("rootless6 undo"), "{said}");
    assert!(program.is_file());
    install(home.path(), &["--uninstall", "--force"]).success();
    assert!(!program.exists());
}

#[test]
fn what_is_not_rootless6_is_not_installed() {
    let home = home_with_a_stranger();
    let before = tree(home.path());
    install(home.path(), &["--binary", "/bin/echo"])
        .failure()
        .code(1);
    assert_eq!(tree(home.path()), before);
}

#[test]
fn an_option_that_install_does_not_know_is_a_usage_error() {
    let home = home_with_a_stranger();
    install(home.path(), &["--frobnicate"]).failure().code(2);
}

/// Below a prefix, since the tests may run as root.
fn install(home: &Path, arguments: &[&str]) -> Assert {
    Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"))
        .args(arguments)
        .arg("--prefix")
        .arg(prefix(home))
        .env_remove("XDG_CONFIG_HOME")
        .env("HOME", home)
        .assert()
}

/// With a blank in it, as home directories have.
fn prefix(home: &Path) -> std::path::PathBuf {
    home.join("the prefix")
}

#[track_caller]
fn home_with_a_stranger() -> tempfile::TempDir {
    let made = tempfile::tempdir().and_then(|home| {
        let pages = prefix(home.path()).join("share/man/man1");
        fs::create_dir_all(&pages)?;
        fs::File::create(pages.join("stranger.1"))?;
        Ok(home)
    });
    match made {
        Ok(home) => home,
        Err(error) => panic!("make a home: {error}"),
    }
}

/// Every path with its mode, sorted.
fn tree(directory: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let mode = entry.metadata().map_or(0, |meta| meta.permissions().mode());
        paths.push(format!("{mode:o} {}", entry.path().display()));
        if entry.path().is_dir() {
            paths.extend(tree(&entry.path()));
        }
    }
    paths.sort();
    paths
}
