//! Processes: what /proc tells of them, and the few programs that are run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::future::select_all;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Uid, read};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::{Doing, Error, Exit, Result};
use crate::hostile::plain;

mod detached;
pub mod kept;

pub use detached::{end, ended, leave_behind};

/// What `--version` may take before it counts as hanging.
const VERSION_DEADLINE: Duration = Duration::from_secs(5);

/// Bytes: a version and a licence notice fit.
const LONGEST_VERSION: usize = 4096;

/// Bytes: ten digits and an end of line fit.
const LONGEST_PID: u64 = 32;

/// The arguments of a process, or nothing when it is gone or not ours to read.
pub fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    split_at_nul(&bytes).collect()
}

/// A variable of a process's environment at its start.
pub fn variable(pid: u32, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    split_at_nul(&bytes).find_map(|assignment| {
        let (known, value) = assignment.split_once('=')?;
        (known == name).then(|| value.to_owned())
    })
}

/// The parent of a process (proc_pid_stat(5), field 4).
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid, 4)?.parse().ok()
}

/// The parent, its parent and so on, as far as they are seen.
pub fn ancestors(pid: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(parent(pid), |pid| parent(*pid))
}

/// What a process is called: its program's name, cut at 15 bytes (proc_pid_comm(5)).
pub fn name(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// Whether a process is this user's own.
pub fn is_ours(pid: u32) -> bool {
    let process = fs::metadata(format!("/proc/{pid}"));
    process.is_ok_and(|process| process.uid() == Uid::effective().as_raw())
}

/// Whether a process is in the same namespace of a kind, such as `net`, as this one; none where that
/// cannot be seen.
pub fn shares_namespace(pid: u32, kind: &str) -> Option<bool> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    Some(namespace(&pid.to_string())? == namespace("self")?)
}

/// Whether a process has ended and its parent has not asked how (proc_pid_stat(5), field 3).
pub fn is_dead(pid: u32) -> bool {
    stat(pid, 3).is_some_and(|state| state == "Z")
}

/// When a process was started, in hundredths of a second since boot: the kernel's `USER_HZ` is 100
/// wherever Docker runs (proc_pid_stat(5), field 22).
pub fn started(pid: u32) -> Option<u64> {
    stat(pid, 22)?.parse().ok()
}

/// How long ago that moment was, in hundredths of a second since boot: the time asleep counts
/// (`CLOCK_BOOTTIME`, clock_gettime(2)).
pub fn age(started: u64) -> Duration {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    now.saturating_sub(Duration::from_millis(started.saturating_mul(10)))
}

/// A field of /proc/PID/stat, counted from 1 as the manual does; from 3 on, they come after the
/// name in parentheses.
fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name
        .split_whitespace()
        .nth(field.checked_sub(3)?)
        .map(str::to_owned)
}

/// The user's service that a process belongs to: systemd gives each one a cgroup of its name.
pub fn service_of(pid: u32) -> Option<String> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let below_the_manager = cgroups
        .lines()
        .find_map(|line| line.split_once("/user@"))?
        .1;
    let mut parts = below_the_manager.split('/').skip(1);
    parts
        .find(|part| part.ends_with(".service"))
        .map(str::to_owned)
}

/// The processes that a process has started and that nobody has asked for their end yet; each belongs
/// to the thread that has started it.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children"));
    let lists = threads.into_iter().flatten().flatten();
    lists
        .filter_map(|thread| of_thread(thread).ok())
        .flat_map(|list| {
            let pids = list.split_whitespace();
            pids.filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// The process number in a file, such as RootlessKit's `child_pid` or dockerd's `docker.pid`.
///
/// # Errors
/// Why there is none. What is no regular file is not read: a FIFO would keep the reader for ever.
pub fn pid_file(path: &Path) -> std::result::Result<u32, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_PID)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    match text.trim().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(format!(
            "{} is not a process number: {}",
            path.display(),
            plain(&text)
        )),
    }
}

fn split_at_nul(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
}

/// What a program prints when asked for its version.
///
/// # Errors
/// When it cannot be run or does not end in time.
pub async fn version_of(program: &Path) -> Result<String> {
    let doing = || format!("run {} --version", program.display());
    tracing::info!("{}", doing());
    let run = async {
        let printed = on_a_pipe(program).await?;
        if printed.is_empty() {
            return on_a_terminal(program).await;
        }
        Ok(printed)
    };
    match timeout(VERSION_DEADLINE, run).await {
        Ok(printed) => Ok(String::from_utf8_lossy(&printed.doing(doing)?).into_owned()),
        Err(_) => Err(Error::cannot(Exit::NotApplied, doing()).caused_by("it does not end")),
    }
}

