//! The plan, in the light of a rehearsal.

use super::Scene;
use crate::apply::journal::Journal;
use crate::cli::{Rehearse, Setup};
use crate::error::{Doing, Result};
use crate::facts::Seen;
use crate::host::process;
use crate::plan::{self, Given, Plan, Rehearsal, Restart, snippet};
use crate::rehearse::{Wanted, rehearse};
use crate::request::{Intent, Proof};
use crate::ui::{Progress, Steps, Ui};
use crate::verify::{Targets, observe};

/// The plan in the light of a rehearsal, where its restart is to be carried out.
pub(super) async fn rehearsed_plan(
    arguments: &Setup,
    scene: &Scene,
    intent: &Intent,
    journal: Option<&Journal>,
    targets: &Targets,
    (ui, steps): (Ui, &mut Steps),
) -> Result<Plan> {
    let mut given = given()?;
    let plan = make_plan(scene, intent, &given, journal)?;
    let carried_out = journal.is_some() && snippet::locked(&scene.facts, &plan).is_none();
    let rehearsal = worth_rehearsing(arguments, &plan).filter(|_| carried_out);
    let Some(rehearsal) = rehearsal else {
        return Ok(plan);
    };
    let wanted = Wanted {
        rehearsal,
        path: plan.path(),
        probe: (!arguments.no_verify).then(|| observe::Request {
            without_echo: plan.proof == Proof::WithoutEcho,
            glance: true,
            ..observe::Request::new(&targets.v6)
        }),
        proof: plan.proof,
    };
    steps.begin("rehearse RootlessKit with the new settings");
    let shown = rehearse(&scene.host, &scene.facts, &wanted).await?;
    match shown.doubt {
        None => steps.done(),
        Some(_) => steps.doubt(),
    }
    ui.say("");
    given.rehearsed = shown.tap;
    let mut plan = make_plan(scene, intent, &given, journal)?;
    plan.notes.extend(shown.doubt);
    Ok(plan)
}

/// The plan, and a restart for what an earlier run wrote and nothing has taken up yet.
fn make_plan(
    scene: &Scene,
    intent: &Intent,
    given: &Given,
    journal: Option<&Journal>,
) -> Result<Plan> {
    let mut plan = plan::plan(&scene.facts, intent, given)?;
    if let Some(journal) = journal
        && !journal.never_live(&scene.host.unit)?.is_empty()
    {
        plan.restart = plan.restart.or(Some(Restart::NotLive));
    }
    Ok(plan)
}

/// How to rehearse RootlessKit's next start, where that is part of the plan: a throw-away one shows
/// before any downtime whether it starts at all, and what comes back from off the link then.
fn worth_rehearsing<'a>(arguments: &Setup, plan: &'a Plan) -> Option<&'a Rehearsal> {
    let restarts = plan.restart.is_some() && !arguments.no_restart;
    let wanted = restarts && arguments.rehearse == Rehearse::Auto;
    plan.rehearsal.as_ref().filter(|_| wanted)
}

fn given() -> Result<Given> {
    let mut global_id = [0; 5];
    getrandom::fill(&mut global_id).doing(|| "ask the kernel for random bits")?;
    Ok(Given {
        program: process::own_file()?,
        global_id,
        rehearsed: Seen::Absent,
    })
}
