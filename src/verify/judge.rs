//! Reports in, verdict and cause out. Pure.
//!
//! Nothing passes but what was proved; what was not looked at is unknown, and only what cannot
//! matter is skipped. The vantage points are judged in each other's light: see [`cause`].

use super::observe::Observation;
use super::{Check, Evidence, Outcome, Report, Vantage, Verification, What};
use crate::diagnose::{Code, Finding};
use crate::facts::Engine;
use crate::hostile::plain;

mod cause;
mod dns;
mod echo;
mod explain;
mod internet;
mod ipv4;
mod notes;
mod path_mtu;
mod peer;
mod published;

/// Findings without which there is no dockerd to look at.
const DOWN: &[Code] = &[
    Code::UnitMissing,
    Code::UnitStartLimit,
    Code::UnitNotRunning,
    Code::DaemonJsonInvalid,
];

/// Judges the reports of the vantage points that were asked for, in the light of the others and of
/// the findings.
pub fn judge(evidence: &Evidence, asked: &[Vantage], findings: &[Finding]) -> Verification {
    let case = Case { evidence, findings };
    let judged: Vec<Judged> = evidence
        .reports
        .iter()
        .map(|(vantage, report)| Judged {
            vantage,
            is_asked: asked.contains(vantage),
            checks: checks(&case, vantage, report),
        })
        .collect();
    let both = [Vantage::Host, Vantage::Container]
        .iter()
        .all(|vantage| asked.contains(vantage));
    let published = if both {
        published::checks(&case)
    } else {
        Vec::new()
    };
    let verdict = verdict(&case, asked, &judged, &published);
    let blame = cause::blame(&case, verdict, &judged, &published);
    let checks: Vec<Check> = judged
        .into_iter()
        .filter(|judged| judged.is_asked)
        .flat_map(|judged| judged.checks)
        .chain(published)
        .collect();
    Verification {
        verdict,
        cause: blame.code,
        explanation: blame.why,
        hints: blame.hints,
        note: notes::beside(findings),
        since_setup: None,
        host_loses_large_packets: case
            .seen(&Vantage::Host)
            .and_then(|host| host.path_mtu.as_ref())
            .is_some_and(|(_, report)| path_mtu::fails(report)),
        weak: notes::weak(&case, blame.code, &checks),
        checks,
    }
}

/// Whether IPv4 got there; none where nobody knows.
pub(super) fn ipv4_works(seen: &Observation) -> Option<bool> {
    ipv4::works(seen.tcp4.as_ref()?)
}

/// One vantage point with its checks.
struct Judged<'a> {
    vantage: &'a Vantage,
    is_asked: bool,
    checks: Vec<Check>,
}

impl Judged<'_> {
    fn outcome(&self, what: What) -> Option<Outcome> {
        let check = self.checks.iter().find(|check| check.what == what);
        check.map(|check| check.outcome)
    }

    /// Whether it gets to the Internet by one way at least.
    fn is_proved(&self) -> bool {
        [What::Echo, What::Tcp]
            .iter()
            .any(|what| self.outcome(*what) == Some(Outcome::Pass))
    }
}

/// What every check is judged by.
#[derive(Clone, Copy)]
struct Case<'a> {
    evidence: &'a Evidence,
    findings: &'a [Finding],
}