fn asking_version(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Not more than a version is long: a program that takes `--version` for something else may print
/// without end.
async fn on_a_pipe(program: &Path) -> std::io::Result<Vec<u8>> {
    let mut child = asking_version(program)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut printed = Vec::with_capacity(LONGEST_VERSION);
    if let Some(stdout) = child.stdout.take() {
        let mut beginning = stdout.take(LONGEST_VERSION as u64);
        beginning.read_to_end(&mut printed).await?;
    }
    Ok(printed)
}

/// pasta of 2025 ends without flushing its output, which then reaches only a terminal.
async fn on_a_terminal(program: &Path) -> std::io::Result<Vec<u8>> {
    let terminal = openpty(None, None)?;
    let status = asking_version(program)
        .stdout(terminal.slave.try_clone()?)
        .stderr(Stdio::null())
        .status();
    status.await?;
    // The far end stays open here, so that what was printed can still be read.
    let mut printed = vec![0; LONGEST_VERSION];
    fcntl(&terminal.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    match read(&terminal.master, &mut printed) {
        Ok(length) => printed.truncate(length),
        Err(_) => printed.clear(),
    }
    Ok(printed)
}

/// What a person or a session ends a program with: Ctrl-C, a closed terminal, a plain kill.
const ENDING: [SignalKind; 3] = [
    SignalKind::interrupt(),
    SignalKind::hangup(),
    SignalKind::terminate(),
];

/// These signals, held: they no longer end the process by themselves, and none that comes from now
/// on is lost, whatever the process is doing then.
#[derive(Debug)]
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Holds them. Where there is no handler to be had, the signal ends the process as always.
    pub fn hold() -> Self {
        let held = ENDING.iter().filter_map(|kind| signal(*kind).ok());
        Self(held.collect())
    }

    /// Resolves once the process has been asked to end since the last time that this did.
    pub async fn interrupted(&mut self) {
        let signals = self.0.iter_mut().map(|stream| Box::pin(stream.recv()));
        if signals.len() == 0 {
            return std::future::pending().await;
        }
        select_all(signals).await;
    }
}

/// From now on these signals no longer end the process by themselves; [`interrupted`] tells of
/// those that come while it is awaited.
pub fn hold_signals() {
    Signals::hold();
}

/// Resolves when the process is asked to end.
pub async fn interrupted() {
    Signals::hold().interrupted().await;
}

/// Calls back, from a thread of its own, when the process is asked to end while this one is blocked:
/// until what it gives is dropped. The signals stay held.
pub fn on_interrupt(then: impl FnOnce() + Send + 'static) -> oneshot::Sender<()> {
    let (watch, over) = oneshot::channel();
    let (is_held, held) = mpsc::channel::<()>();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let mut signals = Signals::hold();
            drop(is_held);
            tokio::select! {
                () = signals.interrupted() => then(),
                _ = over => {}
            }
        });
    });
    // It ends without a word, as soon as none is lost any more.
    let _ = held.recv();
    watch
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether its status was 0.
    pub success: bool,
    /// What it said on standard output, anything that is not UTF-8 replaced.
    pub stdout: String,
    /// What it said on standard error, anything that is not UTF-8 replaced.
    pub stderr: String,
}

/// Runs a program to its end, with another PATH if one is given.
///
/// # Errors
/// When it cannot be started, or does not end by the deadline; it is killed then.
pub async fn run(
    program: &Path,
    arguments: &[String],
    path: Option<&str>,
    deadline: Duration,
) -> Result<Ended> {
    let doing = || format!("run {}", program.display());
    tracing::info!("{} {}", doing(), arguments.join(" "));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    match timeout(deadline, command.output()).await {
        Ok(output) => {
            let output = output.doing(doing)?;
            Ok(Ended {
                success: output.status.success(),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            })
        }
        Err(_) => Err(Error::cannot(Exit::NotApplied, doing())
            .caused_by(format!("it did not end within {} s", deadline.as_secs()))),
    }
}

/// Replaces this process by a program with the same arguments and another environment
/// (execve(2)). Comes back only with the reason why it could not.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's cannot replace the process, and nothing runs yet"
)]
pub fn replace(program: &Path, environment: Vec<(OsString, OsString)>) -> std::io::Error {
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env_clear().envs(environment).exec()
}

/// This program's own file, as others can start it later.
///
/// # Errors
/// When it has been removed or replaced while it runs.
pub fn own_file() -> Result<PathBuf> {
    let path = std::env::current_exe().doing(|| "find this program's own file")?;
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::new(
        Exit::NotApplied,
        "this program's own file was removed or replaced while it runs",
    )
    .hint("run it again"))
}
