//! The program as it runs at a vantage point: in RootlessKit's netns, in a container, on the host.
//!
//! `main` comes here before any thread exists, because setns(2) takes a user namespace only from
//! a process with a single thread. The request is one line of JSON on standard input (an argument
//! where there is none, under RootlessKit: the kernel cuts arguments off at 128 KiB), the answer one
//! on standard output, after lines that tell of what happens meanwhile. Order matters: the user
//! namespace first, for it gives the capabilities that the network namespace asks for.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Exit, Result};
use crate::facts::Network;
use crate::host::netlink::Netlink;
use crate::host::process::{
    self,
    kept::{self, Errand, Kept},
};
use crate::hostile::plain;
use crate::ping::Pinged;
use crate::probe::ping::PingEvent;
use crate::rehearse::within::{self, Rehearsed};
use crate::uplink;
use crate::verify::observe::{self, Observation};
use crate::verify::peer;

pub mod ping;

/// The hidden command that leads here.
pub const COMMAND: &str = "vantage";

/// Bytes. An honest answer is a few kilobytes, and 300 bytes more for each of the thousands of
/// addresses that may be pinged at once. A container is heard out for much less.
pub(crate) const LONGEST_ANSWER: usize = 64 << 20;

/// Where to go and what to do there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Namespaces to join first; none to stay where the process is.
    pub join: Option<Join>,
    /// What to do there.
    pub task: Task,
}

/// The files of the namespaces to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The user namespace, `/proc/PID/ns/user`.
    pub user: PathBuf,
    /// The network namespace, `/proc/PID/ns/net` or a bind mount of one.
    pub net: PathBuf,
}

