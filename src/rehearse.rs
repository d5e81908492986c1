//! A throw-away RootlessKit with the planned options, beside the running one.
//!
//! What fails here costs nobody any downtime: an option that RootlessKit does not know, a pasta
//! that cannot start, a tun device that is not ours, a way out that does not exist. It has a state
//! directory of its own and publishes nothing, so dockerd does not notice it. Its child is this
//! program ([`within`]), which makes the netns what dockerd would make of it, probes from inside, tells
//! what it has seen and ends. Nothing of it stays: [`kept`].

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::{Doing, Error, Exit, Result};
use crate::facts::{Facts, NetDriver, Network, Seen};
use crate::host::Host;
use crate::host::netns::{self, Conversation};
use crate::host::process::kept::{self, Ended, Errand, Kept};
use crate::hostile::plain;
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

/// What a rehearsal has shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The network that RootlessKit's tap interface has then, before any uplink.
    pub tap: Seen<Network>,
    /// Why it has not shown that the restart goes well, if so: in a sentence.
    pub doubt: Option<String>,
}

impl Shown {
    fn nothing(tap: Seen<Network>, why: &str) -> Self {
        let doubt = format!("the rehearsal beside dockerd has shown nothing: {why}");
        Self {
            tap,
            doubt: Some(doubt),
        }
    }
}

/// Starts RootlessKit as planned and tells what it sees then.
///
/// # Errors
/// Why RootlessKit would not start with these settings, or would not get out: nothing has been changed
/// then. A packet may be lost by chance, so that the second is tried twice.
pub async fn rehearse(host: &Host, facts: &Facts, wanted: &Wanted<'_>) -> Result<Shown> {
    let mut tries = 1;
    loop {
        let begun = Instant::now();
        let once = once(host, facts, wanted).await;
        tracing::info!("the rehearsal took {} ms", begun.elapsed().as_millis());
        match once? {
            Once::Shown(shown) => return Ok(shown),
            Once::Refused(_) if tries < TRIES => tries += 1,
            Once::Refused(refusal) => return Err(refusal),
        }
    }
}

/// How one try ends.
enum Once {
    Shown(Shown),
    /// Perhaps by chance.
    Refused(Error),
}

async fn once(host: &Host, facts: &Facts, wanted: &Wanted<'_>) -> Result<Once> {
    let mut inside = pin!(start(host, facts, wanted));
    let mut outside = pin!(from_host(wanted.probe.as_ref()));
    let (inside, known) = tokio::select! {
        inside = &mut inside => (inside, None),
        outside = &mut outside => (inside.await, Some(outside)),
    };
    let inside = match inside? {
        Seen::Is(inside) => inside,
        Seen::Absent => {
            let why = "there is no rootlesskit on the PATH of the unit";
            return Ok(Once::Shown(Shown::nothing(Seen::Absent, why)));
        }
        Seen::Unknown(why) => {
            let shown = Shown::nothing(Seen::Unknown(why.clone()), &why);
            return Ok(Once::Shown(shown));
        }
    };
    let tap = Seen::Is(inside.tap.clone());
    // What the host gets matters only where something is missing.
    if inside.observation.is_none() || judge::is_well(wanted, &inside) {
        return Ok(Once::Shown(Shown { tap, doubt: None }));
    }
    let outside = match known {
        Some(outside) => outside,
        None => outside.await,
    };
    let outside = match outside {
        Ok(outside) => outside,
        Err(error) => {
            let why = format!("something is missing there, and {error}");
            return Ok(Once::Shown(Shown::nothing(tap, &why)));
        }
    };
    let Some(refusal) = judge::refusal(facts, wanted, &outside, &inside) else {
        return Ok(Once::Shown(Shown { tap, doubt: None }));
    };
    let Some(helper) = &wanted.rehearsal.helper else {
        return Ok(Once::Refused(refusal));
    };
    let doubt = format!(
        "a rehearsal beside dockerd did not get out, which counts for nothing here: `ExecStartPost={}` may bring IPv6 about",
        plain(helper)
    );
    let doubt = Some(doubt);
    Ok(Once::Shown(Shown { tap, doubt }))
}

/// What the host itself sees.
async fn from_host(probe: Option<&observe::Request>) -> Result<Observation> {
    let Some(probe) = probe else {
        return std::future::pending().await;
    };
    let request = Request {
        join: None,
        task: Task::Probe(observe::Request {
            glance: false,
            ..probe.clone()
        }),
    };
    match netns::ask(&request, DEADLINE).await? {
        Answer::Observation(observation) => Ok(*observation),
        _ => Err(Error::new(
            Exit::Bad,
            "the host's vantage point answered something else",
        )),
    }
}

async fn start(host: &Host, facts: &Facts, wanted: &Wanted<'_>) -> Result<Seen<Rehearsed>> {
    let rootlesskit = match &facts.tools.rootlesskit {
        Seen::Is(rootlesskit) => rootlesskit,
        Seen::Absent => return Ok(Seen::Absent),
        Seen::Unknown(why) => return Ok(Seen::Unknown(why.clone())),
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
    told(&kept.await.map_err(|error| error.hint(GO_AHEAD))?, facts)
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
        Ok(Err(error)) => {
            let what = "rehearse RootlessKit's start; nothing was changed";
            let blank = Error::cannot(Exit::NotApplied, what).caused_by(&error.message);
            Err(error.causes.iter().fold(blank, Error::caused_by))
        }
        Err(_) => {
            let late = (DEADLINE + CLEARING_UP).as_secs();
            Err(Error::cannot(Exit::NotApplied, "end the rehearsal")
                .caused_by(format!("it has not ended within {late} s")))
        }
    }
}

fn told(kept: &Kept, facts: &Facts) -> Result<Seen<Rehearsed>> {
    tracing::debug!("the rehearsal: {kept:?}");
    let said = kept.said.as_bytes();
    // A child that answers has been started, whatever it has seen.
    if vantage::is_answer(said) {
        return match vantage::read_answer(said) {
            Ok(Answer::Rehearsed(rehearsed)) if !rehearsed.is_attached => {
                Err(blame::not_attached(&kept.last_words, facts))
            }
            Ok(Answer::Rehearsed(rehearsed)) => Ok(Seen::Is(*rehearsed)),
            Ok(_) => Ok(Seen::Unknown(
                "the rehearsal's child answered something else".to_owned(),
            )),
            Err(error) => Ok(Seen::Unknown(error.to_string())),
        };
    }
    let late = (kept.ended == Ended::Late)
        .then(|| format!("it did not end within {} s", DEADLINE.as_secs()));
    Err(blame::not_started(&kept.last_words, late, facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_could_not_look_has_shown_nothing() {
        let kept = |said: &str| Kept {
            ended: Ended::Answered,
            said: said.to_owned(),
            last_words: String::new(),
        };
        let failed = r#"{"failed":{"message":"cannot list routes","causes":[]}}"#;
        for (said, why) in [
            (failed, "cannot list routes"),
            (
                r#""served""#,
                "the rehearsal's child answered something else",
            ),
        ] {
            let seen = told(&kept(said), &Facts::default()).unwrap();
            assert_eq!(seen.unknown(), Some(why));
        }
        // What is no answer at all is RootlessKit's failure.
        let error = told(&kept("half an ans"), &Facts::default()).unwrap_err();
        assert!(error.hints.iter().any(|hint| hint == GO_AHEAD));
    }
}
