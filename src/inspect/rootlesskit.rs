use std::path::{Path, PathBuf};

use crate::facts::{Engine, Flags, NetDriver, RootlessKit, Seen, Tools, Unit, Version};
use crate::host::rootlesskit::{self, Info};
use crate::host::{Host, process};
use crate::hostile::plain;
use crate::vantage::Join;

/// Reads the running RootlessKit from its command line and state directory.
///
/// The command line is the best witness: before 3.0.2 its API says nothing about IPv6, and with
/// the implicit port driver nothing about ports.
///
/// That it detaches its netns is seen from the state directory as well, which is swept at each
/// start: what is an option today may be the default one day.
///
/// `main_pid` is the process that systemd supervises, 0 when there is none.
pub fn running(main_pid: u32, host: &Host) -> Seen<RootlessKit> {
    if main_pid == 0 {
        return Seen::Absent;
    }
    let line = process::command_line(main_pid);
    let options = options_of(&line);
    let is_on = |name: &str| matches!(options.switch(name), Ok(Some(true)));
    if !line.first().is_some_and(|program| is_rootlesskit(program)) {
        return Seen::Unknown(format!("process {main_pid} of the unit is not rootlesskit"));
    }
    let Some(state_dir) = state_dir(&options, main_pid, host) else {
        return Seen::Unknown("RootlessKit's state directory was not found".to_owned());
    };
    let child_pid = match child_pid(&state_dir, main_pid) {
        Ok(child_pid) => child_pid,
        Err(why) => return Seen::Unknown(why),
    };
    Seen::Is(RootlessKit {
        version: Seen::Absent,
        net: NetDriver::named(options.value("net").unwrap_or("host")),
        port_driver: options.value("port-driver").unwrap_or("none").to_owned(),
        ipv6: is_on("ipv6"),
        mtu: options.value("mtu").and_then(|mtu| mtu.parse().ok()),
        detached: is_on("detach-netns") || state_dir.join("netns").exists(),
        state_dir,
        child_pid,
        started: process::started(main_pid),
    })
}

/// RootlessKit's options end where the program to run begins: `/usr/bin/dockerd-rootless.sh`, or
/// NixOS's `/nix/store/…/.dockerd-rootless.sh-wrapped`.
fn options_of(line: &[String]) -> Flags {
    Flags::parse(line[..end_of_options(line)].iter().map(String::as_str))
}

fn end_of_options(line: &[String]) -> usize {
    line.iter()
        .skip(1)
        .position(|word| !word.starts_with('-') && word.contains("dockerd-rootless.sh"))
        .map_or(line.len(), |position| position + 1)
}

/// The PATH of the RootlessKit that runs, where it may be another than the unit's: something stands
/// between what the unit starts and dockerd-rootless.sh, as NixOS's wrapper does. Without it the unit's
/// decides, which the next start has too.
pub(super) fn path_of_a_wrapper(unit: &Unit) -> Option<String> {
    let started = unit.exec_start.first().filter(|_| unit.main_pid != 0)?;
    let line = process::command_line(unit.main_pid);
    is_wrapped(&line, started).then_some(())?;
    process::variable(unit.main_pid, "PATH")
}

fn is_wrapped(line: &[String], started: &str) -> bool {
    let script = line.get(end_of_options(line));
    let is_kit = line.first().is_some_and(|program| is_rootlesskit(program));
    // systemd looks for a name without a slash itself.
    let is_it = |script: &String| {
        script == started || (!started.contains('/') && Path::new(script).ends_with(started))
    };
    is_kit && script.is_some_and(|script| !is_it(script))
}

fn is_rootlesskit(program: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("rootlesskit"))
}

