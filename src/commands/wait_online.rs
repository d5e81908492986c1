//! `wait-online`: what dockerd's unit may run before each start, because pasta looks at the host's
//! IPv6 only once, and a user's units cannot be ordered after the system's network.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::error::{Exit, Result};
use crate::host::netlink::Changes;
use crate::inspect;
use crate::report::Report;
use crate::uplink::Request;

/// Runs the command. Whatever comes of it, dockerd is to start: only a failure to look at all is
/// one.
pub async fn run(seconds: u16) -> Report {
    let began = Instant::now();
    let patience = Duration::from_secs(seconds.into());
    let (text, online) = match timeout(patience, online()).await {
        Ok(Ok(request)) => (
            format!(
                "the host has IPv6 ({}) after {:.1} s\n",
                request.address,
                began.elapsed().as_secs_f32()
            ),
            true,
        ),
        Ok(Err(error)) => return Report::failed("wait-online", error),
        Err(_) => (
            format!("the host has no IPv6 after {seconds} s; dockerd starts without it\n"),
            false,
        ),
    };
    Report::new("wait-online", Exit::Well, text, json!({ "online": online }))
}

/// Waits for an address that may be used, and a default route.
async fn online() -> Result<Request> {
    let mut changes = Changes::listen()?;
    loop {
        if let Ok(request) = Request::for_pasta(&inspect::host_network().await) {
            return Ok(request);
        }
        changes.settled().await?;
    }
}
