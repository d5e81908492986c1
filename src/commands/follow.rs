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
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::prctl::set_name;
use nix::unistd::setsid;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::uplink::{bring_to, told};
use crate::error::{Doing, Result};
use crate::host::netlink::Changes;
use crate::host::process;
use crate::inspect;
use crate::uplink::{Outcome, Request};
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
    let mut attempt = errand.brought.clone().map(Attempt::over);
    loop {
        let host = inspect::host_network().await;
        // While the host has none, tap0 keeps what it has: the same may come back, and connections
        // live on then.
        let next = match Request::for_pasta(&host) {
            Ok(request) => {
                let same = attempt.take().filter(|attempt| attempt.request == request);
                let attempt = attempt.insert(same.unwrap_or_else(|| Attempt::new(request)));
                if attempt.is_due() {
                    attempt.make(&errand.join).await;
                }
                attempt.next
            }
            Err(_) => None,
        };
        tokio::select! {
            settled = changes.settled() => settled?,
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

/// What is done about one state of the host.
struct Attempt {
    request: Request,
    failures: u32,
    /// When it is made; never again once it has worked, or is in vain.
    next: Option<Instant>,
    /// What went wrong the last time: the journal hears of it once.
    said: String,
}

impl Attempt {
    fn new(request: Request) -> Self {
        Self {
            request,
            failures: 0,
            next: Some(Instant::now()),
            said: String::new(),
        }
    }

    /// One that has worked already.
    fn over(request: Request) -> Self {
        Self {
            next: None,
            ..Self::new(request)
        }
    }

    fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    async fn make(&mut self, join: &Join) {
        let outcome = bring_to(join, &self.request).await;
        let deaf = matches!(outcome, Ok(Outcome::Deaf));
        self.next = None;
        match outcome.and_then(told) {
            Ok((text, true)) => say(text.trim_end()),
            Ok((_, false)) => {}
            Err(error) => {
                self.failures += 1;
                self.next = pause(self.failures, deaf).map(|pause| Instant::now() + pause);
                let line = format!("error: {error}");
                if line != self.said {
                    say(&line);
                    self.said = line;
                }
            }
        }
    }
}

/// How long until the next attempt after so many failures. A pasta that stays deaf will not hear
/// the next one either; one on a busy machine may have been slow.
fn pause(failures: u32, deaf: bool) -> Option<Duration> {
    let seconds = match failures {
        0 | 1 => 1,
        2 => 5,
        _ if deaf => return None,
        3 => 30,
        _ => 60,
    };
    Some(Duration::from_secs(seconds))
}

/// One line for the journal; there is nobody else to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_ever_rarer_attempts_and_a_deaf_pasta_by_none() {
        let pauses = |deaf| [1, 2, 3, 4, 5, 100].map(|failures| pause(failures, deaf));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pauses(false), [1, 5, 30, 60, 60, 60].map(seconds));
        assert_eq!(
            pauses(true),
            [seconds(1), seconds(5), None, None, None, None]
        );
    }

    #[tokio::test]
    async fn what_has_failed_is_due_again_and_what_has_worked_is_not() {
        let request = Request::for_slirp4netns();
        assert!(!Attempt::over(request.clone()).is_due());
        let mut attempt = Attempt::new(request);
        assert!(attempt.is_due());
        // In a test, the program that a vantage point would be is the test itself.
        let nowhere = Join {
            user: "/nowhere".into(),
            net: "/nowhere".into(),
        };
        attempt.make(&nowhere).await;
        assert_eq!(attempt.failures, 1);
        assert!(attempt.next.is_some() && !attempt.said.is_empty());
    }
}
