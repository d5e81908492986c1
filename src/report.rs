//! One value per run, rendered as text or as JSON.

use std::io::ErrorKind;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Exit};
use crate::ui::Ui;

pub mod human;
pub mod json;

/// The version of the JSON: fields are added, never renamed or removed.
const SCHEMA: u32 = 1;

/// What a command has to say.
#[derive(Debug)]
pub struct Report {
    /// The command's name.
    pub command: &'static str,
    /// How it ends.
    pub exit: Exit,
    /// The JSON besides the common fields.
    pub body: Map<String, Value>,
    /// The text for stdout.
    pub text: String,
    /// What failed, if anything.
    pub error: Option<Error>,
}

impl Report {
    /// A report of success or of a bad answer.
    pub fn new(command: &'static str, exit: Exit, text: String, body: impl Serialize) -> Self {
        let body = match serde_json::to_value(body) {
            Ok(Value::Object(body)) => body,
            _ => Map::new(),
        };
        Self {
            command,
            exit,
            body,
            text,
            error: None,
        }
    }

    /// A report of failure.
    pub fn failed(command: &'static str, error: Error) -> Self {
        Self::new(command, error.exit, String::new(), json!({})).with(error)
    }

    /// The same report with a failure in it.
    #[must_use]
    pub fn with(mut self, error: Error) -> Self {
        self.exit = error.exit;
        self.error = Some(error);
        self
    }

    /// The same report with what an earlier run has left unfinished, or null.
    #[must_use]
    pub fn after(mut self, unfinished: Value) -> Self {
        self.body.insert("unfinished".to_owned(), unfinished);
        self
    }

    /// The same report for root, who acts for this user: what is to be typed is as root types it.
    #[must_use]
    pub fn typed_by_root(mut self, user: &str) -> Self {
        let typed = |text: &str| {
            text.replace("\nsudo sh -eu <<", "\nsh -eu <<")
                .replace("`rootless6 ", &format!("`rootless6 --user {user} "))
                .replace(
                    "\n  rootless6 undo\n",
                    &format!("\n  rootless6 --user {user} undo\n"),
                )
                .replace(
                    "systemctl --user ",
                    &format!("systemctl --user -M {user}@ "),
                )
                .replace(
                    "journalctl --user ",
                    &format!("runuser -u {user} -- journalctl --user "),
                )
        };
        self.text = typed(&self.text);
        if let Some(error) = &mut self.error {
            for hint in &mut error.hints {
                *hint = typed(hint);
            }
        }
        self
    }

    /// Prints the report and gives the exit status.
    pub fn print(mut self, ui: Ui) -> ExitCode {
        let written = if ui.json {
            let body = std::mem::take(&mut self.body);
            ui.result(&self.json(body))
        } else {
            ui.result(&self.text)
        };
        if let Some(error) = &self.error {
            ui.error(error);
        }
        match written {
            // A reader that has gone away is no error of ours.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let error = Error::cannot(Exit::Bad, "write the result to standard output")
                    .caused_by(error);
                // Nobody can read the document that would have said so.
                Ui { json: false, ..ui }.error(&error);
                match self.exit {
                    Exit::Well => Exit::Bad.into(),
                    exit => exit.into(),
                }
            }
            _ => self.exit.into(),
        }
    }

    fn json(&self, body: Map<String, Value>) -> String {
        let mut document = Map::new();
        document.insert("schema".to_owned(), json!(SCHEMA));
        document.insert("command".to_owned(), json!(self.command));
        document.insert("exit".to_owned(), json!(self.exit as u8));
        let error = self.error.as_ref().map(|error| {
            json!({
                "message": error.message,
                "causes": error.causes,
                "hints": error.hints,
                "needs_root": error.needs_root,
            })
        });
        document.insert("error".to_owned(), json!(error));
        document.extend(body);
        escaped(&format!("{:#}\n", Value::Object(document)))
    }
}

/// JSON escapes the controls below the space alone; a terminal heeds those of ISO 6429 as well
/// (U+0080 to U+009F), and outside of strings there are none.
fn escaped(json: &str) -> String {
    json.chars()
        .fold(String::with_capacity(json.len()), |mut text, c| {
            if c.is_control() && c != '\n' {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                text.push(c);
            }
            text
        })
}
