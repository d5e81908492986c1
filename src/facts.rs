//! What was seen, before anybody judges it.
//!
//! Every source may be missing or unreadable, and those are different answers: [`Seen`] keeps them
//! apart, so that "could not look" never turns into "no".

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::capability;

mod environment;
mod flags;
mod network;
mod options;
mod packet_filter;
mod passt;
mod platform;
pub(crate) mod profiles;
mod relied_on;
mod session;
mod start;
pub mod subids;
mod version;

pub use environment::EnvironmentFile;
pub(crate) use environment::value_of;
pub use flags::{Flag, Flags, Word};
pub use network::{Address, Network, Route, RouteKind, RouteTo};
use options::truth;
pub use options::{Given, Options};
pub use packet_filter::{LoopbackPort, PacketFilter, WithoutModule};
pub use passt::PasstDate;
pub use platform::{ChosenBy, Elsewhere, Ipv6Off, Platform};
pub use relied_on::{Changed, ReliedOn, Versions, Written};
pub use session::Session;
pub use start::{AppArmor, Confined, InTheWay, MapperUnfit, TunUnusable, UsernsSwitch};
pub use subids::TooFew;
pub use version::Version;

/// The outcome of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen<T> {
    /// Looked, and this is it.
    Is(T),
    /// Looked, and there is none.
    #[default]
    Absent,
    /// Could not look, and why.
    Unknown(String),
}

impl<T> Seen<T> {
    /// The value, if there is one.
    pub fn is(&self) -> Option<&T> {
        match self {
            Seen::Is(value) => Some(value),
            Seen::Absent | Seen::Unknown(_) => None,
        }
    }

    /// Why nothing is known, if that is the answer.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Seen::Unknown(why) => Some(why),
            Seen::Is(_) | Seen::Absent => None,
        }
    }

    /// The same of what it refers to.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Is(value) => Seen::Is(value),
            Self::Absent => Seen::Absent,
            Self::Unknown(why) => Seen::Unknown(why.clone()),
        }
    }

    /// Looks further with the value.
    pub fn and_then<U>(self, further: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Is(value) => further(value),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why),
        }
    }

    /// The same look at a part of the value.
    pub fn map<U>(self, part: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Seen::Is(value) => Seen::Is(part(value)),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why),
        }
    }
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

/// What the Engine API answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// `28.5.2`
    pub version: Version,
    /// Whether `/info` says `name=rootless`.
    pub rootless: bool,
    /// `/info`'s OperatingSystem, such as `Debian GNU/Linux 13` or `Docker Desktop`.
    pub operating_system: String,
    /// `/info`'s Name: that of the machine on which it runs.
    pub name: String,
    /// Whether it is Podman that answers as Docker would.
    pub podman: bool,
    /// RootlessKit's own version, where the Engine reports it (23.0 and later).
    pub rootlesskit: Option<Version>,
    /// The networks, by name.
    pub networks: Vec<DockerNetwork>,
}

impl Engine {
    /// docker0, which dockerd may be told to do without (`"bridge": "none"`).
    pub fn docker0(&self) -> Option<&DockerNetwork> {
        let mut networks = self.networks.iter();
        networks.find(|network| network.name == "bridge")
    }

    /// Whether dockerd has been told to do without docker0; networks that are always there show that
    /// it lists them at all.
    pub fn is_without_docker0(&self) -> bool {
        !self.networks.is_empty() && self.docker0().is_none()
    }

    /// Whether it is a rootless dockerd on the machine of this name.
    pub fn is_rootless_docker_on(&self, host_name: &str) -> bool {
        self.rootless && !self.podman && self.name == host_name
    }
}

/// A network of the Engine's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerNetwork {
    /// `bridge`, `host`, or what the user chose.
    pub name: String,
    /// `bridge`, `host`, `null` …
    pub driver: String,
    /// Whether the Engine gives its containers IPv6 addresses.
    pub ipv6: bool,
    /// The subnets of both families.
    pub subnets: Vec<String>,
    /// Whether its containers are kept from each other (`enable_icc` is off).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_apart: bool,
}

/// A running container and what a restart of dockerd does to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name, without the leading slash.
    pub name: String,
    /// Its restart policy; `no` means that it stays down.
    pub restart: String,
    /// Its published ports, `0.0.0.0:8080->80/tcp`.
    pub ports: Vec<String>,
}

impl Container {
    /// Whether dockerd starts it again by itself.
    pub fn comes_back(&self) -> bool {
        matches!(self.restart.as_str(), "always" | "unless-stopped")
    }
}

/// RootlessKit's network driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NetDriver {
    /// User-mode networking with libslirp.
    #[default]
    Slirp4netns,
    /// passt's pasta.
    Pasta,
    /// Built into RootlessKit 3.
    GvisorTapVsock,
    /// Anything else, by name.
    Other(String),
}

impl NetDriver {
    /// From RootlessKit's own word for it.
    pub fn named(name: &str) -> Self {
        match name {
            "slirp4netns" => Self::Slirp4netns,
            "pasta" => Self::Pasta,
            "gvisor-tap-vsock" => Self::GvisorTapVsock,
            other => Self::Other(other.to_owned()),
        }
    }

