//! How large a packet gets to an address and back, and whether a router that drops larger ones says so.
//!
//! Small and large echoes go out side by side, so that loss is not mistaken for a limit: `search`
//! decides, and here is what it needs of the outside world. After a Packet Too Big the kernel sends
//! in fragments, and large echoes pass from then on.

mod echoes;
mod search;

use std::net::Ipv6Addr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::search::Search;
use super::drive::drive;
use super::icmp_error::ErrorSeen;
use super::nonce::Nonces;
use super::socket::IcmpSocket;

/// One run against one target that is known to answer small echoes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMtuRequest {
    pub target: Ipv6Addr,
    /// What the first link takes, if that is known.
    #[serde(default)]
    pub link_mtu: Option<u32>,
    /// What the route takes, if it says so: set by hand, or told by a router not long ago.
    #[serde(default)]
    pub route_mtu: Option<u32>,
    /// End of the run, counted from its start.
    pub deadline_ms: u64,
}

/// How it ended. Bytes are of the whole IPv6 packet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathMtuOutcome {
    /// Packets as large as the first link takes, at most 1500 bytes, come back.
    Whole { bytes: u16 },
    /// A router has told a smaller MTU. Packets of the large size come back in fragments of it, or
    /// packets as large as it do: `bytes`, whichever came first.
    Told { bytes: u16, mtu: u32 },
    /// Small packets come back and large ones do not, whatever was told: connections hang.
    BlackHole { passes: u16, lost: u16 },
    /// Packets of `bytes` arrive, and the target sends only a part of them back: some do.
    CutShort { bytes: u16 },
    /// Small packets do not come back either: nothing was learnt about size.
    #[default]
    Unanswered,
    /// Could not look: the operation that failed and why.
    Failed(String),
}

/// Everything one run observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMtuReport {
    pub outcome: PathMtuOutcome,
    /// Echoes sent and answered that are large, or as large as was told.
    pub sent: u32,
    pub received: u32,
    pub rtt_us: Vec<u64>,
    /// Packet Too Big messages that quote an echo of ours, and sends the kernel refused.
    pub errors: Vec<ErrorSeen>,
}

impl PathMtuOutcome {
    /// Whether large packets go there and back.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Whole { .. } | Self::Told { .. })
    }
}

/// Sends until a large echo comes back, or it is certain that none will, or the deadline is over.
/// Never fails: what went wrong is in the report.
pub fn run(request: &PathMtuRequest) -> PathMtuReport {
    match run_on_socket(request) {
        Ok(report) => report,
        Err(why) => PathMtuReport {
            outcome: PathMtuOutcome::Failed(why),
            ..PathMtuReport::default()
        },
    }
}

fn run_on_socket(request: &PathMtuRequest) -> Result<PathMtuReport, String> {
    let mut nonces = Nonces::default();
    let identifier = nonces.identifier()?;
    let (mut socket, _) = IcmpSocket::open(identifier, search::MOST_PAYLOAD, Instant::now())
        .map_err(|notes| notes.join(", "))?;
    let mut search = Search::new(request, socket.identifier());
    drive(&mut search, &mut socket, &mut || nonces.next(), None)?;
    Ok(search.into_report())
}

#[cfg(test)]
mod tests;
