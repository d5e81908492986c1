//! `status`: everything that was seen, on one screen.

use crate::cli::Global;
use crate::diagnose::diagnose;
use crate::error::Exit;
use crate::report::{Report, human, json};

use super::Scene;

/// Runs the command.
pub async fn run(global: &Global) -> Report {
    match Scene::look(global.unit()).await {
        Ok(scene) => {
            let findings = diagnose(&scene.facts);
            let text = human::status(&scene.facts, &findings);
            Report::new("status", Exit::Well, text, json::status(&scene.facts))
        }
        Err(error) => Report::failed("status", error),
    }
}
