#![expect(clippy::disallowed_methods, reason = "a test may write files plainly")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::host::DockerChoice;
use crate::plan::FileChange;

/// A home with a directory for configuration.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".config")).unwrap();
        Self { directory }
    }

    pub(crate) fn host(&self) -> Host {
        let home = self.directory.path().to_owned();
        Host {
            config: home.join(".config"),
            state: home.join(".local/state"),
            runtime: home.join("run"),
            bus: Vec::new(),
            socket: home.join("run/docker.sock"),
            docker: DockerChoice::default(),
            proc: "/proc".into(),
            path: Default::default(),
            unit: "docker.service".to_owned(),
            home,
        }
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(&self.host()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(".config").join(name)
    }
}

fn change(path: &Path, before: Option<&str>) -> FileChange {
    FileChange {
        path: path.to_owned(),
        target: None,
        before: before.map(str::to_owned),
        after: "new".to_owned(),
    }
}

#[test]
fn what_was_edited_since_is_left_alone() {
    let home = Home::new();
    let journal = home.journal();
    let (ours, theirs) = (home.path("a/b/ours"), home.path("theirs"));
    fs::write(&theirs, "old").unwrap();
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.write(&journal, &change(&ours, None)).unwrap();
    entry
        .write(&journal, &change(&theirs, Some("old")))
        .unwrap();
    entry.mark(&journal, State::Applied).unwrap();
    fs::write(&theirs, "edited").unwrap();
    let mut again = journal.standing().unwrap().unwrap();
    assert_eq!(again, entry);
    let restored = again.restore();
    assert_eq!(restored.restored, [ours]);
    assert_eq!(restored.skipped.len(), 1);
    let edit = restored.skipped[0].edit.as_ref().unwrap();
    assert!(edit.unified().contains("-new\n"), "{}", edit.unified());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "edited");
    assert!(!home.path("a").exists());
    again.mark(&journal, State::Undone).unwrap();
    assert_eq!(journal.standing().unwrap(), None);
}

#[test]
fn each_unit_has_a_newest_generation_of_its_own() {
    let home = Home::new();
    let journal = home.journal();
    for unit in ["docker.service", "other.service"] {
        journal.begin(unit, Was::Answering).unwrap();
    }
    let of = |unit| journal.standing_of(unit).unwrap();
    let generation = |entry: Option<Entry>| entry.map(|entry| entry.generation);
    assert_eq!(generation(journal.standing().unwrap()), Some(2));
    assert_eq!(generation(of("other.service")), Some(2));
    assert_eq!(generation(of("docker.service")), Some(1));
    assert_eq!(generation(of("third.service")), None);
}

#[test]
fn an_edit_between_plan_and_write_is_not_overwritten() {
    let home = Home::new();
    let journal = home.journal();
    let path = home.path("file");
    fs::write(&path, "edited").unwrap();
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    for before in [None, Some("old")] {
        entry.write(&journal, &change(&path, before)).unwrap_err();
    }
    assert!(entry.is_empty());
    assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
}

#[test]
fn a_second_run_is_told_which_other_is_at_work() {
    let home = Home::new();
    assert_eq!(holder(&home.host()).unwrap(), None);
    let first = home.journal();
    let error = Journal::open(&home.host()).unwrap_err();
    assert_eq!(error.exit, Exit::Busy);
    let pid = std::process::id();
    assert!(
        error.causes[0].contains(&format!("process {pid}, ")),
        "{error}"
    );
    assert_eq!(holder(&home.host()).unwrap().unwrap().pid, pid);
    drop(first);
    assert_eq!(holder(&home.host()).unwrap(), None);
    home.journal();
}

/// Everything below a directory but the journal: names, and bytes or where a link leads.
fn tree(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let kind = fs::symlink_metadata(&path).unwrap();
        let said = if kind.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
            "a directory".to_owned()
        } else if kind.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else if kind.is_file() {
            fs::read_to_string(&path).unwrap()
        } else {
            "something else".to_owned()
        };
        found.push((path, said));
    }
    found.retain(|(path, _)| !path.starts_with(directory.join(".local")));
    found.sort();
    found
}

