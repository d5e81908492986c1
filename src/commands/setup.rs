//! `setup`: look, explain, ask, apply, restart, prove - or put everything back.
//!
//! The wizard and the flags share this one path; the wizard only fills the holes of the request.
//! Nothing is touched before `prepare` is through, so an interrupt there has nothing to undo.

use std::cell::Cell;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde_json::json;

use super::{Scene, with_settings};
use crate::apply::Site;
use crate::apply::journal::{self, Journal, State};
use crate::cli::{Accept, DEFAULT_UNIT, Global, Rehearse, Setup};
use crate::diagnose::{Wanted, diagnose_for, obstacle};
use crate::error::{Doing, Error, Exit, Result};
use crate::facts::{Container, Facts, NetDriver, Seen, Unit};
use crate::host::image::Leftovers;
use crate::host::{Host, engine, process};
use crate::plan::snippet::{self, Snippet};
use crate::plan::{self, Given, Plan, Restart};
use crate::rehearse::rehearse;
use crate::report::{Report, human};
use crate::request::{Intent, Net, Proof, Request, SubnetChoice};
use crate::ui::{Progress, Step, Steps, Ui};
use crate::verify::{self, Vantage, Verification, targets};
use crate::wizard::{self, Terminal};

mod work;

use work::Work;

const VANTAGES: [Vantage; 3] = [Vantage::Host, Vantage::Netns, Vantage::Container];

/// What a run has come to, also when it failed half-way.
#[derive(Debug, Default)]
struct Record {
    changed: bool,
    rolled_back: bool,
    planned: Vec<Step>,
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
    process::hold_signals();
    let mut steps = ui.steps();
    let mut record = Record::default();
    let ended = setup(arguments, global, ui, &mut steps, &mut record).await;
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
        "rolled_back": record.rolled_back,
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
    steps: &mut Steps,
    record: &mut Record,
) -> Result<()> {
    let prepared = tokio::select! {
        prepared = prepare(arguments, global, ui, steps, record) => prepared?,
        () = process::interrupted() => {
            let host = Host::from_environment(global.unit())?;
            verify::sweep(&host.socket, Leftovers::OwnToo).await;
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
            restarted: Cell::new(false),
            patience: Duration::from_secs(global.timeout),
        },
        prepared: &prepared,
    };
    work.carry_out(steps, record).await?;
    ui.say("");
    record.text = human::set_up(record.verification.as_ref(), record.equivalent.as_deref());
    Ok(())
}

/// Everything that was decided before the first effect.
struct Prepared {
    scene: Scene,
    journal: Journal,
    plan: Plan,
    restarts: bool,
    /// What the restart stops.
    stopping: Vec<Container>,
    /// What to reach; none where nothing is to be proved.
    targets: Option<Vec<Ipv6Addr>>,
}

/// Looks, plans, rehearses and asks; none when there is nothing to carry out.
async fn prepare(
    arguments: &Setup,
    global: &Global,
    ui: Ui,
    steps: &mut Steps,
    record: &mut Record,
) -> Result<Option<Prepared>> {
    let asks = !arguments.yes && !arguments.dry_run;
    if asks && !ui.can_ask() {
        return Err(nobody_to_ask());
    }
    let scene = Scene::look(global.unit()).await?;
    let mut request = with_settings(
        arguments.request.clone(),
        &scene.host,
        arguments.config.as_deref(),
    )?;
    let targets = targets::resolve(&request.targets).await?;
    in_the_way(arguments, &scene, &request)?;
    let mut journal = open(arguments, &scene.host);
    if !scene.facts.is_locked() {
        // Without it there is no setup, but still something to show for others to write.
        journal = Ok(journal?);
    }
    if asks {
        ui.say(&human::scene(&scene.facts));
        wizard::fill(&mut Terminal, &mut request, &scene.facts)?;
    }
    let intent = request.resolve(scene.facts.rootlesskit_version());
    record.equivalent = Some(equivalent(arguments, global, &request));
    let at_hand = journal.as_ref().ok().and_then(Option::as_ref);
    let plan = rehearsed_plan(arguments, &scene, &intent, at_hand, ui, steps).await?;
    if plan.is_empty() || (plan.files.is_empty() && arguments.no_restart) {
        nothing_to_do(arguments, &scene, &targets, &plan, record).await;
        return Ok(None);
    }
    if let Some(error) = snippet::locked(&scene.facts, &plan) {
        record.snippets = snippet::snippets(&scene.facts, &plan);
        record.text = human::snippets(&record.snippets);
        return Err(error);
    }
    let journal = journal?;
    for change in &plan.files {
        journal::unchanged(change)?;
    }
    let restarts = plan.restart.is_some() && !arguments.no_restart;
    let stopping = if restarts {
        running(arguments, &scene).await?
    } else {
        Vec::new()
    };
    let preview = human::preview(&scene.facts, &plan, &stopping, restarts);
    let Some(journal) = journal else {
        record.text = preview;
        record.planned = planned(&scene.host, &plan, restarts);
        return Ok(None);
    };
    ui.say(&preview);
    consent(arguments, asks, &stopping, &plan)?;
    let prepared = Prepared {
        targets: (restarts && !arguments.no_verify).then_some(targets),
        scene,
        journal,
        plan,
        restarts,
        stopping,
    };
    if let Some(targets) = &prepared.targets {
        host_reaches(&prepared.scene, targets, prepared.plan.proof).await?;
    }
    Ok(Some(prepared))
}

