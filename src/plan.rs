//! Facts and an [`Intent`] in, a closed list of changes out; nothing is touched here.
//!
//! The three variables for RootlessKit are one unit: pasta refuses every port driver but its own,
//! so none is written without the others. They go into a drop-in of our own that sorts last.
//! What others have written is merged into, never replaced.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Exit, Result};
use crate::facts::{
    Facts, LoopbackPort, NetDriver, Network, OurDropIn, Seen, Session, Unit, typed,
};
use crate::request::{Intent, Proof};

pub mod daemon_json;
pub mod drift;
pub mod dropin;
pub mod next_start;
pub mod said;
pub mod settings;
pub mod shadow;
pub mod snippet;
pub mod subnet;

mod engine;
mod environment;
mod files;
mod loopback;
mod rehearsal;
pub mod uplink;
pub mod wait_online;

use files::Files;

pub use environment::VARIABLES;
pub use rehearsal::Rehearsal;
pub use shadow::Shadow;

/// What a plan needs from outside besides facts: the plan itself is pure.
#[derive(Debug, Clone)]
pub struct Given {
    /// This program's file, for the uplink that each start of dockerd runs.
    pub program: PathBuf,
    /// 40 random bits for a unique local prefix.
    pub global_id: [u8; 5],
    /// The tap interface's network as a rehearsal has shown it.
    pub rehearsed: Seen<Network>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Files to write, in order.
    pub files: Vec<FileChange>,
    /// The environment that the unit must have before it is restarted.
    pub environment: Vec<(String, String)>,
    /// The command line of `ExecStart=` that daemon.json was planned for.
    pub exec_start: Vec<String>,
    /// Why dockerd must be restarted, or nothing.
    pub restart: Option<Restart>,
    /// How to rehearse RootlessKit's next start; none where its script would choose the driver.
    pub rehearsal: Option<Rehearsal>,
    /// What can be proved afterwards.
    pub proof: Proof,
    /// Whether ports that are published on loopback alone are unreachable afterwards, and were not.
    pub loses_loopback: bool,
    /// Those of running containers.
    pub lost_ports: Vec<LoopbackPort>,
    /// What the person should know besides.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.restart.is_none()
    }

    /// The unit's PATH, where the plan sets it.
    pub fn path(&self) -> Option<&str> {
        let mut variables = self.environment.iter();
        let (_, path) = variables.find(|(name, _)| name == environment::PATH)?;
        Some(path)
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
    /// Where it is looked for.
    pub path: PathBuf,
    /// Where it is, if symlinks that are to be followed lead there.
    pub target: Option<PathBuf>,
    /// What it says now; none if it is not there.
    pub before: Option<String>,
    /// What it is to say.
    pub after: String,
}

impl FileChange {
    /// Where it is written.
    pub fn place(&self) -> &Path {
        self.target.as_ref().unwrap_or(&self.path)
    }
}

/// The limit of libslirp before 4.8.
const WITHOUT_ECHO: &str = "slirp4netns carries TCP and UDP over IPv6, but here (libslirp before 4.8) no ICMPv6: ping6 will not work";

/// The same where slirp4netns does not tell which libslirp it has.
const PERHAPS_WITHOUT_ECHO: &str = "slirp4netns carries TCP and UDP over IPv6, and ICMPv6 only from libslirp 4.8 on; which one is here is not known, so ping6 may not work";

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
    let net = environment::net(facts, &base, &environment);
    let uplink = uplink::is_wanted(facts, intent, &given.rehearsed, net.as_ref());
    let (wait, wait_note) = wait_online::planned(facts, unit, intent, net.as_ref())?;
    let wait = wait_online::of_ours(facts, unit, wait);
    let mut files = Vec::new();
    let ours = drop_in(&environment, uplink, given, wait)?;
    if !is_in_force(facts, unit, &environment, &ours) {
        let OurDropIn { path, text, .. } = &facts.our_drop_in;
        files.extend(file_change(path, text, ours)?);
    }
    let (daemon_json, mut notes) = engine::daemon_json(facts, intent, given)?;
    files.extend(daemon_json);
    for change in &mut files {
        change.target = facts.followed(&change.path).map(Path::to_owned);
    }
    notes.extend(wait_note);
    notes.extend(environment::overruled(&base, &environment));
    notes.extend(not_enabled(unit));
    let slirp4netns = net == Some(NetDriver::Slirp4netns);
    let forwards = facts.slirp4netns_forwards_echo();
    let proof = if slirp4netns && forwards != Some(true) {
        let limit = if forwards.is_none() {
            PERHAPS_WITHOUT_ECHO
        } else {
            WITHOUT_ECHO
        };
        notes.push(limit.to_owned());
        Proof::WithoutEcho
    } else {
        Proof::Whole
    };
    let loses_loopback = loopback::is_lost(facts, &base, &environment);
    let mut lost_ports = Vec::new();
    if loses_loopback {
        notes.extend(loopback::note(facts));
        lost_ports = loopback::published(facts);
    }
    notes.extend(without_linger(&facts.session));
    Ok(Plan {
        exec_start: unit.exec_start.clone(),
        restart: restart(facts, unit, &environment, &files, intent, uplink),
        proof,
        rehearsal: rehearsal::planned(facts, unit, intent, &base, &environment),
        files,
        environment,
        loses_loopback,
        lost_ports,
        notes,
    })
}