/// What a kill may leave of a file, and of its two temporary files, and what must be there once it
/// is put back. `old` was there before, `new` is ours, `edit` is somebody's.
#[test]
fn wherever_a_run_was_killed_the_old_file_comes_back_and_no_edit_is_lost() {
    // Before, then: the file, `.new`, `.old`; then the file that comes back.
    type Text = Option<&'static str>;
    let cases: &[(Text, [Text; 3], Text)] = &[
        // On the way there.
        (Some("old"), [Some("old"), None, None], Some("old")),
        (Some("old"), [Some("old"), Some(""), None], Some("old")),
        (Some("old"), [Some("old"), Some("ne"), None], Some("old")),
        (Some("old"), [Some("old"), Some("new"), None], Some("old")),
        (Some("old"), [Some("new"), Some("old"), None], Some("old")),
        (Some("old"), [Some("new"), None, None], Some("old")),
        (None, [None, Some("ne"), None], None),
        (None, [Some("new"), None, None], None),
        // Somebody's edit came out of the swap.
        (Some("old"), [Some("new"), Some("edit"), None], Some("edit")),
        (Some("old"), [Some("new"), Some("ne"), None], Some("ne")),
        // Or came before it.
        (Some("old"), [Some("edit"), Some("new"), None], Some("edit")),
        (None, [Some("edit"), Some("new"), None], Some("edit")),
        // On the way back.
        (Some("old"), [Some("new"), None, Some("ol")], Some("old")),
        (Some("old"), [Some("new"), None, Some("old")], Some("old")),
        (Some("old"), [Some("old"), None, Some("new")], Some("old")),
        (Some("old"), [Some("old"), None, Some("edit")], Some("edit")),
        (None, [None, None, Some("new")], None),
        (None, [None, None, Some("edit")], Some("edit")),
    ];
    for (before, [now, on_its_way, back], expected) in cases {
        let home = Home::new();
        let journal = home.journal();
        let path = home.path("file");
        let put = |path: &Path, text: &Option<&str>| match text {
            Some(text) => fs::write(path, text).unwrap(),
            None => _ = fs::remove_file(path),
        };
        put(&path, before);
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        entry.write(&journal, &change(&path, *before)).unwrap();
        let temporary = |way| path.with_file_name(entry.changes[0].temporary(way));
        put(&path, now);
        put(&temporary("new"), on_its_way);
        put(&temporary("old"), back);
        // The timer may be killed, too, and fire again.
        for _ in 0..2 {
            let found = journal.standing().unwrap().unwrap();
            let restored = found.restore();
            assert_eq!(restored.failed, [], "{before:?} {now:?}");
            let edited = *expected != *before;
            assert_eq!(
                restored.skipped.len(),
                usize::from(edited),
                "{before:?} {now:?}"
            );
        }
        let there = fs::read_to_string(&path).ok();
        let case = format!("{before:?} {now:?} {on_its_way:?} {back:?}");
        assert_eq!(there.as_deref(), *expected, "{case}");
        let files = fs::read_dir(home.path("")).unwrap().count();
        assert_eq!(files, usize::from(expected.is_some()), "{case}");
    }
}

