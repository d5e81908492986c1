//! Whether a port that a container publishes answers on this host, and whom the container then sees.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One published port, tried at each of the host's own addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The port on the host.
    pub port: u16,
    /// `::1` first, then 127.0.0.1, then the host's other addresses.
    pub paths: Vec<PublishedPath>,
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
