//! The user's unit that runs dockerd.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EnvironmentFile, Seen};

/// A systemd service of the user, as the manager describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unit {
    /// `docker.service`
    pub name: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting` …
    pub load_state: String,
    /// Why systemd could not load it, in its words; empty when it could.
    pub load_error: String,
    /// Whether it starts with the user's systemd: `enabled`, `disabled`, `static` …
    pub unit_file_state: String,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active_state: String,
    /// `running`, `dead`, `auto-restart` …
    pub sub_state: String,
    /// `success`, `exit-code`, `start-limit-hit` …
    pub result: String,
    /// The unit file.
    pub fragment: Option<PathBuf>,
    /// The drop-ins in the order in which systemd applies them.
    pub drop_ins: Vec<PathBuf>,
    /// The texts of fragment and drop-ins, in that order, ours included.
    pub files: Vec<UnitFile>,
    /// Those of them that are symbolic links.
    pub links: Vec<PathBuf>,
    /// Files on disk differ from what the manager has read.
    pub needs_reload: bool,
    /// Files that were changed since, looked for only where `needs_reload` is set.
    pub newer_files: Vec<PathBuf>,
    /// The merged `Environment=` of fragment and drop-ins, as the manager sees it.
    pub environment: Vec<(String, String)>,
    /// The user manager's own environment, which is weaker than `Environment=`.
    pub manager_environment: Vec<(String, String)>,
    /// `EnvironmentFile=`, which beats `Environment=`; a later file beats an earlier one.
    pub environment_files: Vec<EnvironmentFile>,
    /// `UnsetEnvironment=`, which beats all of them: a name, or a whole assignment.
    pub unset: Vec<String>,
    /// The command line of `ExecStart=`.
    pub exec_start: Vec<String>,
    /// The process that systemd supervises; 0 when none runs.
    pub main_pid: u32,
    /// 32 hexadecimal digits, new for every start; empty when it never ran.
    pub invocation_id: String,
    /// Automatic restarts since the last start by hand.
    pub restarts: u32,
    /// What it said last, where it does not run though it should.
    pub last_words: Vec<String>,
    /// Seconds that a command of a start may take (`TimeoutStartSec=`); none where systemd waits
    /// for ever.
    pub start_timeout: Option<u64>,
}

impl Unit {
    /// Whether there is a unit file that systemd accepts.
    pub fn is_loaded(&self) -> bool {
        self.load_state == "loaded"
    }

    /// Whether the service runs and is not merely between two crashes.
    pub fn is_active(&self) -> bool {
        self.active_state == "active" && self.sub_state != "auto-restart"
    }

    /// Whether it crashed so often that systemd starts it no more. `Result=` keeps the crash itself
    /// on some systems (257) and names the limit on others (252, 262). A unit that has been restarted
    /// is `failed` only then: until the limit it is `activating`, and one that is stopped `inactive`.
    pub fn is_given_up(&self) -> bool {
        let crashed = ["exit-code", "signal", "core-dump"].contains(&self.result.as_str());
        self.result == "start-limit-hit"
            || (self.active_state == "failed" && crashed && self.restarts > 0)
    }

    /// Whether it starts at boot, or with whatever else wants it.
    pub fn is_enabled(&self) -> bool {
        let only_now = ["disabled", "linked", "linked-runtime", "enabled-runtime"];
        !only_now.contains(&self.unit_file_state.as_str())
    }

    /// The files that systemd has not read as they are now, and how they differ, as far as that
    /// shows.
    pub fn not_read(&self) -> Vec<(&Path, &'static str)> {
        let is_known =
            |path: &PathBuf| self.drop_ins.contains(path) || self.fragment.as_ref() == Some(path);
        let is_there = |path: &PathBuf| self.files.iter().any(|file| file.path == *path);
        // An empty file stands for nothing.
        let on_disk = self.files.iter().filter(|file| !file.text.is_empty());
        let on_disk = on_disk.map(|file| &file.path);
        let new = on_disk.clone().filter(|path| !is_known(path));
        let gone = self.drop_ins.iter().filter(|path| !is_there(path));
        let edited = on_disk.filter(|path| is_known(path) && self.newer_files.contains(path));
        let new = new.map(|path| (path.as_path(), "is new"));
        let gone = gone.map(|path| (path.as_path(), "is gone"));
        let edited = edited.map(|path| (path.as_path(), "was edited"));
        new.chain(gone).chain(edited).collect()
    }

    /// A variable of the unit's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A unit file or drop-in and what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text, with [`NO_UTF8`](crate::plan::dropin::NO_UTF8) for anything that is not UTF-8.
    pub text: String,
}

impl Seen<Unit> {
    /// Whether there is a unit that systemd accepts, if that is known.
    pub fn is_loaded(&self) -> Option<bool> {
        match self {
            Seen::Is(unit) => Some(unit.is_loaded()),
            Seen::Absent => Some(false),
            Seen::Unknown(_) => None,
        }
    }
}
