//! A port that a container publishes, at each of the host's own addresses.

use std::net::Ipv4Addr;

use super::Case;
use crate::diagnose::Code;
use crate::hostile::plain;
use crate::verify::published::{Published, PublishedAnswer, PublishedPath};
use crate::verify::{Check, Outcome, PathSeen, RoundTrips, Vantage, What};

pub(super) fn checks(case: &Case<'_>) -> Vec<Check> {
    let families = [What::Published6, What::Published4];
    let checks = families.map(|what| Check::new(&Vantage::Host, what));
    let judged = checks.map(|check| match &case.evidence.published {
        Some(Ok(published)) => judged(case, check, published),
        Some(Err(why)) => check.ends(case.silence(&Vantage::Container), plain(why)),
        None => check.ends(Outcome::Unknown, "no port was published".to_owned()),
    });
    judged.into()
}

/// The Engine names the container's endpoint, at length, before it says why.
fn reason(why: &str) -> &str {
    let endpoint = why.split_once("external connectivity on endpoint ");
    let reason = endpoint.and_then(|(_, rest)| rest.split_once("): "));
    reason.map_or(why, |(_, reason)| reason)
}

/// One address at which nobody answers is enough for a failure, and the first such is told.
fn judged(case: &Case<'_>, check: Check, published: &Published) -> Check {
    if let Some(why) = &published.refused {
        let why = format!("the Engine refuses to publish one: {}", reason(why));
        return check.ends(Outcome::Fail, plain(&why));
    }
    let is_of_family =
        |path: &&PublishedPath| path.to.is_ipv6() == (check.what == What::Published6);
    let paths: Vec<&PublishedPath> = published.paths.iter().filter(is_of_family).collect();
    // pasta forwards nothing of a family that the host has no address of.
    let is_loopback_alone = paths.iter().all(|path| path.to == Ipv4Addr::LOCALHOST);
    let outcome = |path: &PublishedPath| match path.answer {
        PublishedAnswer::Container { .. } => Outcome::Pass,
        _ if is_loopback_alone => Outcome::Skip,
        _ => Outcome::Fail,
    };
    let dead = paths.iter().find(|path| outcome(path) != Outcome::Pass);
    let Some(told) = dead.or(paths.first()) else {
        return nothing_tried(case, check);
    };
    let mut round_trips = Vec::new();
    let mut seen = Vec::new();
    for path in &paths {
        let mut source = None;
        if let PublishedAnswer::Container {
            source: from,
            micros,
        } = path.answer
        {
            source = Some(from);
            round_trips.push(micros);
        }
        seen.push(PathSeen {
            to: path.to,
            outcome: outcome(path),
            source,
        });
    }
    let dead = paths.iter().filter(|path| outcome(path) != Outcome::Pass);
    let why: Vec<String> = dead.map(|path| words(path)).collect();
    let (outcome, why) = if why.is_empty() {
        (Outcome::Pass, None)
    } else if is_loopback_alone {
        let why = format!(
            "this host has no IPv4 address to forward from: {}",
            why.join("; ")
        );
        (Outcome::Skip, Some(why))
    } else {
        (Outcome::Fail, Some(why.join("; ")))
    };
    Check {
        to: Some(told.to),
        sent: paths.iter().map(|path| path.tries).sum(),
        received: u32::try_from(round_trips.len()).unwrap_or(u32::MAX),
        rtt_ms: RoundTrips::of_micros(&round_trips),
        paths: seen,
        ..check.ends(outcome, why)
    }
}

fn nothing_tried(case: &Case<'_>, check: Check) -> Check {
    if check.what == What::Published6 && case.has(Code::HostIpv6Disabled) {
        return check.ends(
            Outcome::Skip,
            "the host has no IPv6 to answer on".to_owned(),
        );
    }
    check.ends(
        Outcome::Unknown,
        "no address of the host was tried".to_owned(),
    )
}

fn words(path: &PublishedPath) -> String {
    let to = path.to;
    match &path.answer {
        PublishedAnswer::Container { .. } => format!("{to} answers"),
        PublishedAnswer::Stranger => format!("somebody else answers on {to}"),
        PublishedAnswer::Refused => format!("{to} refuses"),
        PublishedAnswer::Silent => format!("{to} does not answer"),
        PublishedAnswer::Unreachable(why) => format!("{to}: {}", plain(why)),
    }
}
