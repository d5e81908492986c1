//! Carries a plan out, and takes it back.
//!
//! Before the first effect the journal holds the bytes that were there. Between daemon-reload and
//! the restart the effective environment is read back: what systemd did not take up as meant is
//! undone before anybody notices. Whatever fails after that is rolled back the same way, and where
//! this process does not live to do it, the watchdog or the next command does.

use std::time::Duration;

use crate::diagnose::Code;
use crate::error::{Error, Exit, Result};
use crate::facts::{Seen, Unit};
use crate::host::Host;
use crate::host::systemd::Systemd;
use crate::inspect;
use crate::plan::{Plan, dropin};
use crate::ui::Progress;

mod attributes;
pub mod checkpoint;
pub mod deadline;
pub mod file;
pub mod journal;
pub mod place;
pub mod refusal;
pub mod restart;
pub mod restored;
pub mod rollback;
pub mod unfinished;
pub mod watchdog;

pub use restored::{Edit, Restored, Skipped};
pub use rollback::Afterwards;

use deadline::Deadline;
use journal::{Entry, Journal, State};

/// The running system that a plan is carried out on.
#[derive(Debug)]
pub struct Site<'a> {
    /// Where things are.
    pub host: &'a Host,
    /// The user's systemd.
    pub systemd: &'a Systemd,
    /// What dockerd's restart may take, once it need not wait for the host's IPv6 any more. systemd
    /// sets no limit of its own (`TimeoutSec=0`).
    pub patience: Duration,
}

impl Site<'_> {
    /// Writes the files, makes systemd read them, and reads back what it has understood. dockerd
    /// runs on as it is.
    ///
    /// # Errors
    /// What failed; nothing is taken back yet. See [`Site::roll_back`].
    pub async fn write(
        &self,
        plan: &Plan,
        journal: &Journal,
        entry: &mut Entry,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        for change in &plan.files {
            progress.begin(&format!("write {}", self.host.short(&change.path)));
            entry.write(journal, change)?;
            checkpoint::pass("written");
            progress.done();
        }
        progress.begin("make systemd read its files again");
        self.systemd.reload().await?;
        checkpoint::pass("reloaded");
        progress.done();
        progress.begin("read the effective settings back");
        self.read_back(plan).await?;
        checkpoint::pass("read-back");
        progress.done();
        Ok(())
    }

    /// Records what is there before the first effect, with the unit as it is now, and arms the way back that needs no process
    /// of ours.
    ///
    /// # Errors
    /// When either cannot be done; nothing has been changed then.
    pub async fn begin(
        &self,
        plan: &Plan,
        unit: &Unit,
        journal: &Journal,
        entry: &mut Entry,
    ) -> Result<()> {
        let begun = self.record_and_arm(plan, unit, journal, entry).await;
        if begun.is_err() {
            // Nothing to take back; where not even this can be written, it is empty all the same.
            let _ = entry.mark(journal, State::Undone);
        }
        begun
    }

    async fn record_and_arm(
        &self,
        plan: &Plan,
        unit: &Unit,
        journal: &Journal,
        entry: &mut Entry,
    ) -> Result<()> {
        entry.invocation.clone_from(&unit.invocation_id);
        entry.environment = plan
            .environment
            .iter()
            .map(|(name, _)| (name.clone(), unit.effective(name).map(str::to_owned)))
            .collect();
        entry.deadline = Some(Deadline::after(rollback::SLACK));
        entry.mark(journal, State::Begun)?;
        checkpoint::pass("begun");
        watchdog::arm(self.systemd, self.host, self.patience).await?;
        checkpoint::pass("armed");
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
