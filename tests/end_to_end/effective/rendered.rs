//! The other direction: whatever a drop-in of ours carries arrives in the process as it was meant.

use std::path::{Path, PathBuf};

use rootless6::facts::Unit;
use rootless6::plan::dropin::{self, Command, RenderError, When};

use super::Printed;
use super::generate::{self, UnitSet};

const DROP_INS: usize = 150;
const VARIABLES: [&str; 3] = ["A", "C", "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"];

/// Prints its own name and its arguments into the file that the first one names.
const PROGRAM: &str = r#"#!/bin/sh
for word in "$0" "$@"; do printf '%s\0' "$word"; done >"$XDG_RUNTIME_DIR/values/$1"
"#;

/// A drop-in and what it is to say.
pub(super) struct Rendered {
    pub(super) set: UnitSet,
    variables: Vec<(&'static str, String)>,
    program: PathBuf,
    arguments: Vec<String>,
}

/// Random values, in drop-ins that [`dropin::render`] does not refuse.
pub(super) fn drop_ins() -> Vec<Rendered> {
    let values = generate::values(DROP_INS * 8);
    let mut refused = 0;
    let rendered: Vec<_> = values
        .chunks_exact(8)
        .enumerate()
        .filter_map(|(number, values)| {
            let rendered = drop_in(number, values);
            refused += usize::from(rendered.is_none());
            rendered
        })
        .collect();
    println!(
        "{} drop-ins of ours, {refused} refused for the program's path",
        rendered.len()
    );
    assert!(rendered.len() >= DROP_INS / 3 && refused > 0);
    rendered
}

fn drop_in(number: usize, values: &[String]) -> Option<Rendered> {
    let [place, name, ..] = values else {
        unreachable!()
    };
    let part = |value: &str| {
        let kept = |it: &char| *it != '/' && (number.is_multiple_of(4) || !is_unsafe(*it));
        value.chars().filter(kept).collect::<String>()
    };
    let directory = format!("/home/alice/{}d", part(place));
    let program = Path::new(&directory).join(format!("p{}", part(name)));
    let variables: Vec<_> = VARIABLES.into_iter().zip(values[2..5].to_vec()).collect();
    let mut arguments = vec![format!("argv{number}")];
    arguments.extend_from_slice(&values[5..]);
    let borrowed: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let command = Command {
        when: When::AfterStart,
        program: &program,
        arguments: &words,
    };
    match dropin::render(&borrowed, &[command]) {
        Ok(text) => Some(Rendered {
            set: UnitSet::rendered(number, text, (&program, PROGRAM)),
            variables,
            program,
            arguments,
        }),
        Err(RenderError::Program(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// systemd runs no program whose path has one of these.
fn is_unsafe(character: char) -> bool {
    character.is_ascii_control() || "\"'\\*?[".contains(character)
}

impl Rendered {
    /// Over D-Bus, in the process of the service, and in the command after its start.
    pub(super) fn as_meant(&self, unit: &Unit, printed: &Printed) -> Result<(), String> {
        let Some(process) = printed.get(&self.set.name) else {
            return Err("it did not start".to_owned());
        };
        for (name, value) in &self.variables {
            let said = unit.variable(name);
            let assignment = format!("{name}={value}");
            if said != Some(value) || !process.contains(&assignment) {
                return Err(format!(
                    "{assignment:?} is {said:?}, in the process {process:?}"
                ));
            }
        }
        let meant = [
            &[self.program.display().to_string()],
            self.arguments.as_slice(),
        ]
        .concat();
        let run = printed.get(&self.arguments[0]);
        if run != Some(&meant) {
            return Err(format!("{meant:?} was run as {run:?}"));
        }
        Ok(())
    }
}