/// The plan in the light of a rehearsal, where its restart is to be carried out.
async fn rehearsed_plan(
    arguments: &Setup,
    scene: &Scene,
    intent: &Intent,
    journal: Option<&Journal>,
    ui: Ui,
    steps: &mut Steps,
) -> Result<Plan> {
    let mut given = given()?;
    let plan = make_plan(scene, intent, &given, journal)?;
    let carried_out = journal.is_some() && snippet::locked(&scene.facts, &plan).is_none();
    let options = worth_rehearsing(arguments, &plan).filter(|_| carried_out);
    let Some(options) = options else {
        return Ok(plan);
    };
    steps.begin("rehearse RootlessKit with the new settings");
    given.rehearsed = rehearse(&scene.host, &scene.facts, options, plan.path()).await?;
    steps.done();
    ui.say("");
    make_plan(scene, intent, &given, journal)
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

/// RootlessKit's options where its next start is part of the plan: a throw-away one shows before
/// any downtime whether it starts at all, and what its tap interface has then.
fn worth_rehearsing<'a>(arguments: &Setup, plan: &'a Plan) -> Option<&'a [String]> {
    let restarts = plan.restart.is_some() && !arguments.no_restart;
    let wanted = restarts && arguments.rehearse == Rehearse::Auto;
    plan.rehearsal.as_deref().filter(|_| wanted)
}

fn nobody_to_ask() -> Error {
    Error::new(
        Exit::Usage,
        "setup has questions, and there is no terminal to ask on",
    )
    .hint("`rootless6 setup --yes --accept containers-restart` asks nothing")
    .hint("`rootless6 setup --dry-run` shows what would be done")
}

/// Makes sure that a plan can lead anywhere.
fn in_the_way(arguments: &Setup, scene: &Scene, request: &Request) -> Result<()> {
    let intent = request.resolve(scene.facts.rootlesskit_version());
    let wanted = wanted(arguments, &scene.facts, &intent);
    obstacle(&diagnose_for(&scene.facts, &intent), wanted)?;
    scene.systemd()?;
    Ok(())
}

fn wanted(arguments: &Setup, facts: &Facts, intent: &Intent) -> Wanted {
    let carries_echo = match intent.net {
        Net::Pasta => true,
        Net::Slirp4netns => facts.slirp4netns_forwards_echo() == Some(true),
        Net::Keep => {
            let kit = facts.rootlesskit.is();
            let slirp4netns = kit.is_some_and(|kit| kit.net == NetDriver::Slirp4netns);
            !slirp4netns || facts.slirp4netns_forwards_echo() == Some(true)
        }
    };
    let proof = if carries_echo {
        Proof::Whole
    } else {
        Proof::WithoutEcho
    };
    Wanted {
        pasta: intent.net == Net::Pasta,
        proof: Some(proof).filter(|_| !arguments.no_verify),
        bridge: intent.subnet != SubnetChoice::None,
    }
}

