//! Other network namespaces, entered by a child process that is this program again.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Doing, Error, Exit, Result};
use crate::hostile::plain;
use crate::vantage::{self, Answer, Request};

/// Starts this program again as the vantage point and reads its one answer.
///
/// `/proc/self/exe` rather than a path: it works after the file was replaced by an upgrade.
///
/// # Errors
/// When the namespaces cannot be joined, or no answer comes by the deadline.
pub async fn ask(request: &Request, deadline: Duration) -> Result<Answer> {
    let json = serde_json::to_string(request).doing(|| "write the request to the vantage point")?;
    tracing::info!("start a vantage point: {json}");
    let run = Command::new("/proc/self/exe")
        .arg0("rootless6")
        .arg(vantage::COMMAND)
        .arg(json)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match timeout(deadline, run).await {
        Ok(output) => output.doing(|| "start the vantage point")?,
        Err(_) => {
            return Err(Error::cannot(Exit::Bad, "hear from the vantage point")
                .caused_by(format!("no answer within {} s", deadline.as_secs())));
        }
    };
    vantage::read_answer(&output.stdout).map_err(|error| {
        match String::from_utf8_lossy(&output.stderr).trim() {
            "" => error,
            said => error.caused_by(plain(said)),
        }
    })
}
