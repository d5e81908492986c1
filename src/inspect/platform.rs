//! Where `docker` leads, and what kind of machine this is.
//!
//! docker's own order (docker/cli, cli/command/cli.go): `DOCKER_HOST`, then `DOCKER_CONTEXT`, then
//! `currentContext` in config.json, then /var/run/docker.sock. A context is a file of JSON in a
//! directory that is named after the SHA-256 of the context's name (cli/context/store).

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::read;
use crate::facts::{ChosenBy, Elsewhere, Engine, Ipv6Off, Platform, Seen, Unit};
use crate::host::{Host, engine, regular};
use crate::hostile::plain;

/// docker's own default (docker/cli, opts/hosts.go).
const DEFAULT_ADDRESS: &str = "unix:///var/run/docker.sock";

/// The context that stands for no context.
const DEFAULT_CONTEXT: &str = "default";

/// The Engine that `docker` leads to, unless that is the unit's own.
pub(super) async fn elsewhere(host: &Host) -> Seen<Elsewhere> {
    let (chosen_by, address) = match chosen(host) {
        Seen::Is(chosen) => chosen,
        Seen::Absent => (ChosenBy::Nobody, DEFAULT_ADDRESS.to_owned()),
        Seen::Unknown(why) => return Seen::Unknown(why),
    };
    let mut elsewhere = Elsewhere {
        chosen_by,
        address,
        engine: Seen::Absent,
    };
    if let Some(socket) = elsewhere.socket().map(PathBuf::from) {
        if is_same(&socket, &host.socket) {
            return Seen::Absent;
        }
        elsewhere.engine = engine::gather(&socket).await;
    }
    match elsewhere {
        // That nobody listens where nobody has sent us is no news.
        Elsewhere {
            chosen_by: ChosenBy::Nobody,
            engine: Seen::Absent,
            ..
        } => Seen::Absent,
        elsewhere => Seen::Is(elsewhere),
    }
}

/// By what docker's address was chosen, and the address; absent where nobody has.
fn chosen(host: &Host) -> Seen<(ChosenBy, String)> {
    let choice = &host.docker;
    if let Some(address) = &choice.host {
        return Seen::Is((ChosenBy::DockerHost, address.clone()));
    }
    let context = match &choice.context {
        Some(name) => Seen::Is(name.clone()),
        None => current_context(&choice.config.join("config.json")),
    };
    context.and_then(|name| match name.as_str() {
        "" | DEFAULT_CONTEXT => Seen::Absent,
        _ => endpoint(&choice.config, &name).map(|address| (ChosenBy::Context(name), address)),
    })
}

fn current_context(file: &Path) -> Seen<String> {
    json(file).and_then(|settings| match settings.get("currentContext") {
        None | Some(Value::Null) => Seen::Absent,
        Some(Value::String(name)) => Seen::Is(name.clone()),
        Some(_) => Seen::Unknown(format!("currentContext in {} is no text", file.display())),
    })
}

/// The address of a context, which must exist.
fn endpoint(config: &Path, name: &str) -> Seen<String> {
    let file = config
        .join("contexts/meta")
        .join(directory(name))
        .join("meta.json");
    match json(&file) {
        Seen::Is(context) => match &context["Endpoints"]["docker"]["Host"] {
            Value::String(address) if !address.is_empty() => Seen::Is(address.clone()),
            _ => Seen::Unknown(format!(
                "docker's context {} has no address in {}",
                plain(name),
                file.display()
            )),
        },
        Seen::Absent => Seen::Unknown(format!(
            "docker's context {} does not exist; see `docker context ls`",
            plain(name)
        )),
        Seen::Unknown(why) => Seen::Unknown(why),
    }
}

fn directory(context: &str) -> String {
    let mut hexadecimal = String::new();
    for byte in Sha256::digest(context) {
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    hexadecimal
}

fn json(file: &Path) -> Seen<Value> {
    let unknown = |why: String| Seen::Unknown(format!("read {}: {why}", file.display()));
    let bytes = match regular::bytes(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Seen::Absent,
        Err(error) => return unknown(error.to_string()),
    };
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Seen::Is(value),
        Ok(_) => unknown("it is no JSON object".to_owned()),
        Err(error) => unknown(plain(&error.to_string())),
    }
}

