//! What a user's systemd knows and does, as far as rootless6 asks: one service, dockerd's, read from
//! its files at each reload, and transient timers that fire when the test says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rootless6::plan::dropin;

use super::dockerd::Dockerd;

pub(crate) const UNIT: &str = "docker.service";

/// Where everything of one user is.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) home: PathBuf,
    /// `$XDG_CONFIG_HOME`
    pub(crate) config: PathBuf,
    /// `$XDG_RUNTIME_DIR`
    pub(crate) run: PathBuf,
    /// The stand-ins for the tools.
    pub(crate) bin: PathBuf,
}

impl Places {
    pub(crate) fn units(&self) -> PathBuf {
        self.config.join("systemd/user")
    }

    pub(crate) fn daemon_json(&self) -> PathBuf {
        self.config.join("docker/daemon.json")
    }

    /// The unit's files, as systemd reads them: the fragment, then the drop-ins by name.
    fn unit_files(&self) -> Vec<(PathBuf, String)> {
        let directory = self.units().join(format!("{UNIT}.d"));
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
            .collect();
        paths.sort();
        paths.insert(0, self.units().join(UNIT));
        paths
            .into_iter()
            .filter_map(|path| Some((path.clone(), text(&path)?)))
            .collect()
    }
}

/// What a service is started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) environment: Vec<(String, String)>,
    /// None where there is none that can be read as text.
    pub(crate) daemon_json: Option<String>,
}

impl Settings {
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let mut variables = self.environment.iter();
        let (_, value) = variables.find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// A transient timer: the command and the environment of the service that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<String>,
}

/// The manager.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) places: Places,
    /// The unit's files as they were at the last reload.
    files: Vec<(PathBuf, String)>,
    pub(crate) dockerd: Option<Dockerd>,
    /// Whether its last start has failed.
    pub(crate) failed: bool,
    pub(crate) starts: u32,
    pub(crate) timers: BTreeMap<String, Timer>,
    /// Each call, in order.
    pub(crate) calls: Vec<String>,
}

impl Manager {
    pub(crate) fn new(places: Places) -> Self {
        let mut manager = Self {
            places,
            files: Vec::new(),
            dockerd: None,
            failed: false,
            starts: 0,
            timers: BTreeMap::new(),
            calls: Vec::new(),
        };
        manager.reload();
        manager
    }

    pub(crate) fn reload(&mut self) {
        self.files = self.places.unit_files();
    }

    pub(crate) fn files(&self) -> &[(PathBuf, String)] {
        &self.files
    }

    pub(crate) fn needs_reload(&self) -> bool {
        self.files != self.places.unit_files()
    }

    /// The environment that the unit would start with.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        environment(&self.files)
    }

    /// What dockerd would start with.
    fn settings(&self) -> Settings {
        Settings {
            environment: self.environment(),
            daemon_json: text(&self.places.daemon_json()),
        }
    }

    /// What dockerd would start with once systemd has read its files again.
    pub(crate) fn settings_on_disk(&self) -> Settings {
        Settings {
            environment: environment(&self.places.unit_files()),
            ..self.settings()
        }
    }

    /// Stops dockerd and starts it again; whether it has come up.
    pub(crate) fn restart(&mut self) -> bool {
        self.stop();
        self.starts += 1;
        self.dockerd = Dockerd::start(&self.places, self.settings());
        self.failed = self.dockerd.is_none();
        !self.failed
    }

    pub(crate) fn stop(&mut self) {
        self.dockerd = None;
        self.failed = false;
    }

    pub(crate) fn active_state(&self) -> &'static str {
        match (&self.dockerd, self.failed) {
            (Some(_), _) => "active",
            (None, true) => "failed",
            (None, false) => "inactive",
        }
    }
}

/// What a file says; a FIFO would keep its reader for ever.
fn text(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    fs::read_to_string(path).ok()
}

fn environment(files: &[(PathBuf, String)]) -> Vec<(String, String)> {
    let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    dropin::environment(&texts)
        .variables
        .into_iter()
        .map(|variable| (variable.name, variable.value))
        .collect()
}
