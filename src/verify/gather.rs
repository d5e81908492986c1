//! Everything that is observed, from all vantage points at once.

use std::cell::OnceCell;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};

use super::observe::{self, TargetSeen};
use super::published::Published;
use super::{Evidence, Question, Report, Targets, Vantage, sweep};
use crate::error::{Error, Exit, Result};
use crate::facts::{Engine, Facts, Seen};
use crate::host::engine::container;
use crate::host::netns;
use crate::host::probe_container::Leftovers;
use crate::inspect;
use crate::probe::echo::EchoOutcome;
use crate::probe::tcp::TcpOutcome;
use crate::vantage::{Answer, Join, Request, Task};

mod free_port;
mod own_addresses;
mod pair;
mod requests;
mod settling;

use pair::Pairs;
use requests::Requests;

/// A healthy probe is over in milliseconds; a hopeless one after five seconds. The rest is for a
/// container to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Vantage points beside the host that are at work at the same time: each is a process or two
/// containers.
const AT_ONCE: usize = 5;

/// What a vantage point reports that was not waited for.
const CUT_SHORT: &str = "cut short: the host itself gets no answer";

/// What a container on docker0 reports where there is none.
const WITHOUT_DOCKER0: &str = "docker0 is switched off";

/// Probes from all vantage points at once. Where the host gets no answer, no other vantage point can,
/// and none is waited for.
///
/// The host is probed in any case: without it nobody can tell a target that is down from a way that
/// is broken.
pub(super) async fn gather(facts: &Facts, socket: &Path, question: &Question<'_>) -> Evidence {
    let requests = Requests::new(question.targets);
    let elsewhere: Vec<&Vantage> = question
        .vantages
        .iter()
        .filter(|vantage| **vantage != Vantage::Host)
        .collect();
    let seen = Elsewhere {
        reports: elsewhere.iter().map(|_| OnceCell::new()).collect(),
        published: OnceCell::new(),
    };
    let host = async { report(ask(None, requests.host()).await) };
    let observing = observe_elsewhere(&elsewhere, facts, socket, &requests, &seen);
    let host = match select(pin!(host), pin!(observing)).await {
        Either::Left((host, observing)) => {
            if !gets_no_answer(&host) {
                observing.await;
            }
            host
        }
        Either::Right(((), host)) => host.await,
    };
    if elsewhere.iter().any(|vantage| in_new_container(vantage)) {
        sweep(socket, Leftovers::Own).await;
    }
    let mut reports = vec![(Vantage::Host, host)];
    for (vantage, report) in elsewhere.into_iter().zip(seen.reports) {
        let report = report.into_inner();
        reports.push((
            vantage.clone(),
            report.unwrap_or_else(|| Err(CUT_SHORT.to_owned())),
        ));
    }
    let publishes = question.vantages.contains(&Vantage::Container);
    let published = seen.published.into_inner();
    Evidence {
        reports,
        published: publishes.then(|| published.unwrap_or_else(|| Err(CUT_SHORT.to_owned()))),
        ipv4_before: question.ipv4_before,
        unit: facts.typed_unit(),
        engine: facts.engine.is().cloned(),
    }
}

fn in_new_container(vantage: &Vantage) -> bool {
    matches!(vantage, Vantage::Container | Vantage::OnNetwork(_))
}

/// What has been seen from all vantage points but the host, so far.
struct Elsewhere {
    reports: Vec<OnceCell<Report>>,
    published: OnceCell<std::result::Result<Published, String>>,
}

async fn observe_elsewhere(
    vantages: &[&Vantage],
    facts: &Facts,
    socket: &Path,
    requests: &Requests,
    seen: &Elsewhere,
) {
    let pairs = Pairs::new(facts, socket);
    let without_docker0 = facts.engine.is().is_some_and(Engine::is_without_docker0);
    let observing = vantages.iter().zip(&seen.reports);
    stream::iter(observing)
        .for_each_concurrent(AT_ONCE, async |(vantage, slot)| {
            let answer = match vantage {
                Vantage::Host => return,
                Vantage::Netns => in_netns(facts, requests).await,
                Vantage::Container if without_docker0 => {
                    let _ = seen.published.set(Err(WITHOUT_DOCKER0.to_owned()));
                    Err(Error::new(Exit::Bad, WITHOUT_DOCKER0))
                }
                Vantage::Container => {
                    let (answer, published) = pairs.observe("bridge", requests, true).await;
                    if let Some(published) = published {
                        let _ = seen.published.set(published);
                    }
                    answer
                }
                Vantage::OnNetwork(name) => pairs.observe(name, requests, false).await.0,
                Vantage::InContainer(name) => in_running(socket, name, requests).await,
            };
            let _ = slot.set(report(answer));
        })
        .await;
}

async fn in_netns(facts: &Facts, requests: &Requests) -> Result<Answer> {
    let join = match &facts.rootlesskit {
        Seen::Is(kit) => inspect::join(kit),
        Seen::Absent => return Err(Error::new(Exit::Bad, "RootlessKit is not running")),
        Seen::Unknown(why) => {
            return Err(Error::cannot(Exit::Bad, "find RootlessKit's netns").caused_by(why));
        }
    };
    ask(Some(join), requests.netns()).await
}

/// What RootlessKit's netns sees of the IPv4 targets, and of nothing else.
pub(super) async fn over_ipv4(facts: &Facts, targets: &Targets) -> Report {
    let requests = Requests::new(&Targets {
        v4: targets.v4.clone(),
        ..Targets::default()
    });
    report(in_netns(facts, &requests).await)
}

async fn in_running(socket: &Path, name: &str, requests: &Requests) -> Result<Answer> {
    let join = container::join(socket, name).await?;
    let root = container::root(&join);
    ask(Some(join), requests.running(root)).await
}

async fn ask(join: Option<Join>, request: observe::Request) -> Result<Answer> {
    let task = Task::Probe(request);
    netns::ask(&Request { join, task }, PATIENCE).await
}

fn report(answer: Result<Answer>) -> Report {
    match answer {
        Ok(Answer::Observation(observation)) => Ok(*observation),
        Ok(_) => Err("the vantage point answered something else".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether neither echoes nor connections of the host came to anything, although it could try both.
fn gets_no_answer(host: &Report) -> bool {
    let dead = |seen: &TargetSeen| {
        let no_echo = matches!(seen.echo.outcome, EchoOutcome::Silent | EchoOutcome::Error);
        let no_connection = matches!(
            seen.tcp.outcome,
            TcpOutcome::Silent | TcpOutcome::Unreachable(_)
        );
        no_echo && no_connection
    };
    host.as_ref()
        .is_ok_and(|host| !host.targets.is_empty() && host.targets.iter().all(dead))
}
