//! `uplink`: what dockerd's unit runs after each start, where RootlessKit gives tap0 no IPv6.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cli::Global;
use crate::error::{Error, Exit, Result};
use crate::facts::{NetDriver, RootlessKit, Seen};
use crate::host::systemd::Systemd;
use crate::host::{Host, netns, process};
use crate::inspect;
use crate::report::Report;
use crate::uplink::{Request, TAP};
use crate::vantage::{self, Answer, Task};

/// Where the unit is of Type=simple, this runs before RootlessKit has its netns ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for duplicate address detection and a router's answer; dockerd's start is held up.
const HOST_PATIENCE: Duration = Duration::from_secs(10);

/// RootlessKit announces its child by a file in a directory that need not exist yet, so there is
/// nothing to wait on; nor is there for an address that may never come.
const RETRY: Duration = Duration::from_millis(50);

/// Two netlink messages.
const BRING: Duration = Duration::from_secs(10);

/// Runs the command.
pub async fn run(global: &Global) -> Report {
    match bring(global).await {
        Ok((text, changed)) => {
            Report::new("uplink", Exit::Well, text, json!({ "changed": changed }))
        }
        Err(error) => Report::failed("uplink", error),
    }
}

async fn bring(global: &Global) -> Result<(String, bool)> {
    let kit = rootlesskit(global).await?;
    let request = match kit.net {
        NetDriver::Pasta => from_host().await?,
        NetDriver::Slirp4netns if kit.ipv6 => Request::for_slirp4netns(),
        other => return Ok((format!("{} needs no uplink\n", other.name()), false)),
    };
    let asked = vantage::Request {
        join: Some(inspect::join(&kit)),
        task: Task::Uplink(request),
    };
    match netns::ask(&asked, BRING).await? {
        Answer::Uplink(added) if added.is_empty() => {
            Ok((format!("{TAP} already has IPv6\n"), false))
        }
        Answer::Uplink(added) => {
            let added: Vec<_> = added.iter().map(ToString::to_string).collect();
            Ok((format!("{TAP} has {} now\n", added.join(", ")), true))
        }
        _ => Err(Error::new(
            Exit::Bad,
            "the vantage point answered something else",
        )),
    }
}

/// At boot the host may still be waiting for its router's advertisement, or for duplicate address
/// detection.
async fn from_host() -> Result<Request> {
    let deadline = Instant::now() + HOST_PATIENCE;
    loop {
        let request = Request::for_pasta(&inspect::host_network().await);
        if request.is_ok() || Instant::now() >= deadline {
            return request;
        }
        sleep(RETRY).await;
    }
}

async fn rootlesskit(global: &Global) -> Result<RootlessKit> {
    let host = Host::from_environment(&global.unit)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let main_pid = main_pid(&host).await?;
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

/// systemd tells it to what a unit runs (systemd.exec(5), `$MAINPID`); a person's shell asks
/// systemd.
async fn main_pid(host: &Host) -> Result<u32> {
    if let Some(pid) = std::env::var("MAINPID")
        .ok()
        .and_then(|pid| pid.parse().ok())
    {
        return Ok(pid);
    }
    let unit = Systemd::connect(&host.bus).await?.unit(&host.unit).await?;
    Ok(unit.is().map_or(0, |unit| unit.main_pid))
}
