//! Whether the resolver that a process here would ask knows the IPv6 address of a name.
//!
//! A stub resolver of our own, because the C library's answers from files and caches too, asks for as
//! long as it likes, and does not say what it was told.

mod ask;
mod file;
mod message;
mod name;
mod resolv_conf;
mod wire;

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::ask::Asker;
use self::message::{Kind, Question};
use self::name::Name;
use super::session::micros;
use crate::hostile::plain;

/// Asked for where nothing else is known: a name that has both kinds of address, as every resolver
/// knows.
const WELL_KNOWN: &str = "a.root-servers.net";

/// More names than these make no verdict surer.
const MOST_NAMES: usize = 4;

/// Which names to ask for, and where the resolvers are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRequest {
    /// resolv.conf(5): its first three name servers are asked in turn.
    pub resolv_conf: PathBuf,
    /// The directory that this file's path and the links in it begin at; none for this process's own.
    pub root: Option<PathBuf>,
    /// Names that should have an AAAA record. The first that has one decides.
    pub names: Vec<String>,
    /// Addresses whose names (PTR) are asked for after those: such a name should have an AAAA record
    /// too. Where neither leads to one, `a.root-servers.net` is asked for, unless names were given.
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
    /// There is no way to the server, or nobody there takes questions: which server and why.
    Unreachable(String),
    /// Could not ask: the operation that failed and why.
    Failed(String),
}

/// What was learnt. The name is the one that decided: the first with an AAAA record, else the first
/// with an A record alone, else the last one asked for.
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

/// Asks until a name has an AAAA record, none is left, or the deadline is over. Never fails: what went
/// wrong is in the report.
pub fn run(request: &DnsRequest) -> DnsReport {
    let mut asker = match open(request) {
        Ok(asker) => asker,
        Err(why) => {
            return DnsReport {
                aaaa: DnsAnswer::Failed(why),
                ..DnsReport::default()
            };
        }
    };
    let mut report = search(request, &mut asker);
    report.sent = asker.sent;
    report.received = asker.received;
    report.server = report.server.or(asker.last_asked);
    report
}

/// Without a file the resolver is on this machine, as without a line in it.
fn open(request: &DnsRequest) -> Result<Asker, String> {
    let path = &request.resolv_conf;
    let text = file::read(request.root.as_deref(), path)
        .map_err(|error| format!("read {}: {error}", path.display()))?;
    let deadline = Duration::from_millis(request.deadline_ms);
    Ok(Asker::new(resolv_conf::servers(&text), deadline))
}

/// The names one after the other, until one has an AAAA record.
fn search(request: &DnsRequest, asker: &mut Asker) -> DnsReport {
    let mut best = DnsReport::default();
    for name in request.names.iter().take(MOST_NAMES) {
        let report = match Name::parse(name) {
            Some(name) => look_up(asker, &name),
            None => DnsReport {
                name: Some(plain(name)),
                aaaa: DnsAnswer::Failed("DNS carries no such name".to_owned()),
                ..DnsReport::default()
            },
        };
        best = better(best, report);
        if best.has_aaaa() {
            return best;
        }
    }
    if let Some(name) = name_of_any(asker, &request.addresses) {
        best = better(best, look_up(asker, &name));
    }
    let well_known = Name::parse(WELL_KNOWN).filter(|_| request.names.is_empty());
    if let Some(name) = well_known.filter(|_| !best.has_aaaa()) {
        best = better(best, look_up(asker, &name));
    }
    best
}

/// The one of two reports that tells more.
fn better(known: DnsReport, new: DnsReport) -> DnsReport {
    let hides_aaaa = matches!(known.a, DnsAnswer::Addresses(_));
    if new.has_aaaa() || !(hides_aaaa || new.aaaa == DnsAnswer::NotAsked) {
        new
    } else {
        known
    }
}

/// Both kinds of address of a name, asked for at once.
fn look_up(asker: &mut Asker, name: &Name) -> DnsReport {
    let questions = [Kind::Aaaa, Kind::A].map(|kind| Question {
        name: name.clone(),
        kind,
    });
    let until = asker.deadline;
    let mut heard = asker.ask(&questions, until, |heard| {
        matches!(heard[0].answer, DnsAnswer::Addresses(_))
    });
    let (a, aaaa) = (heard.pop(), heard.pop());
    let (a, aaaa) = (a.unwrap_or_default(), aaaa.unwrap_or_default());
    DnsReport {
        server: aaaa.server,
        name: Some(name.to_string()),
        aaaa: aaaa.answer,
        a: a.answer,
        rtt_us: aaaa.round_trip.map(micros),
        ..DnsReport::default()
    }
}

/// The name of the first address that tells one. Half of the time is left to ask for it.
fn name_of_any(asker: &mut Asker, addresses: &[Ipv6Addr]) -> Option<Name> {
    let questions: Vec<Question> = addresses
        .iter()
        .take(MOST_NAMES)
        .map(|address| Question {
            name: Name::of_address(*address),
            kind: Kind::Ptr,
        })
        .collect();
    let until = asker.deadline / 2;
    let heard = asker.ask(&questions, until, |heard| {
        heard.iter().any(|heard| heard.name.is_some())
    });
    heard.into_iter().find_map(|heard| heard.name)
}

impl DnsReport {
    fn has_aaaa(&self) -> bool {
        matches!(self.aaaa, DnsAnswer::Addresses(_))
    }
}

#[cfg(test)]
mod tests;
