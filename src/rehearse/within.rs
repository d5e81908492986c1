//! What the rehearsal's child does: it is where dockerd would be.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::error::Result;
use crate::facts::Network;
use crate::host::netlink::Netlink;
use crate::host::process;
use crate::uplink::{self, Outcome, TAP};
use crate::verify::observe::{self, Observation};

/// Much longer than RootlessKit's start takes; then the rehearsal goes on as it is.
const START: Duration = Duration::from_secs(3);

/// The same for the driver's program, which RootlessKit 2.0 starts without looking after it.
const ATTACH: Duration = Duration::from_secs(8);

const RETRY: Duration = Duration::from_millis(2);

/// A parent that waits for its child does so within microseconds of its end.
const LONG_DEAD: Duration = Duration::from_millis(100);

/// What dockerd, or its script, switches on.
const FORWARDING: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// What to rehearse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whether dockerd will make the netns forward IPv6: router advertisements are ignored then.
    pub forwards: bool,
    /// The uplink, where one may be brought.
    pub uplink: Option<uplink::Request>,
    /// Whether it is brought even where tap0 has a way out.
    pub always: bool,
    /// What to ask from inside, if anything.
    pub probe: Option<observe::Request>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// Whether the driver's program has come to the other end of tap0.
    pub is_attached: bool,
    /// tap0's network, as RootlessKit and dockerd make it.
    pub tap: Network,
    /// What came of the uplink, if it was brought.
    pub uplink: Option<Brought>,
    /// What was seen from inside afterwards, if that was asked.
    pub observation: Option<Observation>,
}

/// What came of the uplink, or why nothing did.
pub type Brought = std::result::Result<Outcome, String>;

/// Does what is asked, once RootlessKit is through with its start.
///
/// # Errors
/// When the kernel does not tell the network.
pub async fn look(netlink: &Netlink, request: &Request) -> Result<Rehearsed> {
    await_rootlesskit().await;
    let is_attached = is_attached(netlink).await?;
    if request.forwards {
        forward();
    }
    let tap = netlink.network().await?.of(TAP);
    let uplink = match &request.uplink {
        Some(wanted) if is_attached && (request.always || !tap.reaches_out()) => {
            let brought = uplink::bring(netlink, wanted).await;
            Some(brought.map_err(|error| error.to_string()))
        }
        _ => None,
    };
    let observation = match &request.probe {
        Some(probe) if is_attached => Some(observe::observe(netlink, probe).await?),
        _ => None,
    };
    Ok(Rehearsed {
        is_attached,
        tap,
        uplink,
        observation,
    })
}

/// Waits until somebody is at the other end of tap0; what is sent there before is lost. An interface
/// of another name (`--ifname`) is not looked for.
async fn is_attached(netlink: &Netlink) -> Result<bool> {
    let Some(tap) = netlink.interface(TAP).await? else {
        return Ok(true);
    };
    let running = async {
        while !netlink.link(tap).await?.is_running {
            sleep(RETRY).await;
        }
        Ok(true)
    };
    tokio::select! {
        running = timeout(ATTACH, running) => running.unwrap_or(Ok(false)),
        () = driver_has_ended() => Ok(false),
    }
}

/// Resolves when a process of RootlessKit's has ended that nobody waits for: RootlessKit 2.0 leaves
/// pasta as it is. For a moment any is like that.
async fn driver_has_ended() {
    let own = std::process::id();
    let kit = process::parent(own).and_then(process::parent);
    let mut seen = Vec::new();
    loop {
        let children = kit.map(process::children).unwrap_or_default();
        let dead = children.into_iter().filter(|pid| process::is_dead(*pid));
        let dead: Vec<u32> = dead.collect();
        if dead.iter().any(|pid| seen.contains(pid)) {
            return;
        }
        seen = dead;
        sleep(LONG_DEAD).await;
    }
}

/// Where it cannot be done, dockerd's failure does not end its start either.
fn forward() {
    let file = File::options().write(true).open(FORWARDING);
    let _ = file.and_then(|mut file| file.write_all(b"1"));
}

/// Where the RootlessKit whose child this process is has detached its netns to, if it has.
pub fn detached_netns() -> Option<PathBuf> {
    let state_dir = std::env::var_os("ROOTLESSKIT_STATE_DIR")?;
    let netns = PathBuf::from(state_dir).join("netns");
    netns.exists().then_some(netns)
}

/// Waits until RootlessKit, whose child this process is, has everything up: its API comes last. A
/// child that ends earlier leaves the builtin port driver talking to nobody, which is an error.
async fn await_rootlesskit() {
    let Some(state_dir) = std::env::var_os("ROOTLESSKIT_STATE_DIR") else {
        return;
    };
    let api = PathBuf::from(state_dir).join("api.sock");
    // RootlessKit makes its state directory anew, so there is nothing yet to wait on.
    let _ = timeout(START, async {
        while !api.exists() {
            sleep(RETRY).await;
        }
    })
    .await;
}
