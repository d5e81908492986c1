//! A program with everything that it starts, of which nothing stays.
//!
//! RootlessKit starts processes that leave it: pasta becomes a daemon, and whatever stands in for a
//! program may start others. The keeper, which is this program at a vantage point, has them all: it is
//! their subreaper (PR_SET_CHILD_SUBREAPER(2const)), so that the kernel gives it those whose parent has
//! ended, down to the last. It ends them when the program has ended or said what it has to say, when the
//! time is over, or when whoever asked closes its standard input, as the kernel does for one that was
//! killed. Where it is killed itself, the kernel kills the program with it (PR_SET_PDEATHSIG(2const)), as
//! RootlessKit has it do with its own child.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::children;
use crate::error::{Doing, Result};
use crate::vantage::{self, Request, Task};

/// Bytes of standard output: an answer fits.
const MOST_SAID: usize = 1 << 20;

/// Bytes of standard error, its end: the reason stands in the last lines.
const LAST_WORDS: usize = 64 << 10;

/// A killed process is gone at once, unless the kernel has it wait for a device.
const ENDING: Duration = Duration::from_secs(3);

/// What was said is there to be read by then, unless one that could not be ended holds the pipe.
const READING: Duration = Duration::from_secs(1);

/// The status of what cannot be run, in a shell.
const NOT_RUN: i32 = 127;

const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Where and how RootlessKit makes empty directories for a moment, to mount on
/// (rootlesskit:pkg/copyup/tmpfssymlink, rootlesskit:pkg/child).
const MOUNT_POINTS: (&str, [&str; 2]) = ("/tmp", ["rootlesskit-b", "rksys"]);

/// What to run, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, but for the last ones.
    pub arguments: Vec<String>,
    /// A request for this program, whose command line as a vantage point ends the arguments.
    pub then: String,
    /// Its PATH, if it is to have another one.
    pub path: Option<String>,
    /// A directory of its own, which is not to stay.
    pub directory: PathBuf,
    /// After this everything is ended.
    pub deadline_ms: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Why it ended.
    pub ended: Ended,
    /// What was said on standard output, if it is not too much.
    pub said: String,
    /// The end of what was said on standard error.
    pub last_words: String,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself.
    Itself {
        /// Whether the status was 0.
        success: bool,
    },
    /// It was ended once it had answered.
    Answered,
    /// It was ended at its deadline.
    Late,
    /// It was ended because nobody waits for it any more.
    Unwanted,
}

/// Runs the errand to its end and ends what has come of it.
///
/// # Errors
/// When the program cannot be started.
pub async fn keep(errand: &Errand) -> Result<Kept> {
    let doing = || format!("run {}", errand.program.display());
    set_child_subreaper(true).doing(doing)?;
    let own_file = super::own_file()?;
    let mount_points = mount_points();
    let follow = Request {
        join: None,
        task: Task::Follow,
    };
    let mut command = Command::new("/proc/self/exe");
    command
        .args([
            vantage::COMMAND,
            &serde_json::to_string(&follow).doing(doing)?,
        ])
        .arg(&errand.program)
        .args(&errand.arguments)
        .arg(own_file)
        .args([vantage::COMMAND, &errand.then])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(path) = &errand.path {
        command.env("PATH", path);
    }
    let mut program = command.spawn().doing(doing)?;
    let (stdout, stderr) = (program.stdout.take(), program.stderr.take());
    let (tell, answered) = oneshot::channel();
    let (tell_end, over) = oneshot::channel::<()>();
    let (mut said, mut last) = (Vec::new(), Vec::new());
    let reading = async {
        let all =
            async { tokio::join!(beginning(stdout, &mut said, tell), end(stderr, &mut last)) };
        let late = async {
            let _ = over.await;
            sleep(READING).await;
        };
        tokio::select! {
            _ = all => {}
            () = late => {}
        }
    };
    let running = async {
        let ended = tokio::select! {
            Ok(()) = answered => Ended::Answered,
            status = program.wait() => Ended::Itself {
                success: status.is_ok_and(|status| status.success()),
            },
            () = sleep(Duration::from_millis(errand.deadline_ms)) => Ended::Late,
            () = nobody_waits() => Ended::Unwanted,
        };
        end_all().await;
        let _ = tell_end.send(());
        ended
    };
    let (ended, ()) = tokio::join!(running, reading);
    let _ = fs::remove_dir_all(&errand.directory);
    remove_new(&mount_points);
    Ok(Kept {
        ended,
        said: String::from_utf8_lossy(&said).into_owned(),
        last_words: String::from_utf8_lossy(&last).into_owned(),
    })
}

