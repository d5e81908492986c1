//! Containers of our own: what they may do, how they are spoken to, and that none of them stays.
//!
//! A container gets its request on standard input and answers with one line, so it can start before
//! the request is known. The Engine removes it when it ends, this program does so earlier, and what
//! a killed run has left is swept by the next.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as EngineError;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    StartContainerOptions,
};
use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::image::{self, Image};
use super::run_id::RunId;
use crate::error::{Doing, Result};
use crate::hostile::plain;
use crate::vantage::{self, Answer, Request};

mod body;
mod removal;
mod sweep;

pub use body::Purpose;
use removal::{State, remove};
pub use sweep::{Leftovers, sweep};

/// Label of every container of ours; its value is the run.
pub const LABEL: &str = "rootless6.run";

/// The longest output of a container that is read, in bytes.
const LONGEST_OUTPUT: usize = 1 << 20;

/// Containers that the Engine is making for this process and has not told of yet.
static BEING_MADE: AtomicU32 = AtomicU32::new(0);

/// Numbers this process's containers.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running container of ours.
#[derive(Debug)]
pub struct ProbeContainer {
    docker: Docker,
    name: String,
    streams: AttachContainerResults,
    has_answered: bool,
}

impl ProbeContainer {
    /// Makes and starts a container on a network. It awaits its request.
    ///
    /// # Errors
    /// When the Engine refuses. What it has made nevertheless is left to [`sweep`].
    pub async fn start(
        docker: &Docker,
        image: &Image,
        network: &str,
        purpose: Purpose,
    ) -> Result<Self> {
        let doing = || format!("run a container on the network {network}");
        tracing::info!("{}: {purpose:?}", doing());
        let mut made = make(docker, image, network, purpose).await;
        if made
            .as_ref()
            .is_err_and(|error| status(error) == Some(NOT_FOUND))
        {
            // Another build of this program may have removed the image since.
            let image = image::import(docker).await?;
            made = make(docker, &image, network, purpose).await;
        }
        let name = made.doing(doing)?;
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let streams = docker.attach_container(&name, Some(options));
        let streams = streams.await.doing(doing)?;
        let started = docker.start_container(&name, None::<StartContainerOptions>);
        started.await.doing(doing)?;
        Ok(Self {
            docker: docker.clone(),
            name,
            streams,
            has_answered: false,
        })
    }

    /// Its IPv6 address; none where its network has no IPv6.
    ///
    /// # Errors
    /// When the Engine does not tell.
    pub async fn address(&self) -> Result<Option<Ipv6Addr>> {
        let doing = || "find the container's address";
        let seen = self
            .docker
            .inspect_container(&self.name, None::<InspectContainerOptions>)
            .await
            .doing(doing)?;
        let networks = seen.network_settings.and_then(|settings| settings.networks);
        let address = networks
            .into_iter()
            .flatten()
            .find_map(|(_, endpoint)| endpoint.global_ipv6_address)
            .filter(|address| !address.is_empty());
        address.map(|text| text.parse().doing(doing)).transpose()
    }

    /// Hands it its request.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn tell(&mut self, request: &Request) -> Result<()> {
        let doing = || "hand the container its request";
        let mut line = serde_json::to_string(request).doing(doing)?;
        line.push('\n');
        self.streams
            .input
            .write_all(line.as_bytes())
            .await
            .doing(doing)?;
        self.streams.input.shutdown().await.doing(doing)
    }

    /// Waits for its answer.
    ///
    /// # Errors
    /// When none comes, or it says that the task failed.
    pub async fn answer(&mut self) -> Result<Answer> {
        let mut said = Vec::new();
        let mut complained = Vec::new();
        while let Some(chunk) = self
            .streams
            .output
            .try_next()
            .await
            .doing(|| "hear the container")?
        {
            match chunk {
                LogOutput::StdErr { message } => complained.extend_from_slice(&message),
                chunk => said.extend_from_slice(&chunk.into_bytes()),
            }
            if said.contains(&b'\n') || said.len() + complained.len() > LONGEST_OUTPUT {
                break;
            }
        }
        self.has_answered = true;
        vantage::read_answer(&said).map_err(|error| {
            match String::from_utf8_lossy(&complained).trim() {
                "" => error,
                words => error.caused_by(plain(words)),
            }
        })
    }

    /// Sees to it that it goes; it is gone when the task is over.
    pub fn remove(self) -> JoinHandle<()> {
        let state = if self.has_answered {
            State::Ending
        } else {
            State::Running
        };
        tokio::spawn(async move { remove(&self.docker, &self.name, state).await })
    }
}

const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Makes a container and returns its name.
async fn make(
    docker: &Docker,
    image: &Image,
    network: &str,
    purpose: Purpose,
) -> std::result::Result<String, EngineError> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("rootless6-{}-{number}", RunId::own());
    let body = body::container(image, network, purpose);
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    BEING_MADE.fetch_add(1, Ordering::Relaxed);
    let docker = docker.clone();
    // A task of its own: when nobody waits any more the Engine still makes it, and the sweep that
    // follows has to know.
    let making = tokio::spawn(async move {
        let made = docker.create_container(Some(options), body).await;
        BEING_MADE.fetch_sub(1, Ordering::Relaxed);
        made
    });
    match making.await {
        Ok(made) => made.map(|_| name),
        Err(_) => Err(EngineError::RequestTimeoutError),
    }
}
