use std::fs;
use std::path::{Path, PathBuf};

use super::option;
use crate::facts::{Engine, NetDriver, RootlessKit, Seen, Tools, Version};
use crate::host::{Host, process};
use crate::vantage::Join;

/// Reads the running RootlessKit from its command line and state directory.
///
/// The command line is the best witness: before 3.0.2 its API says nothing about IPv6, and with
/// the implicit port driver nothing about ports.
///
/// `main_pid` is the process that systemd supervises, 0 when there is none.
pub fn running(main_pid: u32, host: &Host) -> Seen<RootlessKit> {
    if main_pid == 0 {
        return Seen::Absent;
    }
    let line = process::command_line(main_pid);
    let options = options_of(&line);
    if !line.first().is_some_and(|program| is_rootlesskit(program)) {
        return Seen::Unknown(format!("process {main_pid} of the unit is not rootlesskit"));
    }
    let Some(state_dir) = state_dir(options, main_pid, host) else {
        return Seen::Unknown("RootlessKit's state directory was not found".to_owned());
    };
    let child_pid = match child_pid(&state_dir, main_pid) {
        Ok(child_pid) => child_pid,
        Err(why) => return Seen::Unknown(why),
    };
    Seen::Is(RootlessKit {
        version: Seen::Absent,
        net: NetDriver::named(option(options, "--net").unwrap_or("host")),
        port_driver: option(options, "--port-driver")
            .unwrap_or("none")
            .to_owned(),
        ipv6: switch(options, "--ipv6"),
        mtu: option(options, "--mtu").and_then(|mtu| mtu.parse().ok()),
        detached: switch(options, "--detach-netns"),
        state_dir,
        child_pid,
        started: process::started(main_pid),
    })
}

/// RootlessKit's options end where the program to run begins: `/usr/bin/dockerd-rootless.sh`.
fn options_of(line: &[String]) -> &[String] {
    let end = line
        .iter()
        .skip(1)
        .position(|word| word.ends_with("dockerd-rootless.sh"))
        .map_or(line.len(), |position| position + 1);
    &line[..end]
}

fn is_rootlesskit(program: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("rootlesskit"))
}

fn switch(options: &[String], name: &str) -> bool {
    let mut on = false;
    for word in options {
        match word.strip_prefix(name) {
            Some("" | "=true" | "=1") => on = true,
            Some("=false" | "=0") => on = false,
            _ => {}
        }
    }
    on
}

/// Engine 20.10–24 leaves the choice to RootlessKit, which takes `/tmp/rootlesskitNNN` and tells
/// its children.
fn state_dir(options: &[String], main_pid: u32, host: &Host) -> Option<PathBuf> {
    let told = || {
        process::children(main_pid)
            .into_iter()
            .find_map(|child| process::variable(child, "ROOTLESSKIT_STATE_DIR"))
    };
    let from_dockerd = || {
        let pid = fs::read_to_string(host.runtime.join("docker.pid")).ok()?;
        process::variable(pid.trim().parse().ok()?, "ROOTLESSKIT_STATE_DIR")
    };
    option(options, "--state-dir")
        .map(PathBuf::from)
        .or_else(|| told().map(PathBuf::from))
        .or_else(|| from_dockerd().map(PathBuf::from))
}

/// A file of a killed run may name a process that is somebody else's by now.
fn child_pid(state_dir: &Path, main_pid: u32) -> Result<u32, String> {
    let path = state_dir.join("child_pid");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    let child = text
        .trim()
        .parse()
        .map_err(|_| format!("{} is not a process number: {text:?}", path.display()))?;
    if process::parent(child) != Some(main_pid) {
        return Err(format!(
            "{} names process {child}, which is not a child of rootlesskit",
            path.display()
        ));
    }
    Ok(child)
}

/// The running program's version: from the Engine, else from the program that would start next.
pub(super) fn with_version(
    running: Seen<RootlessKit>,
    engine: Option<&Engine>,
    tools: &Tools,
) -> Seen<RootlessKit> {
    running.map(|mut kit| {
        let reported = engine.and_then(|engine| engine.rootlesskit);
        let installed = || {
            let tool = tools.rootlesskit.is()?;
            Version::find(&tool.version)
        };
        kit.version = reported
            .or_else(installed)
            .map_or_else(|| Seen::Unknown("it tells no version".to_owned()), Seen::Is);
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
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn switches_may_be_taken_back() {
        let line = words("rootlesskit --ipv6 --detach-netns=true --ipv6=false");
        assert!(!switch(&line, "--ipv6"));
        assert!(switch(&line, "--detach-netns"));
    }

    #[test]
    fn options_of_the_program_that_is_run_are_not_rootlesskits() {
        let line = words("rootlesskit --net=pasta /usr/bin/dockerd-rootless.sh --ipv6");
        assert!(!switch(options_of(&line), "--ipv6"));
    }

    #[test]
    fn a_detached_netns_is_reached_through_the_childs_root() {
        let kit = RootlessKit {
            version: Seen::Absent,
            net: NetDriver::Pasta,
            port_driver: "implicit".to_owned(),
            ipv6: true,
            mtu: None,
            detached: true,
            state_dir: "/run/user/1000/dockerd-rootless".into(),
            child_pid: 7,
            started: None,
        };
        assert_eq!(
            join(&kit).net,
            Path::new("/proc/7/root/run/user/1000/dockerd-rootless/netns")
        );
    }
}
