//! Whether the resolver that a process here would ask knows the IPv6 address of a name.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which names to ask for, and where the resolvers are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRequest {
    /// resolv.conf(5): its first three name servers are asked in turn.
    pub resolv_conf: PathBuf,
    /// Names that should have an AAAA record. The first that has one decides.
    pub names: Vec<String>,
    /// Addresses whose names (PTR) are asked for after those: such a name should have an AAAA record
    /// too.
    pub addresses: Vec<Ipv6Addr>,
    /// End of the run, counted from its start.
    pub deadline_ms: u64,
}

/// What a resolver said to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsAnswer {
    /// It was not asked.
    #[default]
    NotAsked,
    /// The addresses, at least one.
    Addresses(Vec<IpAddr>),
    /// The name exists and has no record of this type.
    NoRecords,
    /// There is no such name.
    NoSuchName,
    /// Another response code (RFC 1035 section 4.1.1), in words.
    Refused(String),
    /// No answer by the deadline.
    Silent,
    /// Could not ask: the operation that failed and why.
    Failed(String),
}

/// What was learnt. The name is the one that decided, or the last one asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsReport {
    /// Who was asked last.
    pub server: Option<IpAddr>,
    pub name: Option<String>,
    pub aaaa: DnsAnswer,
    /// The same name's IPv4 addresses: what a resolver that hides AAAA still tells.
    pub a: DnsAnswer,
    /// Questions sent and answers received, all together.
    pub sent: u32,
    pub received: u32,
    /// Round trip of the answer that decided.
    pub rtt_us: Option<u64>,
}

/// Never fails: what went wrong is in the report.
pub fn run(_request: &DnsRequest) -> DnsReport {
    DnsReport::default()
}
