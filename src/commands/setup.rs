//! `setup`: look, explain, ask, apply, restart, prove - or put everything back.
//!
//! The wizard and the flags share this one path; the wizard only fills the holes of the request.
//! What an earlier run left half done is taken back first of all. Then nothing is touched before
//! `prepare` is through, so an interrupt there has nothing to undo.

use std::time::Duration;

use serde_json::json;

use super::Scene;
use crate::apply::Site;
use crate::cli::{Global, Setup};
use crate::error::{Error, Exit, Result};
use crate::host::Host;
use crate::host::probe_container::Leftovers;
use crate::host::process::Signals;
use crate::plan::snippet::Snippet;
use crate::report::{Report, human};
use crate::ui::{Step, Steps, Ui};
use crate::verify::{self, Verification};

mod consent;
mod inputs;
mod prepare;
mod rehearsed;
mod unfinished;
mod vantages;
mod work;

use prepare::{Prepared, prepare};
use unfinished::{finish_first, lock};
use work::Work;

/// What a run has come to, also when it failed half-way.
#[derive(Debug, Default)]
struct Record {
    changed: bool,
    rolled_back: bool,
    /// Seconds; none where nothing waits to be confirmed.
    confirm_within: Option<u32>,
    planned: Vec<Step>,
    /// What the person should know besides.
    notes: Vec<String>,
    verification: Option<Verification>,
    equivalent: Option<String>,
    snippets: Vec<Snippet>,
    text: String,
}

/// Runs the command.
pub async fn run(arguments: &Setup, global: &Global, ui: Ui) -> Report {
    let asks = !arguments.yes && !arguments.dry_run;
    // Whoever is asked must see what about.
    let ui = Ui {
        quiet: ui.quiet && !asks,
        ..ui
    };
    let mut signals = Signals::hold();
    let mut steps = ui.steps();
    let mut record = Record::default();
    let ended = setup(arguments, global, ui, &mut signals, &mut steps, &mut record).await;
    if ended.is_err() {
        steps.fail();
    }
    report(record, std::mem::take(&mut steps.taken), ended)
}

fn report(record: Record, taken: Vec<Step>, ended: Result<()>) -> Report {
    let steps = if taken.is_empty() {
        record.planned
    } else {
        taken
    };
    let needs_root = match &ended {
        Err(error) => error.needs_root.clone(),
        Ok(()) => Vec::new(),
    };
    let exit = match &record.verification {
        Some(verification) if !verification.passes() => Exit::Bad,
        _ => Exit::Well,
    };
    let body = json!({
        "changed": record.changed,
        "steps": steps,
        "notes": record.notes,
        "rolled_back": record.rolled_back,
        "confirm_within": record.confirm_within,
        "needs_root": needs_root,
        "verify": record.verification,
        "equivalent": record.equivalent,
        "snippets": record.snippets,
    });
    let report = Report::new("setup", exit, record.text, body);
    match ended {
        Ok(()) => report,
        Err(error) => report.with(error),
    }
}

async fn setup(
    arguments: &Setup,
    global: &Global,
    ui: Ui,
    signals: &mut Signals,
    steps: &mut Steps,
    record: &mut Record,
) -> Result<()> {
    if !arguments.yes && !arguments.dry_run && !ui.can_ask() {
        return Err(nobody_to_ask());
    }
    if arguments.no_restart && arguments.confirm_within.is_some() {
        return Err(Error::new(
            Exit::Usage,
            "without a restart nothing comes into force, so there is nothing to confirm",
        )
        .hint("leave out either `--no-restart` or `--confirm-within`"));
    }
    let journal = lock(arguments, &Host::from_environment(global.unit())?).await;
    let journal = match journal {
        Ok(Some(journal)) => Ok(Some(
            finish_first(arguments, global, journal, ui, steps).await?,
        )),
        Err(busy) if busy.exit == Exit::Busy => return Err(busy),
        none => none,
    };
    let prepared = tokio::select! {
        prepared = prepare(arguments, global, journal, ui, steps, record) => prepared?,
        () = signals.interrupted() => {
            let host = Host::from_environment(global.unit())?;
            verify::sweep(&host.socket, Leftovers::Own).await;
            return Err(Error::new(Exit::Interrupted, "interrupted: nothing was changed"));
        }
    };
    let Some(prepared) = prepared else {
        return Ok(());
    };
    let work = Work {
        arguments,
        site: Site {
            host: &prepared.scene.host,
            systemd: prepared.scene.systemd()?,
            patience: Duration::from_secs(global.timeout),
        },
        prepared: &prepared,
    };
    work.carry_out(signals, steps, record).await?;
    ui.say("");
    record.text = human::set_up(
        record.verification.as_ref(),
        record.equivalent.as_deref(),
        record.confirm_within,
    );
    Ok(())
}

fn nobody_to_ask() -> Error {
    Error::new(
        Exit::Usage,
        "setup has questions, and there is no terminal to ask on",
    )
    .hint("`rootless6 setup --yes --accept containers-restart` asks nothing")
    .hint("`rootless6 setup --dry-run` shows what would be done")
}
