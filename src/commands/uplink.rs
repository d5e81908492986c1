//! `uplink`: what dockerd's unit runs after each start, where RootlessKit gives tap0 no IPv6.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::follow::{self, Errand};
use super::recover;
use crate::cli::Global;
use crate::error::{Error, Exit, Result};
use crate::facts::{NetDriver, RootlessKit, Seen};
use crate::host::systemd::Systemd;
use crate::host::{Host, netns, process};
use crate::inspect;
use crate::report::Report;
use crate::uplink::{Brought, Outcome, Request, TAP};
use crate::vantage::{self, Answer, Join, Task};

/// Where the unit is of Type=simple, this runs before RootlessKit has its netns ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// RootlessKit announces its child by a file in a directory that need not exist yet, so there is
/// nothing to wait on.
const RETRY: Duration = Duration::from_millis(50);

/// dockerd's start is not held up for an address that may never come.
const NOT_YET: &str = "the host has no IPv6 yet; tap0 gets it as soon as it comes\n";

/// A few netlink messages, and two seconds until a pasta that says nothing counts as deaf.
const BRING: Duration = Duration::from_secs(10);

/// Long against what RootlessKit's child does between its start and a configured tap0.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// Runs the command.
pub async fn run(global: &Global) -> Report {
    let brought = bring(global).await;
    if supervised().is_some()
        && let Err(error) = recover::watch_again(global).await
    {
        tracing::info!("{error}");
    }
    match brought {
        Ok((text, changed)) => {
            Report::new("uplink", Exit::Well, text, json!({ "changed": changed }))
        }
        Err(error) => Report::failed("uplink", error),
    }
}

async fn bring(global: &Global) -> Result<(String, bool)> {
    let supervised = supervised();
    let kit = rootlesskit(global, supervised).await?;
    let join = inspect::join(&kit);
    match &kit.net {
        NetDriver::Pasta if supervised.is_some() => bring_and_follow(&kit, join).await,
        NetDriver::Pasta => {
            let request = Request::for_pasta(&inspect::host_network().await)?;
            bring_to(&join, &request).await.and_then(told)
        }
        NetDriver::Slirp4netns if kit.ipv6 && supervised.is_some() => {
            bring_to_stay(&join, &Request::for_slirp4netns()).await
        }
        NetDriver::Slirp4netns if kit.ipv6 => {
            let request = Request::for_slirp4netns();
            bring_to(&join, &request).await.and_then(told)
        }
        other => Ok((format!("{} needs no uplink\n", other.name()), false)),
    }
}

/// What the host has not yet, and what pasta would not take at once, is left to the follower.
async fn bring_and_follow(kit: &RootlessKit, join: Join) -> Result<(String, bool)> {
    let request = Request::for_pasta(&inspect::host_network().await).ok();
    let brought = match &request {
        Some(request) => bring_to(&join, request).await.and_then(told),
        None => Ok((NOT_YET.to_owned(), false)),
    };
    let errand = Errand {
        join,
        child_pid: kit.child_pid,
        lock: kit.state_dir.join("child_pid"),
        brought: request.filter(|_| brought.is_ok()),
    };
    follow::start(&errand).await?;
    brought
}

/// RootlessKit 1.x can be found before it has configured tap0: what is brought too early is refused,
/// or lost when the link comes up. So it is brought until a second look finds it there.
async fn bring_to_stay(join: &Join, request: &Request) -> Result<(String, bool)> {
    let deadline = Instant::now() + BRING;
    let mut brought = None;
    loop {
        let ended = bring_to(join, request).await.and_then(told);
        match ended {
            Ok((text, false)) => return Ok(brought.unwrap_or((text, false))),
            Ok(changed) => brought = brought.or(Some(changed)),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return brought.ok_or_else(|| Error::cannot(Exit::Bad, format!("keep IPv6 on {TAP}")));
        }
        sleep(SECOND_LOOK).await;
    }
}

/// Asks a vantage point to bring what is requested.
///
/// # Errors
/// When the netns cannot be joined, or the kernel refuses.
pub(super) async fn bring_to(join: &Join, request: &Request) -> Result<Outcome> {
    let asked = vantage::Request {
        join: Some(join.clone()),
        task: Task::Uplink(request.clone()),
    };
    match netns::ask(&asked, BRING).await? {
        Answer::Uplink(outcome) => Ok(outcome),
        _ => Err(Error::new(
            Exit::Bad,
            "the vantage point answered something else",
        )),
    }
}

/// The outcome in words, and whether anything has changed.
///
/// # Errors
/// When pasta is deaf.
pub(super) fn told(outcome: Outcome) -> Result<(String, bool)> {
    match outcome {
        Outcome::Brought(brought) => Ok((in_words(&brought), brought != Brought::default())),
        Outcome::Deaf => Err(Error::new(
            Exit::Bad,
            "pasta forwards no IPv6: it was started before the host had any",
        )
        .hint("`rootless6 setup` restarts dockerd, and lets it wait for the host's IPv6")),
    }
}

fn in_words(brought: &Brought) -> String {
    let removed: Vec<_> = brought.removed.iter().map(ToString::to_string).collect();
    let removed = removed.join(", ");
    match brought.added {
        None if removed.is_empty() && brought.routed => {
            format!("{TAP} has an IPv6 default route now\n")
        }
        None if removed.is_empty() => format!("{TAP} already has IPv6\n"),
        None => format!("{TAP} has lost {removed}, as the host has\n"),
        Some(added) if removed.is_empty() => format!("{TAP} has {added} now\n"),
        Some(added) => format!("{TAP} has {added} now instead of {removed}, as the host has\n"),
    }
}

async fn rootlesskit(global: &Global, supervised: Option<u32>) -> Result<RootlessKit> {
    let host = Host::from_environment(global.unit())?;
    let main_pid = match supervised {
        Some(pid) => pid,
        None => main_pid(&host).await?,
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let why = match inspect::running(main_pid, &host) {
            Seen::Is(kit) => return Ok(kit),
            Seen::Absent => "it is not running".to_owned(),
            Seen::Unknown(why) => why,
        };
        let gone = process::command_line(main_pid).is_empty();
        if gone || Instant::now() >= deadline {
            return Err(Error::cannot(Exit::Bad, "find RootlessKit").caused_by(why));
        }
        sleep(RETRY).await;
    }
}

/// The unit's main process, where the unit runs us: systemd tells it then (systemd.exec(5),
/// `$MAINPID`).
fn supervised() -> Option<u32> {
    std::env::var("MAINPID").ok()?.parse().ok()
}

async fn main_pid(host: &Host) -> Result<u32> {
    let unit = Systemd::connect(&host.bus).await?.unit(&host.unit).await?;
    Ok(unit.is().map_or(0, |unit| unit.main_pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_was_missing_is_told_of() {
        let routed = Brought {
            routed: true,
            ..Brought::default()
        };
        for (brought, text, changed) in [
            (routed, "tap0 has an IPv6 default route now\n", true),
            (Brought::default(), "tap0 already has IPv6\n", false),
        ] {
            let told = told(Outcome::Brought(brought)).unwrap();
            assert_eq!(told, (text.to_owned(), changed));
        }
    }
}
