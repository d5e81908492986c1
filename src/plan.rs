//! Facts and an [`Intent`] in, a closed list of changes out; nothing is touched here.
//!
//! The three variables for RootlessKit are one unit: pasta refuses every port driver but its own,
//! so none is written without the others. They go into a drop-in of our own that sorts last.
//! What others have written is merged into, never replaced.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::capability;
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, NetDriver, Network, Seen, Unit};
use crate::request::{Intent, Uplink};

pub mod daemon_json;
pub mod dropin;
pub mod subnet;

mod engine;
mod environment;
mod wait_online;

pub use environment::VARIABLES;

/// The hidden command that gives tap0 its IPv6.
const UPLINK: &str = "uplink";

/// What a plan needs from outside besides facts: the plan itself is pure.
#[derive(Debug, Clone)]
pub struct Given {
    /// This program's file, for the uplink that each start of dockerd runs.
    pub program: PathBuf,
    /// 40 random bits for a unique local prefix.
    pub global_id: [u8; 5],
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Files to write, in order.
    pub files: Vec<FileChange>,
    /// The environment that the unit must have before it is restarted.
    pub environment: Vec<(String, String)>,
    /// Why dockerd must be restarted, or nothing.
    pub restart: Option<Restart>,
    /// RootlessKit's options for a rehearsal; none where its script would choose the driver.
    pub rehearsal: Option<Vec<String>>,
    /// What the person should know besides.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.restart.is_none()
    }
}

/// Why dockerd must be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Files are written first.
    NewSettings,
    /// It does not run.
    NotRunning,
    /// All is written, and was never taken up.
    NotLive,
    /// All was taken up, and tap0 is without IPv6 all the same.
    TapLost,
}

/// A file with its old and its new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where it is.
    pub path: PathBuf,
    /// What it says now; none if it is not there.
    pub before: Option<String>,
    /// What it is to say.
    pub after: String,
}

/// Makes the plan.
///
/// # Errors
/// When what is there cannot be merged into, or what is wanted cannot be written.
pub fn plan(facts: &Facts, intent: &Intent, given: &Given) -> Result<Plan> {
    let unit = facts.unit.is().ok_or_else(|| {
        Error::cannot(
            Exit::NotApplied,
            "make a plan without knowing dockerd's unit",
        )
    })?;
    let base = environment::base(facts, unit)?;
    let environment = environment::planned(facts, &base, intent)?;
    let (wait, wait_note) = wait_online::planned(facts, unit, intent)?;
    let mut files = Vec::new();
    files.extend(drop_in(facts, &environment, intent, given, wait)?);
    let (daemon_json, mut notes) = engine::daemon_json(facts, intent, given)?;
    files.extend(daemon_json);
    notes.extend(wait_note);
    notes.extend(environment::overruled(&base, &environment));
    Ok(Plan {
        restart: restart(facts, unit, &environment, &files, intent),
        rehearsal: environment::rehearsal(facts, &base, &environment),
        files,
        environment,
        notes,
    })
}

fn drop_in(
    facts: &Facts,
    environment: &[(String, String)],
    intent: &Intent,
    given: &Given,
    wait: Option<u16>,
) -> Result<Option<FileChange>> {
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let program = given.program.to_string_lossy();
    let seconds = wait.unwrap_or_default().to_string();
    let waiting = [wait_online::COMMAND, "--for", &seconds];
    let mut commands = Vec::new();
    if wait.is_some() {
        commands.push(dropin::Command {
            when: dropin::When::BeforeStart,
            program: &program,
            arguments: &waiting,
        });
    }
    if wants_uplink(facts, intent) {
        commands.push(dropin::Command {
            when: dropin::When::AfterStart,
            program: &program,
            arguments: &[UPLINK],
        });
    }
    let after = dropin::render(&variables, &commands)
        .map_err(|error| Error::cannot(Exit::NotApplied, "write our drop-in").caused_by(error))?;
    file_change(&facts.our_drop_in.path, &facts.our_drop_in.text, after)
}

/// Whether each start of dockerd runs the uplink now.
pub fn brings_uplink(facts: &Facts) -> bool {
    ours_runs(facts, UPLINK).is_some()
}

/// The arguments with which our drop-in runs one of our hidden commands.
fn ours_runs(facts: &Facts, command: &str) -> Option<Vec<String>> {
    let text = facts.our_drop_in.text.is()?;
    dropin::parse(text)
        .assignments
        .iter()
        .filter(|assignment| assignment.key.starts_with("ExecStart"))
        .find_map(|assignment| {
            let mut words = assignment.value.split_whitespace().map(str::to_owned);
            words.find(|word| word == command)?;
            Some(words.collect())
        })
}

/// Before 2.3.0 RootlessKit configures no IPv6 in the netns. A version that nobody knows gets the
/// uplink too: where it is not needed it finds everything in place and does nothing.
fn wants_uplink(facts: &Facts, intent: &Intent) -> bool {
    match intent.uplink {
        Uplink::Always => true,
        Uplink::Never => false,
        Uplink::Auto => !facts
            .rootlesskit_version()
            .is_some_and(|version| capability::rootlesskit(version).ipv6_config),
    }
}

fn file_change(path: &Path, now: &Seen<String>, after: String) -> Result<Option<FileChange>> {
    let before = match now {
        Seen::Is(text) => Some(text.clone()),
        Seen::Absent => None,
        Seen::Unknown(why) => {
            return Err(Error::cannot(
                Exit::NotApplied,
                format!("change {} without having read it", path.display()),
            )
            .caused_by(why));
        }
    };
    if before.as_ref() == Some(&after) {
        return Ok(None);
    }
    Ok(Some(FileChange {
        path: path.to_owned(),
        before,
        after,
    }))
}

fn restart(
    facts: &Facts,
    unit: &Unit,
    environment: &[(String, String)],
    files: &[FileChange],
    intent: &Intent,
) -> Option<Restart> {
    if !files.is_empty() {
        return Some(Restart::NewSettings);
    }
    if !unit.is_active() {
        return Some(Restart::NotRunning);
    }
    let not_live = environment::not_live(facts, unit, environment);
    if not_live || engine::not_live(facts, intent) {
        return Some(Restart::NotLive);
    }
    is_tap_lost(facts, intent).then_some(Restart::TapLost)
}

/// Whether tap0 is without the IPv6 that a start would give it. pasta can give only what the host
/// has.
fn is_tap_lost(facts: &Facts, intent: &Intent) -> bool {
    let (Some(kit), Some(tap)) = (facts.rootlesskit.is(), facts.tap.is()) else {
        return false;
    };
    let brought = wants_uplink(facts, intent);
    let would_help = match kit.net {
        NetDriver::Pasta => {
            let configured = facts
                .rootlesskit_version()
                .is_some_and(|version| capability::rootlesskit(version).ipv6_config);
            let host = facts.host.network.is();
            kit.ipv6 && (brought || configured) && host.is_some_and(Network::is_online)
        }
        _ => brought,
    };
    would_help && !tap.reaches_out()
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewSettings => "the new settings take effect at its start",
            Self::NotRunning => "it is not running",
            Self::NotLive => "it still runs with older settings than those written",
            Self::TapLost => "tap0 is without IPv6, which it gets at a start",
        })
    }
}