#[test]
fn two_edits_at_once_are_both_kept() {
    let home = Home::new();
    let journal = home.journal();
    let path = home.path("file");
    fs::write(&path, "old").unwrap();
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.write(&journal, &change(&path, Some("old"))).unwrap();
    let temporary = path.with_file_name(entry.changes[0].temporary("new"));
    fs::write(&path, "second edit").unwrap();
    fs::write(&temporary, "first edit").unwrap();
    let restored = entry.restore();
    let name = temporary
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(restored.skipped[0].why.contains(&name), "{restored:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "second edit");
    assert_eq!(fs::read_to_string(&temporary).unwrap(), "first edit");
}

#[test]
fn a_file_comes_back_with_bytes_mode_time_and_owner() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::XattrFlags;

    let home = Home::new();
    let journal = home.journal();
    let path = home.path("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    // Not every file system has them; then neither file has any.
    let _ = rustix::fs::setxattr(&path, "user.origin", b"theirs", XattrFlags::empty());
    let origin = || {
        let mut value = [0; 16];
        let length = rustix::fs::getxattr(&path, "user.origin", &mut value[..]);
        length.map(|length| value[..length].to_vec())
    };
    let theirs = origin();
    let tree = Tree::of(&home.host());
    let look = || tree.place(&path).unwrap().unwrap().look().unwrap();
    let before = look();
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.write(&journal, &change(&path, Some("old"))).unwrap();
    assert!(look().is(b"new"));
    assert_eq!(look().mode(), Some(0o640));
    assert_eq!(origin(), theirs);
    assert_eq!(entry.restore().restored, std::slice::from_ref(&path));
    assert_eq!(look(), before);
    assert_eq!(origin(), theirs);
}

#[test]
fn nothing_is_written_through_links_or_where_others_may_write() {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    type Make = fn(&Path);
    let cases: &[(&str, Make, &str)] = &[
        (
            "a symlink",
            |at| symlink("../theirs", at.join("file")).unwrap(),
            "a symlink to ../theirs",
        ),
        (
            "a hard link",
            |at| fs::hard_link(at.join("../theirs"), at.join("file")).unwrap(),
            "hard link",
        ),
        (
            "a FIFO",
            |at| mkfifo(&at.join("file"), Mode::S_IRWXU).unwrap(),
            "a FIFO",
        ),
        (
            "a directory",
            |at| fs::create_dir(at.join("file")).unwrap(),
            "a directory",
        ),
        (
            "a socket",
            |at| {
                std::os::unix::net::UnixListener::bind(at.join("file")).unwrap();
            },
            "a socket",
        ),
        (
            "a directory of everybody's",
            |at| {
                fs::set_permissions(at, Permissions::from_mode(0o777)).unwrap();
            },
            "other users",
        ),
        (
            "a linked directory",
            |at| {
                fs::rename(at, at.with_file_name("elsewhere")).unwrap();
                symlink("elsewhere", at).unwrap();
            },
            "a symlink to elsewhere",
        ),
        (
            "a linked directory that is missing",
            |at| {
                fs::remove_dir(at).unwrap();
                symlink("elsewhere", at).unwrap();
            },
            "a symlink to elsewhere",
        ),
    ];
    for (what, make, why) in cases {
        let home = Home::new();
        let journal = home.journal();
        fs::write(home.path("../theirs"), "old").unwrap();
        make(&home.path("").components().collect::<PathBuf>());
        let before = tree(home.directory.path());
        let path = home.path("file");
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        for text in [None, Some("old")] {
            let error = entry.write(&journal, &change(&path, text)).unwrap_err();
            assert!(error.to_string().contains(why), "{what}: {error}");
            assert!(!error.hints.is_empty(), "{what}");
        }
        assert!(entry.is_empty());
        assert_eq!(tree(home.directory.path()), before, "{what}");
    }
}

#[test]
fn a_device_is_refused_as_such() {
    let home = Home::new();
    let refusal = Tree::of(&home.host()).refusal(Path::new("/dev/null"));
    assert_eq!(refusal.unwrap().why.to_string(), "it is a device");
}

#[test]
fn what_takes_the_place_of_our_file_is_not_written_through_by_an_undo() {
    let home = Home::new();
    let journal = home.journal();
    let (path, theirs) = (home.path("a/file"), home.path("../theirs"));
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.write(&journal, &change(&path, None)).unwrap();
    fs::rename(home.path("a"), &theirs).unwrap();
    std::os::unix::fs::symlink(&theirs, home.path("a")).unwrap();
    let before = tree(home.directory.path());
    let restored = entry.restore();
    assert_eq!(restored.skipped.len(), 1, "{restored:?}");
    assert_eq!(entry.edited_since().unwrap(), [path]);
    assert_eq!(tree(home.directory.path()), before);
}

#[test]
fn a_symlink_that_is_to_be_followed_stays_and_its_target_comes_back() {
    let home = Home::new();
    let journal = home.journal();
    let link = home.path("daemon.json");
    let dotfiles = home.directory.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    fs::write(dotfiles.join("docker.json"), "old").unwrap();
    let target = fs::canonicalize(dotfiles.join("docker.json")).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let host = home.host();
    let found = Tree::of(&host).leads_to(&link);
    assert_eq!(found.as_ref(), Some(&target));
    let before = tree(home.directory.path());
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    let followed = FileChange {
        target: found,
        ..change(&link, Some("old"))
    };
    entry.write(&journal, &followed).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    let again = journal.standing().unwrap().unwrap();
    assert_eq!(again.restore().restored, std::slice::from_ref(&target));
    assert_eq!(tree(home.directory.path()), before);
    // A link that leads elsewhere by now makes the entry a claim about somebody's file.
    fs::remove_file(&link).unwrap();
    let error = journal.standing().unwrap_err();
    assert!(error.to_string().contains("does not lead there"), "{error}");
}

/// A before-image that would lend its owner's rights.
const SETUID: &str =
    r#"{"file": {"mode": 2541, "modified": [1, 0], "content": {"text": "theirs"}}}"#;

/// A whole entry, with words of it replaced.
fn entry_saying(home: &Home, words: &[(&str, &str)]) -> String {
    let path = home.path("file");
    let home = home.directory.path().display();
    let mut text = format!(
        r#"{{"schema": 1, "generation": 1, "state": "applied", "unit": "docker.service",
        "changes": [{{"path": "{}", "before": "absent", "after": {{"text": "ours"}}}}],
        "made_directories": []}}"#,
        path.display()
    );
    for (from, to) in words {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to.replace("HOME", &home.to_string()));
    }
    text
}

