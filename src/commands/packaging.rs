//! `completions` and `man`, for packagers and install.sh.

use std::io::{self, Write};

use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use crate::error::{Doing, Exit, Result};
use crate::report::Report;

/// What the flags' help does not tell.
const MORE: &str = include_str!("../../templates/manual.roff");

/// The completions for a shell.
pub fn completions(shell: Shell, mut command: clap::Command) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "rootless6", &mut script);
    print("completions", &script)
}

/// The manual page: one for all commands.
///
/// # Errors
/// When it cannot be rendered.
pub fn man(command: clap::Command) -> Result<Report> {
    let page = page(command).doing(|| "render the manual page")?;
    Ok(print("man", &page))
}

fn page(mut command: clap::Command) -> io::Result<Vec<u8>> {
    command.build();
    let exits = command.get_after_help().map(ToString::to_string);
    let mut page = Vec::new();
    let whole = Man::new(command.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for part in command.get_subcommands() {
        if !part.is_hide_set() && part.get_name() != "help" {
            page.extend(section(part)?);
        }
    }
    whole.render_options_section(&mut page)?;
    writeln!(page, ".SH \"EXIT STATUS\"\n.nf")?;
    let exits = exits.unwrap_or_default();
    page.extend(exits.lines().skip(1).collect::<Vec<_>>().join("\n").bytes());
    writeln!(page, "\n.fi")?;
    page.extend(MORE.bytes());
    Ok(page)
}

/// A command with the options that are its own.
fn section(part: &clap::Command) -> io::Result<Vec<u8>> {
    let about = part
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let own = part.clone().mut_args(|argument| {
        let shared =
            argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str());
        argument.hide(shared)
    });
    let mut section = Vec::new();
    writeln!(
        section,
        ".SS \"rootless6 {}\"\n{}",
        part.get_name(),
        about.replace('-', "\\-")
    )?;
    if own.get_arguments().any(|argument| !argument.is_hide_set()) {
        let mut options = Vec::new();
        Man::new(own).render_options_section(&mut options)?;
        let options = String::from_utf8_lossy(&options).into_owned();
        section.extend(options.replace(".SH OPTIONS\n", "").bytes());
    }
    Ok(section)
}

fn print(command: &'static str, bytes: &[u8]) -> Report {
    let text = String::from_utf8_lossy(bytes).into_owned();
    Report::new(command, Exit::Well, text.clone(), json!({ "text": text }))
}
