//! Looks at everything and judges nothing. A source that fails is unknown and stops no other.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::apply::place::Tree;
use crate::error;
use crate::facts::{
    DaemonJson, Engine, Facts, HostFacts, InTheWay, Network, OurDropIn, PacketFilter, RootlessKit,
    Seen, Session, Tools, Unit,
};
use crate::host::netlink::Netlink;
use crate::host::rootlesskit::Info;
use crate::host::systemd::Systemd;
use crate::host::versions::Versions;
use crate::host::{Host, engine, log, regular};
use tools::Places;

mod dockerd;
mod netns;
mod packet_filter;
mod places;
mod platform;
mod relied_on;
mod rootlesskit;
mod session;
mod start;
mod system;
mod tools;
mod unit_files;

pub use rootlesskit::{join, running};

/// Our drop-in sorts after `override.conf` and whatever else is in common use.
pub const DROP_IN: &str = "zz-rootless6.conf";

/// Gathers all facts. `systemd` is the connection, or why there is none.
///
/// What needs nobody's answer but the unit's is looked at while the Engine's is awaited.
pub async fn gather(host: &Host, systemd: Result<&Systemd, String>) -> Facts {
    let session = session::gather(host, systemd.is_ok()).await;
    let systemd_version = match &systemd {
        Ok(systemd) => Seen::Is(systemd.version().to_owned()),
        Err(why) => Seen::Unknown(why.clone()),
    };
    let versions = Versions::remembered(&host.runtime);
    let (elsewhere, ours) = tokio::join!(
        platform::elsewhere(host),
        of_the_unit(host, systemd, &versions)
    );
    let OfTheUnit { unit, places, .. } = ours;
    let (host, mut tools) = (ours.host.as_ref(), ours.tools);
    let (socket, engine, elsewhere) =
        platform::choose(host, ours.engine, elsewhere, unit.is_loaded());
    if engine.is().is_none() {
        tools.dockerd = tools::dockerd(&places.unit, &versions).await;
    }
    let mut facts = Facts {
        home: host.home.clone(),
        unit_name: host.unit.clone(),
        start: in_the_way(host, &session, &places, &tools),
        session,
        dockerd: dockerd::command_line(&ours.running),
        rootlesskit: rootlesskit::told(ours.running, &ours.info, engine.is(), &tools),
        daemon_json: daemon_json(host, unit.is()),
        our_drop_in: our_drop_in(host),
        relied_on: relied_on::gather(host),
        dockerd_unit: match unit {
            Seen::Absent => dockerd::unit(&host.runtime),
            _ => Seen::Absent,
        },
        host: of_the_host(host, ours.network, systemd_version),
        platform: platform::gather(host, elsewhere, unit.is()),
        packet_filter: PacketFilter::default(),
        loopback_ports: Seen::Absent,
        unit,
        socket,
        engine,
        tap: ours.tap,
        tools,
    };
    facts.packet_filter = packet_filter::gather(facts.path(), host);
    if facts.pasta_loses_loopback_ports() && facts.engine.is().is_some() {
        facts.loopback_ports = engine::loopback_ports(&facts.socket).await;
    }
    facts
}

/// What is seen once the unit is known.
struct OfTheUnit<'a> {
    unit: Seen<Unit>,
    places: Places,
    running: Seen<RootlessKit>,
    info: Seen<Info>,
    engine: Seen<Engine>,
    /// With the socket of the unit's dockerd.
    host: Cow<'a, Host>,
    tools: Tools,
    tap: Seen<Network>,
    network: Seen<Network>,
}

