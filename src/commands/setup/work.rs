//! From the first effect to the proof, or back.

use std::time::Duration;

use super::inputs::unchanged;
use super::vantages::vantages;
use super::{Prepared, Record, Scene};
use crate::apply::deadline::Deadline;
use crate::apply::journal::{Entry, MadeFor, State, Was};
use crate::apply::restart::{SETTLING, Started};
use crate::apply::{Afterwards, Restored, Site, checkpoint, watchdog};
use crate::cli::Setup;
use crate::error::{Error, Exit, Result};
use crate::facts::{ReliedOn, Seen, Versions};
use crate::host::probe_container::Leftovers;
use crate::host::process::Signals;
use crate::inspect;
use crate::report::human;
use crate::ui::{Progress, Steps};
use crate::verify::{self, Question, Targets, Vantage, Verification};

/// What dockerd is doing, and should do again once it was restarted in vain.
fn was(scene: &Scene) -> Was {
    if scene.facts.engine.is().is_some() {
        Was::Answering
    } else if scene.runs() {
        Was::Failing
    } else {
        Was::Stopped
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
    pub(super) async fn carry_out(
        &self,
        signals: &mut Signals,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<()> {
        let Prepared {
            journal,
            plan,
            restarts,
            scene,
            ..
        } = self.prepared;
        let unit = unchanged(scene).await?;
        let mut entry = journal.begin_planned(&self.site.host.unit, was(scene), plan)?;
        entry.made_for = Some(self.made_for(scene.facts.versions()));
        self.site.begin(plan, &unit, journal, &mut entry).await?;
        let worked = tokio::select! {
            // One that came before the first effect comes before it here, too.
            biased;
            () = signals.interrupted() => Err(Error::new(Exit::Interrupted, "interrupted")),
            worked = self.apply_and_prove(&mut entry, steps, record) => worked,
        };
        if let Err(error) = worked {
            steps.fail();
            return self.take_back(entry, error, steps, record).await;
        }
        record.changed = *restarts || !plan.files.is_empty();
        if entry.state == State::Unconfirmed {
            record.confirm_within = self.arguments.confirm_within;
            return Ok(());
        }
        watchdog::disarm(self.site.systemd, self.site.host).await;
        checkpoint::pass("disarmed");
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
            ..
        } = self.prepared;
        self.site.write(plan, journal, entry, steps).await?;
        if !*restarts {
            entry.mark(journal, State::Written)?;
            checkpoint::pass("marked");
            return Ok(());
        }
        self.restart_and_prove(entry, steps, record).await?;
        match self.arguments.confirm_within {
            Some(seconds) => {
                let seconds = Duration::from_secs(seconds.into());
                entry.deadline = Some(Deadline::after(seconds));
                entry.mark(journal, State::Unconfirmed)?;
            }
            None => {
                journal.settle(entry)?;
                self.see_again(entry);
            }
        }
        checkpoint::pass("marked");
        Ok(())
    }

    /// A mere restart leaves no generation that stands: what changed since is recorded where the
    /// settings are. Nobody is worse off without that.
    fn see_again(&self, entry: &Entry) {
        let Some(made_for) = entry.made_for.clone().filter(|_| entry.is_empty()) else {
            return;
        };
        let Prepared {
            journal, request, ..
        } = self.prepared;
        if let Err(error) = journal.see_again(&entry.unit, request, made_for.versions) {
            tracing::info!("the journal has the versions of an earlier setup: {error}");
        }
    }

    /// The proof and the settle window are over when both are.
    async fn restart_and_prove(
        &self,
        entry: &mut Entry,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<()> {
        let unit = &self.site.host.unit;
        steps.begin(&format!("restart {unit}"));
        let started = self.site.restart_for(&self.prepared.journal, entry).await?;
        steps.done();
        let proof = async {
            let versions = self.prove(&started, steps, record).await?;
            let seconds = SETTLING.as_secs();
            steps.begin(&format!(
                "see that {unit} still runs {seconds} s after its first answer"
            ));
            Ok(versions)
        };
        let (versions, ()) = tokio::try_join!(proof, self.site.stays_up(&started))?;
        if let Some(versions) = versions {
            entry.made_for = Some(self.made_for(versions));
        }
        checkpoint::pass("settled");
        steps.done();
        Ok(())
    }

    /// Gives the versions that run now, if it has looked.
    async fn prove(
        &self,
        started: &Started,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<Option<Versions>> {
        let Some(targets) = &self.prepared.targets else {
            return Ok(None);
        };
        let (verification, versions) = self.verify(targets, steps).await;
        let failed = (!verification.passes()).then(|| unproved(&verification));
        record.verification = Some(verification);
        checkpoint::pass("proved");
        match failed {
            Some(error) if !self.arguments.keep => {
                // A dockerd that has died meanwhile is why.
                self.site.still_runs(started).await?;
                Err(error)
            }
            _ => Ok(Some(versions)),
        }
    }

    fn made_for(&self, versions: Versions) -> MadeFor {
        MadeFor {
            request: Some(self.prepared.request.clone()),
            versions,
            seen_again: None,
        }
    }

    async fn verify(&self, targets: &Targets, steps: &mut Steps) -> (Verification, Versions) {
        let Site { host, systemd, .. } = &self.site;
        let mut facts = inspect::gather(host, Ok(systemd)).await;
        // What is being put in place is judged by what is asked for now.
        facts.relied_on = Seen::Is(ReliedOn {
            request: Some(self.prepared.request.clone()),
            ..ReliedOn::default()
        });
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
        (verification, facts.versions())
    }

    async fn take_back(
        &self,
        entry: Entry,
        error: Error,
        steps: &mut Steps,
        record: &mut Record,
    ) -> Result<()> {
        let journal = &self.prepared.journal;
        // dockerd does not live with what this run wrote, nor perhaps with what others wrote and
        // never tried.
        let (taken_up, missing) = journal.going_with(&entry);
        let error = match missing {
            None => error,
            Some(missing) => missing
                .causes
                .iter()
                .fold(error.caused_by(missing.message), Error::caused_by),
        };
        let mut entries = vec![entry];
        entries.extend(taken_up);
        let afterwards = self.site.afterwards(&entries).await;
        let restarted = afterwards != Afterwards::Leave;
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
        Err(self.told(error, &restored, restarted))
    }

    /// The failure, and what has become of everything.
    fn told(&self, error: Error, restored: &Restored, restarted: bool) -> Error {
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
