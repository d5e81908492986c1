//! The Docker Engine API on its Unix socket.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerSummary, Network, PortSummary, SystemInfo, SystemVersion};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, ListNetworksOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::{Doing, Error, Exit, Result, cause_chain};
use crate::facts::{Container, DockerNetwork, Engine, LoopbackPort, Seen, Version};
use crate::hostile::plain;

pub mod container;
pub mod own;
#[cfg(test)]
pub(crate) mod scripted;
mod stranger;

/// One request's share of patience, in seconds. A healthy Engine takes milliseconds; one that is
/// stopped or hangs must not hold everything else up.
const REQUEST_SECONDS: u64 = 10;

/// How often a socket that does not answer yet is tried again. There is nothing to wait on: the
/// socket file appears before anybody listens.
const RETRY: Duration = Duration::from_millis(50);

/// The option of a network whose containers may talk to each other; without it they may.
const ICC: &str = "com.docker.network.bridge.enable_icc";

/// Prepares to talk to the Engine; nothing is sent yet.
///
/// Requests carry no version prefix, so every Engine from 20.10 on answers in its own newest
/// version; all fields that are read here are old enough.
///
/// # Errors
/// When there is no socket.
pub fn connect(socket: &Path) -> Result<Docker> {
    let path = socket.to_string_lossy();
    tracing::info!("talk to the Docker Engine at {path}");
    Docker::connect_with_unix(&path, REQUEST_SECONDS, API_DEFAULT_VERSION).map_err(|error| {
        Error::cannot(
            Exit::Bad,
            format!("reach the Docker Engine at {}", socket.display()),
        )
        .caused_by(error)
        .hint("see `systemctl --user status docker.service`")
    })
}

/// Asks whoever listens who they are and which networks they have. What they answer is not trusted:
/// neither its length nor its words.
///
/// A socket that is missing or that nobody listens on is [`Seen::Absent`].
pub async fn gather(socket: &Path) -> Seen<Engine> {
    let docker = match stranger::connect(socket, REQUEST_SECONDS) {
        Ok(docker) => docker,
        Err(error) => return Seen::Unknown(plain(&cause_chain(&error).join(": "))),
    };
    let asking = async {
        tokio::try_join!(
            docker.version(),
            docker.info(),
            docker.list_networks(None::<ListNetworksOptions>)
        )
    };
    match timeout(Duration::from_secs(REQUEST_SECONDS), asking).await {
        Ok(Ok((version, info, networks))) => engine_from(&version, info, networks),
        Ok(Err(error)) if nobody_listens(&error) => Seen::Absent,
        Err(_) | Ok(Err(bollard::errors::Error::RequestTimeoutError)) => no_answer(),
        Ok(Err(error)) => Seen::Unknown(plain(&cause_chain(&error).join(": "))),
    }
}

fn no_answer<T>() -> Seen<T> {
    Seen::Unknown(format!("no whole answer within {REQUEST_SECONDS} s"))
}

/// What running containers publish on loopback and nowhere else.
pub async fn loopback_ports(socket: &Path) -> Seen<Vec<LoopbackPort>> {
    let docker = match stranger::connect(socket, REQUEST_SECONDS) {
        Ok(docker) => docker,
        Err(error) => return Seen::Unknown(plain(&cause_chain(&error).join(": "))),
    };
    let asking = docker.list_containers(None::<ListContainersOptions>);
    match timeout(Duration::from_secs(REQUEST_SECONDS), asking).await {
        Ok(Ok(summaries)) => Seen::Is(summaries.iter().flat_map(on_loopback).collect()),
        Ok(Err(error)) => Seen::Unknown(plain(&cause_chain(&error).join(": "))),
        Err(_) => no_answer(),
    }
}

fn on_loopback(summary: &ContainerSummary) -> Vec<LoopbackPort> {
    let ports = summary.ports.iter().flatten();
    let addresses = ports.filter_map(|port| {
        let address: IpAddr = port.ip.as_deref()?.parse().ok()?;
        Some(SocketAddr::new(address, port.public_port?))
    });
    let loopback = addresses.filter(|address| address.ip().is_loopback());
    loopback
        .map(|address| LoopbackPort {
            container: plain(&name_of(summary)),
            address: address.to_string(),
        })
        .collect()
}

fn nobody_listens(error: &bollard::errors::Error) -> bool {
    match error {
        bollard::errors::Error::IOError { err } => {
            matches!(
                err.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            )
        }
        _ => false,
    }
}

