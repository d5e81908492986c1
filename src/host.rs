//! The outside world, each part behind an address.
//!
//! Nothing here decides anything. The addresses (config root, runtime directory, bus, socket) are
//! values of [`Host`], so a test points them elsewhere instead of replacing code.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::error::{Error, Exit, Result};
use crate::facts::short;
use crate::host::systemd::Address;
use crate::hostile::plain;

pub mod engine;
mod http;
pub mod image;
pub mod log;
pub mod netlink;
pub mod netns;
pub mod probe_container;
pub mod process;
pub(crate) mod regular;
pub mod rootlesskit;
pub mod run_id;
pub mod systemd;
pub mod versions;

/// systemd's own socket, below `$XDG_RUNTIME_DIR`.
pub const PRIVATE_SOCKET: &str = "systemd/private";

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
    /// Where the user's systemd may be reached, the best way first.
    pub bus: Vec<Address>,
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
    /// A shell that `su` or `sudo -E` has made may have another user's session in its environment,
    /// or one that has ended; that counts as not set.
    ///
    /// # Errors
    /// Exit 2 when run as root or without a usable HOME.
    pub fn from_environment(unit: &str) -> Result<Self> {
        let uid = Uid::effective();
        if uid.is_root() {
            return Err(called_by_root());
        }
        check_unit_name(unit)?;
        let given = home()?;
        let home = own_home(&given, uid);
        let runtime = absolute("XDG_RUNTIME_DIR")
            .filter(|path| is_ours(path, uid))
            .unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
        let own = |variable, usual| {
            absolute(variable)
                .filter(|path| home == given || !path.starts_with(&given))
                .unwrap_or_else(|| home.join(usual))
        };
        Ok(Self {
            config: own("XDG_CONFIG_HOME", ".config"),
            state: own("XDG_STATE_HOME", ".local/state"),
            bus: addresses(&runtime, uid),
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

/// The home given, unless it is somebody else's and the user has one of their own.
fn own_home(given: &Path, uid: Uid) -> PathBuf {
    let own = || Some(User::from_uid(uid).ok()??.dir);
    is_theirs(given, uid)
        .then(own)
        .flatten()
        .unwrap_or_else(|| given.to_owned())
}

/// Whether a directory is there and belongs to the user.
fn is_ours(path: &Path, uid: Uid) -> bool {
    let ours = owner(path) == Some(uid);
    if !ours {
        tracing::info!("{} is not there, or not user {uid}'s", path.display());
    }
    ours
}

/// Whether a place belongs to another user.
fn is_theirs(path: &Path, uid: Uid) -> bool {
    let theirs = owner(path).is_some_and(|owner| owner != uid);
    if theirs {
        tracing::info!("{} is another user's", path.display());
    }
    theirs
}

/// Nobody, where it is not there or cannot even be looked at.
fn owner(path: &Path) -> Option<Uid> {
    let metadata = fs::metadata(path).ok()?;
    Some(Uid::from_raw(metadata.uid()))
}

/// The session's bus, the one that systemd itself starts, and systemd's own socket.
fn addresses(runtime: &Path, uid: Uid) -> Vec<Address> {
    let own = format!("unix:path={}", runtime.join("bus").display());
    let given = env::var("DBUS_SESSION_BUS_ADDRESS")
        .ok()
        .filter(|address| !address.is_empty() && *address != own)
        .filter(|address| !socket_of(address).is_some_and(|path| is_theirs(path, uid)));
    given
        .into_iter()
        .chain([own])
        .map(Address::Bus)
        .chain([Address::Private(runtime.join(PRIVATE_SOCKET))])
        .collect()
}

/// The socket's path in a D-Bus address, `unix:path=/run/user/0/bus,guid=…`.
fn socket_of(address: &str) -> Option<&Path> {
    let path = address.strip_prefix("unix:path=")?;
    Some(Path::new(path.split([',', ';']).next()?))
}

/// Whether a name can be that of a service that runs.
///
/// # Errors
/// Exit 2, with what is wrong with it.
pub fn check_unit_name(unit: &str) -> Result<()> {
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
