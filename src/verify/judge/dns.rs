//! Whether the resolver that a container asks tells IPv6 addresses.

use std::net::IpAddr;

use super::Case;
use crate::hostile::plain;
use crate::probe::dns::{DnsAnswer, DnsReport};
use crate::verify::observe::Observation;
use crate::verify::{Check, Outcome, RoundTrips, Vantage};

/// Judged beside the host's own resolver: a name that has no IPv6 address there either proves
/// nothing.
pub(super) fn check(case: &Case<'_>, check: Check, seen: &Observation) -> Check {
    let Some(report) = &seen.dns else {
        return check.ends(Outcome::Unknown, "no resolver was asked".to_owned());
    };
    let check = Check {
        to: report.server,
        sent: report.sent,
        received: report.received,
        rtt_ms: RoundTrips::of_micros(report.rtt_us.as_slice()),
        ..check
    };
    let why = match &report.aaaa {
        _ if tells(&report.aaaa) && report.received > 0 => return check.ends(Outcome::Pass, None),
        DnsAnswer::NotAsked => {
            return check.ends(Outcome::Unknown, "no resolver was asked".to_owned());
        }
        DnsAnswer::Failed(why) => return check.ends(Outcome::Unknown, plain(why)),
        answer => words(report, answer),
    };
    match hosts(case) {
        Some(true) => check.ends(Outcome::Fail, why),
        // Without the host beside it: a name that is asked for has an IPv6 address, so that one
        // which exists with IPv4 ones alone has been robbed of it.
        None if matches!(report.a, DnsAnswer::Addresses(_)) => check.ends(Outcome::Fail, why),
        None => check.ends(Outcome::Unknown, why),
        Some(false) => check.ends(
            Outcome::Skip,
            format!("{why}; the host's resolver tells none either"),
        ),
    }
}

/// Whether the host's resolver tells an IPv6 address; none where nobody knows.
fn hosts(case: &Case<'_>) -> Option<bool> {
    match &case.seen(&Vantage::Host)?.dns.as_ref()?.aaaa {
        DnsAnswer::NotAsked | DnsAnswer::Failed(_) => None,
        answer => Some(tells(answer)),
    }
}

/// Whether there is an address in it that somebody may have: some resolvers give `::` for what
/// they block.
fn tells(answer: &DnsAnswer) -> bool {
    let DnsAnswer::Addresses(addresses) = answer else {
        return false;
    };
    addresses.iter().any(|address| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            !address.is_unspecified()
                && !address.is_loopback()
                && address.to_ipv4_mapped().is_none()
        }
    })
}

fn words(report: &DnsReport, answer: &DnsAnswer) -> String {
    let name = plain(report.name.as_deref().unwrap_or("the name"));
    let words = match answer {
        DnsAnswer::NoSuchName => format!("the resolver knows no {name}"),
        DnsAnswer::Refused(why) => format!("the resolver says of {name}: {why}"),
        DnsAnswer::Silent if matches!(report.a, DnsAnswer::Addresses(_)) => {
            format!("the resolver tells IPv4 addresses of {name}, and is silent on IPv6 ones")
        }
        DnsAnswer::Unreachable(why) => format!("no question gets to the resolver at {why}"),
        DnsAnswer::Silent => "the resolver does not answer".to_owned(),
        DnsAnswer::Addresses(_) => {
            format!("the resolver tells an address of {name} that nobody can have")
        }
        _ => format!("the resolver tells no IPv6 address of {name}"),
    };
    plain(&words)
}
