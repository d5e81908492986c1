//! `status`: everything that was seen, on one screen.

use crate::cli::Global;
use crate::diagnose::diagnose;
use crate::error::{Error, Exit};
use crate::host::process;
use crate::report::{Report, human, json};

use super::Scene;

/// Runs the command.
pub async fn run(global: &Global) -> Report {
    // A question that came before may have left the signals held.
    let looked = tokio::select! {
        looked = Scene::look(global.unit()) => looked,
        () = process::interrupted() => Err(Error::new(Exit::Interrupted, "interrupted")),
    };
    match looked {
        Ok(scene) => {
            let findings = diagnose(&scene.facts);
            let text = human::status(&scene.facts, &findings);
            Report::new("status", Exit::Well, text, json::status(&scene.facts))
        }
        Err(error) => Report::failed("status", error),
    }
}
