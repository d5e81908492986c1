//! From the first effect to the proof, or back.

use super::vantages::vantages;
use super::{Prepared, Record, Scene};
use crate::apply::journal::{Entry, State, Was};
use crate::apply::{Afterwards, Restored, Site};
use crate::cli::Setup;
use crate::error::{Error, Exit, Result};
use crate::host::probe_container::Leftovers;
use crate::host::process;
use crate::inspect;
use crate::report::human;
use crate::ui::{Progress, Steps};
use crate::verify::{self, Question, Targets, Vantage, Verification};

/// What dockerd was doing, and should do again once it was restarted in vain.
fn before(scene: &Scene) -> Afterwards {
    if scene.facts.engine.is().is_some() {
        Afterwards::Restart
    } else if scene.runs() {
        Afterwards::Retry
    } else {
        Afterwards::Stop
    }
}

/// A plan about to be carried out.
pub(super) struct Work<'a> {
    pub(super) arguments: &'a Setup,
    pub(super) site: Site<'a>,
    pub(super) prepared: &'a Prepared,
}

impl Work<'_> {
    /// Applies, restarts and proves; takes everything back if any of that fails.
    ///
    /// # Errors
    /// What failed, once everything is back; exit 4 when it is not.
    pub(super) async fn carry_out(&self, steps: &mut Steps, record: &mut Record) -> Result<()> {
        let Prepared {
            journal,
            plan,
            restarts,
            ..
        } = self.prepared;
        let was = match before(&self.prepared.scene) {
            Afterwards::Retry => Was::Failing,
            Afterwards::Stop => Was::Stopped,
            Afterwards::Leave | Afterwards::Restart => Was::Answering,
        };
        let mut entry = journal.begin_planned(&self.site.host.unit, was, plan)?;
        let worked = tokio::select! {
            worked = self.apply_and_prove(&mut entry, steps, record) => worked,
            () = process::interrupted() => Err(Error::new(Exit::Interrupted, "interrupted")),
        };
        if let Err(error) = worked {
            steps.fail();
            return self.take_back(entry, error, steps, record).await;
        }
        record.changed = *restarts || !plan.files.is_empty();
        Ok(())
    }

    async fn apply_and_prove(
        &self,
        entry: &mut Entry,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<()> {
        let Prepared {
            plan,
            journal,
            restarts,
            targets,
            ..
        } = self.prepared;
        self.site
            .carry_out(plan, journal, entry, *restarts, steps)
            .await?;
        if let Some(targets) = targets {
            let verification = self.prove(targets, steps).await;
            let failed = (!verification.passes()).then(|| unproved(&verification));
            record.verification = Some(verification);
            if let Some(error) = failed
                && !self.arguments.keep
            {
                return Err(error);
            }
        }
        if !*restarts {
            return entry.mark(journal, State::Written);
        }
        for mut live in journal.never_live(&self.site.host.unit)? {
            live.mark(journal, State::Applied)?;
        }
        entry.mark(journal, State::Applied)
    }

    async fn prove(&self, targets: &Targets, steps: &mut Steps) -> Verification {
        let Site { host, systemd, .. } = &self.site;
        let facts = inspect::gather(host, Ok(systemd)).await;
        let vantages = vantages(&facts, self.prepared.subnet);
        steps.begin(if vantages.contains(&Vantage::Container) {
            "prove it from the host, RootlessKit's netns and a container"
        } else {
            "prove it from the host and RootlessKit's netns"
        });
        let question = Question {
            ipv4_before: self.prepared.ipv4_before,
            ..Question::new(&vantages, targets)
        };
        let verification = verify::verify(&facts, &host.socket, &question)
            .await
            .accepting(self.prepared.plan.proof);
        if verification.passes() {
            steps.done();
        }
        verification
    }

    async fn take_back(
        &self,
        entry: Entry,
        error: Error,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<()> {
        let journal = &self.prepared.journal;
        let restarted = self.site.restarted.get();
        let mut entries = vec![entry];
        if restarted && error.exit != Exit::Interrupted {
            // dockerd does not live with what this run wrote, nor perhaps with what others wrote
            // and never tried.
            entries.extend(journal.never_live(&self.site.host.unit)?);
        }
        let afterwards = if restarted {
            before(&self.prepared.scene)
        } else {
            Afterwards::Leave
        };
        let restored = self
            .site
            .roll_back(journal, &mut entries, afterwards, steps)
            .await
            .map_err(|stuck| {
                let stuck = stuck.caused_by(format!("after: {}", error.message));
                error.causes.iter().fold(stuck, Error::caused_by)
            })?;
        verify::sweep(&self.site.host.socket, Leftovers::Own).await;
        record.rolled_back = true;
        Err(self.told(error, &restored))
    }

    /// The failure, and what has become of everything.
    fn told(&self, error: Error, restored: &Restored) -> Error {
        let mut told = error;
        if told.exit != Exit::Interrupted {
            told.exit = Exit::NotApplied;
        }
        let left: Vec<_> = restored
            .skipped
            .iter()
            .map(|skipped| {
                let path = self.site.host.short(&skipped.path);
                format!("{path} ({})", skipped.why)
            })
            .collect();
        let back = if left.is_empty() {
            "everything was put back".to_owned()
        } else {
            format!("everything was put back but {}", left.join(", "))
        };
        told.message = format!("{}; {back}", told.message);
        let restarted = self.site.restarted.get();
        let down: Vec<_> = self
            .prepared
            .stopping
            .iter()
            .filter(|container| restarted && !container.comes_back())
            .map(|container| container.name.as_str())
            .collect();
        if down.is_empty() {
            return told;
        }
        told.hint(format!(
            "the restarts have stopped containers: `docker start {}`",
            down.join(" ")
        ))
    }
}

fn unproved(verification: &Verification) -> Error {
    let code = verification
        .cause
        .map(|cause| format!(" ({cause})"))
        .unwrap_or_default();
    let error = Error::new(
        Exit::NotApplied,
        format!(
            "after the change, {}{code}",
            human::verdict_in_words(verification)
        ),
    )
    .caused_by(human::checks_in_words(verification));
    let explained = match &verification.explanation {
        Some(explanation) => error.caused_by(explanation),
        None => error,
    };
    verification.hints.iter().fold(explained, Error::hint)
}
