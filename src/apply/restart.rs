//! A restart with open eyes.
//!
//! That systemd calls the unit active, once, shows little: one that crashes again and again is
//! active for a moment each time. What counts is that the Engine answers, and that the very same
//! start of it still runs when the settle window is over: same InvocationID, same main process, no
//! restart counted (org.freedesktop.systemd1(5), NRestarts).

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::deadline::Deadline;
use super::journal::{Entry, Journal, State};
use super::{Site, checkpoint};
use crate::error::{Error, Exit, Result};
use crate::facts::{Unit, typed};
use crate::host::{engine, log};
use crate::plan::wait_online;

/// How long dockerd must go on from its first answer. What it cannot live with shows within moments
/// of its start; whatever dies later would be blamed on the change without reason.
pub const SETTLING: Duration = Duration::from_secs(4);

/// How often the unit is looked at meanwhile, so that a crash ends the wait.
const LOOK: Duration = Duration::from_millis(300);

/// What the Engine may take to answer once more when the window is over.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// A start of dockerd that answers.
#[derive(Debug)]
pub struct Started {
    /// When it was asked for: the log is read from there on.
    asked: SystemTime,
    /// When the Engine answered first.
    answered: Instant,
    /// The unit as it was when its job was over.
    unit: Unit,
}

/// More than a proof ever takes; whoever is at it for longer is stuck, on a full pipe perhaps.
const PROOF: Duration = Duration::from_secs(300);

impl Site<'_> {
    /// Restarts dockerd for a generation, which records that first, and which others its restart
    /// takes up: they go back with it.
    ///
    /// # Errors
    /// As [`Site::restart`], and when the journal cannot be read or written.
    pub async fn restart_for(&self, journal: &Journal, entry: &mut Entry) -> Result<Started> {
        let patience = self.patience + self.wait_online().await + PROOF;
        entry.deadline = Some(Deadline::after(patience));
        let taken_up = journal.never_live(&self.host.unit)?;
        entry.restarted = true;
        entry.take_along(&taken_up);
        if let Err(error) = entry.mark(journal, State::Begun) {
            // What is not on disk has not happened.
            entry.restarted = false;
            entry.with.clear();
            return Err(error);
        }
        checkpoint::pass("restart-recorded");
        self.restart().await
    }

    /// Restarts dockerd and waits until the Engine answers.
    ///
    /// # Errors
    /// When the job fails, or the Engine does not answer in time, with what the log says of it; the
    /// hints lead there.
    pub async fn restart(&self) -> Result<Started> {
        let asked = SystemTime::now();
        let deadline = Instant::now() + self.patience + self.wait_online().await;
        let restarted = async {
            let unit = &self.host.unit;
            let passed = || checkpoint::pass("restart-asked");
            self.systemd.restart(unit, deadline, passed).await?;
            checkpoint::pass("restart-done");
            let unit = self.answers(deadline).await?;
            checkpoint::pass("answered");
            Ok(Started {
                asked,
                answered: Instant::now(),
                unit,
            })
        };
        match restarted.await {
            Ok(started) => Ok(started),
            Err(error) => Err(self.with_last_words(error, asked).await),
        }
    }

    /// Watches a start of dockerd until its settle window is over.
    ///
    /// # Errors
    /// As soon as it has ended, or the Engine does not answer any more.
    pub async fn stays_up(&self, started: &Started) -> Result<()> {
        let over = started.answered + settling();
        let watched = async {
            while Instant::now() < over {
                sleep(LOOK.min(over - Instant::now())).await;
                // The bus may be slow to answer while the machine is busy: the last look decides.
                if let Ok(unit) = self.unit().await {
                    self.is_the_same(&started.unit, &unit)?;
                }
            }
            engine::answers(&self.host.socket, Instant::now() + LAST_ANSWER).await?;
            self.is_the_same(&started.unit, &self.unit().await?)
        };
        match watched.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.with_last_words(error, started.asked).await),
        }
    }

    /// Whether it is still that start of dockerd that runs.
    ///
    /// # Errors
    /// When it has ended, or systemd does not answer.
    pub async fn still_runs(&self, started: &Started) -> Result<()> {
        match self.is_the_same(&started.unit, &self.unit().await?) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.with_last_words(error, started.asked).await),
        }
    }

    async fn with_last_words(&self, error: Error, since: SystemTime) -> Error {
        let unit = &self.host.unit;
        let said = log::last_words(log::Of::Since(unit, since)).await;
        let hint = format!("see `journalctl --user -u {} -n 50`", typed(unit));
        said.iter().fold(error, Error::caused_by).hint(hint)
    }

    /// What the unit's start may spend on waiting for the host's IPv6 before dockerd's own start
    /// begins.
    pub(super) async fn wait_online(&self) -> Duration {
        let unit = self.unit().await;
        let files = unit.iter().flat_map(|unit| &unit.files);
        waits(files.map(|file| file.text.as_str()))
    }

    /// A socket that nobody answers on may be that of a unit that crashes again and again: watch
    /// the unit beside it. Tells how the unit was before the first answer.
    pub(super) async fn answers(&self, deadline: Instant) -> Result<Unit> {
        let begun = self.unit().await?;
        let crashes = async {
            loop {
                sleep(LOOK).await;
                if let Ok(unit) = self.unit().await
                    && let Err(crashed) = self.is_the_same(&begun, &unit)
                {
                    return crashed;
                }
            }
        };
        tokio::select! {
            answered = engine::answers(&self.host.socket, deadline) => answered?,
            crashed = crashes => return Err(crashed),
        }
        Ok(begun)
    }

    /// Whether it is still the same start of the unit.
    fn is_the_same(&self, begun: &Unit, now: &Unit) -> Result<()> {
        let same = now.invocation_id == begun.invocation_id
            && now.restarts <= begun.restarts
            && now.main_pid == begun.main_pid
            && matches!(
                now.active_state.as_str(),
                "active" | "activating" | "reloading"
            )
            && now.sub_state != "auto-restart";
        if same {
            return Ok(());
        }
        Err(Error::new(
            Exit::NotApplied,
            format!("{} starts and dies again", self.host.unit),
        )
        .caused_by(format!("Result={}", now.result)))
    }
}

/// The settle window. A debug build takes another from `ROOTLESS6_SETTLING`, in milliseconds: tests of
/// what is killed and when have a dockerd that cannot die of its own.
fn settling() -> Duration {
    #[cfg(debug_assertions)]
    if let Some(given) = std::env::var("ROOTLESS6_SETTLING")
        .ok()
        .and_then(|given| given.parse().ok())
    {
        return Duration::from_millis(given);
    }
    SETTLING
}

/// The longest wait for the host's IPv6 that the files of a unit ask for.
fn waits<'a>(texts: impl Iterator<Item = &'a str>) -> Duration {
    let longest = texts
        .filter_map(|text| wait_online::seconds_in(&[text]))
        .max();
    Duration::from_secs(longest.unwrap_or(0).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_waits_for_the_hosts_ipv6_is_waited_for() {
        let ours =
            "[Service]\nExecStartPre=-/home/alice/.local/bin/rootless6 wait-online --for 120\n";
        let theirs = "[Service]\nExecStartPre=/bin/sleep 300\n";
        for (texts, seconds) in [(&[theirs, ours][..], 120), (&[theirs], 0), (&[], 0)] {
            let waited = waits(texts.iter().copied());
            assert_eq!(waited, Duration::from_secs(seconds), "{texts:?}");
        }
    }
}
