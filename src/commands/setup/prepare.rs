//! Everything before the first effect: look, plan, rehearse, ask.

use super::consent::{consent, consent_again, host_reaches, running};
use super::rehearsed::rehearsed_plan;
use super::vantages::vantages;
use super::{Record, Scene};
use crate::apply::journal::{self, Journal};
use crate::apply::place::Tree;
use crate::cli::{DEFAULT_UNIT, Global, Rehearse, Setup};
use crate::commands::with_settings;
use crate::diagnose::{Code, Finding, Wanted, diagnose_for, obstacle};
use crate::error::{Error, Exit, Result};
use crate::facts::{Container, Facts, NetDriver};
use crate::host::Host;
use crate::plan::{Plan, snippet};
use crate::report::human;
use crate::request::{Intent, Net, Proof, Request, SubnetChoice};
use crate::ui::{Step, Steps, Ui};
use crate::verify::{self, Question, Targets, targets};
use crate::wizard::{self, Terminal};

/// Everything that was decided before the first effect.
pub(super) struct Prepared {
    pub(super) scene: Scene,
    pub(super) journal: Journal,
    pub(super) plan: Plan,
    /// What is asked for.
    pub(super) request: Request,
    /// What becomes of docker0.
    pub(super) subnet: SubnetChoice,
    pub(super) restarts: bool,
    /// What the restart stops.
    pub(super) stopping: Vec<Container>,
    /// What to reach; none where nothing is to be proved.
    pub(super) targets: Option<Targets>,
    /// Whether IPv4 works from RootlessKit's netns before the change, if that was looked at.
    pub(super) ipv4_before: Option<bool>,
}

