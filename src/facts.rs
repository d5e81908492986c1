//! What was seen, before anybody judges it.
//!
//! Every source may be missing or unreadable, and those are different answers: [`Seen`] keeps them
//! apart, so that "could not look" never turns into "no".

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::capability;

mod engine;
mod environment;
mod files;
mod flags;
mod host;
mod network;
mod options;
mod packet_filter;
mod passt;
mod platform;
pub(crate) mod profiles;
mod relied_on;
mod rootlesskit;
mod seen;
mod session;
mod start;
pub mod subids;
mod tools;
mod unit;
mod version;

pub use engine::{Container, DockerNetwork, Engine};
pub use environment::EnvironmentFile;
pub(crate) use environment::value_of;
pub use files::{DaemonJson, OurDropIn};
pub use flags::{Flag, Flags, Word};
pub use host::{Fixed, HostFacts};
pub use network::{Address, Network, Route, RouteKind, RouteTo};
use options::truth;
pub use options::{Given, Options};
pub use packet_filter::{LoopbackPort, PacketFilter, WithoutModule};
pub use passt::PasstDate;
pub use platform::{ChosenBy, Elsewhere, Ipv6Off, Platform};
pub use relied_on::{Changed, ReliedOn, Versions, Written};
pub use rootlesskit::{NetDriver, RootlessKit};
pub use seen::Seen;
pub use session::Session;
pub use start::{AppArmor, Confined, InTheWay, MapperUnfit, TunUnusable, UsernsSwitch};
pub use subids::TooFew;
pub use tools::{Tool, Tools};
pub use unit::{Unit, UnitFile};
pub use version::Version;

/// Everything that was looked at, in one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The user's home directory.
    pub home: PathBuf,
    /// The name of the unit that was asked about, `docker.service`.
    pub unit_name: String,
    /// The user, and what their systemd lives in.
    pub session: Session,
    /// The user's unit that runs dockerd.
    pub unit: Seen<Unit>,
    /// The unit that the running dockerd belongs to, looked for only where `unit` is missing.
    pub dockerd_unit: Seen<String>,
    /// The Engine's socket: the unit's own; where there is no unit, the one that `docker` uses.
    pub socket: PathBuf,
    /// What the Engine there says of itself.
    pub engine: Seen<Engine>,
    /// Where `docker` leads, and what kind of machine this is.
    pub platform: Platform,
    /// The RootlessKit that runs now.
    pub rootlesskit: Seen<RootlessKit>,
    /// The command line of the dockerd that runs under it.
    pub dockerd: Seen<Vec<String>>,
    /// The tap interface's network inside RootlessKit's namespace; docker0 and the like are not
    /// part of it.
    pub tap: Seen<Network>,
    /// The host's own network and kernel settings.
    pub host: HostFacts,
    /// The programs that the unit would find.
    pub tools: Tools,
    /// What may keep RootlessKit from starting, or its driver's program.
    pub start: InTheWay,
    /// What dockerd lacks for the packet filter.
    pub packet_filter: PacketFilter,
    /// What running containers publish on loopback alone, asked only where pasta does not serve it.
    pub loopback_ports: Seen<Vec<LoopbackPort>>,
    /// dockerd's configuration file.
    pub daemon_json: DaemonJson,
    /// Our own drop-in.
    pub our_drop_in: OurDropIn,
    /// What an earlier setup of the unit has put in place, if one stands.
    pub relied_on: Seen<ReliedOn>,
}

impl Facts {
    /// The Engine's version: of the one that answers, else of the program.
    pub fn engine_version(&self) -> Option<Version> {
        let answering = self.engine.is().map(|engine| engine.version);
        let installed = || Version::find(&self.tools.dockerd.is()?.version);
        answering.or_else(installed)
    }

    /// RootlessKit's version: of the one that runs, else of the one that would.
    pub fn rootlesskit_version(&self) -> Option<Version> {
        let running = self
            .rootlesskit
            .is()
            .and_then(|kit| kit.version.is().copied());
        let installed = || Version::find(&self.tools.rootlesskit.is()?.version);
        running.or_else(installed)
    }

    /// The day of passt's release; none where nobody knows.
    pub fn passt(&self) -> Option<PasstDate> {
        PasstDate::find(&self.pasta()?.version)
    }

    /// Whether RootlessKit and pasta, as they are here, are a pair under which ports published on
    /// loopback alone do not answer.
    pub fn pasta_loses_loopback_ports(&self) -> bool {
        let kit = self.rootlesskit_version().map(capability::rootlesskit);
        let moves = |released| capability::pasta(released).moves_loopback;
        kit.is_some_and(|kit| kit.pasta && !kit.loopback_ports) && self.passt().is_some_and(moves)
    }

