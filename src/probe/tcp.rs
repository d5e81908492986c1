//! Whether any of some TCP ports at an address answers: the second opinion where ICMP is filtered.

mod attempt;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use self::attempt::Attempt;
use super::session::micros;
use super::socket::words;

/// One run: a connection to each port, all at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpRequest {
    pub target: IpAddr,
    /// Interface index for a link-local target; 0 for all others.
    pub scope_id: u32,
    pub ports: Vec<u16>,
    /// End of the run, counted from its start.
    pub deadline_ms: u64,
    /// Time from the start in which a connect is tried again when it fails at once for want of a
    /// route or an address, or would use `::1` or a link-local source for a target elsewhere.
    pub settle_ms: u64,
}

impl TcpRequest {
    /// 3 s, no settling.
    pub fn new(target: impl Into<IpAddr>, ports: Vec<u16>) -> Self {
        Self {
            target: target.into(),
            scope_id: 0,
            ports,
            deadline_ms: 3000,
            settle_ms: 0,
        }
    }
}

/// What the ports together say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpOutcome {
    /// The first that connected, and how long that took from the start of its connect.
    Connected { port: u16, micros: u64 },
    /// None connected and at least one refused: the way there and back is open.
    Refused,
    /// None connected or refused, and a connect failed with this error.
    Unreachable(String),
    /// No port answered by the deadline.
    Silent,
    /// Could not look: the operation that failed and why.
    Failed(String),
}

/// What one port said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortAnswer {
    Connected,
    Refused,
    Unreachable(String),
    /// Nothing by the time the run ended, which another port's answer may have ended early.
    Silent,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReport {
    pub port: u16,
    pub answer: PortAnswer,
    /// From the start of the connect that decided to its answer, or of the last one to the end of
    /// the run.
    pub micros: u64,
    /// Connects begun; above 1 when the address had to settle, or the first got no answer.
    pub tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpReport {
    pub outcome: TcpOutcome,
    /// In the order of the request.
    pub ports: Vec<PortReport>,
    pub elapsed_us: u64,
}

/// Connects to every port at once; ends with the first connection, when every port has answered,
/// or at the deadline. Never fails: see the report.
pub fn run(request: &TcpRequest) -> TcpReport {
    let start = Instant::now();
    let deadline = Duration::from_millis(request.deadline_ms);
    let settle = Duration::from_millis(request.settle_ms);
    let mut attempts: Vec<Attempt> = request
        .ports
        .iter()
        .map(|port| Attempt::new(request, *port))
        .collect();
    let broken = loop {
        for attempt in &mut attempts {
            attempt.connect_if_due(start.elapsed(), settle);
        }
        let now = start.elapsed();
        if is_decided(&attempts) || now >= deadline {
            break None;
        }
        if let Err(why) = wait(&mut attempts, now, deadline, start) {
            break Some(TcpOutcome::Failed(why));
        }
    };
    report(attempts, broken, start.elapsed())
}

fn is_decided(attempts: &[Attempt]) -> bool {
    let answers = || attempts.iter().map(Attempt::decided);
    answers().any(|answer| answer == Some(&PortAnswer::Connected))
        || answers().all(|answer| answer.is_some())
}

/// Waits until a connect has ended or another is due, and takes in what has ended.
fn wait(
    attempts: &mut [Attempt],
    now: Duration,
    deadline: Duration,
    start: Instant,
) -> Result<(), String> {
    let next = attempts.iter().filter_map(Attempt::next_at).min();
    let until = next.map_or(deadline, |next| next.min(deadline));
    let ready = ready_sockets(attempts, until.saturating_sub(now))?;
    let now = start.elapsed();
    for (attempt, ready) in attempts.iter_mut().zip(ready) {
        attempt.finish(&ready, now);
    }
    Ok(())
}

/// For each connect under way, whether it has ended within `timeout`; by attempt.
fn ready_sockets(attempts: &[Attempt], timeout: Duration) -> Result<Vec<Vec<bool>>, String> {
    let mut waiting: Vec<PollFd<'_>> = attempts
        .iter()
        .flat_map(Attempt::sockets)
        .map(|socket| PollFd::new(socket, PollFlags::POLLOUT))
        .collect();
    match ppoll(&mut waiting, Some(TimeSpec::from(timeout)), None) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Vec::new()),
        Err(errno) => return Err(format!("poll TCP sockets: {}", words(errno))),
    }
    let mut ready = waiting.iter().map(|entry| entry.any().unwrap_or(true));
    Ok(attempts
        .iter()
        .map(|attempt| ready.by_ref().take(attempt.sockets().count()).collect())
        .collect())
}

fn report(attempts: Vec<Attempt>, broken: Option<TcpOutcome>, end: Duration) -> TcpReport {
    let ports: Vec<PortReport> = attempts
        .into_iter()
        .map(|attempt| attempt.into_report(end))
        .collect();
    let outcome = broken.unwrap_or_else(|| outcome(&ports));
    TcpReport {
        outcome,
        ports,
        elapsed_us: micros(end),
    }
}

/// The strongest answer: connected, refused, unreachable, silent; failed only when all are.
fn outcome(ports: &[PortReport]) -> TcpOutcome {
    if let Some(first) = ports
        .iter()
        .filter(|port| port.answer == PortAnswer::Connected)
        .min_by_key(|port| port.micros)
    {
        return TcpOutcome::Connected {
            port: first.port,
            micros: first.micros,
        };
    }
    if ports.iter().any(|port| port.answer == PortAnswer::Refused) {
        return TcpOutcome::Refused;
    }
    let unreachable = ports.iter().find_map(|port| match &port.answer {
        PortAnswer::Unreachable(text) => Some(TcpOutcome::Unreachable(text.clone())),
        _ => None,
    });
    if let Some(outcome) = unreachable {
        return outcome;
    }
    if ports.iter().any(|port| port.answer == PortAnswer::Silent) {
        return TcpOutcome::Silent;
    }
    let failed = ports.iter().find_map(|port| match &port.answer {
        PortAnswer::Failed(why) => Some(why.clone()),
        _ => None,
    });
    TcpOutcome::Failed(failed.unwrap_or_else(|| "connect: no port to try".to_owned()))
}

#[cfg(test)]
mod tests;