/// What a vantage point can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// List addresses and default routes.
    Look,
    /// Run RootlessKit, and leave nothing of it.
    Keep(Errand),
    /// Be killed when whoever has started this ends, and be the program in the other arguments.
    Follow,
    /// Be the child of a RootlessKit that is rehearsed.
    Rehearse(within::Request),
    /// Probe targets.
    Probe(observe::Request),
    /// Give the tap interface its address and default route.
    Uplink(uplink::Request),
    /// Send echo requests.
    Ping(crate::ping::Request),
    /// Answer on a TCP port.
    Serve(peer::Request),
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Task::Look`].
    Network(Network),
    /// To [`Task::Keep`].
    Kept(Kept),
    /// To [`Task::Rehearse`].
    Rehearsed(Box<Rehearsed>),
    /// To [`Task::Probe`].
    Observation(Box<Observation>),
    /// To [`Task::Uplink`]: what was changed, if anything.
    Uplink(uplink::Outcome),
    /// Something that happens under way to [`Task::Ping`]: not the answer yet.
    Event(PingEvent),
    /// To [`Task::Ping`].
    Pinged(Pinged),
    /// To [`Task::Serve`], once its time is over.
    Served,
    /// The task could not be done.
    Failed {
        /// What failed.
        message: String,
        /// Why.
        causes: Vec<String>,
    },
}

/// Serves the request in the second argument, else on standard input, if the first argument says so.
pub fn serve_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    let request = match arguments.next() {
        Some(request) => Ok(request.to_string_lossy().into_owned()),
        None => read_line(),
    };
    let answer = request
        .and_then(|request| serve(&request))
        .unwrap_or_else(|error| Answer::Failed {
            message: error.message,
            causes: error.causes,
        });
    let failed = matches!(answer, Answer::Failed { .. });
    let line = serde_json::to_string(&answer).unwrap_or_default();
    let written = writeln!(std::io::stdout(), "{line}");
    Some(ExitCode::from(u8::from(failed || written.is_err())))
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .doing(|| "hear the vantage point's request")?;
    Ok(line)
}

fn serve(request: &str) -> Result<Answer> {
    let request: Request =
        serde_json::from_str(request).doing(|| "read the vantage point's request")?;
    match (&request.join, &request.task) {
        (Some(join), _) => enter(join)?,
        (None, Task::Rehearse(_)) => enter_detached()?,
        (None, _) => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing(|| "start the vantage point")?;
    runtime.block_on(async {
        let netlink = Netlink::open()?;
        match &request.task {
            Task::Look => Ok(Answer::Network(netlink.network().await?)),
            Task::Follow => kept::follow(std::env::args_os().skip(3)),
            Task::Keep(errand) => Ok(Answer::Kept(kept::keep(errand).await?)),
            Task::Rehearse(request) => Ok(Answer::Rehearsed(Box::new(
                within::look(&netlink, request).await?,
            ))),
            Task::Probe(request) => Ok(Answer::Observation(Box::new(
                observe::observe(&netlink, request).await?,
            ))),
            Task::Uplink(request) => Ok(Answer::Uplink(uplink::bring(&netlink, request).await?)),
            Task::Serve(request) => {
                peer::serve(request).await?;
                Ok(Answer::Served)
            }
            Task::Ping(request) => {
                // Ctrl-C reaches all of the terminal's foreground; whoever asked decides what it means.
                process::hold_signals();
                Ok(Answer::Pinged(ping::serve(request)))
            }
        }
    })
}

fn enter(join: &Join) -> Result<()> {
    let open = |path: &PathBuf| File::open(path).doing(|| format!("open {}", path.display()));
    let own = open(&"/proc/self/ns/net".into())?;
    setns(open(&join.user)?, CloneFlags::CLONE_NEWUSER)
        .doing(|| format!("join the user namespace {}", join.user.display()))?;
    // Only now: a detached netns is reached through the root directory of another user's process.
    let net = open(&join.net)?;
    // The child of a RootlessKit that detaches is in there. The kernel would say no more than EPERM.
    if identity(&net)? == identity(&own)? {
        return Err(Error::new(
            Exit::Bad,
            format!(
                "{} is the host's own network namespace, not one of RootlessKit's",
                join.net.display()
            ),
        ));
    }
    setns(net, CloneFlags::CLONE_NEWNET)
        .doing(|| format!("join the network namespace {}", join.net.display()))
}

/// The child of a RootlessKit that detaches its netns is in the host's, and in RootlessKit's user and
/// mount namespaces, where the bind mount of the netns is to be seen.
fn enter_detached() -> Result<()> {
    let Some(path) = within::detached_netns() else {
        return Ok(());
    };
    let doing = || format!("join the network namespace {}", path.display());
    let net = File::open(&path).doing(doing)?;
    setns(net, CloneFlags::CLONE_NEWNET).doing(doing)
}

/// Device and inode tell namespaces apart (namespaces(7)).
fn identity(namespace: &File) -> Result<(u64, u64)> {
    let metadata = namespace.metadata().doing(|| "look at a namespace")?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether these bytes are an answer, if only that the task failed.
pub fn is_answer(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next();
    line.is_some_and(|line| serde_json::from_slice::<Answer>(line).is_ok())
}

/// Reads an answer; what it says is not trusted, it may come from a container.
///
/// # Errors
/// When it is no answer, or says that the task failed.
pub fn read_answer(bytes: &[u8]) -> Result<Answer> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if line.is_empty() || line.len() > LONGEST_ANSWER {
        return Err(Error::new(
            Exit::Bad,
            format!("the vantage point answered with {} bytes", line.len()),
        ));
    }
    let answer = serde_json::from_slice(line).map_err(|error: serde_json::Error| {
        let said = String::from_utf8_lossy(line);
        // What does not fit is quoted in the error, whole.
        Error::cannot(Exit::Bad, "read the vantage point's answer")
            .caused_by(plain(&error.to_string()))
            .caused_by(format!("it said: {}", plain(&said)))
    })?;
    match answer {
        Answer::Failed { message, causes } => Err(causes
            .iter()
            .fold(Error::new(Exit::Bad, plain(&message)), |error, cause| {
                error.caused_by(plain(cause))
            })),
        answer => Ok(answer),
    }
}
