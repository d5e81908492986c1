//! `follow`: what `uplink` leaves behind, to bring the host's address to tap0 whenever it changes.
//!
//! It stays in the unit's cgroup, as pasta itself does, so systemd ends it with dockerd; and it ends
//! by itself as soon as RootlessKit's child is gone. Only one follows each RootlessKit: it holds a
//! lock on the file with the child's number, which goes with the child.
//!
//! A quiet process of a few megabytes: it comes here before the command line's grammar is built, and
//! wakes up only when the kernel tells of a change. A vantage point does the work.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::prctl::set_name;
use nix::unistd::setsid;
use serde::{Deserialize, Serialize};

use super::uplink::bring_to;
use crate::error::{Doing, Result};
use crate::host::netlink::Changes;
use crate::host::process;
use crate::inspect;
use crate::uplink::Request;
use crate::vantage::Join;

/// The hidden command that leads here; the errand comes on standard input.
const COMMAND: &str = "follow";

/// Whom to follow the host for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    /// The way into RootlessKit's netns.
    pub join: Join,
    /// RootlessKit's child.
    pub child_pid: u32,
    /// A file that is there as long as the child is.
    pub lock: PathBuf,
    /// What has been brought already.
    pub brought: Option<Request>,
}

/// Leaves a follower behind, unless there is one.
///
/// # Errors
/// When the process cannot be started.
pub async fn start(errand: &Errand) -> Result<()> {
    let errand = serde_json::to_string(errand).doing(|| "write the follower's errand")?;
    process::leave_behind(COMMAND, &errand).await
}

/// Runs the errand on standard input, if the first argument says so.
pub fn follow_if_asked() -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != COMMAND {
        return None;
    }
    Some(match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    })
}

fn run() -> Result<()> {
    let errand: Errand =
        serde_json::from_reader(std::io::stdin()).doing(|| "read the follower's errand")?;
    // It was started by way of /proc/self/exe, and would be called `exe` in lists of processes.
    let _ = set_name(c"rootless6");
    // Fails where this process leads its session already, which is as well.
    let _ = setsid();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing(|| "start the follower")?;
    runtime.block_on(async {
        let Some(_lock) = lock(&errand)? else {
            return Ok(());
        };
        let ended = process::ended(errand.child_pid)?;
        tokio::select! {
            followed = follow(&errand) => followed,
            () = ended => Ok(()),
        }
    })
}

/// None where somebody follows already, or the child is gone.
fn lock(errand: &Errand) -> Result<Option<Flock<File>>> {
    let Ok(file) = File::open(&errand.lock) else {
        return Ok(None);
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno).doing(|| format!("lock {}", errand.lock.display())),
    }
}

async fn follow(errand: &Errand) -> Result<()> {
    let mut changes = Changes::listen()?;
    let mut tried = errand.brought.clone();
    loop {
        let host = inspect::host_network().await;
        // While the host has none, tap0 keeps what it has: the same may come back, and connections
        // live on then.
        if let Ok(request) = Request::for_pasta(&host)
            && tried.as_ref() != Some(&request)
        {
            match bring_to(&errand.join, &request).await {
                Ok((text, true)) => say(text.trim_end()),
                Ok((_, false)) => {}
                Err(error) => say(&format!("error: {error}")),
            }
            tried = Some(request);
        }
        changes.settled().await?;
    }
}

/// One line for the journal; there is nobody else to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
