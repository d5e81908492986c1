//! The way into a running container's network, from outside: nothing runs in the container, which
//! may be without a shell or any other program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;
use tokio::time::timeout;

use super::{REQUEST_SECONDS, nobody_listens, stranger};
use crate::error::{Doing, Error, Exit, Result};
use crate::hostile::plain;
use crate::vantage::Join;

/// Containers that share the network of one that shares the network of another: nobody needs as
/// many, and the Engine is not trusted to tell of no circle.
const LONGEST_CHAIN: usize = 8;

/// The namespaces of a running container, by name or id.
///
/// A paused container's network works on, so it can be joined as any other.
///
/// # Errors
/// Exit 2 when there is no such container; exit 1 when it does not run, has no network of its own
/// but RootlessKit's or the host's, or the Engine does not answer.
pub async fn join(socket: &Path, name: &str) -> Result<Join> {
    let docker = stranger::connect(socket, REQUEST_SECONDS)
        .doing(|| doing(name))
        .map_err(|error| error.exiting(Exit::Bad))?;
    let looking = async {
        let container = inspect(&docker, name).await?;
        let pid = running(name, &container)?;
        let mut owner = container;
        for _ in 0..LONGEST_CHAIN {
            owner = match Mode::of(&owner) {
                Mode::Own => break,
                Mode::Hosts => return Err(hosts(name, is_in_own_netns(pid))),
                // One that has gone can no longer tell; the network lives on in those that use it.
                Mode::Of(other) => match inspect(&docker, &other).await {
                    Ok(owner) => owner,
                    Err(_) => break,
                },
            };
        }
        let process = PathBuf::from(format!("/proc/{pid}/ns"));
        Ok(Join {
            user: process.join("user"),
            net: process.join("net"),
        })
    };
    match timeout(Duration::from_secs(REQUEST_SECONDS), looking).await {
        Ok(join) => join,
        Err(_) => Err(Error::cannot(Exit::Bad, doing(name))
            .caused_by(format!("no whole answer within {REQUEST_SECONDS} s"))
            .hint("`rootless6 status` shows what is there")),
    }
}

/// A container's root directory, as it is seen from here. Links in it are not to be followed from here.
pub fn root(join: &Join) -> PathBuf {
    let process = join.user.ancestors().nth(2).unwrap_or(Path::new("/"));
    process.join("root")
}

fn doing(name: &str) -> String {
    format!("find the container {}", plain(name))
}

async fn inspect(docker: &bollard::Docker, name: &str) -> Result<ContainerInspectResponse> {
    if !is_name(name) {
        return Err(no_such(name));
    }
    let answer = docker
        .inspect_container(name, None::<InspectContainerOptions>)
        .await;
    let why = match answer {
        Ok(container) => return Ok(container),
        Err(EngineError::DockerResponseServerError {
            status_code: 404, ..
        }) => return Err(no_such(name)),
        Err(error) if nobody_listens(&error) => "the Docker Engine is not running".to_owned(),
        Err(error) => plain(&error.to_string()),
    };
    Err(Error::cannot(Exit::Bad, doing(name))
        .caused_by(why)
        .hint("`rootless6 status` shows what is there"))
}

/// As the Engine has it (moby: daemon/names). Anything else would be another path of its API.
pub fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal)
}

fn no_such(name: &str) -> Error {
    Error::new(
        Exit::Usage,
        format!("there is no container {:?}", plain(name)),
    )
    .hint("`docker ps` lists the running containers")
}

/// The first process of a container that runs.
fn running(name: &str, container: &ContainerInspectResponse) -> Result<u32> {
    let state = container.state.as_ref();
    let pid = state.and_then(|state| state.pid).unwrap_or_default();
    if let Some(pid) = u32::try_from(pid).ok().filter(|pid| *pid > 0) {
        return Ok(pid);
    }
    let status = state.and_then(|state| state.status);
    let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
    Err(Error::new(
        Exit::Bad,
        format!("the container {} is not running", plain(name)),
    )
    .caused_by(format!("its state is {status:?}"))
    .hint(format!("start it: `docker start {}`", plain(name))))
}

