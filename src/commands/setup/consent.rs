//! What a restart costs, whether somebody agrees to that, and whether it can lead to a proof.

use super::Scene;
use crate::cli::{Accept, Setup};
use crate::error::{Error, Exit, Result};
use crate::facts::{Container, Unit};
use crate::host::engine;
use crate::plan::Plan;
use crate::report::human;
use crate::request::Proof;
use crate::ui::Ui;
use crate::verify::{self, Question, Targets, Vantage};
use crate::wizard::{self, Terminal};

/// What a restart stops. A dockerd that runs and does not tell may well have containers.
pub(super) async fn running(arguments: &Setup, scene: &Scene) -> Result<Vec<Container>> {
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

pub(super) fn consent(
    arguments: &Setup,
    asks: bool,
    stopping: &[Container],
    plan: &Plan,
) -> Result<()> {
    if asks {
        let question = match (stopping.is_empty(), plan.lost_ports.is_empty()) {
            (true, _) => "Do it?",
            (false, true) => "Do it, and stop these containers for the restart?",
            (false, false) => {
                "Do it, stop these containers for the restart, and lose their ports on loopback?"
            }
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

/// Has somebody agree to what has been started since they were asked.
///
/// # Errors
/// When nobody does.
pub(super) async fn consent_again(
    arguments: &Setup,
    (asks, ui): (bool, Ui),
    scene: &Scene,
    stopping: &mut Vec<Container>,
    plan: &Plan,
) -> Result<()> {
    loop {
        let now = running(arguments, scene).await?;
        let known = |name: &str| stopping.iter().any(|container| container.name == name);
        let new: Vec<_> = now
            .iter()
            .filter(|container| !known(&container.name))
            .cloned()
            .collect();
        *stopping = now;
        if new.is_empty() {
            return Ok(());
        }
        for container in new.iter().filter(|_| asks) {
            ui.say(&format!("{} has been started meanwhile.", container.name));
        }
        consent(arguments, asks, &new, plan)?;
    }
}

/// A proof that must fail is not worth a restart. Tells whether IPv4 works before it, if that can be
/// seen: it must work afterwards, too.
///
/// # Errors
/// When the host itself does not reach the targets.
pub(super) async fn host_reaches(
    scene: &Scene,
    targets: &Targets,
    proof: Proof,
) -> Result<Option<bool>> {
    let question = Question::new(&[Vantage::Host], targets);
    let (seen, ipv4) = tokio::join!(
        verify::verify(&scene.facts, &scene.host.socket, &question),
        verify::ipv4_works(&scene.facts, targets)
    );
    let seen = seen.accepting(proof);
    if seen.passes() {
        return Ok(ipv4);
    }
    let error = Error::new(
        Exit::NotApplied,
        format!(
            "before any change, {}, so nothing could be proved",
            human::verdict_in_words(&seen)
        ),
    )
    .caused_by(human::checks_in_words(&seen));
    let explained = match &seen.explanation {
        Some(explanation) => error.caused_by(explanation),
        None => error,
    };
    Err(explained
        .hint("choose another target with `--target ADDR`, or go without proof with `--no-verify`"))
}