#[test]
fn an_entry_of_the_first_schema_is_read_and_undone() {
    let home = Home::new();
    let journal = home.journal();
    fs::write(home.path("file"), "ours").unwrap();
    let first = home
        .directory
        .path()
        .join(".local/state/rootless6/0001.json");
    fs::write(first, entry_saying(&home, &[])).unwrap();
    let mut entry = journal.standing().unwrap().unwrap();
    assert_eq!(entry.restore().restored, [home.path("file")]);
    assert!(!home.path("file").exists());
    entry.mark(&journal, State::Undone).unwrap();
    assert_eq!(journal.standing().unwrap(), None);
    let file = journal.begin("docker.service", Was::Answering).unwrap();
    assert_eq!(file.generation, 2);
}

#[test]
fn an_entry_that_lies_is_named_and_never_acted_on() {
    let lies: &[(&[(&str, &str)], &str)] = &[
        (
            &[("/.config/file", "/.bashrc")],
            "not a file of your configuration",
        ),
        (
            &[("/.config/file", "/.config/../.bashrc")],
            "not a file of your configuration",
        ),
        (
            &[("/.config/file", "/.config")],
            "not a file of your configuration",
        ),
        (&[(": 1, \"state\"", ": 2, \"state\"")], "generation 2"),
        (&[("\"schema\": 1", "\"schema\": 3")], "format is 3"),
        (&[("\"schema\": 1", "\"schema\": 0")], "format is 0"),
        (
            &[(", \"state\"", ", \"with\": [1], \"state\"")],
            "generation 1, which is none before it",
        ),
        (&[("[]", "[\"HOME/.ssh\"]")], "would remove"),
        (&[("[]", "[\"HOME/.config/file\"]")], "would remove"),
        (&[("{\"text\": \"ours\"}", "{\"base64\": \"!\"}")], "decode"),
        (
            &[("\"before\"", "\"temporary\": \"../x\", \"before\"")],
            "temporary",
        ),
        (
            &[("\"before\"", "\"temporary\": \"daemon.json\", \"before\"")],
            "temporary",
        ),
        (&[("applied", "finished")], "finished"),
        (&[("\"made_directories\": []}", "")], "EOF"),
        (&[("docker", "\u{7}docker")], "control character"),
        (
            &[("docker.service", "../x.service")],
            "not the name of a service",
        ),
        (&[("\"absent\"", SETUID)], "mode 4755"),
    ];
    for (words, why) in lies {
        let home = Home::new();
        fs::write(home.path("../.bashrc"), "ours").unwrap();
        let journal = home.journal();
        let directory = home.directory.path().join(".local/state/rootless6");
        fs::write(directory.join("0001.json"), entry_saying(&home, words)).unwrap();
        let error = journal.standing().unwrap_err();
        assert_eq!(error.exit, Exit::NotApplied);
        assert!(error.to_string().contains(why), "{words:?}: {error}");
        assert!(error.to_string().contains("0001.json"), "{error}");
        assert!(
            error.hints.iter().any(|hint| hint.starts_with("`mv ")),
            "{error:?}"
        );
        // A later one counts by itself, and the list has both.
        journal.begin("docker.service", Was::Answering).unwrap();
        assert_eq!(journal.standing().unwrap().unwrap().generation, 2);
        let read = records(&home.host()).unwrap();
        let whole: Vec<_> = read.iter().map(|record| record.entry.is_ok()).collect();
        assert_eq!(whole, [false, true]);
    }
}