/// /var/run is a symbolic link to /run, and people link sockets too.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Which socket is looked at, who answers there, and where `docker` leads instead.
///
/// The user's unit, if there is one, is what to look at, by its own socket or by the one that
/// `DOCKER_HOST` names. Without a unit there is only the Engine that `docker` leads to, and that
/// counts as well, if somebody chose it, where nobody knows of a unit.
pub(super) fn choose(
    host: &Host,
    own: Seen<Engine>,
    elsewhere: Seen<Elsewhere>,
    has_unit: Option<bool>,
) -> (PathBuf, Seen<Engine>, Seen<Elsewhere>) {
    let own_socket = host.socket.clone();
    let Seen::Is(there) = &elsewhere else {
        return (own_socket, own, elsewhere);
    };
    let Some(socket) = there.socket().map(PathBuf::from) else {
        return (own_socket, own, elsewhere);
    };
    let here = |engine: &Engine| engine.is_rootless_docker_on(&host_name());
    // Where it may well be a unit's that is stopped: its socket is made there.
    let silent =
        own == Seen::Absent && there.engine == Seen::Absent && socket.starts_with(&host.runtime);
    let is_the_units =
        there.chosen_by == ChosenBy::DockerHost && (silent || there.engine.is().is_some_and(here));
    let chosen = there.chosen_by != ChosenBy::Nobody;
    let is_all_there_is =
        there.engine.is().is_some() && (chosen || (own.is().is_none() && has_unit == Some(false)));
    match has_unit {
        Some(true) if is_the_units => (socket, there.engine.clone(), Seen::Absent),
        Some(false) | None if is_all_there_is => (socket, there.engine.clone(), elsewhere),
        _ => (own_socket, own, elsewhere),
    }
}

/// The rest of what surrounds the unit.
pub(super) fn gather(host: &Host, elsewhere: Seen<Elsewhere>, unit: Option<&Unit>) -> Platform {
    let containerd = unit
        .and_then(|unit| unit.variable("CONTAINERD_ROOTLESS_ROOTLESSKIT_STATE_DIR"))
        .map_or_else(|| host.runtime.join("containerd-rootless"), PathBuf::from);
    Platform {
        elsewhere,
        host_name: host_name(),
        kernel: read(&host.proc.join("sys/kernel/osrelease")).map(|text| text.trim().to_owned()),
        systemd: Some(Path::new("/run/systemd/system").is_dir()),
        containerd_rootless: containerd.exists().then_some(containerd),
    }
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Why the host has no IPv6 at all; absent where it has.
pub(super) fn ipv6_off(proc: &Path) -> Seen<Ipv6Off> {
    let settings = proc.join("sys/net/ipv6/conf");
    match settings.try_exists() {
        Ok(true) => {}
        // Without /proc nobody can tell.
        Ok(false) if !proc.join("sys/net").exists() => {
            return Seen::Unknown(format!("there is no {}", proc.join("sys/net").display()));
        }
        Ok(false) => {
            let told = read(&proc.join("cmdline"))
                .is()
                .is_some_and(|line| line.split_whitespace().any(|word| word == "ipv6.disable=1"));
            return Seen::Is(Ipv6Off::Kernel { told });
        }
        Err(error) => return Seen::Unknown(format!("look at {}: {error}", settings.display())),
    }
    let mut unknown = None;
    let mut off = |name: &String| match read(&settings.join(name).join("disable_ipv6")) {
        Seen::Is(value) => value.trim() == "1",
        Seen::Absent => false,
        Seen::Unknown(why) => {
            unknown.get_or_insert(why);
            false
        }
    };
    let all = "all".to_owned();
    if off(&all) {
        return Seen::Is(Ipv6Off::Sysctl(vec![all]));
    }
    let mut names = uplinks(proc);
    names.retain(&mut off);
    if !names.is_empty() {
        return Seen::Is(Ipv6Off::Sysctl(names));
    }
    unknown.map_or(Seen::Absent, Seen::Unknown)
}

/// The interfaces with an IPv4 default route: lines of interface, destination, gateway, flags,
/// three counters, mask (proc_pid_net(5)).
fn uplinks(proc: &Path) -> Vec<String> {
    let table = read(&proc.join("net/route"));
    let mut names: Vec<String> = table
        .is()
        .into_iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let default = words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000");
            default.then(|| words[0].to_owned())
        })
        .collect();
    // What is called otherwise would have to be quoted in a line for root to paste.
    names.retain(|name| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    });
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