/// Opens the journal for all but a dry run. What an earlier run left half done is taken back before
/// anything is built on top of it.
fn open(arguments: &Setup, host: &Host) -> Result<Option<Journal>> {
    if arguments.dry_run {
        return Ok(None);
    }
    let journal = Journal::open(&host.state)?;
    match journal.standing()? {
        Some(entry) if entry.state == State::Begun => Err(Error::new(
            Exit::NotApplied,
            "an earlier setup was cut short and left its work half done",
        )
        .hint("`rootless6 undo --yes` puts back what was there; then run `rootless6 setup` again")),
        _ => Ok(Some(journal)),
    }
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

/// Nothing is written and nothing restarted; whether it works is still worth a look.
async fn nothing_to_do(
    arguments: &Setup,
    scene: &Scene,
    targets: &[Ipv6Addr],
    plan: &Plan,
    record: &mut Record,
) {
    if !arguments.no_verify && !arguments.dry_run {
        let verification =
            verify::verify(&scene.facts, &scene.host.socket, &VANTAGES, targets).await;
        record.verification = Some(verification.accepting(plan.proof));
    }
    record.text = human::nothing_to_do(plan.restart, record.verification.as_ref());
}

/// What a restart stops. A dockerd that runs and does not tell may well have containers.
async fn running(arguments: &Setup, scene: &Scene) -> Result<Vec<Container>> {
    if scene.facts.engine.is().is_some() {
        return engine::running_containers(&engine::connect(&scene.host.socket)?).await;
    }
    let runs = scene.facts.unit.is().is_some_and(Unit::is_active);
    if runs && !arguments.dry_run && !arguments.accept.contains(&Accept::ContainersRestart) {
        return Err(Error::new(
            Exit::Usage,
            "dockerd runs, and does not tell which containers its restart would stop",
        )
        .caused_by(format!("nobody answers on {}", scene.host.socket.display()))
        .hint("agree to that with `--accept containers-restart`"));
    }
    Ok(Vec::new())
}

fn planned(host: &Host, plan: &Plan, restarts: bool) -> Vec<Step> {
    let files = plan
        .files
        .iter()
        .map(|change| format!("write {}", host.short(&change.path)));
    let restart = restarts.then(|| format!("restart {}", host.unit));
    files
        .chain(restart)
        .map(|does| Step { does, done: false })
        .collect()
}

fn consent(arguments: &Setup, asks: bool, stopping: &[Container], plan: &Plan) -> Result<()> {
    if asks {
        let question = if stopping.is_empty() {
            "Do it?"
        } else {
            "Do it, and stop these containers for the restart?"
        };
        return wizard::go_ahead(&mut Terminal, question, Some(&human::explanation(plan)));
    }
    if stopping.is_empty() || arguments.accept.contains(&Accept::ContainersRestart) {
        return Ok(());
    }
    let names: Vec<_> = stopping
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    Err(Error::new(
        Exit::Usage,
        "the restart of dockerd stops running containers, and nobody has agreed to that",
    )
    .caused_by(names.join(", "))
    .hint("agree with `--accept containers-restart`, or write the files only with `--no-restart`"))
}

/// A proof that must fail is not worth a restart.
async fn host_reaches(scene: &Scene, targets: &[Ipv6Addr], proof: Proof) -> Result<()> {
    let seen = verify::verify(&scene.facts, &scene.host.socket, &[Vantage::Host], targets)
        .await
        .accepting(proof);
    if seen.passes() {
        return Ok(());
    }
    Err(Error::new(
        Exit::NotApplied,
        "the host itself does not reach the target over IPv6, so nothing could be proved",
    )
    .caused_by(human::checks_in_words(&seen))
    .hint("choose another target with `--target ADDR`, or go without proof with `--no-verify`"))
}

/// The flags that would have done the same without a question.
fn equivalent(arguments: &Setup, global: &Global, request: &Request) -> String {
    let mut words: Vec<String> = [
        "rootless6",
        "setup",
        "--yes",
        "--accept",
        "containers-restart",
    ]
    .map(str::to_owned)
    .to_vec();
    if let Some(user) = &global.user {
        words.extend(["--user".to_owned(), user.clone()]);
    }
    if global.unit() != DEFAULT_UNIT {
        words.extend(["--unit".to_owned(), global.unit().to_owned()]);
    }
    for (given, flag) in [
        (arguments.no_restart, "--no-restart"),
        (arguments.no_verify, "--no-verify"),
        (arguments.keep, "--keep"),
        (arguments.rehearse == Rehearse::Never, "--rehearse=never"),
    ] {
        if given {
            words.push(flag.to_owned());
        }
    }
    words.extend(request.to_flags());
    human::command_line(&words)
}
