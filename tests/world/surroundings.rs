//! Odd homes, masks and limits: all goes well as anywhere, or is refused before anything is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::setting::{SETUP, Setting, UNDO, program, ran};

#[test]
fn a_home_of_any_name_is_set_up_and_back_again_or_left_alone() {
    let names: &[&[u8]] = &[
        b"with blanks in it",
        b"quo'te\"s",
        b"dollar $HOME percent %h",
        b"back\\slash",
        "\u{fc}ml\u{e4}ut \u{2764}".as_bytes(),
        b"new\nline",
        b"not-utf-8-\xff",
    ];
    let usual = Setting::set_up().runs_with();
    let mut worked = 0;
    for name in names {
        let context = name.escape_ascii().to_string();
        let setting = Setting::with_home(OsStr::from_bytes(name));
        let ran = setting.runs(SETUP);
        match ran.status {
            Some(0) => {
                setting.is_whole(&[&setting.tree()], &context);
                assert_eq!(setting.runs_with(), usual, "{context}");
                worked += 1;
                setting.runs_well(UNDO);
            }
            Some(2 | 3) => assert!(ran.said.contains("error: "), "{context}: {}", ran.said),
            _ => panic!("{context}: {}", ran.said),
        }
        setting.is_whole(&[setting.beginning()], &context);
    }
    assert!(worked > 3, "it works in {worked} of them only");
}

#[test]
fn without_a_home_nothing_is_written() {
    let setting = Setting::new();
    for home in [None, Some(""), Some("home"), Some("./home"), Some("~")] {
        let mut command = setting.command(SETUP);
        command.current_dir(setting.places.home.parent().unwrap());
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let ran = ran(&mut command);
        assert_eq!(ran.status, Some(2), "{home:?}: {}", ran.said);
        assert!(ran.said.contains("HOME"), "{}", ran.said);
        setting.is_whole(&[setting.beginning()], "without a home");
    }
}

/// Runs the program from a shell that has done this first.
fn runs_after(setting: &Setting, first: &str, arguments: &[&str]) -> super::setting::Ran {
    let script = format!("{first}; exec \"$0\" \"$@\"");
    let program = program().display().to_string();
    let words: Vec<&str> = ["-c", &script, &program]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    ran(&mut setting.command_of(Path::new("/bin/sh"), &words))
}

#[test]
fn the_umask_and_few_descriptors_change_nothing() {
    let usual = Setting::new();
    usual.runs_well(SETUP);
    for first in ["umask 0", "umask 0777", "umask 0077", "ulimit -n 16"] {
        let setting = Setting::new();
        let ran = runs_after(&setting, first, SETUP);
        assert_eq!(ran.status, Some(0), "{first}: {}", ran.said);
        setting.is_whole(&[&usual.tree()], first);
        let state = std::fs::metadata(setting.state()).unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&state.permissions()) & 0o777,
            0o700,
            "{first}"
        );
        let ran = runs_after(&setting, first, UNDO);
        assert_eq!(ran.status, Some(0), "{first}: {}", ran.said);
        setting.is_whole(&[setting.beginning()], first);
    }
}