async fn of_the_unit<'a>(
    host: &'a Host,
    systemd: Result<&Systemd, String>,
    versions: &Versions,
) -> OfTheUnit<'a> {
    let mut unit = seen_unit(systemd, &host.unit).await;
    if let Seen::Is(unit) = &mut unit {
        unit.last_words = last_words(unit).await;
    }
    let of_a_wrapper = unit.is().and_then(rootlesskit::path_of_a_wrapper);
    let path = of_a_wrapper
        .as_deref()
        .or_else(|| unit.is()?.effective("PATH"))
        .map_or_else(|| host.path.clone(), Into::into);
    let places = Places::new(path, host);
    let running = match &unit {
        Seen::Unknown(why) => Seen::Unknown(why.clone()),
        unit => running(unit.is().map_or(0, |unit| unit.main_pid), host),
    };
    let host = on_the_units_socket(host, unit.is());
    let ((info, engine), tap, tools, network) = tokio::join!(
        engine_of(&host, &running),
        netns::tap(&running),
        tools::gather(&places, versions),
        host_network()
    );
    OfTheUnit {
        unit,
        places,
        running,
        info,
        engine,
        host,
        tools: Tools {
            path_of_a_wrapper: of_a_wrapper,
            ..tools
        },
        tap,
        network,
    }
}

fn of_the_host(host: &Host, network: Seen<Network>, systemd: Seen<String>) -> HostFacts {
    HostFacts {
        network,
        ipv6_off: platform::ipv6_off(&host.proc),
        ping_group_range: ping_group_range(),
        groups: groups(),
        distribution: system::distribution(Path::new("/")),
        fixed: system::fixed(Path::new("/")),
        kernel: kernel(),
        systemd,
    }
}

/// What may keep RootlessKit from starting again, whether it runs or not.
fn in_the_way(host: &Host, session: &Session, places: &Places, tools: &Tools) -> InTheWay {
    let etc = Path::new("/etc");
    let [newuidmap, newgidmap] = start::mappers::unfit(places);
    InTheWay {
        apparmor: start::apparmor::look(Path::new("/sys"), &host.proc, etc, tools),
        newuidmap,
        newgidmap,
        ..start::in_the_way(&host.proc, etc, session)
    }
}

/// A unit whose dockerd is told to listen elsewhere, by `-H`, is looked at there.
fn on_the_units_socket<'a>(host: &'a Host, unit: Option<&Unit>) -> Cow<'a, Host> {
    let options = unit.map(Unit::options).unwrap_or_default();
    let sockets = options.sockets();
    match sockets.first() {
        Some(first) if !sockets.contains(&host.socket.as_path()) => Cow::Owned(Host {
            socket: first.to_path_buf(),
            ..host.clone()
        }),
        _ => Cow::Borrowed(host),
    }
}

/// What RootlessKit says of itself, and the Engine on the unit's socket. Where RootlessKit does not tell
/// its version the Engine is asked for that too.
async fn engine_of(host: &Host, running: &Seen<RootlessKit>) -> (Seen<Info>, Seen<Engine>) {
    let info = rootlesskit::info(running).await;
    let engine = match running
        .is()
        .filter(|_| rootlesskit::version(&info).is_some())
    {
        Some(kit) => engine::own::gather(&host.socket, kit).await,
        None => engine::gather(&host.socket).await,
    };
    (info, engine)
}

async fn seen_unit(systemd: Result<&Systemd, String>, name: &str) -> Seen<Unit> {
    match systemd {
        Ok(systemd) => unit(systemd, name)
            .await
            .unwrap_or_else(|error| Seen::Unknown(error.to_string())),
        Err(why) => Seen::Unknown(why),
    }
}

/// The unit as systemd knows it, with the texts of its files as they are on disk now.
///
/// # Errors
/// When systemd does not answer.
pub async fn unit(systemd: &Systemd, name: &str) -> error::Result<Seen<Unit>> {
    let (unit, search_path, environment) = tokio::try_join!(
        systemd.unit(name),
        systemd.search_path(),
        systemd.environment()
    )?;
    let has_read_files = match &unit {
        Seen::Is(unit) if unit.needs_reload => systemd.has_read_files().await,
        _ => None,
    };
    Ok(unit.map(|mut unit| {
        let drop_ins = unit_files::drop_ins(&search_path, name);
        unit.files = unit_files::read(unit.fragment.iter().cloned().chain(drop_ins));
        unit.links = unit_files::links(&unit.files);
        unit.newer_files = has_read_files.map_or_else(Vec::new, |read| {
            unit_files::newer_than(read, unit.files.iter().map(|file| file.path.as_path()))
        });
        unit.environment_files = std::mem::take(&mut unit.environment_files)
            .into_iter()
            .map(unit_files::variables)
            .collect();
        unit.manager_environment = environment;
        unit
    }))
}

