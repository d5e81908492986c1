//! The Engine of a unit, told by what costs it nothing.
//!
//! To `/version` and `/info` dockerd runs runc, containerd, docker-init and rootlesskit for their
//! versions, which takes longer than all else that is looked at together. Of a dockerd that is seen
//! to run under a RootlessKit of the user's own, the kernel and the head of its answer to `/_ping`
//! tell the same.

use std::path::Path;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::SERVER;
use nix::unistd::{Uid, gethostname};
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tokio::time::timeout;

use super::{REQUEST_SECONDS, networks_from, stranger};
use crate::error::Result;
use crate::facts::{Engine, RootlessKit, Seen, Version};
use crate::host::{http, process, regular};

/// Between dockerd and RootlessKit's child there is nothing, or a wrapper's shell or two.
const LONGEST_LINEAGE: usize = 8;

/// Where os-release(5) is, the first one first.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// The same as [`super::gather`], which asks where anything is not as it is with a dockerd of this
/// RootlessKit's: another process listens, or its answer does not tell who it is.
pub async fn gather(socket: &Path, kit: &RootlessKit) -> Seen<Engine> {
    let asking = async {
        match in_short(socket, kit).await {
            Some(engine) => Seen::Is(engine),
            None => super::gather(socket).await,
        }
    };
    // For both ways together: a dockerd that half answers does not take twice as long.
    let answer = timeout(Duration::from_secs(REQUEST_SECONDS), asking).await;
    answer.unwrap_or_else(|_| super::no_answer())
}

async fn in_short(socket: &Path, kit: &RootlessKit) -> Option<Engine> {
    tracing::info!("talk to the Docker Engine at {}", socket.display());
    let (one, dockerd) = connect(socket, kit).await?;
    let (other, again) = connect(socket, kit).await?;
    // Between the two another one may have been started.
    if dockerd != again {
        return None;
    }
    let (ping, networks) = tokio::try_join!(get(one, "/_ping"), get(other, "/networks")).ok()?;
    Some(Engine {
        version: version(&ping)?,
        rootless: true,
        operating_system: operating_system()?,
        name: gethostname().ok()?.into_string().ok()?,
        podman: false,
        rootlesskit: None,
        networks: networks_from(serde_json::from_slice(networks.body()).ok()?),
    })
}

/// A connection to the dockerd of this RootlessKit, and its process.
async fn connect(socket: &Path, kit: &RootlessKit) -> Option<(UnixStream, u32)> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let peer = stream.peer_cred().ok()?;
    // It is 0 where it is of a pid namespace that is not seen from here (unix(7), pid_namespaces(7)).
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    let pid = pid.filter(|pid| *pid != 0)?;
    is_dockerd_of(kit, &peer, pid).then_some((stream, pid))
}

/// A dockerd below RootlessKit is rootless; that it is on this machine, and how it names that, is as
/// this process sees it where both have the same host name. One in a container of its dockerd's, which
/// is below RootlessKit too, has another.
fn is_dockerd_of(kit: &RootlessKit, peer: &UCred, pid: u32) -> bool {
    peer.uid() == Uid::effective().as_raw()
        && process::name(pid).is_some_and(|name| name == "dockerd")
        && process::ancestors(pid)
            .take(LONGEST_LINEAGE)
            .any(|ancestor| ancestor == kit.child_pid)
        && process::shares_namespace(pid, "uts") == Some(true)
}

async fn get(stream: UnixStream, path: &str) -> Result<Response<Bytes>> {
    http::get(stream, "docker", path, stranger::LONGEST_ANSWER, || {
        format!("ask the Docker Engine for {path}")
    })
    .await
}

/// `Docker/28.5.2+dfsg4 (linux)`; Podman's is `Libpod/…`.
fn version<T>(ping: &Response<T>) -> Option<Version> {
    let server = ping.headers().get(SERVER)?.to_str().ok()?;
    Version::find(server.strip_prefix("Docker/")?)
}

fn operating_system() -> Option<String> {
    let read = |path: &str| regular::text(path.as_ref()).ok();
    pretty_name(&OS_RELEASE.into_iter().find_map(read)?)
}

/// `PRETTY_NAME`, which dockerd gives as its OperatingSystem. None where it takes a shell to read it.
fn pretty_name(os_release: &str) -> Option<String> {
    let mut lines = os_release.lines();
    let value = lines.find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let value = value.strip_prefix(quote)?;
        value.strip_suffix(quote)
    });
    let value = unquoted.unwrap_or(value);
    let is_plain = !value.is_empty() && !value.contains(['"', '\'', '\\', '$', '`']);
    is_plain.then(|| value.to_owned())
}

#[cfg(test)]
mod tests;