fn engine_from(version: &SystemVersion, info: SystemInfo, networks: Vec<Network>) -> Seen<Engine> {
    let Some(number) = version.version.as_deref().and_then(Version::find) else {
        return Seen::Unknown("its answer to /version has no version".to_owned());
    };
    let component = |name: &str| {
        let mut components = version.components.iter().flatten();
        components.find(|component| component.name == name)
    };
    Seen::Is(Engine {
        version: number,
        rootless: info
            .security_options
            .iter()
            .flatten()
            .any(|option| option.split(',').any(|part| part == "name=rootless")),
        operating_system: info.operating_system.unwrap_or_default(),
        name: info.name.unwrap_or_default(),
        podman: component("Podman Engine").is_some(),
        rootlesskit: component("rootlesskit").and_then(|found| Version::find(&found.version)),
        networks: networks_from(networks),
    })
}

fn networks_from(networks: Vec<Network>) -> Vec<DockerNetwork> {
    let mut networks: Vec<_> = networks.into_iter().map(network_from).collect();
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    networks
}

fn network_from(network: Network) -> DockerNetwork {
    let subnets = network
        .ipam
        .and_then(|ipam| ipam.config)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|config| config.subnet)
        .collect();
    let options = network.options.unwrap_or_default();
    DockerNetwork {
        keeps_apart: options.get(ICC).is_some_and(|icc| icc == "false"),
        name: network.name.unwrap_or_default(),
        driver: network.driver.unwrap_or_default(),
        ipv6: network.enable_ipv6.unwrap_or(false),
        subnets,
    }
}

/// Waits until the Engine answers.
///
/// # Errors
/// When it does not by the deadline.
pub async fn answers(socket: &Path, deadline: Instant) -> Result<()> {
    let mut last = None;
    let asking = async {
        loop {
            match connect(socket) {
                Ok(docker) => match docker.ping().await {
                    Ok(_) => return,
                    Err(error) => last = cause_chain(&error).pop(),
                },
                Err(error) => last = error.causes.last().cloned(),
            }
            sleep(RETRY).await;
        }
    };
    if timeout_at(deadline, asking).await.is_ok() {
        return Ok(());
    }
    let error = Error::new(Exit::NotApplied, "the Docker Engine does not answer")
        .caused_by(format!("no answer on {} by the deadline", socket.display()));
    Err(last.into_iter().fold(error, Error::caused_by))
}

/// The running containers and what a restart of dockerd means to each.
///
/// # Errors
/// When the Engine does not list them.
pub async fn running_containers(docker: &Docker) -> Result<Vec<Container>> {
    let doing = || "list the running containers";
    let summaries = docker
        .list_containers(None::<ListContainersOptions>)
        .await
        .doing(doing)?;
    let policies = join_all(
        summaries
            .iter()
            .map(|summary| restart_policy(docker, summary)),
    )
    .await;
    let mut containers: Vec<_> = summaries
        .iter()
        .zip(policies)
        .map(|(summary, restart)| Container {
            name: name_of(summary),
            restart,
            ports: ports_of(summary),
        })
        .collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(containers)
}

async fn restart_policy(docker: &Docker, summary: &ContainerSummary) -> String {
    let Some(id) = summary.id.as_deref() else {
        return "no".to_owned();
    };
    docker
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
        .ok()
        .and_then(|container| container.host_config?.restart_policy?.name)
        .map(|policy| policy.to_string())
        .filter(|policy| !policy.is_empty())
        .unwrap_or_else(|| "no".to_owned())
}

fn name_of(summary: &ContainerSummary) -> String {
    summary
        .names
        .iter()
        .flatten()
        .next()
        .map(|name| name.trim_start_matches('/').to_owned())
        .unwrap_or_default()
}

fn ports_of(summary: &ContainerSummary) -> Vec<String> {
    let published: HashMap<u16, &PortSummary> = summary
        .ports
        .iter()
        .flatten()
        .filter_map(|port| Some((port.public_port?, port)))
        .collect();
    let mut ports: Vec<_> = published
        .iter()
        .map(|(public, port)| {
            let protocol = port.typ.map(|typ| typ.to_string()).unwrap_or_default();
            format!("{public}->{}/{protocol}", port.private_port)
        })
        .collect();
    ports.sort();
    ports
}
