//! Carries a plan out, and takes it back.
//!
//! Before the first effect the journal holds the bytes that were there. Between daemon-reload and
//! the restart the effective environment is read back: what systemd did not take up as meant is
//! undone before anybody notices. Whatever fails after that is rolled back the same way.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnose::Code;
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit, typed};
use crate::host::systemd::Systemd;
use crate::host::{Host, engine, log};
use crate::inspect;
use crate::plan::{Plan, dropin, wait_online};
use crate::ui::Progress;

pub mod checkpoint;
pub mod deadline;
pub mod file;
pub mod journal;
pub mod unfinished;
pub mod watchdog;

use journal::{Entry, Journal, State};

/// However little time a setup was given, the way back gets enough.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(90);

/// The running system that a plan is carried out on.
#[derive(Debug)]
pub struct Site<'a> {
    /// Where things are.
    pub host: &'a Host,
    /// The user's systemd.
    pub systemd: &'a Systemd,
    /// Whether dockerd has been told to restart with the new settings.
    pub restarted: Cell<bool>,
    /// What dockerd's restart may take, once it need not wait for the host's IPv6 any more. systemd
    /// sets no limit of its own (`TimeoutSec=0`).
    pub patience: Duration,
}

impl Site<'_> {
    /// Writes the files and restarts dockerd.
    ///
    /// # Errors
    /// What failed; nothing is taken back yet. See [`Site::roll_back`].
    pub async fn carry_out(
        &self,
        plan: &Plan,
        journal: &Journal,
        entry: &mut Entry,
        restart: bool,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        for change in &plan.files {
            progress.begin(&format!("write {}", self.host.short(&change.path)));
            entry.write(journal, change)?;
            progress.done();
        }
        progress.begin("make systemd read its files again");
        self.systemd.reload().await?;
        progress.done();
        progress.begin("read the effective settings back");
        self.read_back(plan).await?;
        progress.done();
        if restart {
            progress.begin(&format!("restart {}", self.host.unit));
            self.restarted.set(true);
            self.restart().await?;
            progress.done();
        }
        Ok(())
    }

    /// Asks systemd for the environment that the unit would start with now.
    async fn read_back(&self, plan: &Plan) -> Result<()> {
        let unit = self.unit().await?;
        if unit.exec_start != plan.exec_start {
            return Err(Error::new(
                Exit::NotApplied,
                "ExecStart= had changed since systemd last read it, so the plan was made for another dockerd",
            )
            .caused_by(format!("it is {:?} now", unit.exec_start.join(" ")))
            .hint("run `rootless6 setup` again: systemd has read it by now"));
        }
        let lost = plan
            .environment
            .iter()
            .find(|(name, value)| unit.effective(name) != Some(value));
        let Some((name, value)) = lost else {
            return Ok(());
        };
        let effective = unit.effective(name).unwrap_or("not set");
        let error = Error::new(
            Exit::NotApplied,
            format!(
                "systemd does not take up our drop-in ({})",
                Code::DropinShadowed
            ),
        )
        .caused_by(format!("{name} is {effective:?} and should be {value:?}"));
        Err(match shadow(&unit, name) {
            Some(path) => error
                .caused_by(format!("{path} comes after it"))
                .hint(format!(
                    "take {name} out of {path}, then run `rootless6 setup` again"
                )),
            None => error.hint("see `systemctl --user show-environment` for XDG_CONFIG_HOME"),
        })
    }

    async fn unit(&self) -> Result<Unit> {
        match inspect::unit(self.systemd, &self.host.unit).await? {
            Seen::Is(unit) => Ok(unit),
            Seen::Absent | Seen::Unknown(_) => Err(Error::new(
                Exit::NotApplied,
                format!("{} has gone", self.host.unit),
            )),
        }
    }

    /// Restarts dockerd and waits until the Engine answers.
    ///
    /// # Errors
    /// When the job fails, or the Engine does not answer in time, with what the log says of it; the
    /// hints lead there.
    pub async fn restart(&self) -> Result<()> {
        let unit = &self.host.unit;
        let begun = SystemTime::now();
        let deadline = Instant::now() + self.patience + self.wait_online().await;
        let restarted = async {
            self.systemd.restart(unit, deadline).await?;
            self.answers(deadline).await
        };
        let Err(error) = restarted.await else {
            return Ok(());
        };
        let said = log::last_words(log::Of::Since(unit, begun)).await;
        let hint = format!("see `journalctl --user -u {} -n 50`", typed(unit));
        Err(said.iter().fold(error, Error::caused_by).hint(hint))
    }

    /// What the unit's start may spend on waiting for the host's IPv6 before dockerd's own start
    /// begins.
    async fn wait_online(&self) -> Duration {
        let unit = self.unit().await;
        let files = unit.iter().flat_map(|unit| &unit.files);
        waits(files.map(|file| file.text.as_str()))
    }

    /// A socket that nobody answers on may be that of a unit that crashes again and again: watch
    /// the unit beside it.
    async fn answers(&self, deadline: Instant) -> Result<()> {
        let begun = self.unit().await?.restarts;
        let crashes = async {
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                match self.unit().await {
                    Ok(unit) if unit.restarts > begun || unit.active_state == "failed" => {
                        return Error::new(
                            Exit::NotApplied,
                            format!("{} starts and dies again", self.host.unit),
                        )
                        .caused_by(format!("Result={}", unit.result));
                    }
                    _ => {}
                }
            }
        };
        tokio::select! {
            answered = engine::answers(&self.host.socket, deadline) => answered,
            crashed = crashes => Err(crashed),
        }
    }

    /// Puts everything back that these entries recorded, then does with dockerd what is asked.
    /// `entries` are newest first.
    ///
    /// # Errors
    /// Exit 4 when the old state does not stand again; the hints say what to type.
    pub async fn roll_back(
        &self,
        journal: &Journal,
        entries: &mut [Entry],
        afterwards: Afterwards,
        progress: &mut dyn Progress,
    ) -> Result<Restored> {
        progress.begin("put the old files back");
        let each: Vec<Restored> = entries.iter().map(Entry::restore).collect();
        let failed = each
            .iter()
            .flat_map(|restored| &restored.failed)
            .next()
            .cloned();
        if failed.is_none() {
            progress.done();
        }
        for (entry, restored) in entries.iter_mut().zip(&each) {
            if restored.skipped.is_empty() && restored.failed.is_empty() {
                // Unmarked, it is undone once more one day, which finds everything in place.
                let _ = entry.mark(journal, State::Undone);
            }
        }
        if let Err(error) = self.settle(afterwards, progress).await {
            return Err(match failed {
                Some(failed) => self.stuck(failed).caused_by(error.message),
                None => self.down(error, journal),
            });
        }
        if let Some(error) = failed {
            return Err(self.stuck(error));
        }
        Ok(each.into_iter().fold(Restored::default(), Restored::and))
    }

    async fn settle(&self, afterwards: Afterwards, progress: &mut dyn Progress) -> Result<()> {
        progress.begin("make systemd read its files again");
        self.systemd.reload().await?;
        progress.done();
        // Of a unit that has gone, or is masked, there is nothing to start.
        let loaded = self.systemd.unit(&self.host.unit).await?.is_loaded();
        if loaded == Some(false) || afterwards == Afterwards::Leave {
            return Ok(());
        }
        progress.begin(match afterwards {
            Afterwards::Leave => return Ok(()),
            Afterwards::Restart => "restart dockerd with the old settings",
            Afterwards::Retry => {
                "start dockerd with the old settings, with which it did not answer before"
            }
            Afterwards::Stop => "stop dockerd, which was not running before",
        });
        let site = Site {
            patience: self.patience.max(ROLLBACK_PATIENCE),
            restarted: Cell::new(true),
            ..*self
        };
        match afterwards {
            Afterwards::Leave => {}
            Afterwards::Restart => site.restart().await?,
            Afterwards::Retry => self.systemd.kick(&self.host.unit).await?,
            Afterwards::Stop => {
                let deadline = Instant::now() + site.patience;
                self.systemd.stop(&self.host.unit, deadline).await?;
            }
        }
        progress.done();
        Ok(())
    }

    /// Not all files are back.
    fn stuck(&self, error: Error) -> Error {
        let stuck = Error::cannot(Exit::RollbackFailed, "put the old state back")
            .hint("`rootless6 undo --yes` tries again");
        self.by_hand(stuck, error)
    }

    /// The files are back, and with them this undo is over: another one would not try again.
    fn down(&self, error: Error, journal: &Journal) -> Error {
        let down = Error::new(
            Exit::RollbackFailed,
            format!(
                "the old files are back, but {} is not as it was",
                self.host.unit
            ),
        );
        let down = self.by_hand(down, error);
        match journal.standing_of(&self.host.unit) {
            Ok(Some(_)) => down.hint(
                "what setup did before that still stands; another `rootless6 undo` takes that back",
            ),
            _ => down,
        }
    }

    fn by_hand(&self, mut told: Error, error: Error) -> Error {
        let unit = typed(&self.host.unit);
        told = told.caused_by(error.message).hint(format!(
            "by hand: `systemctl --user daemon-reload; systemctl --user reset-failed {unit}; systemctl --user restart {unit}`"
        ));
        told.causes.extend(error.causes);
        told.hints.extend(error.hints);
        told
    }
}

