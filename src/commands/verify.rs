//! `verify`: does IPv6 work, from where to where, and if not, why?

use super::{Scene, with_settings};
use crate::cli::{From, Global, Verify};
use crate::error::{Error, Exit, Result};
use crate::host::image::Leftovers;
use crate::host::{Host, process};
use crate::report::{Report, human};
use crate::request::Request;
use crate::ui::{Progress, Ui};
use crate::verify::{self, Outcome, Question, Targets, Vantage, Verification, targets};

/// Runs the command.
pub async fn run(arguments: &Verify, global: &Global, ui: Ui) -> Report {
    process::hold_signals();
    let checked = async {
        let scene = Scene::look(global.unit()).await?;
        let targets = targets_for(&scene.host, arguments).await?;
        let vantages = vantages(arguments);
        let question = Question::new(&vantages, &targets);
        let mut steps = ui.steps();
        steps.begin("probe");
        let verification = tokio::select! {
            verification = verify::verify(&scene.facts, &scene.host.socket, &question) => {
                steps.hush();
                verification
            }
            () = process::interrupted() => {
                verify::sweep(&scene.host.socket, Leftovers::OwnToo).await;
                return Err(Error::new(Exit::Interrupted, "interrupted"));
            }
        };
        Ok::<_, Error>(verification)
    };
    match checked.await {
        Ok(verification) => report(&verification),
        Err(error) => Report::failed("verify", error),
    }
}

fn report(verification: &Verification) -> Report {
    let exit = match verification.verdict {
        Outcome::Pass => Exit::Well,
        _ => Exit::Bad,
    };
    Report::new(
        "verify",
        exit,
        human::verification(verification),
        verification,
    )
}

async fn targets_for(host: &Host, arguments: &Verify) -> Result<Targets> {
    let asked = Request {
        targets: arguments.targets.clone(),
        ..Request::default()
    };
    targets::resolve(&with_settings(asked, host, None)?.targets).await
}

fn vantages(arguments: &Verify) -> Vec<Vantage> {
    let asked = |from| arguments.from.contains(&from);
    let mut vantages = Vec::new();
    for (from, vantage) in [
        (From::Host, Vantage::Host),
        (From::Netns, Vantage::Netns),
        (From::Container, Vantage::Container),
    ] {
        if asked(from) {
            vantages.push(vantage);
        }
    }
    vantages.extend(arguments.networks.iter().cloned().map(Vantage::OnNetwork));
    vantages
}