    /// RootlessKit's own word for it.
    pub fn name(&self) -> &str {
        match self {
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
            Self::GvisorTapVsock => "gvisor-tap-vsock",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for NetDriver {
    fn from(name: String) -> Self {
        Self::named(&name)
    }
}

impl From<NetDriver> for String {
    fn from(driver: NetDriver) -> Self {
        driver.name().to_owned()
    }
}

/// The running RootlessKit, read from its command line, state directory and API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RootlessKit {
    /// Its own version: its own word, else the Engine's, else the program's on disk.
    pub version: Seen<Version>,
    /// `--net`
    pub net: NetDriver,
    /// `--port-driver`
    pub port_driver: String,
    /// Whether `--ipv6` was given.
    pub ipv6: bool,
    /// `--mtu`
    pub mtu: Option<u32>,
    /// Whether its netns is detached (`--detach-netns`): dockerd then runs in the host's.
    pub detached: bool,
    /// Where `child_pid` and `api.sock` are.
    pub state_dir: PathBuf,
    /// The child, whose user namespace and netns (or state directory) lead inside.
    pub child_pid: u32,
    /// When it was started, if known: hundredths of a second since boot.
    pub started: Option<u64>,
}

impl RootlessKit {
    /// The options that matter here, as it was started with them.
    pub fn options(&self) -> String {
        format!(
            "rootlesskit runs with --net={} --port-driver={}{}",
            self.net.name(),
            self.port_driver,
            if self.ipv6 { " --ipv6" } else { "" }
        )
    }
}

/// The host outside RootlessKit's namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostFacts {
    /// Its addresses and default routes.
    pub network: Seen<Network>,
    /// Why it has no IPv6 at all; absent where IPv6 is on.
    pub ipv6_off: Seen<Ipv6Off>,
    /// `net.ipv4.ping_group_range`: the groups that may open ICMP datagram sockets, ICMPv6 too.
    pub ping_group_range: Seen<(u32, u32)>,
    /// The groups that the user is in, the effective one included.
    pub groups: Vec<u32>,
    /// `ID` and `ID_LIKE` of os-release(5): `debian`, `ubuntu debian` …
    pub distribution: Seen<String>,
    /// What keeps packages from being installed into the running system, if so.
    pub fixed: Seen<Fixed>,
    /// The kernel's release, as uname(2) has it.
    pub kernel: Seen<String>,
    /// The version of the user's systemd.
    pub systemd: Seen<String>,
}

/// How a system whose /usr is not written to gets its packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fixed {
    /// By rpm-ostree, or with a new image.
    Ostree,
    /// By transactional-update, into a new snapshot.
    Transactional,
    /// In a way that is not known.
    ReadOnly,
}

impl HostFacts {
    /// Whether the user's processes, pasta among them, may open ICMP datagram sockets.
    pub fn may_ping(&self) -> Option<bool> {
        let (low, high) = self.ping_group_range.is()?;
        Some(
            self.groups
                .iter()
                .any(|group| (low..=high).contains(&group)),
        )
    }
}

/// Programs that the unit finds with its own PATH.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// passt's pasta.
    pub pasta: Seen<Tool>,
    /// pasta in another place, looked for only where the unit does not find it.
    pub pasta_elsewhere: Seen<Tool>,
    /// slirp4netns.
    pub slirp4netns: Seen<Tool>,
    /// The libslirp in it.
    pub libslirp: Seen<Version>,
    /// docker-rootlesskit, else rootlesskit.
    pub rootlesskit: Seen<Tool>,
    /// dockerd, looked for only where the Engine does not answer.
    pub dockerd: Seen<Tool>,
    /// The PATH along which all were looked for, where it is not the unit's: that of the RootlessKit
    /// that runs, where a wrapper around dockerd-rootless.sh has started it.
    pub path_of_a_wrapper: Option<String>,
}

/// A program and the version that it prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tool {
    /// The file.
    pub path: PathBuf,
    /// As printed, `1.2.1` or `0.0~git20250503.587980c-2`.
    pub version: String,
}

/// dockerd's configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonJson {
    /// Where dockerd looks for it.
    pub path: PathBuf,
    /// What it says.
    pub text: Seen<String>,
    /// Whether `--config-file` names it: dockerd does not start without it then.
    pub named: bool,
    /// Why it cannot be written, if it cannot.
    pub locked: Option<String>,
    /// Where symlinks lead from there, if that is the user's own to write.
    pub leads_to: Option<PathBuf>,
    /// What to type so that it can be written.
    pub mend: Option<String>,
}

/// The drop-in that this program writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OurDropIn {
    /// `…/docker.service.d/zz-rootless6.conf`
    pub path: PathBuf,
    /// What it says now.
    pub text: Seen<String>,
    /// Why it cannot be written, if it cannot.
    pub locked: Option<String>,
    /// Where symlinks lead from there, if that is the user's own to write.
    pub leads_to: Option<PathBuf>,
    /// What to type so that it can be written.
    pub mend: Option<String>,
}
