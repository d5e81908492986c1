//! `doctor`: what is wrong, why, and what to do about it. Nothing is sent, and nothing changed but the
//! memory of what programs print as their versions.

use std::panic;

use super::Scene;
use crate::cli::{Doctor, Global};
use crate::diagnose::{Examination, Severity, examine, intent};
use crate::error::{Error, Exit};
use crate::host::process;
use crate::report::{Report, human, json};
use crate::ui::Ui;

/// Runs the command.
pub async fn run(arguments: &Doctor, global: &Global, ui: Ui) -> Report {
    if arguments.list {
        return Report::new("doctor", Exit::Well, human::codes(), json::codes());
    }
    // A question that came before may have left the signals held.
    let looked = tokio::select! {
        looked = Scene::look(global.unit()) => looked,
        () = process::interrupted() => Err(Error::new(Exit::Interrupted, "interrupted")),
    };
    let scene = match looked {
        Ok(scene) => scene,
        Err(error) => return Report::failed("doctor", error),
    };
    let facts = &scene.facts;
    let intent = intent(facts);
    // A rule that fails is told in its place.
    panic::set_hook(Box::new(|_| {}));
    let examination = examine(facts, &intent, &arguments.codes);
    let _ = panic::take_hook();
    let text = if ui.quiet {
        human::examination_in_short(&examination)
    } else {
        human::examination(facts, &examination)
    };
    let body = json::examination(facts, &examination);
    Report::new("doctor", exit(&examination), text, body)
}

fn exit(examination: &Examination) -> Exit {
    let mut findings = examination.findings.iter();
    if findings.any(|finding| finding.severity == Severity::Broken) {
        Exit::Bad
    } else {
        Exit::Well
    }
}
