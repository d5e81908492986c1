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
use crate::uplink::{self, Outcome, TAP};
use crate::verify::observe::{self, Observation};

/// Much longer than its start takes; then the rehearsal goes on as it is.
const START: Duration = Duration::from_secs(5);

const RETRY: Duration = Duration::from_millis(2);

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
    /// tap0's network, as RootlessKit and dockerd make it.
    pub tap: Network,
    /// What came of the uplink, if it was brought.
    pub uplink: Option<Brought>,
    /// What was seen from inside afterwards, if that was asked.
    pub observation: Option<Observation>,
    /// What the network driver said, as RootlessKit passes it on.
    #[serde(default)]
    pub driver_says: Vec<String>,
}

/// What came of the uplink, or why nothing did.
pub type Brought = std::result::Result<Outcome, String>;

/// Does what is asked, once RootlessKit is through with its start.
///
/// # Errors
/// When the kernel does not tell the network.
pub async fn look(netlink: &Netlink, request: &Request) -> Result<Rehearsed> {
    await_rootlesskit().await;
    if request.forwards {
        forward();
    }
    let tap = netlink.network().await?.of(TAP);
    let uplink = match &request.uplink {
        Some(wanted) if request.always || !tap.reaches_out() => {
            let brought = uplink::bring(netlink, wanted).await;
            Some(brought.map_err(|error| error.to_string()))
        }
        _ => None,
    };
    let observation = match &request.probe {
        Some(probe) => Some(observe::observe(netlink, probe).await?),
        None => None,
    };
    Ok(Rehearsed {
        tap,
        uplink,
        observation,
        driver_says: Vec::new(),
    })
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