/// Engine 20.10–24 leaves the choice to RootlessKit, which takes `/tmp/rootlesskitNNN` and tells
/// its children.
fn state_dir(options: &Flags, main_pid: u32, host: &Host) -> Option<PathBuf> {
    let told = || {
        process::children(main_pid)
            .into_iter()
            .find_map(|child| process::variable(child, "ROOTLESSKIT_STATE_DIR"))
    };
    let from_dockerd = || {
        let pid = process::pid_file(&host.runtime.join("docker.pid")).ok()?;
        process::variable(pid, "ROOTLESSKIT_STATE_DIR")
    };
    options
        .value("state-dir")
        .map(PathBuf::from)
        .or_else(|| told().map(PathBuf::from))
        .or_else(|| from_dockerd().map(PathBuf::from))
}

/// A file of a killed run may name a process that is gone, or somebody else's by now.
fn child_pid(state_dir: &Path, main_pid: u32) -> Result<u32, String> {
    let path = state_dir.join("child_pid");
    let child = process::pid_file(&path)?;
    let is_not = match process::parent(child) {
        Some(parent) if parent == main_pid => return Ok(child),
        Some(_) => "is not a child of rootlesskit",
        None => "does not run",
    };
    Err(format!(
        "{} names process {child}, which {is_not}",
        path.display()
    ))
}

/// What the running RootlessKit says of itself.
pub(super) async fn info(running: &Seen<RootlessKit>) -> Seen<Info> {
    let kit = match running {
        Seen::Is(kit) => kit,
        Seen::Absent => return Seen::Absent,
        Seen::Unknown(why) => return Seen::Unknown(why.clone()),
    };
    match rootlesskit::info(&kit.state_dir).await {
        Ok(info) if info.child_pid == kit.child_pid => Seen::Is(info),
        Ok(info) => Seen::Unknown(format!(
            "the API in {} is that of a RootlessKit whose child is {}",
            kit.state_dir.display(),
            info.child_pid
        )),
        Err(error) => Seen::Unknown(plain(&error.to_string())),
    }
}

/// The version of the running program, in its own words.
pub(super) fn version(info: &Seen<Info>) -> Option<Version> {
    Version::find(&info.is()?.version)
}

/// Adds what the command line does not tell.
///
/// The version is what the running program says of itself, else what the Engine says of it (from
/// 23.0 on), else that of the program that would start next. Where the API names another driver
/// than the command line, the command line is right, for pasta or slirp4netns was started by it;
/// only where it names none that we know, such as a choice left to RootlessKit, does the API tell
/// what became of that.
pub(super) fn told(
    running: Seen<RootlessKit>,
    info: &Seen<Info>,
    engine: Option<&Engine>,
    tools: &Tools,
) -> Seen<RootlessKit> {
    running.map(|mut kit| {
        let itself = version(info);
        let reported = || engine.and_then(|engine| engine.rootlesskit);
        let installed = || {
            let tool = tools.rootlesskit.is()?;
            Version::find(&tool.version)
        };
        let why = info.unknown().unwrap_or("it tells no version");
        kit.version = itself
            .or_else(reported)
            .or_else(installed)
            .map_or_else(|| Seen::Unknown(why.to_owned()), Seen::Is);
        let driver = info.is().and_then(|info| info.network_driver.as_ref());
        if let (NetDriver::Other(_), Some(driver)) = (&kit.net, driver) {
            kit.net = NetDriver::named(&plain(&driver.driver));
        }
        kit
    })
}

/// The way into RootlessKit's netns. A detached one is a bind mount that only the child's mount
/// namespace shows; the child's own netns is then the host's.
pub fn join(kit: &RootlessKit) -> Join {
    let child = PathBuf::from(format!("/proc/{}", kit.child_pid));
    let net = if kit.detached {
        let state_dir = kit.state_dir.strip_prefix("/").unwrap_or(&kit.state_dir);
        child.join("root").join(state_dir).join("netns")
    } else {
        child.join("ns/net")
    };
    Join {
        user: child.join("ns/user"),
        net,
    }
}

#[cfg(test)]
mod tests;
