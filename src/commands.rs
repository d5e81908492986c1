//! One recipe for each command.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::Cli;
use crate::diagnose::{Code, Wanted, diagnose, obstacle};
use crate::error::{Doing, Error, Exit, Result};
use crate::facts::Facts;
use crate::host::Host;
use crate::host::systemd::Systemd;
use crate::hostile::plain;
use crate::inspect;
use crate::report::Report;
use crate::request::Request;
use crate::ui::Ui;

pub mod confirm;
pub mod doctor;
pub mod explain;
pub mod follow;
mod generations;
pub mod packaging;
pub mod ping;
pub mod recover;
pub mod setup;
pub mod status;
pub mod undo;
pub mod unfinished;
pub mod uplink;
pub mod verify;
pub mod wait_online;

/// The host, the user's systemd if it answers, and the facts.
struct Scene {
    host: Host,
    systemd: Result<Systemd>,
    facts: Facts,
}

impl Scene {
    /// Whether dockerd runs, or tries to.
    fn runs(&self) -> bool {
        self.facts
            .unit
            .is()
            .is_some_and(|unit| !matches!(unit.active_state.as_str(), "inactive" | "failed"))
    }

    /// The user's systemd.
    ///
    /// # Errors
    /// Where it does not answer, what was found to be the reason.
    fn systemd(&self) -> Result<&Systemd> {
        self.systemd.as_ref().or_else(|error| {
            let mut findings = diagnose(&self.facts);
            findings.retain(|finding| matches!(finding.code, Code::NoLinger | Code::NoUserBus));
            obstacle(&findings, Wanted::best(&findings))?;
            Err(error.clone())
        })
    }

    async fn look(unit: &str) -> Result<Self> {
        let mut host = Host::from_environment(unit)?;
        let systemd = Systemd::connect(&host.bus).await;
        let facts = inspect::gather(&host, systemd.as_ref().map_err(in_short)).await;
        host.socket.clone_from(&facts.socket);
        Ok(Self {
            host,
            systemd,
            facts,
        })
    }
}

/// The last place that was tried is the one that is always there.
fn in_short(error: &Error) -> String {
    match error.causes.last() {
        Some(cause) => format!("{}: {cause}", error.message),
        None => error.message.clone(),
    }
}

/// Fills a request's holes from a settings file: the one named, else the user's own if there is
/// one.
fn with_settings(request: Request, host: &Host, file: Option<&Path>) -> Result<Request> {
    let own = host.config.join("rootless6/config.toml");
    match file {
        Some(file) => Ok(request.or(read_settings(file)?)),
        None if own.exists() => Ok(request.or(read_settings(&own)?)),
        None => Ok(request),
    }
}

fn read_settings(path: &Path) -> Result<Request> {
    let doing = || format!("read the settings in {}", path.display());
    let text = fs::read_to_string(path).doing(doing).map_err(|error| {
        error
            .exiting(Exit::Usage)
            .hint("give a file that can be read: `--config FILE`")
    })?;
    Request::from_toml(&text).map_err(|why| {
        Error::cannot(Exit::Usage, doing())
            .caused_by(why)
            .hint("the keys are the flags of `rootless6 setup --help` without the dashes")
    })
}

/// Makes all streams use colour as `--color` says.
pub fn choose_colour(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// An argument's variable can be replaced but not taken away.
const NOBODY_SETS: &str = "ROOTLESS6_";

/// As clap's own parser of such values has it.
fn is_true(value: &str) -> bool {
    let value = value.to_lowercase();
    ["y", "yes", "t", "true", "on", "1"].contains(&value.as_str())
}

/// The command line's grammar, without the variables that are set to nothing: they count as unset.
pub fn grammar() -> clap::Command {
    without_empty_variables(Cli::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env() {
            Some(name) if is_empty(name) => argument.env(NOBODY_SETS),
            _ => argument,
        })
        .mut_subcommands(without_empty_variables)
}

/// Values that a person reads in one line.
const MOST_VALUES: usize = 12;

/// Reports what clap has to say of the command line: help and version are answers, the rest is
/// usage.
pub fn usage_error(mut error: clap::Error) -> ExitCode {
    shorten(&mut error);
    let json = std::env::args_os().any(|argument| argument == "--json")
        || std::env::var("ROOTLESS6_JSON").is_ok_and(|value| is_true(&value));
    let answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if !json || answer {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let hint = match error.get(ContextKind::SuggestedValue) {
        Some(ContextValue::String(similar)) => format!("`{similar}` is similar"),
        _ => "see `rootless6 --help`".to_owned(),
    };
    let error = Error::new(Exit::Usage, plain(message)).hint(hint);
    Report::failed("rootless6", error).print(Ui { json, quiet: true })
}

/// A list that nobody reads is named instead.
fn shorten(error: &mut clap::Error) {
    let is_long = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => values.len() > MOST_VALUES,
        _ => false,
    };
    if is_long {
        error.remove(ContextKind::ValidValue);
        let list = ContextValue::StyledStrs(vec!["`rootless6 explain` lists them all".into()]);
        error.insert(ContextKind::Suggested, list);
    }
}