/// The longest wait for the host's IPv6 that the files of a unit ask for.
fn waits<'a>(texts: impl Iterator<Item = &'a str>) -> Duration {
    let longest = texts
        .filter_map(|text| wait_online::seconds_in(&[text]))
        .max();
    Duration::from_secs(longest.unwrap_or(0).into())
}

/// The last file that sets a variable, or takes all of them back, if it is not our own.
fn shadow(unit: &Unit, name: &str) -> Option<String> {
    if let Some((file, _)) = unit.from_files(name) {
        return Some(file.path.display().to_string());
    }
    let sets = |text: &str| {
        dropin::parse(text).assignments.iter().any(|assignment| {
            assignment.key == "Environment"
                && (assignment.value.is_empty() || assignment.value.contains(name))
        })
    };
    let last = unit.files.iter().rev().find(|file| sets(&file.text))?;
    (!last.path.ends_with(inspect::DROP_IN)).then(|| last.path.display().to_string())
}

/// What becomes of dockerd once the old files are back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It goes on as it is: it was never restarted, or it does not run.
    Leave,
    /// It is restarted, and must answer.
    Restart,
    /// It is restarted, and may go on failing as it did before.
    Retry,
    /// It is stopped.
    Stop,
}

/// What an undo did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files that are as they were.
    pub restored: Vec<PathBuf>,
    /// Files that were left alone, and why.
    pub skipped: Vec<(PathBuf, String)>,
    /// What went wrong.
    pub failed: Vec<Error>,
}

impl Restored {
    fn and(mut self, other: Self) -> Self {
        self.restored.extend(other.restored);
        self.skipped.extend(other.skipped);
        self.failed.extend(other.failed);
        self
    }

    /// Notes a file that was left alone.
    pub(crate) fn skip(&mut self, path: &Path, why: impl Into<String>) {
        self.skipped.push((path.to_owned(), why.into()));
    }
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
