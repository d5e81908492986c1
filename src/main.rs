//! The program: the vantage point first, before any thread exists, and the follower, which is to
//! stay small; else whoever is to run it, one command, one report, one exit status.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use nix::sys::stat::{Mode, umask};
use rootless6::cli::{Cli, Command, Global};
use rootless6::error::{Doing, Exit, Result};
use rootless6::report::Report;
use rootless6::ui::{Talk, Ui};
use rootless6::{caller, commands, vantage};

fn main() -> ExitCode {
    if let Some(code) = vantage::serve_if_asked().or_else(commands::follow::follow_if_asked) {
        return code;
    }
    // What is made here is usable for its owner, and for nobody else to write, whatever was set.
    let usual = Mode::from_bits_truncate(0o022);
    umask((umask(usual) | usual) & !Mode::S_IRWXU);
    let parsed = commands::grammar()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return commands::usage_error(error),
    };
    prepare(&cli.global);
    let ui = Ui {
        json: cli.global.json,
        quiet: cli.global.quiet,
    };
    let answered = caller::settle(&mut cli).and_then(|acting_for| {
        let report = run(cli, ui)?;
        Ok(match acting_for {
            Some(user) => report.typed_by_root(&user),
            None => report,
        })
    });
    match answered {
        Ok(report) => report.print(ui),
        Err(error) => Report::failed("rootless6", error).print(ui),
    }
}

fn prepare(global: &Global) {
    commands::choose_colour(global.color);
    let level = match global.verbose {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Talk::default)
        .with_ansi(false)
        .without_time()
        .init();
}

fn run(cli: Cli, ui: Ui) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing(|| "start")
        .map_err(|error| error.exiting(Exit::Bad))?;
    let unfinished = match runtime.block_on(commands::unfinished::first(&cli, ui)) {
        Ok(unfinished) => unfinished,
        Err(error) => return Ok(Report::failed(cli.command.name(), error)),
    };
    let global = &cli.global;
    let report = match cli.command {
        Command::Setup(setup) => runtime.block_on(commands::setup::run(&setup, global, ui)),
        Command::Verify(verify) => runtime.block_on(commands::verify::run(&verify, global, ui)),
        Command::Ping(ping) => runtime.block_on(commands::ping::run(&ping, global, ui)),
        Command::Status => runtime.block_on(commands::status::run(global)),
        Command::Doctor(doctor) => runtime.block_on(commands::doctor::run(&doctor, global, ui)),
        Command::Explain(explain) => commands::explain::run(&explain),
        Command::Undo(undo) => runtime.block_on(commands::undo::run(&undo, global, ui)),
        Command::Confirm => runtime.block_on(commands::confirm::run(global, ui)),
        Command::Recover => runtime.block_on(commands::recover::run(global, ui)),
        Command::Uplink => runtime.block_on(commands::uplink::run(global)),
        Command::WaitOnline { seconds } => runtime.block_on(commands::wait_online::run(seconds)),
        Command::Completions { shell } => commands::packaging::completions(shell, Cli::command()),
        Command::Man => commands::packaging::man(Cli::command())?,
    };
    Ok(report.after(unfinished))
}