/// What a unit that does not run though it should has said last.
async fn last_words(unit: &Unit) -> Vec<String> {
    if unit.is_active() || unit.result == "success" || unit.invocation_id.is_empty() {
        return Vec::new();
    }
    log::last_words(log::Of::Invocation(&unit.invocation_id)).await
}

/// The host's addresses and default routes.
pub async fn host_network() -> Seen<Network> {
    let look = async { Netlink::open()?.network().await };
    match look.await {
        Ok(network) => Seen::Is(network),
        Err(error) => Seen::Unknown(error.to_string()),
    }
}

/// `net.ipv4.ping_group_range`, inclusive; `1 0` and the like are empty ranges.
fn ping_group_range() -> Seen<(u32, u32)> {
    read("/proc/sys/net/ipv4/ping_group_range".as_ref()).and_then(|text| {
        let mut numbers = text.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(low)), Some(Ok(high))) => Seen::Is((low, high)),
            _ => Seen::Unknown(format!("net.ipv4.ping_group_range is {text:?}")),
        }
    })
}

fn kernel() -> Seen<String> {
    match nix::sys::utsname::uname() {
        Ok(name) => Seen::Is(name.release().to_string_lossy().into_owned()),
        Err(errno) => Seen::Unknown(errno.to_string()),
    }
}

fn groups() -> Vec<u32> {
    let mut groups = vec![nix::unistd::getegid().as_raw()];
    let others = nix::unistd::getgroups().unwrap_or_default();
    groups.extend(others.into_iter().map(nix::unistd::Gid::as_raw));
    groups
}

/// dockerd takes a relative path from where it starts: the home of the user (systemd.exec(5),
/// `WorkingDirectory=`).
fn daemon_json(host: &Host, unit: Option<&Unit>) -> DaemonJson {
    let options = unit.map(Unit::options).unwrap_or_default();
    let named = options
        .given("config-file")
        .and_then(|given| given.value.as_ref());
    // dockerd's own environment decides, not that of the shell that this runs in.
    let config = match unit {
        Some(unit) => unit
            .effective("XDG_CONFIG_HOME")
            .map_or_else(|| host.home.join(".config"), PathBuf::from),
        None => host.config.clone(),
    };
    let path = match named {
        Some(path) => host.home.join(path),
        None => config.join("docker/daemon.json"),
    };
    let tree = Tree::of(host);
    DaemonJson {
        text: read(&path),
        named: named.is_some(),
        locked: places::locked(&tree, &path),
        leads_to: tree.leads_to(&path),
        mend: places::mend(&tree, &path),
        path,
    }
}

fn our_drop_in(host: &Host) -> OurDropIn {
    let path = host.drop_in_directory().join(DROP_IN);
    let tree = Tree::of(host);
    OurDropIn {
        text: read(&path),
        locked: places::locked(&tree, &path),
        leads_to: tree.leads_to(&path),
        mend: places::mend(&tree, &path),
        path,
    }
}

fn read(path: &Path) -> Seen<String> {
    seen(path, regular::text(path))
}

fn read_bytes(path: &Path) -> Seen<Vec<u8>> {
    seen(path, regular::bytes(path))
}

fn seen<T>(path: &Path, read: std::io::Result<T>) -> Seen<T> {
    match read {
        Ok(contents) => Seen::Is(contents),
        Err(error) if error.kind() == ErrorKind::NotFound => Seen::Absent,
        Err(error) => Seen::Unknown(format!("read {}: {error}", path.display())),
    }
}