impl<'a> Case<'a> {
    /// What this vantage point has reported, if it has.
    fn seen(&self, vantage: &Vantage) -> Option<&'a Observation> {
        let mut reports = self.evidence.reports.iter();
        reports.find(|(known, _)| known == vantage)?.1.as_ref().ok()
    }

    /// All that was reported.
    fn all_seen(&self) -> impl Iterator<Item = (&'a Vantage, &'a Observation)> {
        let reports = self.evidence.reports.iter();
        reports.filter_map(|(vantage, report)| Some((vantage, report.as_ref().ok()?)))
    }

    fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    /// The first of these that was found.
    fn first(&self, codes: &[Code]) -> Option<Code> {
        codes.iter().copied().find(|code| self.has(*code))
    }

    /// Why there is no RootlessKit of this user's to look at, if that is so.
    fn elsewhere(&self) -> Option<&'a Finding> {
        self.findings.iter().find(|finding| finding.is_elsewhere())
    }

    /// Whether there is no docker0 to start a container on.
    fn is_without_docker0(&self) -> bool {
        let engine = self.evidence.engine.as_ref();
        engine.is_some_and(Engine::is_without_docker0)
    }

    /// Whether the containers of a network are kept from each other, as somebody has asked.
    fn keeps_apart(&self, vantage: &Vantage) -> bool {
        let name = match vantage {
            Vantage::Container => "bridge",
            Vantage::OnNetwork(name) => name,
            _ => return false,
        };
        let engines = self.evidence.engine.iter();
        engines
            .flat_map(|engine| &engine.networks)
            .any(|network| network.name == name && network.keeps_apart)
    }

    /// What it means that a vantage point has not reported.
    fn silence(&self, vantage: &Vantage) -> Outcome {
        match (vantage, self.elsewhere()) {
            (Vantage::Netns, Some(_)) => Outcome::Skip,
            (Vantage::Container, None) if self.is_without_docker0() => Outcome::Skip,
            (Vantage::Host, _) | (_, Some(_)) => Outcome::Unknown,
            (_, None) if self.first(DOWN).is_some() => Outcome::Fail,
            _ => Outcome::Unknown,
        }
    }
}

/// What is checked from a vantage point.
fn whats(vantage: &Vantage) -> &'static [What] {
    use What::{Echo, Names, PathMtu, Peer, Tcp, Tcp4};
    match vantage {
        Vantage::Host => &[Echo, Tcp],
        Vantage::Netns => &[Echo, Tcp, PathMtu],
        Vantage::Container => &[Echo, Tcp, PathMtu, Tcp4, Names, Peer],
        Vantage::OnNetwork(_) => &[Echo, Tcp, PathMtu, Names, Peer],
        Vantage::InContainer(_) => &[Echo, Tcp, PathMtu, Names],
    }
}

fn checks(case: &Case<'_>, vantage: &Vantage, report: &Report) -> Vec<Check> {
    let seen = match report {
        Ok(seen) => seen,
        Err(why) => {
            let checks = whats(vantage).iter().map(|what| Check::new(vantage, *what));
            let silence = case.silence(vantage);
            return checks
                .map(|check| check.ends(silence, plain(why)))
                .collect();
        }
    };
    let echo = internet::echo(case, vantage, seen);
    let others = whats(vantage).iter().skip(1).map(|what| {
        let check = Check::new(vantage, *what);
        match what {
            What::Tcp => internet::tcp(case, vantage, seen),
            What::PathMtu => path_mtu::check(case, check, seen, echo.outcome),
            What::Tcp4 => ipv4::check(case, check, seen),
            What::Names => dns::check(case, check, seen),
            What::Peer => peer::check(check, seen, case.keeps_apart(vantage)),
            What::Echo | What::Published6 | What::Published4 => check,
        }
    });
    let others: Vec<Check> = others.collect();
    std::iter::once(echo).chain(others).collect()
}

/// Fail beats unknown, and unknown beats pass. Each vantage point has to prove that it gets out;
/// where there is no RootlessKit, there is no netns to prove anything.
fn verdict(
    case: &Case<'_>,
    asked: &[Vantage],
    judged: &[Judged<'_>],
    published: &[Check],
) -> Outcome {
    let of_asked = judged.iter().filter(|judged| judged.is_asked);
    let any = |outcome| {
        let checks = of_asked
            .clone()
            .flat_map(|judged| &judged.checks)
            .chain(published);
        checks.clone().any(|check| check.outcome == outcome)
    };
    let is_proved = |vantage: &Vantage| {
        judged
            .iter()
            .any(|judged| judged.vantage == vantage && judged.is_proved())
    };
    let is_excused = |vantage: &Vantage| match vantage {
        Vantage::Netns => case.elsewhere().is_some(),
        Vantage::Container => case.is_without_docker0(),
        _ => false,
    };
    let all_proved = asked
        .iter()
        .all(|vantage| is_proved(vantage) || is_excused(vantage));
    if any(Outcome::Fail) {
        Outcome::Fail
    } else if any(Outcome::Unknown) || !all_proved || !any(Outcome::Pass) {
        Outcome::Unknown
    } else {
        Outcome::Pass
    }
}