#[test]
fn a_journal_that_is_not_the_users_own_is_not_read() {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    let home = Home::new();
    let state = home.directory.path().join(".local/state");
    let journal = state.join("rootless6");
    fs::create_dir_all(&journal).unwrap();
    let elsewhere = home.directory.path().join("elsewhere");
    let entry = journal.join("0001.json");
    // Entries are files of their own.
    fs::write(&elsewhere, entry_saying(&home, &[])).unwrap();
    for link in [true, false] {
        match link {
            true => symlink(&elsewhere, &entry).unwrap(),
            false => fs::hard_link(&elsewhere, &entry).unwrap(),
        }
        let error = home.journal().standing().unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
        fs::remove_file(&entry).unwrap();
    }
    // What others may read is closed to them.
    fs::set_permissions(&journal, Permissions::from_mode(0o755)).unwrap();
    drop(home.journal());
    let mode = fs::metadata(&journal).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    // What others may have written to is not gone on with.
    fs::set_permissions(&journal, Permissions::from_mode(0o777)).unwrap();
    let error = Journal::open(&home.host()).unwrap_err();
    assert!(error.to_string().contains("other users"), "{error}");
    fs::set_permissions(&journal, Permissions::from_mode(0o700)).unwrap();
    // And the directory is one.
    fs::rename(&journal, elsewhere.with_extension("d")).unwrap();
    symlink(elsewhere.with_extension("d"), &journal).unwrap();
    let error = Journal::open(&home.host()).unwrap_err();
    assert!(error.to_string().contains("symlink"), "{error}");
    assert!(records(&home.host()).is_err());
    fs::remove_file(&journal).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
    let error = Journal::open(&home.host()).unwrap_err();
    assert!(error.to_string().contains("other users"), "{error}");
}

