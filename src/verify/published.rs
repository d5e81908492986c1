//! Whether a port that a container publishes answers on this host, and whom the container then sees.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

/// pasta looks once a second which ports to forward (passt(1), `-t auto`); the rest is for the
/// container to begin to listen on a busy machine.
const PATIENCE: Duration = Duration::from_millis(2500);

/// What pasta forwards it forwards at once: the second look comes a second after the first.
const PATIENCE_BESIDE_ANOTHER: Duration = Duration::from_millis(1200);

/// Duplicate address detection takes one second and a random delay of up to another (RFC 4861,
/// RetransTimer; RFC 4862 section 5.4.2); who has asked for the address meanwhile asks again after
/// one more.
const SETTLING: Duration = Duration::from_millis(3200);

/// One connection's share. A proxy may have taken it before anybody listened behind it.
const TRY: Duration = Duration::from_millis(1500);

/// How often a port that nobody listens on is tried again: there is nothing to wait on.
const RETRY: Duration = Duration::from_millis(20);

/// Bytes: a nonce, the longest address and an end of line fit.
const LONGEST_LINE: u64 = 80;

/// One published port, tried at each of the host's own addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The port on the host.
    pub port: u16,
    /// `::1` first if the host has it, then 127.0.0.1, then the host's other addresses.
    pub paths: Vec<PublishedPath>,
    /// Why the Engine starts no container with a published port, where it starts one without.
    #[serde(default)]
    pub refused: Option<String>,
}

impl Published {
    /// No port that anybody could have tried.
    pub fn refused(why: String) -> Self {
        Self {
            refused: Some(why),
            ..Self::default()
        }
    }
}

/// One address of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPath {
    pub to: IpAddr,
    pub answer: PublishedAnswer,
    /// Connects begun.
    pub tries: u32,
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublishedAnswer {
    /// Our container, which saw the connection come from `source`.
    Container { source: IpAddr, micros: u64 },
    /// Somebody who is not our container.
    Stranger,
    /// Nobody listens.
    Refused,
    /// No answer by the deadline.
    Silent,
    /// The connect failed with this error.
    Unreachable(String),
}

/// What to connect to.
#[derive(Debug, Clone, Copy)]
pub struct Port {
    /// On the host.
    pub number: u16,
    /// What the container says of itself.
    pub nonce: u64,
    /// When the container was started.
    pub since: Instant,
    /// Whether its bridge may be under duplicate address detection, which nothing gets through.
    pub settles: bool,
}

/// Connects to the port at all addresses at once, again and again until each has answered or is
/// given up.
pub async fn reach(port: Port, addresses: &[IpAddr]) -> Published {
    let another_answers = Cell::new(None);
    let paths = addresses
        .iter()
        .map(|&to| reach_one(to, port, &another_answers));
    Published {
        port: port.number,
        paths: join_all(paths).await,
        refused: None,
    }
}

async fn reach_one(
    to: IpAddr,
    port: Port,
    another_answers: &Cell<Option<Instant>>,
) -> PublishedPath {
    let settling = if port.settles {
        SETTLING
    } else {
        Duration::ZERO
    };
    let deadline = port.since + PATIENCE + settling;
    let mut tries = 0;
    loop {
        tries += 1;
        let begun = Instant::now();
        let end = deadline.min(begun + TRY).max(begun + RETRY);
        let answer = match timeout_at(end, read_line(to, port.number)).await {
            Ok(line) => judge(line, port.nonce, begun),
            Err(_) => PublishedAnswer::Silent,
        };
        let given_up = match (&answer, another_answers.get()) {
            (PublishedAnswer::Silent, _) | (PublishedAnswer::Refused, None) => deadline,
            (PublishedAnswer::Refused, Some(since)) => {
                deadline.min(since + PATIENCE_BESIDE_ANOTHER)
            }
            (PublishedAnswer::Container { .. }, None) => {
                another_answers.set(Some(Instant::now()));
                begun
            }
            _ => begun,
        };
        if Instant::now() >= given_up {
            return PublishedPath { to, answer, tries };
        }
        sleep_until(begun + RETRY).await;
    }
}

async fn read_line(to: IpAddr, port: u16) -> std::io::Result<Vec<u8>> {
    let stream = TcpStream::connect((to, port)).await?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST_LINE))
        .read_until(b'\n', &mut line)
        .await?;
    Ok(line)
}

fn judge(line: std::io::Result<Vec<u8>>, nonce: u64, begun: Instant) -> PublishedAnswer {
    match line {
        Ok(line) if line.is_empty() => PublishedAnswer::Refused,
        Ok(line) => match source(&line, nonce) {
            Some(source) => PublishedAnswer::Container {
                source,
                micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            },
            None => PublishedAnswer::Stranger,
        },
        Err(error) => match error.kind() {
            // A proxy without anybody behind it takes the connection and drops it.
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                PublishedAnswer::Refused
            }
            ErrorKind::TimedOut => PublishedAnswer::Silent,
            _ => PublishedAnswer::Unreachable(error.to_string()),
        },
    }
}

/// Whom the container has seen, if this is its line.
fn source(line: &[u8], nonce: u64) -> Option<IpAddr> {
    let (said, source) = std::str::from_utf8(line)
        .ok()?
        .strip_suffix('\n')?
        .split_once(' ')?;
    (u64::from_str_radix(said, 16) == Ok(nonce)).then(|| source.parse().ok())?
}

#[cfg(test)]
mod tests;
