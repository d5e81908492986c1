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
use crate::hostile::plain;

pub mod engine;
pub mod image;
pub mod netlink;
pub mod netns;
pub mod process;
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
    /// Where `DOCKER_HOST` leads instead, if that is no socket of this machine.
    pub elsewhere: Option<String>,
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
            return Err(called_by_root());
        }
        check_unit_name(unit)?;
        let home = home()?;
        let runtime = absolute("XDG_RUNTIME_DIR")
            .unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
        let (socket, elsewhere) = engine_socket(&runtime);
        Ok(Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            state: absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")),
            bus: bus_address(&runtime),
            socket,
            elsewhere,
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

fn called_by_root() -> Error {
    let error = Error::new(
        Exit::Usage,
        "rootless6 configures the rootless Docker of an ordinary user, and this is root",
    );
    match env::var("SUDO_USER") {
        Ok(user) if user != "root" => error
            .hint("leave out `sudo`: rootless6 needs no root")
            .hint(format!(
                "or become that user first: `sudo rootless6 --user {} …`",
                plain(&user)
            )),
        _ => {
            error.hint("say whose Docker it is: `rootless6 --user NAME …` becomes that user first")
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

/// The socket, and where `DOCKER_HOST` leads if that is none.
fn engine_socket(runtime: &Path) -> (PathBuf, Option<String>) {
    let own = runtime.join("docker.sock");
    match env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        None => (own, None),
        Some(address) => match address.strip_prefix("unix://") {
            Some(path) => (path.into(), None),
            None => (own, Some(address)),
        },
    }
}

fn check_unit_name(unit: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if unit.ends_with(".service") && unit.chars().all(allowed) {
        return Ok(());
    }
    Err(
        Error::new(Exit::Usage, format!("not the name of a service: {unit:?}"))
            .hint("give the whole name, such as `--unit docker.service`"),
    )
}
