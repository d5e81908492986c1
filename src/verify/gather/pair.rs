//! Two containers on one network: one probes, the other answers it and, where its port is published,
//! the host.

use std::net::Ipv6Addr;
use std::path::Path;

use bollard::Docker;
use futures_util::future::join_all;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::PATIENCE;
use super::free_port::free_port;
use super::own_addresses::own_addresses;
use super::requests::Requests;
use super::settling::settles;
use crate::error::{Doing, Error, Exit, Result};
use crate::facts::Facts;
use crate::host::engine;
use crate::host::image::{self, Image};
use crate::host::probe_container::{ProbeContainer, Purpose};
use crate::vantage::{Answer, Request, Task};
use crate::verify::peer;
use crate::verify::published::{self, Port, Published};

/// Where the other container listens.
const PORT: u16 = 6464;

/// A port that was free may be taken a moment later.
const TRIES: usize = 3;

type Reached = std::result::Result<Published, String>;

/// From within a container, and whether another one was reached.
type Seen = (Result<Answer>, Option<Reached>);

/// A container on its way out.
type Going = JoinHandle<()>;

/// What all pairs share.
pub(super) struct Pairs<'a> {
    facts: &'a Facts,
    socket: &'a Path,
    ready: OnceCell<Result<(Docker, Image)>>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(facts: &'a Facts, socket: &'a Path) -> Self {
        Self {
            facts,
            socket,
            ready: OnceCell::new(),
        }
    }

    /// What a new container on a network sees, and whether another one there is reached at a
    /// published port.
    pub(super) async fn observe(
        &self,
        network: &str,
        requests: &Requests,
        publishes: bool,
    ) -> Seen {
        let ready = self.ready.get_or_init(async || {
            let docker = engine::connect(self.socket)?;
            let image = image::import(&docker).await?;
            Ok((docker, image))
        });
        let failed = |error: Error| {
            let reached = publishes.then(|| Err(error.to_string()));
            (Err(error), reached)
        };
        let (docker, image) = match ready.await {
            Ok(ready) => ready,
            Err(error) => return failed(error.clone()),
        };
        let pair = Pair {
            docker,
            image,
            network,
            nonce: getrandom::u64().unwrap_or(6),
        };
        let observing = pair.observe(requests, publishes.then_some(self.facts));
        match timeout(PATIENCE, observing).await {
            Ok((seen, going)) => {
                join_all(going).await;
                seen
            }
            Err(_) => failed(
                Error::cannot(Exit::Bad, "hear from the probe containers")
                    .caused_by(format!("no answer within {} s", PATIENCE.as_secs())),
            ),
        }
    }
}

struct Pair<'a> {
    docker: &'a Docker,
    image: &'a Image,
    network: &'a str,
    nonce: u64,
}

impl Pair<'_> {
    /// The prober learns the other one's address as soon as that has one. Both are gone when what is
    /// given beside what they have seen is over.
    async fn observe(&self, requests: &Requests, publishes: Option<&Facts>) -> (Seen, Vec<Going>) {
        let (tell_address, address) = oneshot::channel();
        let looking = async {
            match publishes {
                Some(facts) => tokio::join!(own_addresses(facts), settles(facts)),
                None => (Vec::new(), false),
            }
        };
        let peering = async {
            let starting = self.start_peer(publishes.is_some());
            let ((peer, port), (addresses, settles)) = tokio::join!(starting, looking);
            let since = Instant::now();
            let address = match &peer {
                Ok(peer) => peer.address().await,
                Err(error) => Err(error.clone()),
            };
            // Nobody waits for it where the prober did not start.
            let _ = tell_address.send(address);
            let reached = match port {
                Some(Ok(number)) => {
                    let port = Port {
                        number,
                        nonce: self.nonce,
                        since,
                        settles,
                    };
                    Some(Ok(published::reach(port, &addresses).await))
                }
                Some(Err(reached)) => Some(reached),
                None => None,
            };
            (peer, reached)
        };
        let ((prober, answer), (peer, reached)) =
            tokio::join!(self.probe(requests, address), peering);
        let going = [prober, peer.ok().map(ProbeContainer::remove)];
        ((answer, reached), going.into_iter().flatten().collect())
    }

    /// The prober is on its way out as soon as it has answered.
    async fn probe(
        &self,
        requests: &Requests,
        address: oneshot::Receiver<Result<Option<Ipv6Addr>>>,
    ) -> (Option<Going>, Result<Answer>) {
        let Self {
            docker,
            image,
            network,
            ..
        } = *self;
        let started = ProbeContainer::start(docker, image, network, Purpose::Probe).await;
        let mut prober = match started {
            Ok(prober) => prober,
            Err(error) => return (None, Err(error)),
        };
        let asking = async {
            let peer = address.await.doing(|| "start the other container")??;
            let request = Request {
                join: None,
                task: Task::Probe(requests.new_container(peer)),
            };
            prober.tell(&request).await?;
            prober.answer().await
        };
        let answer = asking.await;
        (Some(prober.remove()), answer)
    }

    /// With a published port where one is asked for and to be had, else without, and then what that
    /// tells.
    async fn start_peer(
        &self,
        publishes: bool,
    ) -> (
        Result<ProbeContainer>,
        Option<std::result::Result<u16, Reached>>,
    ) {
        if !publishes {
            return (self.start_serving(None).await, None);
        }
        let mut refusal = None;
        let mut missing = String::new();
        for _ in 0..TRIES {
            let port = match free_port() {
                Ok(port) => port,
                Err(error) => {
                    missing = error.to_string();
                    continue;
                }
            };
            match self.start_serving(Some(port)).await {
                Ok(peer) => return (Ok(peer), Some(Ok(port))),
                Err(error) => refusal = Some(error.to_string()),
            }
        }
        let peer = self.start_serving(None).await;
        let reached = match refusal {
            Some(why) if peer.is_ok() => Ok(Published::refused(why)),
            Some(why) => Err(why),
            None => Err(missing),
        };
        (peer, Some(Err(reached)))
    }

    async fn start_serving(&self, published: Option<u16>) -> Result<ProbeContainer> {
        let purpose = Purpose::Serve {
            port: PORT,
            published,
        };
        let mut peer =
            ProbeContainer::start(self.docker, self.image, self.network, purpose).await?;
        let request = Request {
            join: None,
            task: Task::Serve(peer::Request {
                port: PORT,
                nonce: self.nonce,
            }),
        };
        peer.tell(&request).await?;
        Ok(peer)
    }
}