/// What would undo the variables once they were written: see [`shadow`].
pub fn shadows(facts: &Facts, intent: &Intent) -> Vec<Shadow> {
    let planned = |unit| {
        let base = environment::base(facts, unit)?;
        let environment = environment::planned(facts, &base, intent)?;
        let net = environment::net(facts, &base, &environment);
        let uplink = uplink::is_wanted(facts, intent, &Seen::Absent, net.as_ref());
        // One that is too long is refused by the plan, and hides nothing here.
        let wait = wait_online::planned(facts, unit, intent, net.as_ref());
        let wait = wait.map_or(None, |(seconds, _)| seconds);
        Ok::<_, Error>(shadow::shadows(facts, unit, &environment, uplink, wait))
    };
    let unit = facts.unit.is().filter(|unit| unit.is_loaded());
    unit.and_then(|unit| planned(unit).ok()).unwrap_or_default()
}

/// Whether the unit does already what this text of ours would make it do, by files that are not ours
/// to write: somebody's own, what their distribution builds its files from, or what they have
/// pasted where we cannot write. What is ours to write is to say it in our words.
fn is_in_force(facts: &Facts, unit: &Unit, environment: &[(String, String)], ours: &str) -> bool {
    let OurDropIn { text, locked, .. } = &facts.our_drop_in;
    let by_others = *text == Seen::Absent || locked.is_some();
    let set = |(name, value): &(String, String)| unit.variable(name) == Some(value);
    let files = Files::of(facts, unit);
    let (now, then) = (files.now(), files.with(ours));
    by_others
        && !unit.needs_reload
        && environment.iter().all(set)
        && uplink::is_in(&now) == uplink::is_in(&then)
        && wait_online::seconds_in(&now) == wait_online::seconds_in(&then)
}

fn not_enabled(unit: &Unit) -> Option<String> {
    (!unit.is_enabled()).then(|| {
        format!(
            "{} does not start at boot; `systemctl --user enable {}` changes that",
            unit.name,
            typed(&unit.name)
        )
    })
}

/// IPv6 lives as long as dockerd does.
fn without_linger(session: &Session) -> Option<String> {
    let user = &session.user;
    (session.linger == Seen::Is(false)).then(|| {
        format!("dockerd ends with {user}'s last logout, unless root lets it run on: `loginctl enable-linger {user}`")
    })
}

fn drop_in(
    environment: &[(String, String)],
    uplink: bool,
    given: &Given,
    wait: Option<u16>,
) -> Result<String> {
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let program = &given.program;
    let seconds = wait.unwrap_or_default().to_string();
    let waiting = [wait_online::COMMAND, "--for", &seconds];
    let mut commands = Vec::new();
    if wait.is_some() {
        commands.push(dropin::Command {
            when: dropin::When::BeforeStart,
            program,
            arguments: &waiting,
        });
    }
    if uplink {
        commands.push(dropin::Command {
            when: dropin::When::AfterStart,
            program,
            arguments: &[uplink::COMMAND],
        });
    }
    dropin::render(&variables, &commands).map_err(|error| unwritable(&error))
}

fn unwritable(error: &dropin::RenderError) -> Error {
    let refused = Error::cannot(Exit::NotApplied, "write our drop-in").caused_by(error);
    match error {
        dropin::RenderError::Program(_) => refused.hint(
            "move this program to a plainer path, such as `/usr/local/bin/rootless6`, and run it from there",
        ),
        _ => refused,
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
            .caused_by(why)
            .hint(format!(
                "see what it is with `ls -ld {}`",
                typed(&path.to_string_lossy())
            )));
        }
    };
    if before.as_ref() == Some(&after) {
        return Ok(None);
    }
    Ok(Some(FileChange {
        path: path.to_owned(),
        target: None,
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
    uplink: bool,
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
    uplink::is_lost(facts, uplink).then_some(Restart::TapLost)
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
