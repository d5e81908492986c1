//! Facts and an [`Intent`] in, a closed list of changes out; nothing is touched here.
//!
//! The three variables for RootlessKit are one unit: pasta refuses every port driver but its own,
//! so none is written without the others. They go into a drop-in of our own that sorts last.
//! What others have written is merged into, never replaced.

use std::path::{Path, PathBuf};

use crate::capability;
use crate::diagnose::{self, Code, Finding};
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, Seen, Unit};
use crate::request::{Intent, Mtu, Net, PortDriver, Uplink};

pub mod daemon_json;
pub mod dropin;
pub mod subnet;

mod engine;

/// RootlessKit's `--net`, as dockerd-rootless.sh takes it.
pub const NET: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET";
/// RootlessKit's `--port-driver`.
pub const PORT_DRIVER: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER";
/// RootlessKit's `--mtu`.
pub const MTU: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU";
/// Further options for RootlessKit, split at blanks.
pub const FLAGS: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS";

/// The variables that our drop-in may set.
pub const VARIABLES: &[&str] = &[NET, PORT_DRIVER, MTU, FLAGS];

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
    pub restart: Option<String>,
    /// What the person should know besides.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.restart.is_none()
    }
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
    let base = base_environment(facts, unit);
    let environment = environment(&base, intent)?;
    let mut files = Vec::new();
    files.extend(drop_in(facts, &environment, intent, given)?);
    let (daemon_json, mut notes) = engine::daemon_json(facts, intent, given)?;
    files.extend(daemon_json);
    notes.extend(overruled(&base, &environment));
    Ok(Plan {
        restart: restart(facts, unit, &environment, &files),
        files,
        environment,
        notes,
    })
}

/// The unit's environment as it would be without our own drop-in.
fn base_environment(facts: &Facts, unit: &Unit) -> dropin::Environment {
    let texts: Vec<&str> = unit
        .files
        .iter()
        .filter(|file| file.path != facts.our_drop_in.path)
        .map(|file| file.text.as_str())
        .collect();
    dropin::environment(&texts)
}

fn environment(base: &dropin::Environment, intent: &Intent) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    if intent.net == Net::Pasta {
        variables.push((NET.to_owned(), "pasta".to_owned()));
    }
    if intent.port_driver == PortDriver::Implicit {
        variables.push((PORT_DRIVER.to_owned(), "implicit".to_owned()));
    }
    if let Mtu::Bytes(mtu) = intent.mtu {
        variables.push((MTU.to_owned(), mtu.to_string()));
    }
    let theirs = base.variable(FLAGS).map_or("", |variable| &variable.value);
    let wanted: Vec<&str> = std::iter::once("--ipv6")
        .chain(intent.flags.iter().map(String::as_str))
        .collect();
    let flags = dropin::merge_flags(theirs, &wanted).map_err(|error| {
        Error::cannot(Exit::Usage, format!("merge --ipv6 into {FLAGS}"))
            .caused_by(error)
            .hint("give each option of RootlessKit's as one `--flag TOKEN` without blanks or globs")
    })?;
    variables.push((FLAGS.to_owned(), flags));
    Ok(variables)
}

fn drop_in(
    facts: &Facts,
    environment: &[(String, String)],
    intent: &Intent,
    given: &Given,
) -> Result<Option<FileChange>> {
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let program = given.program.to_string_lossy();
    let uplink = dropin::Command {
        program: &program,
        arguments: &["uplink"],
    };
    let commands = if wants_uplink(facts, intent) {
        vec![uplink]
    } else {
        Vec::new()
    };
    let after = dropin::render(&variables, &commands)
        .map_err(|error| Error::cannot(Exit::NotApplied, "write our drop-in").caused_by(error))?;
    file_change(&facts.our_drop_in.path, &facts.our_drop_in.text, after)
}

/// Before 2.3.0 RootlessKit configures no IPv6 in the netns. A version that nobody knows gets the
/// uplink too: where it is not needed it finds everything in place and does nothing.
fn wants_uplink(facts: &Facts, intent: &Intent) -> bool {
    match intent.uplink {
        Uplink::Always => true,
        Uplink::Never => false,
        Uplink::Auto => !diagnose::rootlesskit_version(facts)
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

/// Settings of others that ours replace; the flags are merged, so they are not among them.
fn overruled(base: &dropin::Environment, ours: &[(String, String)]) -> Vec<String> {
    ours.iter()
        .filter(|(name, _)| name != FLAGS)
        .filter_map(|(name, value)| {
            let theirs = base.variable(name)?;
            (theirs.value != *value)
                .then(|| format!("{name}={} is overruled by {value}", theirs.value))
        })
        .collect()
}

fn restart(
    facts: &Facts,
    unit: &Unit,
    environment: &[(String, String)],
    files: &[FileChange],
) -> Option<String> {
    if !files.is_empty() {
        return Some("the new settings take effect at its start".to_owned());
    }
    if !unit.is_active() {
        return Some("it is not running".to_owned());
    }
    if environment
        .iter()
        .any(|(name, value)| unit.variable(name) != Some(value))
    {
        return Some("systemd has not read the settings yet".to_owned());
    }
    let kit = facts.rootlesskit.is()?;
    let wants = |name, now: &str| {
        environment
            .iter()
            .any(|(known, value)| known == name && value != now)
    };
    let mtu = kit.mtu.map(|mtu| mtu.to_string()).unwrap_or_default();
    let live_differs = wants(NET, kit.net.name())
        || wants(PORT_DRIVER, &kit.port_driver)
        || wants(MTU, &mtu)
        || !kit.ipv6;
    live_differs.then(|| "it still runs with the old settings".to_owned())
}

/// Findings that no plan gets around, and who can: see [`Exit`].
const OBSTACLES: &[(Code, Exit)] = &[
    (Code::DockerDesktop, Exit::Elsewhere),
    (Code::EngineNotRootless, Exit::Elsewhere),
    (Code::UnitMissing, Exit::Elsewhere),
    (Code::HostNoIpv6Route, Exit::Elsewhere),
    (Code::RootlesskitWithoutPasta, Exit::NotApplied),
    (Code::PastaMissing, Exit::Blocked),
    (Code::HostPingGroupRange, Exit::Blocked),
    (Code::DaemonJsonInvalid, Exit::NotApplied),
    (Code::IptablesOff, Exit::NotApplied),
];

/// Obstacles only to those who want pasta.
const PASTAS_OWN: &[Code] = &[Code::RootlesskitWithoutPasta, Code::PastaMissing];

/// Whether a plan can lead anywhere on this system.
///
/// # Errors
/// The first obstacle, with its evidence and what to do about it.
pub fn feasible(findings: &[Finding], intent: &Intent) -> Result<()> {
    let obstacle = OBSTACLES.iter().find_map(|(code, exit)| {
        let finding = findings.iter().find(|finding| finding.code == *code)?;
        let matters = intent.net == Net::Pasta || !PASTAS_OWN.contains(code);
        matters.then_some((finding, *exit))
    });
    match obstacle {
        Some((finding, exit)) => Err(finding.to_error(exit)),
        None => Ok(()),
    }
}
