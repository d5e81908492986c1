//! `completions` and `man`, for packagers and install.sh.

use clap_complete::Shell;
use serde_json::json;

use crate::error::{Doing, Exit, Result};
use crate::report::Report;

/// The completions for a shell.
pub fn completions(shell: Shell, mut command: clap::Command) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "rootless6", &mut script);
    print("completions", script)
}

/// The manual page.
///
/// # Errors
/// When it cannot be rendered.
pub fn man(command: clap::Command) -> Result<Report> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .doing(|| "render the manual page")?;
    Ok(print("man", page))
}

fn print(command: &'static str, bytes: Vec<u8>) -> Report {
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Report::new(command, Exit::Well, text.clone(), json!({ "text": text }))
}
