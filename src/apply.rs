//! Carries a plan out, and takes it back.
//!
//! Before the first effect the journal holds the bytes that were there. Between daemon-reload and
//! the restart the effective environment is read back: what systemd did not take up as meant is
//! undone before anybody notices. Whatever fails after that is rolled back the same way.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::diagnose::Code;
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit};
use crate::host::systemd::Systemd;
use crate::host::{Host, engine};
use crate::inspect;
use crate::plan::{Plan, dropin};
use crate::ui::Progress;

pub mod file;
pub mod journal;

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
    /// What dockerd's restart may take. systemd sets no limit of its own (`TimeoutSec=0`).
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
        let lost = plan
            .environment
            .iter()
            .find(|(name, value)| unit.variable(name) != Some(value));
        let Some((name, value)) = lost else {
            return Ok(());
        };
        let effective = unit.variable(name).unwrap_or("not set");
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
    /// When the job fails, or the Engine does not answer in time; the hints lead to the log.
    pub async fn restart(&self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        let restarted = async {
            self.systemd.restart(&self.host.unit, deadline).await?;
            self.answers(deadline).await
        };
        restarted.await.map_err(|error| {
            error.hint(format!(
                "see `journalctl --user -u {} -n 50`",
                self.host.unit
            ))
        })
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
        progress.begin(match afterwards {
            Afterwards::Leave => "make systemd read its files again",
            Afterwards::Restart => "restart dockerd with the old settings",
            Afterwards::Retry => {
                "start dockerd with the old settings, with which it did not answer before"
            }
            Afterwards::Stop => "stop dockerd, which was not running before",
        });
        self.settle(afterwards)
            .await
            .map_err(|error| self.stuck(error))?;
        progress.done();
        if let Some(error) = failed {
            return Err(self.stuck(error));
        }
        for (entry, restored) in entries.iter_mut().zip(&each) {
            if restored.skipped.is_empty() {
                // Unmarked, it is undone once more one day, which finds everything in place.
                let _ = entry.mark(journal, State::Undone);
            }
        }
        Ok(each.into_iter().fold(Restored::default(), Restored::and))
    }

    async fn settle(&self, afterwards: Afterwards) -> Result<()> {
        self.systemd.reload().await?;
        let site = Site {
            patience: self.patience.max(ROLLBACK_PATIENCE),
            restarted: Cell::new(true),
            ..*self
        };
        match afterwards {
            Afterwards::Leave => Ok(()),
            Afterwards::Restart => site.restart().await,
            Afterwards::Retry => self.systemd.kick(&self.host.unit).await,
            Afterwards::Stop => {
                let deadline = Instant::now() + site.patience;
                self.systemd.stop(&self.host.unit, deadline).await
            }
        }
    }

    fn stuck(&self, error: Error) -> Error {
        let unit = &self.host.unit;
        let hints = error.hints;
        let mut stuck = Error::cannot(Exit::RollbackFailed, "put the old state back")
            .caused_by(error.message)
            .hint("`rootless6 undo --yes` tries again")
            .hint(format!(
                "by hand: `systemctl --user daemon-reload; systemctl --user reset-failed {unit}; systemctl --user restart {unit}`"
            ));
        stuck.causes.extend(error.causes);
        stuck.hints.extend(hints);
        stuck
    }
}

/// The last file that sets a variable, or takes all of them back, if it is not our own.
fn shadow(unit: &Unit, name: &str) -> Option<String> {
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