#[test]
fn a_home_of_any_name_is_written_and_read() {
    use std::os::unix::ffi::OsStringExt;

    let outer = tempfile::tempdir().unwrap();
    let name = std::ffi::OsString::from_vec(b"a b\n%$\"'\\\xff".to_vec());
    let home = outer.path().join(name);
    fs::create_dir(&home).unwrap();
    let mut host = Home::new().host();
    (host.config, host.state) = (home.join(".config"), home.join("state"));
    host.home.clone_from(&home);
    let journal = Journal::open(&host).unwrap();
    let path = home.join(".config/a/file");
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.write(&journal, &change(&path, None)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    let again = journal.standing().unwrap().unwrap();
    assert_eq!(again, journal.entries().unwrap()[0]);
    assert_eq!(again.restore().restored, [path]);
    assert!(!home.join(".config").exists());
}

#[test]
fn runs_that_record_nothing_are_in_nobodys_way() {
    let home = Home::new();
    let host = home.host();
    fs::create_dir_all(&host.state).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let opened = Journal::open(&host).map(drop);
                    let exit = opened.map_err(|error| (error.exit, error.to_string()));
                    assert!(matches!(exit, Ok(()) | Err((Exit::Busy, _))), "{exit:?}");
                }
            });
        }
    });
}

#[test]
fn nothing_is_made_below_a_directory_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let open_to_all = home.directory.path().join(".local");
    fs::create_dir(&open_to_all).unwrap();
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Journal::open(&home.host()).unwrap_err();
    assert!(
        error.to_string().contains("other users may write"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&open_to_all).unwrap().count(), 0);
}

#[test]
fn a_state_directory_that_is_a_symlink_to_nothing_is_refused() {
    let home = Home::new();
    fs::create_dir(home.directory.path().join(".local")).unwrap();
    std::os::unix::fs::symlink("/nonexistent", home.host().state).unwrap();
    let error = Journal::open(&home.host()).unwrap_err();
    assert!(error.to_string().contains("symlink"), "{error}");
}

#[test]
fn a_dockerd_that_stayed_down_is_told_until_it_is_over() {
    let home = Home::new();
    let journal = home.journal();
    journal.begin("docker.service", Was::Answering).unwrap();
    assert_eq!(down::word(&home.host()), None);
    let error = Error::new(Exit::RollbackFailed, "it is not as it was").hint("`systemctl …`");
    let word = down::Down::of("docker.service", &error);
    journal.leave_word(&word).unwrap();
    journal.leave_word(&word).unwrap();
    let told = down::word(&home.host()).unwrap();
    assert_eq!(told.to_error(), error);
    down::forget(&home.host());
    assert_eq!(down::word(&home.host()), None);
}

#[test]
fn what_a_restart_took_up_is_in_force_first_and_one_that_cannot_be_read_keeps_none_from_it() {
    let home = Home::new();
    let journal = home.journal();
    let written = |name: &str| {
        let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
        entry
            .write(&journal, &change(&home.path(name), None))
            .unwrap();
        entry.mark(&journal, State::Written).unwrap();
        entry
    };
    let written = ["a", "b"].map(written);
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    entry.take_along(&written);
    entry.mark(&journal, State::Unconfirmed).unwrap();
    let (with, missing) = journal.going_with(&entry);
    let numbers: Vec<_> = with.iter().map(|entry| entry.generation).collect();
    assert_eq!((numbers.as_slice(), missing), (&[2, 1][..], None));

    let bad = home
        .directory
        .path()
        .join(".local/state/rootless6/0001.json");
    fs::write(&bad, "").unwrap();
    let (with, missing) = journal.going_with(&entry);
    assert_eq!(with, [written[1].clone()]);
    assert!(missing.is_some());
    journal.settle(&mut entry).unwrap();
    let states: Vec<_> = look(&home.host())
        .unwrap()
        .iter()
        .map(|entry| entry.state)
        .collect();
    assert_eq!(states, [State::Applied, State::Applied]);
    // Each goes its own way from here on.
    assert_eq!(journal.going_with(&entry), (Vec::new(), None));
}

#[test]
fn what_is_not_on_disk_has_not_happened() {
    let home = Home::new();
    let journal = home.journal();
    let mut entry = journal.begin("docker.service", Was::Answering).unwrap();
    fs::remove_dir_all(home.directory.path().join(".local/state/rootless6")).unwrap();
    entry.mark(&journal, State::Applied).unwrap_err();
    assert_eq!(entry.state, State::Begun);
}