    /// Whether that pair runs.
    pub fn may_lose_loopback_ports(&self) -> bool {
        let runs = |kit: &RootlessKit| {
            kit.net == NetDriver::Pasta
                && kit.port_driver == "implicit"
                && kit.version.is().is_some()
        };
        self.rootlesskit.is().is_some_and(runs) && self.pasta_loses_loopback_ports()
    }

    /// pasta as the unit finds it, else where setup would have it found.
    pub fn pasta(&self) -> Option<&Tool> {
        let tools = &self.tools;
        tools.pasta.is().or_else(|| tools.pasta_elsewhere.is())
    }

    /// Whether slirp4netns, as it is installed, forwards ICMPv6 echo; none where nobody knows.
    pub fn slirp4netns_forwards_echo(&self) -> Option<bool> {
        let libslirp = self.tools.libslirp.is().copied();
        libslirp.map(capability::slirp4netns_forwards_echo)
    }

    /// What could not be looked at, by the names that JSON has for it, and why.
    pub fn unknown(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("unit", self.unit.unknown()),
            ("user.linger", self.session.linger.unknown()),
            ("engine", self.engine.unknown()),
            ("docker", self.platform.elsewhere.unknown()),
            ("rootlesskit", self.rootlesskit.unknown()),
            ("netns", self.tap.unknown()),
            ("host", self.host.network.unknown()),
            ("host.ipv6_off", self.host.ipv6_off.unknown()),
            (
                "host.ping_group_range",
                self.host.ping_group_range.unknown(),
            ),
            ("host.distribution", self.host.distribution.unknown()),
            ("host.fixed", self.host.fixed.unknown()),
            ("daemon_json", self.daemon_json.text.unknown()),
            ("tools.pasta", self.tools.pasta.unknown()),
            ("tools.slirp4netns", self.tools.slirp4netns.unknown()),
            ("tools.libslirp", self.tools.libslirp.unknown()),
            ("tools.rootlesskit", self.tools.rootlesskit.unknown()),
            ("tools.dockerd", self.tools.dockerd.unknown()),
            ("since_setup", self.relied_on.unknown()),
        ];
        let unknown = |(what, why): (&'static str, Option<_>)| Some((what, why?));
        all.into_iter()
            .filter_map(unknown)
            .chain(self.start.unknown())
            .collect()
    }

    /// A path with the home directory shortened to `~`, for people.
    pub fn short(&self, path: &Path) -> String {
        short(path, &self.home)
    }

    /// Whether a file that setup may have to write cannot be written.
    pub fn is_locked(&self) -> bool {
        self.our_drop_in.locked.is_some() || self.daemon_json.locked.is_some()
    }

    /// Symlinks are to be followed: what they lead to is written, where that is the user's own.
    pub fn follow_symlinks(&mut self) {
        let places = [
            (&mut self.our_drop_in.locked, &self.our_drop_in.leads_to),
            (&mut self.daemon_json.locked, &self.daemon_json.leads_to),
        ];
        for (locked, leads_to) in places {
            if leads_to.is_some() {
                *locked = None;
            }
        }
    }

    /// Where a file of setup's is, if symlinks that are to be followed lead there.
    pub fn followed(&self, path: &Path) -> Option<&Path> {
        let OurDropIn {
            path: drop_in,
            locked,
            leads_to,
            ..
        } = &self.our_drop_in;
        if path == drop_in && locked.is_none() {
            return leads_to.as_deref();
        }
        let DaemonJson {
            path: daemon_json,
            locked,
            leads_to,
            ..
        } = &self.daemon_json;
        if path == daemon_json && locked.is_none() {
            return leads_to.as_deref();
        }
        None
    }

    /// The PATH along which programs were looked for.
    pub fn path(&self) -> Option<&str> {
        let of_the_unit = || self.unit.is()?.effective("PATH");
        let wrapper = self.tools.path_of_a_wrapper.as_deref();
        wrapper.or_else(of_the_unit)
    }

    /// Whose that is.
    pub fn path_in_words(&self) -> &'static str {
        match self.tools.path_of_a_wrapper {
            Some(_) => "the PATH that dockerd is started with",
            None => "the PATH of the unit",
        }
    }

    /// A path as one types it, the home directory as `~`.
    pub fn typed_path(&self, path: &Path) -> String {
        let short = self.short(path);
        match short.strip_prefix("~/") {
            Some(below) if !below.is_empty() => format!("~/{}", typed(below)),
            _ => typed(&short),
        }
    }

    /// The unit's name as one types it.
    pub fn typed_unit(&self) -> String {
        typed(&self.unit_name)
    }
}

/// A word as a shell takes it: a unit's name may have backslashes in it.
pub fn typed(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A path with the home directory shortened to `~`, for people.
pub fn short(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) if !home.as_os_str().is_empty() => format!("~/{}", below.display()),
        _ => path.display().to_string(),
    }
}
