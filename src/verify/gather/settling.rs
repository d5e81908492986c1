//! Whether docker0 is ready for IPv6.

use std::time::Duration;

use crate::facts::{Facts, Seen};
use crate::host::netns;
use crate::inspect;
use crate::vantage::{Answer, Request, Task};

/// Listing addresses takes the kernel microseconds; starting the process, milliseconds.
const LOOK: Duration = Duration::from_secs(2);

/// Whether an address in RootlessKit's netns is under duplicate address detection, or will be once its
/// bridge's first container starts. Without an answer it may be.
pub(super) async fn settles(facts: &Facts) -> bool {
    let Seen::Is(kit) = &facts.rootlesskit else {
        return true;
    };
    let request = Request {
        join: Some(inspect::join(kit)),
        task: Task::Look,
    };
    match netns::ask(&request, LOOK).await {
        Ok(Answer::Network(network)) => {
            let mut global = network.global();
            global.any(|address| address.tentative)
        }
        _ => true,
    }
}
