//! Processes that nobody here is the parent of, or not for long.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::AsyncWriteExt;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

use crate::error::{Doing, Result};

/// Resolves when a process, which need not be a child, has ended.
///
/// # Errors
/// When the kernel does not tell (before Linux 5.3).
pub fn ended(pid: u32) -> Result<impl Future<Output = ()>> {
    let doing = || format!("watch process {pid}");
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let descriptor = match process.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
        None | Some(Err(Errno::SRCH)) => None,
        Some(Ok(descriptor)) => Some(watched(descriptor).doing(doing)?),
        Some(Err(errno)) => return Err(errno).doing(doing),
    };
    Ok(async move {
        if let Some(descriptor) = descriptor {
            // Ready for reading once the process has ended (pidfd_open(2)).
            let _ = descriptor.readable().await;
        }
    })
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and asks for no more than what an OwnedFd keeps"
)]
fn watched(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// Kills a process if it still is the one that is meant once its number can no longer be given to
/// another (pidfd_open(2)), and waits until it has ended.
///
/// # Errors
/// When the kernel does not do it.
pub async fn end(pid: u32, is_meant: impl Fn() -> bool) -> Result<()> {
    let doing = || format!("end process {pid}");
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let descriptor = match process.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
        None | Some(Err(Errno::SRCH)) => return Ok(()),
        Some(opened) => opened.doing(doing)?,
    };
    if !is_meant() {
        return Ok(());
    }
    match pidfd_send_signal(&descriptor, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => return Err(errno).doing(doing),
    }
    let _ = watched(descriptor).doing(doing)?.readable().await;
    Ok(())
}

/// Starts this program again with a hidden command, and leaves it to itself: with the words on its
/// standard input, this process's standard error and no environment, in which systemd may have put
/// what is meant for us alone.
///
/// # Errors
/// When it cannot be started.
pub async fn leave_behind(command: &str, words: &str) -> Result<()> {
    let doing = || format!("start `rootless6 {command}`");
    tracing::info!("{}", doing());
    let mut started = Command::new("/proc/self/exe")
        .arg0("rootless6")
        .arg(command)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .doing(doing)?;
    match started.stdin.take() {
        Some(mut stdin) => stdin.write_all(words.as_bytes()).await.doing(doing),
        None => Ok(()),
    }
}