/// Becomes the program that the first of these words names, to be killed when the keeper ends. Ends
/// where it cannot, as a shell does.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's cannot replace the process, and nothing runs yet"
)]
pub fn follow(mut words: impl Iterator<Item = OsString>) -> ! {
    let program = words.next().unwrap_or_default();
    let error = match set_pdeathsig(Signal::SIGKILL) {
        Ok(()) => std::process::Command::new(&program).args(words).exec(),
        Err(error) => error.into(),
    };
    let program = Path::new(&program).display();
    let _ = writeln!(std::io::stderr(), "run {program}: {error}");
    std::process::exit(NOT_RUN)
}

/// Resolves when whoever asked has closed our standard input.
async fn nobody_waits() {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let Ok(mut stdin) = stdin.and_then(Receiver::from_owned_fd) else {
        return std::future::pending().await;
    };
    let mut byte = [0];
    while matches!(stdin.read(&mut byte).await, Ok(length) if length > 0) {}
}

/// Kills all our children, and theirs as they become ours.
async fn end_all() {
    let deadline = Instant::now() + ENDING;
    loop {
        while waitpid(None, Some(WaitPidFlag::WNOHANG))
            .is_ok_and(|status| status != WaitStatus::StillAlive)
        {}
        let left = children(std::process::id());
        if left.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in left.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The beginning of what somebody says, read to its end; tells once an answer is in it.
async fn beginning(
    from: Option<impl AsyncRead + Unpin>,
    said: &mut Vec<u8>,
    tell: oneshot::Sender<()>,
) {
    let mut tell = Some(tell);
    if let Some(mut from) = from {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut part).await {
            let left = MOST_SAID.saturating_sub(said.len());
            said.extend_from_slice(&part[..length.min(left)]);
            let is_answered =
                tell.is_some() && part[..length].contains(&b'\n') && vantage::is_answer(said);
            if is_answered && let Some(tell) = tell.take() {
                let _ = tell.send(());
            }
        }
    }
}

/// The end of what somebody says.
async fn end(from: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    if let Some(mut from) = from {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut part).await {
            said.extend_from_slice(&part[..length]);
            let too_much = said.len().saturating_sub(LAST_WORDS);
            said.drain(..too_much);
        }
    }
}

/// RootlessKit's mount points that are there now, and ours to remove.
fn mount_points() -> Vec<PathBuf> {
    let (place, names) = MOUNT_POINTS;
    let of_rootlesskit = |name: &OsString| {
        let name = name.to_string_lossy();
        names.iter().any(|known| name.starts_with(known))
    };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let own = nix::unistd::geteuid().as_raw();
    entries
        .filter(|entry| of_rootlesskit(&entry.file_name()))
        .filter(|entry| entry.metadata().is_ok_and(|seen| seen.uid() == own))
        .map(|entry| entry.path())
        .collect()
}

/// Removes those that were not there before: RootlessKit does it itself where it is not killed.
fn remove_new(before: &[PathBuf]) {
    for path in mount_points() {
        if !before.contains(&path) {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Removes what a keeper that was killed itself has left: RootlessKit's state directories that no
/// RootlessKit holds. It locks the file `lock` in there for as long as it lives.
pub fn sweep(place: &Path, prefix: &str) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && !is_held(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether somebody holds it, or may be about to: one that was just made has no lock yet.
fn is_held(state_dir: &Path) -> bool {
    match File::open(state_dir.join("lock")) {
        Ok(lock) => lock.try_lock_shared().is_err(),
        Err(_) => fs::metadata(state_dir)
            .and_then(|seen| seen.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age < ENDING)),
    }
}
