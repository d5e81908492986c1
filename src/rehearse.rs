//! A throw-away RootlessKit with the planned options, beside the running one.
//!
//! What fails here costs nobody any downtime: an option that RootlessKit does not know, a pasta
//! that cannot start, a tun device that is not ours, a way out that does not exist. It has a state
//! directory of its own and publishes nothing, so dockerd does not notice it. Its child is this
//! program ([`within`]), which makes the netns what dockerd would make of it, probes from inside, tells
//! what it has seen and ends. Nothing of it stays: [`kept`].

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::{Doing, Error, Exit, Result};
use crate::facts::{Facts, NetDriver, Network, Seen};
use crate::host::Host;
use crate::host::netns::{self, Conversation};
use crate::host::process::kept::{self, Ended, Errand, Kept};
use crate::inspect;
use crate::plan::Rehearsal;
use crate::request::{Proof, Uplink};
use crate::uplink;
use crate::vantage::{self, Answer, Request, Task};
use crate::verify::observe::{self, Observation};

mod blame;
mod judge;
pub mod within;

use within::Rehearsed;

/// It takes a third of a second where it works; what hangs for longer would hang dockerd too.
const DEADLINE: Duration = Duration::from_secs(15);

/// Beyond that, for the keeper to clear up.
const CLEARING_UP: Duration = Duration::from_secs(5);

/// Before a start is refused because of what was lost.
const TRIES: usize = 2;

/// For whoever knows better.
const GO_AHEAD: &str = "`--rehearse never` goes ahead all the same";

/// What the names of state directories begin with; the number of the process that made it follows.
const STATE_DIR: &str = "rootless6-rehearsal-";

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// RootlessKit's next start, as planned.
    pub rehearsal: &'a Rehearsal,
    /// The PATH that the unit is to have, where that is not the one it has.
    pub path: Option<&'a str>,
    /// What to ask from inside and from the host, if anything.
    pub probe: Option<observe::Request>,
    /// What will count as the proof afterwards.
    pub proof: Proof,
}

/// Starts RootlessKit as planned and tells the network that its tap interface has then, before any
/// uplink.
///
/// # Errors
/// Why RootlessKit would not start with these settings, or would not get out: nothing has been changed
/// then. A packet may be lost by chance, so that the second is tried twice.
pub async fn rehearse(host: &Host, facts: &Facts, wanted: &Wanted<'_>) -> Result<Seen<Network>> {
    let mut refused = None;
    for _ in 0..TRIES {
        let begun = Instant::now();
        let (inside, outside) =
            tokio::join!(start(host, facts, wanted), from_host(wanted.probe.as_ref()));
        tracing::info!("the rehearsal took {} ms", begun.elapsed().as_millis());
        let inside = match inside? {
            Seen::Is(inside) => inside,
            Seen::Absent => return Ok(Seen::Absent),
            Seen::Unknown(why) => return Ok(Seen::Unknown(why)),
        };
        let outside = outside.as_ref();
        match outside.and_then(|outside| judge::refusal(facts, wanted, outside, &inside)) {
            Some(error) => refused = Some(error),
            None => return Ok(Seen::Is(inside.tap)),
        }
    }
    refused.map_or(Ok(Seen::Absent), Err)
}

/// What the host itself sees; nothing where nobody asks, or it cannot look.
async fn from_host(probe: Option<&observe::Request>) -> Option<Observation> {
    let request = Request {
        join: None,
        task: Task::Probe(probe?.clone()),
    };
    match netns::ask(&request, DEADLINE).await {
        Ok(Answer::Observation(observation)) => Some(*observation),
        _ => None,
    }
}

async fn start(host: &Host, facts: &Facts, wanted: &Wanted<'_>) -> Result<Seen<Rehearsed>> {
    let Some(rootlesskit) = facts.tools.rootlesskit.is() else {
        return Ok(Seen::Absent);
    };
    kept::sweep(&host.runtime, STATE_DIR);
    let directory = host
        .runtime
        .join(format!("{STATE_DIR}{}", std::process::id()));
    let state_dir = format!("--state-dir={}", directory.display());
    // RootlessKit 2.0 tells only then what pasta says.
    let further = ["--debug".to_owned(), state_dir];
    let now = || facts.unit.is().and_then(|unit| unit.effective("PATH"));
    let options = wanted.rehearsal.options.iter().cloned();
    let kept = keep(Errand {
        program: rootlesskit.path.clone(),
        arguments: options.chain(further).collect(),
        then: request_within(facts, wanted)?,
        path: wanted.path.or_else(now).map(str::to_owned),
        directory,
        deadline_ms: u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX),
    });
    told(&kept.await?, facts)
}

fn request_within(facts: &Facts, wanted: &Wanted<'_>) -> Result<String> {
    let rehearsal = wanted.rehearsal;
    let request = match rehearsal.net {
        NetDriver::Pasta => uplink::Request::for_pasta(&facts.host.network).ok(),
        NetDriver::Slirp4netns => Some(uplink::Request::for_slirp4netns()),
        NetDriver::GvisorTapVsock | NetDriver::Other(_) => None,
    };
    let always = rehearsal.uplink == Uplink::Always || rehearsal.net == NetDriver::Slirp4netns;
    let request = Request {
        join: None,
        task: Task::Rehearse(within::Request {
            forwards: rehearsal.forwards,
            uplink: request.filter(|_| rehearsal.uplink != Uplink::Never),
            always,
            probe: wanted.probe.clone().map(|probe| observe::Request {
                fresh_link: true,
                ..probe
            }),
        }),
    };
    serde_json::to_string(&request).doing(|| "write the rehearsal's request")
}

/// The keeper ends by itself when this is given up, and clears up behind itself.
async fn keep(errand: Errand) -> Result<Kept> {
    let request = Request {
        join: None,
        task: Task::Keep(errand),
    };
    let asking = async {
        let mut keeper = Conversation::begin_apart(&request).await?;
        let answer = keeper.next().await?;
        keeper.end().await;
        Ok::<_, Error>(answer)
    };
    match timeout(DEADLINE + CLEARING_UP, asking).await {
        Ok(Ok(Answer::Kept(kept))) => Ok(kept),
        Ok(Ok(_)) => Err(Error::new(
            Exit::NotApplied,
            "the rehearsal's keeper answered something else",
        )),
        Ok(Err(error)) => Err(error.exiting(Exit::NotApplied)),
        Err(_) => Err(Error::cannot(Exit::NotApplied, "end the rehearsal")),
    }
}

fn told(kept: &Kept, facts: &Facts) -> Result<Seen<Rehearsed>> {
    tracing::debug!("the rehearsal: {kept:?}");
    let said = kept.said.as_bytes();
    // A child that answers has been started, whatever it has seen.
    if vantage::is_answer(said) {
        return match vantage::read_answer(said) {
            Ok(Answer::Rehearsed(rehearsed)) if !rehearsed.is_attached => Err(blame::not_attached(
                &kept.last_words,
                &inspect::in_the_way(),
                facts,
            )),
            Ok(Answer::Rehearsed(rehearsed)) => Ok(Seen::Is(*rehearsed)),
            Ok(_) => Ok(Seen::Unknown(
                "the rehearsal's child answered something else".to_owned(),
            )),
            Err(error) => Ok(Seen::Unknown(error.to_string())),
        };
    }
    let late = (kept.ended == Ended::Late)
        .then(|| format!("it did not end within {} s", DEADLINE.as_secs()));
    Err(blame::not_started(
        &kept.last_words,
        late,
        &inspect::in_the_way(),
        facts,
    ))
}
