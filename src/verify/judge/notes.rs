//! What is worth knowing beside the verdict.

use std::net::{IpAddr, Ipv6Addr};

use super::{Case, DOWN, explain};
use crate::diagnose::{Code, Finding, Severity};
use crate::verify::{Check, Outcome, Vantage, Weakness};

/// That `docker` leads to another Engine than the one that was looked at, if it does.
pub(super) fn beside(findings: &[Finding]) -> Option<String> {
    let beside = findings
        .iter()
        .find(|finding| finding.code == Code::ContextElsewhere && !finding.is_elsewhere());
    beside.map(|finding| finding.title.clone())
}

/// Why dockerd is down where something else is the cause, findings that are weak, settings that the next start may lose, and what the checks themselves show.
/// Of networks that are not there yet nothing is said while something else is amiss.
pub(super) fn weak(case: &Case<'_>, cause: Option<Code>, checks: &[Check]) -> Vec<Weakness> {
    let is_down = cause.is_some() && is_silent(case, checks);
    let weak = case.findings.iter().filter(|finding| {
        let matters = finding.severity == Severity::Weak
            || finding.code == Code::SettingsDrifted
            || (is_down && DOWN.contains(&finding.code));
        let can_wait = finding.code == Code::NewNetworksWithoutIpv6 && cause.is_some();
        matters && !can_wait && Some(finding.code) != cause
    });
    let weak = weak.map(|finding| {
        let blame = explain::finding(case, finding.code);
        let words: Vec<String> = blame.why.into_iter().chain(blame.hints).collect();
        Weakness {
            code: finding.code,
            severity: finding.severity,
            explanation: words.join("; "),
        }
    });
    weak.chain(prefers_ipv4(case, checks)).collect()
}

/// Whether a vantage point that dockerd brings about fails because nobody is there.
fn is_silent(case: &Case<'_>, checks: &[Check]) -> bool {
    let fails = |vantage: &Vantage| {
        let mut of_it = checks.iter().filter(|check| check.from == vantage.id());
        of_it.any(|check| check.outcome == Outcome::Fail)
    };
    let mut reports = case.evidence.reports.iter();
    reports.any(|(vantage, report)| *vantage != Vantage::Host && report.is_err() && fails(vantage))
}

/// getaddrinfo(3) sorts by RFC 6724: the label of a unique local source (13) is not that of a
/// global target (1), while IPv4 matches IPv4 (rule 5), and its precedence is 3 against 35.
fn prefers_ipv4(case: &Case<'_>, checks: &[Check]) -> Option<Weakness> {
    let fails = |check: &Check| {
        let same = checks
            .iter()
            .filter(|other| other.from == check.from && other.what.is_reach());
        same.clone().any(|other| other.outcome == Outcome::Fail)
    };
    let source = checks
        .iter()
        .filter(|check| !fails(check))
        .find_map(|check| {
            let passes = check.what.is_reach() && check.outcome == Outcome::Pass;
            let reaches = passes.then_some(check.to).flatten()?;
            unique_local_source(case, &check.from, reaches)
        })?;
    Some(Weakness {
        code: Code::PrefersIpv4,
        severity: Severity::Note,
        explanation: format!(
            "names with both addresses are reached over IPv4: the container's {source} is \
             unique local, which RFC 6724 ranks behind IPv4; `curl -6` uses IPv6, \
             /etc/gai.conf in an image changes the order"
        ),
    })
}

/// The container's source, if it is unique local and there is IPv4 beside it.
fn unique_local_source(case: &Case<'_>, from: &str, to: IpAddr) -> Option<Ipv6Addr> {
    let (_, seen) = case.all_seen().find(|(vantage, _)| {
        !matches!(vantage, Vantage::Host | Vantage::Netns) && vantage.id() == from
    })?;
    if !seen.tcp4.as_ref()?.routed {
        return None;
    }
    let target = seen
        .targets
        .iter()
        .find(|target| IpAddr::V6(target.target) == to)?;
    let source = target.source?;
    source.is_unique_local().then_some(source)
}