/// Looks, plans, rehearses and asks; none when there is nothing to carry out.
pub(super) async fn prepare(
    arguments: &Setup,
    global: &Global,
    journal: Result<Option<Journal>>,
    ui: Ui,
    steps: &mut Steps,
    record: &mut Record,
) -> Result<Option<Prepared>> {
    let asks = !arguments.yes && !arguments.dry_run;
    let Looked {
        scene,
        request,
        targets,
        journal,
    } = look(arguments, global, journal, asks, ui).await?;
    let intent = request.resolve(scene.facts.rootlesskit_version());
    record.equivalent = Some(equivalent(arguments, global, &request));
    let at_hand = journal.as_ref().ok().and_then(Option::as_ref);
    let plan = rehearsed_plan(arguments, &scene, &intent, at_hand, &targets, (ui, steps)).await?;
    if plan.is_empty() || (plan.files.is_empty() && arguments.no_restart) {
        nothing_to_do(arguments, &scene, &targets, (&plan, intent.subnet), record).await;
        if let (Ok(Some(journal)), true) = (&journal, plan.is_empty()) {
            see_again(journal, &scene, &request);
        }
        return Ok(None);
    }
    record.notes.clone_from(&plan.notes);
    if let Some(error) = snippet::locked(&scene.facts, &plan) {
        record.snippets = snippet::snippets(&scene.facts, &plan);
        record.text = human::notes(&plan) + &human::snippets(&record.snippets);
        return Err(error);
    }
    let journal = journal?;
    let tree = Tree::of(&scene.host);
    for change in &plan.files {
        journal::unchanged(&tree, change)?;
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
    if arguments.confirm_within.is_some()
        && plan.files.is_empty()
        && journal.never_live(&scene.host.unit)?.is_empty()
    {
        return Err(nothing_to_come_back_to());
    }
    ui.say(&preview);
    consent(arguments, asks, &stopping, &plan)?;
    let mut prepared = Prepared {
        ipv4_before: None,
        targets: (restarts && !arguments.no_verify).then_some(targets),
        scene,
        journal,
        plan,
        request,
        subnet: intent.subnet,
        restarts,
        stopping,
    };
    if let Some(targets) = &prepared.targets {
        prepared.ipv4_before = host_reaches(&prepared.scene, targets, prepared.plan.proof).await?;
    }
    if restarts {
        let Prepared {
            scene,
            stopping,
            plan,
            ..
        } = &mut prepared;
        consent_again(arguments, (asks, ui), scene, stopping, plan).await?;
    }
    Ok(Some(prepared))
}

fn nothing_to_come_back_to() -> Error {
    Error::new(
        Exit::Usage,
        "nothing is to be written, so there are no old settings that could come back",
    )
    .hint("leave out `--confirm-within`: dockerd is only restarted")
}

/// What is there, and what is wanted.
struct Looked {
    scene: Scene,
    request: Request,
    targets: Targets,
    /// None for a dry run. Where files cannot be written, a journal that cannot be opened is no
    /// reason to end: there is still something to show for others to write.
    journal: Result<Option<Journal>>,
}

/// Looks round, makes sure that a plan can lead anywhere, and asks for what the request leaves open.
async fn look(
    arguments: &Setup,
    global: &Global,
    mut journal: Result<Option<Journal>>,
    asks: bool,
    ui: Ui,
) -> Result<Looked> {
    let mut scene = Scene::look(global.unit()).await?;
    if arguments.follow_symlinks {
        scene.facts.follow_symlinks();
    }
    let mut request = with_settings(
        arguments.request.clone(),
        &scene.host,
        arguments.config.as_deref(),
    )?;
    let targets = targets::resolve(&request.targets).await?;
    in_the_way(arguments, &scene, &request)?;
    if !scene.facts.is_locked() {
        journal = Ok(journal?);
    }
    if asks {
        ui.say(&human::scene(&scene.facts));
        wizard::fill(&mut Terminal, &mut request, &scene.facts)?;
    }
    Ok(Looked {
        scene,
        request,
        targets,
        journal,
    })
}

/// Makes sure that a plan can lead anywhere.
fn in_the_way(arguments: &Setup, scene: &Scene, request: &Request) -> Result<()> {
    let intent = request.resolve(scene.facts.rootlesskit_version());
    let wanted = wanted(arguments, &scene.facts, &intent);
    let findings = diagnose_for(&scene.facts, &intent);
    obstacle(&findings, wanted)?;
    scene.systemd()?;
    match arguments.confirm_within {
        Some(_) => somebody_watches(&findings),
        None => Ok(()),
    }
}

/// Whether the user's systemd, and with it the watchdog, outlives the session that may be cut off.
fn somebody_watches(findings: &[Finding]) -> Result<()> {
    let ends = findings
        .iter()
        .find(|finding| finding.code == Code::NoLinger);
    let Some(finding) = ends else {
        return Ok(());
    };
    let error = finding.to_error(Exit::Blocked);
    Err(Error {
        message: "nothing would put the old settings back after the last logout, which is what `--confirm-within` is for"
            .to_owned(),
        causes: [vec![error.message], error.causes].concat(),
        ..error
    })
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

/// Nothing is written and nothing restarted; whether it works is still worth a look.
async fn nothing_to_do(
    arguments: &Setup,
    scene: &Scene,
    targets: &Targets,
    (plan, subnet): (&Plan, SubnetChoice),
    record: &mut Record,
) {
    if !arguments.no_verify && !arguments.dry_run {
        let verification = verify::verify(
            &scene.facts,
            &scene.host.socket,
            &Question::new(&vantages(&scene.facts, subnet), targets),
        )
        .await;
        record.verification = Some(verification.accepting(plan.proof));
    }
    record.text = human::nothing_to_do(plan.restart, record.verification.as_ref());
}

/// What changed since the last setup is old news from now on. Nobody is worse off without that.
fn see_again(journal: &Journal, scene: &Scene, request: &Request) {
    let versions = scene.facts.versions();
    if let Err(error) = journal.see_again(&scene.host.unit, request, versions) {
        tracing::info!("the journal still has the versions of an earlier setup: {error}");
    }
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
        (arguments.follow_symlinks, "--follow-symlinks"),
        (arguments.rehearse == Rehearse::Never, "--rehearse=never"),
    ] {
        if given {
            words.push(flag.to_owned());
        }
    }
    if let Some(seconds) = arguments.confirm_within {
        words.extend(["--confirm-within".to_owned(), seconds.to_string()]);
    }
    words.extend(request.to_flags());
    human::command_line(&words)
}