/// Whether a process is in the network namespace that this one is in.
fn is_in_own_netns(pid: u32) -> bool {
    let netns = |process: String| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let own = netns("self".to_owned());
    own.is_some() && netns(pid.to_string()) == own
}

/// `host` is where dockerd is: in RootlessKit's netns, unless that is detached.
fn hosts(name: &str, is_real: bool) -> Error {
    let (whose, hint) = if is_real {
        ("it uses the host's", "`--from host`")
    } else {
        let whose = "it uses the host's, which in rootless Docker is RootlessKit's netns";
        (whose, "`--from netns`")
    };
    Error::new(
        Exit::Bad,
        format!("the container {} has no network of its own", plain(name)),
    )
    .caused_by(whose)
    .hint(format!("that is a vantage point itself: {hint}"))
}

/// Whose network a container uses.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Own,
    Hosts,
    /// Another container's, by id.
    Of(String),
}

impl Mode {
    fn of(container: &ContainerInspectResponse) -> Self {
        let config = container.host_config.as_ref();
        match config.and_then(|config| config.network_mode.as_deref()) {
            Some("host") => Self::Hosts,
            Some(mode) => match mode.strip_prefix("container:") {
                Some(other) => Self::Of(other.to_owned()),
                None => Self::Own,
            },
            None => Self::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(mode: &str, state: serde_json::Value) -> ContainerInspectResponse {
        let document = json!({ "HostConfig": { "NetworkMode": mode }, "State": state });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn the_network_mode_tells_whose_network_it_is() {
        for (mode, whose) in [
            ("host", Mode::Hosts),
            ("bridge", Mode::Own),
            ("none", Mode::Own),
            ("default", Mode::Own),
            ("a-network", Mode::Own),
            ("container:0123abc", Mode::Of("0123abc".to_owned())),
        ] {
            assert_eq!(Mode::of(&container(mode, json!({}))), whose, "{mode}");
        }
        assert_eq!(Mode::of(&ContainerInspectResponse::default()), Mode::Own);
    }

    #[test]
    fn a_container_in_the_hosts_network_is_told_which_host_that_is() {
        assert!(is_in_own_netns(std::process::id()));
        assert!(!is_in_own_netns(u32::MAX), "who is not there is nowhere");
        for (is_real, from) in [(true, "`--from host`"), (false, "`--from netns`")] {
            let error = hosts("web", is_real);
            assert!(error.hints[0].ends_with(from), "{error:?}");
            assert_eq!(error.to_string().contains("RootlessKit"), !is_real);
        }
    }

    #[test]
    fn only_a_container_with_a_process_runs() {
        let running = |state| running("web", &container("bridge", state));
        for status in ["running", "paused"] {
            let state = json!({ "Status": status, "Pid": 4711 });
            assert_eq!(running(state), Ok(4711));
        }
        for status in ["created", "exited", "restarting", "dead"] {
            let error = running(json!({ "Status": status, "Pid": 0 })).unwrap_err();
            assert_eq!(error.exit, Exit::Bad);
            assert!(error.to_string().contains(status), "{error}");
        }
        assert!(running(json!({})).is_err());
    }

    #[test]
    fn a_containers_root_directory_is_its_first_processs() {
        let join = Join {
            user: "/proc/4711/ns/user".into(),
            net: "/proc/4711/ns/net".into(),
        };
        assert_eq!(root(&join), Path::new("/proc/4711/root"));
    }

    #[test]
    fn what_the_engine_would_not_take_as_a_name_is_never_sent_to_it() {
        for name in ["web", "web-1.a_b", "0123abcdef"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "-v", "a/b", "a?b", "a b", "ä", "a\n", "../x"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
