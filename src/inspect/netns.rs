//! RootlessKit's netns, as the kernel lists it to everybody below /proc/PID/net of a process in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::rootlesskit::join;
use crate::facts::{Network, RootlessKit, Seen};
use crate::host::{netns, process};
use crate::uplink::TAP;
use crate::vantage::{Answer, Request, Task};

mod tables;

/// Listing addresses takes the kernel microseconds; starting the process, milliseconds.
const LOOK: Duration = Duration::from_secs(5);

/// Bytes of one list: six thousand routes. A host for containers has some ten on each of its networks.
const LONGEST_LIST: u64 = 1 << 20;

/// What the tap interface has in there.
pub(super) async fn tap(rootlesskit: &Seen<RootlessKit>) -> Seen<Network> {
    match rootlesskit {
        Seen::Is(kit) => match listed(kit) {
            Some(network) => Seen::Is(network.of(TAP)),
            None => asked(kit).await,
        },
        Seen::Absent => Seen::Absent,
        Seen::Unknown(why) => Seen::Unknown(why.clone()),
    }
}

/// None where the lists do not tell all, or are not those of that netns: no process need live in one
/// that is detached.
fn listed(kit: &RootlessKit) -> Option<Network> {
    if kit.detached || process::shares_namespace(kit.child_pid, "net") != Some(false) {
        return None;
    }
    let directory = Path::new("/proc").join(kit.child_pid.to_string());
    let read = |name| text(&directory.join("net").join(name)).ok();
    tables::network(&read("if_inet6")?, &read("ipv6_route")?)
}

fn text(list: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(list)?.take(LONGEST_LIST + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_LIST {
        return Err(io::Error::other("it is too long"));
    }
    Ok(text)
}

/// A process of this program's looks from inside.
async fn asked(kit: &RootlessKit) -> Seen<Network> {
    let request = Request {
        join: Some(join(kit)),
        task: Task::Look,
    };
    match netns::ask(&request, LOOK).await {
        Ok(Answer::Network(network)) => Seen::Is(network.of(TAP)),
        Ok(_) => Seen::Unknown("the vantage point answered something else".to_owned()),
        Err(error) => Seen::Unknown(error.to_string()),
    }
}
