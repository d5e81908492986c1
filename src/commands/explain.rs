//! `explain`: a page about a finding's code, or the list of all.

use serde_json::json;

use crate::cli::Explain;
use crate::error::Exit;
use crate::report::{Report, human, json};

/// Runs the command.
pub fn run(arguments: &Explain) -> Report {
    let Some(code) = arguments.code else {
        return Report::new("explain", Exit::Well, human::codes(), json::codes());
    };
    let body = json!({ "code": code, "title": code.title(), "page": code.page() });
    Report::new("explain", Exit::Well, human::code_page(code), body)
}
