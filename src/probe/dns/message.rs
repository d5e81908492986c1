//! DNS messages as bytes (RFC 1035 section 4; AAAA: RFC 3596). Pure.
//!
//! An answer is an attacker's until proven ours, and what it says is bounded: a compression pointer
//! leads backwards only, a chain of aliases has an end, and no more records are read than a message
//! of 64 KB holds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::Name;

/// A header's length.
const HEADER_BYTES: usize = 12;
/// Aliases that are followed, as glibc's and most resolvers' own limit.
const LONGEST_CHAIN: usize = 16;
/// Addresses that are kept: nobody connects to more.
const MOST_ADDRESSES: usize = 32;

const CLASS_INTERNET: u16 = 1;
const CNAME: u16 = 5;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
    Ptr,
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ptr => 12,
            Self::Aaaa => 28,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub name: Name,
    pub kind: Kind,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Addresses(Vec<IpAddr>),
    /// To a PTR question.
    Name(Name),
    NoRecords,
    NoSuchName,
    /// Any other response code, or an answer that makes no sense, in words.
    Refused(String),
    /// The rest did not fit the datagram.
    Truncated,
}

/// The bytes of a question, with the wish that the resolver asks on.
pub(super) fn encode(id: u16, question: &Question) -> Vec<u8> {
    const RECURSION_DESIRED: u16 = 0x0100;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 260);
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(question.name.wire());
    bytes.extend(question.kind.number().to_be_bytes());
    bytes.extend(CLASS_INTERNET.to_be_bytes());
    bytes
}

/// Reads an answer; none when it is not one to this question.
pub(super) fn decode(id: u16, question: &Question, bytes: &[u8]) -> Option<Said> {
    let mut reader = Reader { bytes, at: 0 };
    let header = [(); 6].map(|()| reader.word());
    let [
        Some(said_id),
        Some(flags),
        Some(questions),
        Some(answers),
        Some(_),
        Some(_),
    ] = header
    else {
        return None;
    };
    let is_response = flags & 0x8000 != 0 && flags & 0x7800 == 0;
    if said_id != id || !is_response {
        return None;
    }
    let (is_truncated, code) = (flags & 0x0200 != 0, flags & 0x000f);
    if questions == 0 && !matches!(code, 0 | 3) {
        // Who could not read the question does not repeat it.
        return Some(Said::Refused(response_code(code)));
    }
    let asked = (reader.name()?, reader.word()?, reader.word()?);
    let expected = (
        question.name.clone(),
        question.kind.number(),
        CLASS_INTERNET,
    );
    if questions != 1 || asked != expected {
        return None;
    }
    Some(match code {
        0 => records(&mut reader, answers, question, is_truncated),
        3 => Said::NoSuchName,
        code => Said::Refused(response_code(code)),
    })
}

/// The records of the answer section, up to the first that cannot be read.
fn records(reader: &mut Reader, count: u16, question: &Question, is_truncated: bool) -> Said {
    let mut records = Vec::new();
    for _ in 0..count {
        let Some(record) = reader.record() else {
            break;
        };
        records.push(record);
    }
    let whole = records.len() == usize::from(count);
    match resolve(&records, question) {
        // What was found is found, whatever is missing behind it.
        Said::NoRecords if is_truncated => Said::Truncated,
        Said::NoRecords if !whole => Said::Refused("an answer that cannot be read".to_owned()),
        said => said,
    }
}

/// Follows the aliases from the name that was asked for to the records of the type.
fn resolve(records: &[Record], question: &Question) -> Said {
    let mut name = &question.name;
    for _ in 0..=LONGEST_CHAIN {
        let of_it = || records.iter().filter(|record| record.owner == *name);
        let addresses: Vec<IpAddr> = of_it()
            .filter_map(|record| record.data.address(question.kind))
            .take(MOST_ADDRESSES)
            .collect();
        if !addresses.is_empty() {
            return Said::Addresses(addresses);
        }
        if question.kind == Kind::Ptr
            && let Some(found) = of_it().find_map(|record| record.data.pointed_to())
        {
            return Said::Name(found.clone());
        }
        match of_it().find_map(|record| record.data.alias()) {
            Some(alias) => name = alias,
            None => return Said::NoRecords,
        }
    }
    Said::Refused("aliases (CNAME) that lead in a circle".to_owned())
}

/// RFC 1035 section 4.1.1, RFC 6895 section 2.3.
fn response_code(code: u16) -> String {
    match code {
        1 => "format error".to_owned(),
        2 => "server failure".to_owned(),
        4 => "not implemented".to_owned(),
        5 => "refused".to_owned(),
        other => format!("response code {other}"),
    }
}

#[derive(Debug)]
struct Record {
    owner: Name,
    data: Data,
}

#[derive(Debug)]
enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Alias(Name),
    PointsTo(Name),
    Other,
}

impl Data {
    /// The address, if it is of the kind. The unspecified one is how some filters say no.
    fn address(&self, kind: Kind) -> Option<IpAddr> {
        let address = match (self, kind) {
            (Self::A(address), Kind::A) => IpAddr::V4(*address),
            (Self::Aaaa(address), Kind::Aaaa) => IpAddr::V6(*address),
            _ => return None,
        };
        (!address.is_unspecified()).then_some(address)
    }

    fn alias(&self) -> Option<&Name> {
        match self {
            Self::Alias(name) => Some(name),
            _ => None,
        }
    }

    fn pointed_to(&self) -> Option<&Name> {
        match self {
            Self::PointsTo(name) => Some(name),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn word(&mut self) -> Option<u16> {
        let word = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += 2;
        Some(u16::from_be_bytes(*word))
    }

    fn name(&mut self) -> Option<Name> {
        let (name, end) = Name::read(self.bytes, self.at)?;
        self.at = end;
        Some(name)
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let kind = self.word()?;
        let class = self.word()?;
        // The time to live: nothing is kept.
        let _ = (self.word()?, self.word()?);
        let length = usize::from(self.word()?);
        let start = self.at;
        self.at = start.checked_add(length)?;
        let data = self.bytes.get(start..self.at)?;
        if class != CLASS_INTERNET {
            return Some(Record {
                owner,
                data: Data::Other,
            });
        }
        let name = || Name::read(self.bytes, start).map(|(name, _)| name);
        let data = match kind {
            1 => Data::A(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?)),
            28 => Data::Aaaa(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)),
            CNAME => Data::Alias(name()?),
            12 => Data::PointsTo(name()?),
            _ => Data::Other,
        };
        Some(Record { owner, data })
    }
}

#[cfg(test)]
mod tests;
