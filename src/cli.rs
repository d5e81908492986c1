//! The command line, and nothing but its types: completions and the manual page come from here too.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::request::{LONGEST_WAIT, Request};

/// IPv6 for rootless Docker: switches RootlessKit to pasta, proves that ping6 works from a
/// container, and leaves a way back.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = EXITS
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The unit that dockerd-rootless-setuptool.sh makes.
pub const DEFAULT_UNIT: &str = "docker.service";

const EXITS: &str = "\
Exit status:
  0    well, or nothing to do
  1    the answer is bad: something is broken, a check failed, or settings drifted
  2    usage, or an answer is missing and there is no terminal to ask on
  3    not applied, or rolled back: the old state stands
  4    the rollback itself failed; what to type is printed
  5    blocked: something only root can change
  6    not a rootless Docker that this tool can configure
  7    busy: another run holds the lock
  130  interrupted";

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print one JSON document, also on failure
    #[arg(long, global = true, env = "ROOTLESS6_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, env = "ROOTLESS6_QUIET", hide_env = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Tell what is going on behind the scenes; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count, env = "ROOTLESS6_VERBOSE", hide_env = true)]
    pub verbose: u8,
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "ROOTLESS6_COLOR",
        hide_env = true
    )]
    pub color: ColorChoice,
    /// As root: become this user first
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "ROOTLESS6_USER",
        hide_env = true
    )]
    pub user: Option<String>,
    /// The unit that runs dockerd [default: docker.service]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "ROOTLESS6_UNIT",
        hide_env = true
    )]
    pub unit: Option<String>,
    /// How long a restart of dockerd may take
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3600), env = "ROOTLESS6_TIMEOUT", hide_env = true)]
    pub timeout: u64,
}

impl Global {
    /// The unit that was named, else the one that dockerd has by default.
    pub fn unit(&self) -> &str {
        self.unit.as_deref().unwrap_or(DEFAULT_UNIT)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make IPv6 work: look, explain, ask, apply, restart dockerd, prove it - or put everything back
    Setup(Setup),
    /// Does IPv6 work, from where to where, and if not, why?
    Verify(Verify),
    /// What is configured and what is live; sends no packet
    Status,
    /// Put back what was there before setup, byte for byte
    Undo(Undo),
    /// Give tap0 its IPv6 address and route; dockerd's unit runs this at each start
    #[command(hide = true)]
    Uplink,
    /// Wait until the host has IPv6; dockerd's unit runs this before each start
    #[command(hide = true)]
    WaitOnline {
        /// How long to wait at most
        #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=LONGEST_WAIT))]
        seconds: u16,
    },
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// `rootless6 setup`
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// Ask nothing
    #[arg(short, long, env = "ROOTLESS6_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    /// Accept a consequence that would be asked about; may be given several times
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        env = "ROOTLESS6_ACCEPT",
        hide_env = true,
        value_delimiter = ','
    )]
    pub accept: Vec<Accept>,
    /// Take settings from a TOML file whose keys are these flags [default: ~/.config/rootless6/config.toml, if there]
    #[arg(long, value_name = "FILE", env = "ROOTLESS6_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Show what would be done and change nothing
    #[arg(long, env = "ROOTLESS6_DRY_RUN", hide_env = true, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Write the files but leave dockerd running as it is
    #[arg(long, env = "ROOTLESS6_NO_RESTART", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_restart: bool,
    /// Do not probe afterwards
    #[arg(long, env = "ROOTLESS6_NO_VERIFY", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_verify: bool,
    /// Keep the change even if IPv6 does not work afterwards
    #[arg(long, env = "ROOTLESS6_KEEP", hide_env = true, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// Whether a throw-away RootlessKit shows first that the new settings work [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        env = "ROOTLESS6_REHEARSE",
        hide_env = true
    )]
    pub rehearse: Rehearse,
    /// What is wanted.
    #[command(flatten)]
    pub request: Request,
}

/// `--rehearse`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rehearse {
    /// Before every restart
    Auto,
    /// Not at all
    Never,
}

/// A consequence that somebody must agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// Running containers stop; those without a restart policy stay down
    ContainersRestart,
}

/// `rootless6 verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Vantage points to probe from
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "host,netns,container",
        env = "ROOTLESS6_FROM",
        hide_env = true
    )]
    pub from: Vec<From>,
    /// Probe from a new container on this network too; may be given several times
    #[arg(
        long = "network",
        value_name = "NAME",
        env = "ROOTLESS6_NETWORK",
        hide_env = true,
        value_delimiter = ','
    )]
    pub networks: Vec<String>,
    /// Address or name that should answer; may be given several times [default: well-known public resolvers]
    #[arg(
        long = "target",
        value_name = "ADDR|NAME",
        env = "ROOTLESS6_TARGETS",
        hide_env = true,
        value_delimiter = ','
    )]
    pub targets: Vec<String>,
}

/// `--from`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// This host
    Host,
    /// RootlessKit's network namespace
    Netns,
    /// A new container on docker0
    Container,
}

/// `rootless6 undo`
#[derive(Debug, Clone, Args)]
pub struct Undo {
    /// Ask nothing
    #[arg(short, long, env = "ROOTLESS6_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
}
