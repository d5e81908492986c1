//! A throw-away RootlessKit with the planned options, beside the running one.
//!
//! What fails here costs nobody any downtime: an option that RootlessKit does not know, a pasta
//! that cannot start, a tun device that is not ours. It has a state directory of its own and
//! publishes nothing, so dockerd does not notice it. Its child is this program, which looks round,
//! tells what it sees and ends.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::error::{Doing, Error, Exit, Result};
use crate::facts::{Facts, Network, Seen};
use crate::host::{Host, process};
use crate::hostile::plain;
use crate::uplink::TAP;
use crate::vantage::{self, Answer, Request, Task};

/// It takes a tenth of a second where it works; what hangs for longer would hang dockerd too.
const DEADLINE: Duration = Duration::from_secs(15);

/// Much longer than its start takes; then the rehearsal ends as it is.
const START: Duration = Duration::from_secs(5);

const RETRY: Duration = Duration::from_millis(5);

/// RootlessKit says why in its last lines; the earlier ones are warnings that it always prints.
const LAST_LINES: usize = 4;

/// Starts RootlessKit with these options and a state directory of its own, and tells the network
/// that its tap interface has then; `path` is the PATH that the unit is to have, where that is not
/// the one it has.
///
/// # Errors
/// Why RootlessKit would not start with these settings: nothing has been changed then.
pub async fn rehearse(
    host: &Host,
    facts: &Facts,
    options: &[String],
    path: Option<&str>,
) -> Result<Seen<Network>> {
    let Some(rootlesskit) = facts.tools.rootlesskit.is() else {
        return Ok(Seen::Absent);
    };
    let state_dir = host
        .runtime
        .join(format!("rootless6-{}", std::process::id()));
    let arguments: Vec<String> = options
        .iter()
        .cloned()
        .chain([format!("--state-dir={}", state_dir.display())])
        .chain(child()?)
        .collect();
    let now = || facts.unit.is().and_then(|unit| unit.effective("PATH"));
    let swept = StateDir(state_dir);
    let ended = process::run(&rootlesskit.path, &arguments, path.or_else(now), DEADLINE).await;
    drop(swept);
    let causes = match ended {
        // A child that answers has been started, whatever it has seen.
        Ok(ended) if ended.success || vantage::is_answer(ended.stdout.as_bytes()) => {
            return Ok(tap(ended.stdout.as_bytes()));
        }
        Ok(ended) => last_lines(&ended.stderr),
        Err(error) => std::iter::once(error.message).chain(error.causes).collect(),
    };
    let error = Error::new(
        Exit::NotApplied,
        "RootlessKit does not start with the new settings, as a rehearsal beside dockerd shows; nothing was changed",
    );
    Err(causes
        .into_iter()
        .fold(error, Error::caused_by)
        .hint("`--rehearse never` goes ahead all the same"))
}

fn tap(said: &[u8]) -> Seen<Network> {
    match vantage::read_answer(said) {
        Ok(Answer::Network(network)) => Seen::Is(network.of(TAP)),
        Ok(_) => Seen::Unknown("the rehearsal's child answered something else".to_owned()),
        Err(error) => Seen::Unknown(error.to_string()),
    }
}

/// RootlessKit removes it itself unless it is ended, as when this run is interrupted.
struct StateDir(PathBuf);

impl Drop for StateDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn child() -> Result<[String; 3]> {
    let program: PathBuf = process::own_file()?;
    let request = Request {
        join: None,
        task: Task::Rehearse,
    };
    let json = serde_json::to_string(&request).doing(|| "write the rehearsal's request")?;
    Ok([
        program.to_string_lossy().into_owned(),
        vantage::COMMAND.to_owned(),
        json,
    ])
}

/// Where the RootlessKit whose child this process is has detached its netns to, if it has.
pub fn detached_netns() -> Option<PathBuf> {
    let state_dir = std::env::var_os("ROOTLESSKIT_STATE_DIR")?;
    let netns = PathBuf::from(state_dir).join("netns");
    netns.exists().then_some(netns)
}

/// Waits until RootlessKit, whose child this process is, has everything up: its API comes last. A
/// child that ends earlier leaves the builtin port driver talking to nobody, which is an error.
pub async fn await_rootlesskit() {
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

fn last_lines(stderr: &str) -> Vec<String> {
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines[from..].iter().map(|line| plain(line)).collect()
}
