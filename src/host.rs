//! The outside world, each part behind an address.
//!
//! Nothing here decides anything. The addresses (config root, runtime directory, bus, socket) are
//! values of [`Host`], so a test points them elsewhere instead of replacing code.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::error::{Error, Exit, Result};
use crate::facts::short;

pub mod engine;
pub mod image;
pub mod log;
pub mod netlink;
pub mod netns;
pub mod process;
pub mod rootlesskit;
pub mod systemd;

/// Where the parts of one user's rootless Docker are found.
#[derive(Debug, Clone)]
pub struct Host {
    /// `$HOME`
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`, else `~/.config`
    pub config: PathBuf,
    /// `$XDG_STATE_HOME`, else `~/.local/state`
    pub state: PathBuf,
    /// `$XDG_RUNTIME_DIR`, else `/run/user/UID`
    pub runtime: PathBuf,
    /// D-Bus address of the user's bus.
    pub bus: String,
    /// The Engine's socket.
    pub socket: PathBuf,
    /// What decides where `docker` leads.
    pub docker: DockerChoice,
    /// Where the kernel tells of itself, `/proc`.
    pub proc: PathBuf,
    /// The PATH of this process, where the unit names none.
    pub path: OsString,
    /// The name of dockerd's unit.
    pub unit: String,
}

impl Host {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// Exit 2 when run as root or without a usable HOME.
    pub fn from_environment(unit: &str) -> Result<Self> {
        let uid = Uid::effective();
        if uid.is_root() {
            return Err(Error::new(
                Exit::Usage,
                "rootless6 configures the rootless Docker of an ordinary user, and this is root",
            )
            .hint("run it as that user, in a login session of theirs: `machinectl shell USER@`"));
        }
        check_unit_name(unit)?;
        let home = home()?;
        let runtime = absolute("XDG_RUNTIME_DIR")
            .unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
        Ok(Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            state: absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")),
            bus: bus_address(&runtime),
            socket: runtime.join("docker.sock"),
            docker: DockerChoice::from_environment(&home),
            proc: PathBuf::from("/proc"),
            path: env::var_os("PATH").unwrap_or_default(),
            unit: unit.to_owned(),
            runtime,
            home,
        })
    }

    /// Where the user's drop-ins for the unit are.
    pub fn drop_in_directory(&self) -> PathBuf {
        self.config
            .join("systemd/user")
            .join(format!("{}.d", self.unit))
    }

    /// A path with the home directory shortened to `~`, for people.
    pub fn short(&self, path: &Path) -> String {
        short(path, &self.home)
    }
}

/// What docker's own command looks at to find its Engine.
#[derive(Debug, Clone, Default)]
pub struct DockerChoice {
    /// `$DOCKER_HOST`, if it is not empty.
    pub host: Option<String>,
    /// `$DOCKER_CONTEXT`, if it is not empty.
    pub context: Option<String>,
    /// `$DOCKER_CONFIG`, else `~/.docker`
    pub config: PathBuf,
}

impl DockerChoice {
    fn from_environment(home: &Path) -> Self {
        let variable = |name| {
            let value = env::var_os(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        Self {
            host: variable("DOCKER_HOST"),
            context: variable("DOCKER_CONTEXT"),
            config: variable("DOCKER_CONFIG").map_or_else(|| home.join(".docker"), PathBuf::from),
        }
    }
}

fn home() -> Result<PathBuf> {
    let home = env::var_os("HOME").unwrap_or_default();
    if home.is_empty() || !Path::new(&home).is_absolute() || home.as_bytes().contains(&b'\n') {
        return Err(
            Error::new(Exit::Usage, "HOME is not set to an absolute path")
                .hint("run it in a login session, or `HOME=/home/USER rootless6 …`"),
        );
    }
    Ok(home.into())
}

/// The XDG specification says that a relative path is to be ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

fn bus_address(runtime: &Path) -> String {
    env::var("DBUS_SESSION_BUS_ADDRESS")
        .ok()
        .filter(|address| !address.is_empty())
        .unwrap_or_else(|| format!("unix:path={}", runtime.join("bus").display()))
}

fn check_unit_name(unit: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let stem = unit.strip_suffix(".service").unwrap_or_default();
    let bare = stem.is_empty() || stem.starts_with('@') || !unit.chars().all(allowed);
    let error = || Error::new(Exit::Usage, format!("not the name of a service: {unit:?}"));
    if bare {
        return Err(error().hint("give the whole name, such as `--unit docker.service`"));
    }
    if stem.ends_with('@') {
        return Err(error()
            .caused_by("it is a template, which nothing runs as")
            .hint(format!(
                "name an instance of it, such as `--unit {stem}INSTANCE.service`"
            )));
    }
    Ok(())
}
