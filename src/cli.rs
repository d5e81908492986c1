//! The command line, and nothing but its types: completions and the manual page come from here too.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::diagnose::Code;
use crate::ping;
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

/// Seconds, a day: whoever does not come back within it does not come back.
const LONGEST_CONFIRM: i64 = 86_400;

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
    /// Send echo requests from this host, RootlessKit's netns or any running container
    Ping(Ping),
    /// What is configured and what is live; sends no packet
    Status,
    /// What is wrong, why, and what to do about it; sends no packet and changes nothing
    Doctor(Doctor),
    /// Put back what was there before setup, byte for byte
    Undo(Undo),
    /// Keep what `setup --confirm-within` has done
    Confirm,
    /// What a finding means, how to mend it and how to check that; without a CODE, the list
    Explain(Explain),
    /// Finish what was cut short; a timer of the user's systemd runs this while setup is at work
    #[command(hide = true)]
    Recover,
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

impl Command {
    /// As it is typed, and as reports name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Verify(_) => "verify",
            Self::Ping(_) => "ping",
            Self::Status => "status",
            Self::Doctor(_) => "doctor",
            Self::Undo(_) => "undo",
            Self::Confirm => "confirm",
            Self::Explain(_) => "explain",
            Self::Recover => "recover",
            Self::Uplink => "uplink",
            Self::WaitOnline { .. } => "wait-online",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
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
    /// Put the old settings back unless `rootless6 confirm` comes within this time
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=LONGEST_CONFIRM), env = "ROOTLESS6_CONFIRM_WITHIN", hide_env = true)]
    pub confirm_within: Option<u32>,
    /// Write the files but leave dockerd running as it is
    #[arg(long, env = "ROOTLESS6_NO_RESTART", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_restart: bool,
    /// Do not probe afterwards
    #[arg(long, env = "ROOTLESS6_NO_VERIFY", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_verify: bool,
    /// Keep the change even if IPv6 does not work afterwards
    #[arg(long, env = "ROOTLESS6_KEEP", hide_env = true, value_parser = BoolishValueParser::new())]
    pub keep: bool,
    /// Write to the target of a symlink that is in place of a file or directory, if that is your own
    #[arg(long, env = "ROOTLESS6_FOLLOW_SYMLINKS", hide_env = true, value_parser = BoolishValueParser::new())]
    pub follow_symlinks: bool,
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
    /// Probe from inside this running container too; may be given several times
    #[arg(
        long = "container",
        value_name = "NAME",
        env = "ROOTLESS6_CONTAINER",
        hide_env = true,
        value_delimiter = ','
    )]
    pub containers: Vec<String>,
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

/// `rootless6 ping`
#[derive(Debug, Clone, Args)]
#[command(after_help = PING_EXITS)]
pub struct Ping {
    /// IPv6 addresses, link-local ones as fe80::1%eth0, and names, of which all IPv6 addresses are meant
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Where to send from: this host, RootlessKit's netns, or a running container's network
    #[arg(
        long,
        value_name = "host|netns|container:NAME",
        default_value = "host",
        env = "ROOTLESS6_PING_FROM",
        hide_env = true,
        value_parser = ping_from
    )]
    pub from: ping::From,
    /// Echo requests to each target; 0 goes on until it is interrupted, once a second unless -i says otherwise
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 5,
        allow_negative_numbers = true,
        env = "ROOTLESS6_PING_COUNT",
        hide_env = true
    )]
    pub count: u32,
    /// Time between two echo requests to a target [default: none, the next one goes out when the last one is answered]
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        env = "ROOTLESS6_PING_INTERVAL",
        hide_env = true,
        value_parser = interval
    )]
    pub interval: Option<Duration>,
    /// How long an answer may take; what comes later counts as late
    #[arg(
        short = 'W',
        long,
        value_name = "SECONDS",
        default_value = "1",
        allow_negative_numbers = true,
        env = "ROOTLESS6_PING_WAIT",
        hide_env = true,
        value_parser = wait
    )]
    pub wait: Duration,
    /// Bytes in each echo request, 8 at least for the number that proves an answer to be ours
    #[arg(short, long, value_name = "BYTES", default_value_t = 56, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(i64::from(SMALLEST_PAYLOAD)..=i64::from(LARGEST_PAYLOAD)), env = "ROOTLESS6_PING_SIZE", hide_env = true)]
    pub size: u16,
}

const PING_EXITS: &str = "\
Exit status:
  0    every target has answered
  1    at least one has not, or it could not be tried
  2    usage: a target is no unicast IPv6 address, a name has none, or there is no such container
  5    blocked: something only root can change
  130  interrupted before every target had answered";

/// Bytes of the nonce.
const SMALLEST_PAYLOAD: u16 = 8;

/// Bytes: an IPv6 packet carries 65,535, of which 8 are the echo request's own header.
const LARGEST_PAYLOAD: u16 = 65_527;

/// In seconds. Shorter than a millisecond is no pace that anybody can keep.
const SHORTEST: f64 = 0.001;

/// In seconds, an hour.
const LONGEST: f64 = 3600.0;

fn ping_from(text: &str) -> Result<ping::From, String> {
    match text.split_once(':') {
        None if text == "host" => Ok(ping::From::Host),
        None if text == "netns" => Ok(ping::From::Netns),
        Some(("container", name)) if !name.is_empty() => Ok(ping::From::Container(name.to_owned())),
        None if text == "container" => Err("which one? `--from container:NAME`".to_owned()),
        _ => Err("give `host`, `netns` or `container:NAME`".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    if text.parse() == Ok(0.0) {
        return Err(
            "leave it out, and the next echo request goes out as soon as the last one is answered"
                .to_owned(),
        );
    }
    wait(text)
}

fn wait(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("give {SHORTEST} to {LONGEST} seconds")),
    }
}

const DOCTOR_WRITES: &str = "\
Exits with 1 if something is broken, with 0 otherwise. Remembers what pasta, slirp4netns and RootlessKit
print as their versions, in rootless6/versions.json of the runtime directory, and writes nothing else.";

/// `rootless6 doctor`
#[derive(Debug, Clone, Args)]
#[command(after_help = DOCTOR_WRITES)]
pub struct Doctor {
    /// Show what can be found, and look for nothing
    #[arg(long, env = "ROOTLESS6_LIST", hide_env = true, value_parser = BoolishValueParser::new())]
    pub list: bool,
    /// What to look for; everything if none is given
    #[arg(
        value_name = "CODE",
        value_enum,
        hide_possible_values = true,
        env = "ROOTLESS6_CODES",
        hide_env = true,
        value_delimiter = ','
    )]
    pub codes: Vec<Code>,
}

/// `rootless6 explain`
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// A finding's name, as `doctor` and `verify` print it
    #[arg(value_name = "CODE", value_enum, hide_possible_values = true)]
    pub code: Option<Code>,
}

/// `rootless6 undo`
#[derive(Debug, Clone, Args)]
pub struct Undo {
    /// Ask nothing
    #[arg(short, long, env = "ROOTLESS6_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    /// Show what setup has done, the newest first, and change nothing
    #[arg(long, env = "ROOTLESS6_LIST", hide_env = true, value_parser = BoolishValueParser::new())]
    pub list: bool,
    /// Take back everything after the setup of this number in the list; 0 takes back all
    #[arg(long, value_name = "N", env = "ROOTLESS6_TO", hide_env = true)]
    pub to: Option<u32>,
}
