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
