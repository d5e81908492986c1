//! Reports in, verdict and cause out. Pure.

use super::observe::{Observation, TargetSeen};
use super::{Check, Evidence, Outcome, Report, RoundTrips, Vantage, Verification, Weakness};
use crate::diagnose::{Code, Cure, Finding, Severity, Wanted, obstacle};
use crate::facts::RouteKind;
use crate::hostile::plain;
use crate::probe::echo::EchoOutcome;
use crate::probe::icmp_error::ErrorSeen;
use crate::probe::tcp::TcpOutcome;

pub(super) const ICMP6: &str = "icmp6";
const TCP6: &str = "tcp6";

/// Findings without which there is no dockerd to look at.
const DOWN: &[Code] = &[
    Code::UnitMissing,
    Code::UnitStartLimit,
    Code::UnitNotRunning,
    Code::DaemonJsonInvalid,
];

/// Findings that explain a netns without IPv6.
const NETNS: &[Code] = &[
    Code::StartedBeforeIpv6,
    Code::DriverWithoutIpv6,
    Code::Ipv6FlagMissing,
    Code::RootlesskitWithoutIpv6Config,
];

/// Findings that explain echoes lost behind pasta while TCP passes.
const NETNS_ICMP: &[Code] = &[Code::DriverWithoutIcmp6, Code::HostPingGroupRange];

/// Findings that explain a container without IPv6 in a netns that has it.
const CONTAINER: &[Code] = &[
    Code::IptablesOff,
    Code::BridgeWithoutIpv6,
    Code::Ip6tablesOff,
    Code::SubnetCollides,
];

/// Judges the reports of the vantage points that were asked for, in the light of the others and of
/// the findings.
pub fn judge(evidence: &Evidence, asked: &[Vantage], findings: &[Finding]) -> Verification {
    let host = evidence
        .reports
        .iter()
        .find(|(vantage, _)| *vantage == Vantage::Host)
        .and_then(|(_, report)| report.as_ref().ok());
    let elsewhere = findings.iter().find(|finding| finding.is_elsewhere());
    let down = DOWN.iter().any(|code| has(findings, *code));
    let silent = |vantage: &Vantage| match (vantage, elsewhere) {
        (Vantage::Netns, Some(_)) => Outcome::Skip,
        (_, None) if down => Outcome::Fail,
        _ => Outcome::Unknown,
    };
    let judged: Vec<Judged> = evidence
        .reports
        .iter()
        .map(|(vantage, report)| Judged::new(vantage, report, host, silent(vantage)))
        .collect();
    let first_to_fail = judged
        .iter()
        .find(|judged| judged.fails())
        .map(|judged| match elsewhere {
            Some(finding) if *judged.vantage != Vantage::Host => finding.code,
            _ => judged.cause(findings),
        });
    let checks: Vec<Check> = judged
        .into_iter()
        .filter(|judged| asked.contains(judged.vantage))
        .flat_map(|judged| [judged.icmp6, judged.tcp6])
        .collect();
    let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
    let verdict = if any(Outcome::Fail) {
        Outcome::Fail
    } else if any(Outcome::Unknown) || !any(Outcome::Pass) {
        Outcome::Unknown
    } else {
        Outcome::Pass
    };
    let cause = match verdict {
        Outcome::Fail => first_to_fail,
        Outcome::Unknown => elsewhere.map(|finding| finding.code),
        _ => None,
    };
    let beside = findings
        .iter()
        .find(|finding| finding.code == Code::ContextElsewhere && !finding.is_elsewhere());
    Verification {
        verdict,
        cause,
        explanation: cause.map(|cause| explain(cause, findings)),
        note: beside.map(|finding| finding.title.clone()),
        checks,
        weak: weak(findings, cause),
    }
}

fn weak(findings: &[Finding], cause: Option<Code>) -> Vec<Weakness> {
    findings
        .iter()
        .filter(|finding| finding.severity == Severity::Weak && Some(finding.code) != cause)
        .map(|finding| Weakness {
            code: finding.code,
            severity: finding.severity,
            explanation: explain(finding.code, findings),
        })
        .collect()
}

fn has(findings: &[Finding], code: Code) -> bool {
    findings.iter().any(|finding| finding.code == code)
}

/// One vantage point with its two checks.
struct Judged<'a> {
    vantage: &'a Vantage,
    report: &'a Report,
    icmp6: Check,
    tcp6: Check,
}

impl<'a> Judged<'a> {
    fn new(
        vantage: &'a Vantage,
        report: &'a Report,
        host: Option<&Observation>,
        silent: Outcome,
    ) -> Self {
        let (icmp6, tcp6) = match report {
            Ok(seen) => (icmp6(vantage, seen), tcp6(vantage, seen, host)),
            Err(why) => (
                not_observed(vantage, ICMP6, why, silent),
                not_observed(vantage, TCP6, why, silent),
            ),
        };
        Self {
            vantage,
            report,
            icmp6,
            tcp6,
        }
    }

    fn fails(&self) -> bool {
        self.icmp6.outcome == Outcome::Fail || self.tcp6.outcome == Outcome::Fail
    }

    fn cause(&self, findings: &[Finding]) -> Code {
        // A vantage point that reported is not down, whatever else is found.
        let down = if self.report.is_err() { DOWN } else { &[] };
        let first = |codes: &[Code]| codes.iter().copied().find(|code| has(findings, *code));
        let only_icmp = self.tcp6.outcome == Outcome::Pass;
        let forged = self.report.as_ref().is_ok_and(|seen| {
            seen.targets
                .iter()
                .any(|target| target.echo.control_answered)
        });
        if forged {
            return Code::ForgedReplies;
        }
        let known = match self.vantage {
            Vantage::Host if only_icmp => Some(Code::IcmpFiltered),
            Vantage::Host if self.has_no_route() => {
                first(&[Code::HostIpv6Disabled]).or(Some(Code::HostNoIpv6Route))
            }
            Vantage::Host => Some(Code::HostIpv6Unreachable),
            _ if only_icmp => first(down)
                .or_else(|| first(NETNS_ICMP))
                .or(Some(Code::IcmpFiltered)),
            Vantage::Netns => first(down).or_else(|| first(NETNS)),
            Vantage::Container | Vantage::OnNetwork(_) | Vantage::InContainer(_)
                if self.has_no_route() =>
            {
                first(down)
                    .or_else(|| first(&[Code::BridgeWithoutIpv6]))
                    .or(Some(Code::NetworkWithoutIpv6))
            }
            Vantage::Container | Vantage::OnNetwork(_) | Vantage::InContainer(_) => {
                first(down).or_else(|| first(CONTAINER))
            }
        };
        known.unwrap_or(match self.vantage {
            Vantage::Host => Code::HostIpv6Unreachable,
            Vantage::Netns => Code::NetnsUnreachable,
            _ => Code::ContainerUnreachable,
        })
    }

    fn has_no_route(&self) -> bool {
        self.report.as_ref().is_ok_and(|seen| {
            seen.targets
                .iter()
                .all(|target| target.route.kind == RouteKind::None)
        })
    }
}

fn check(vantage: &Vantage, proto: &'static str) -> Check {
    let from = vantage.id();
    Check {
        id: format!("{from}.internet.{proto}"),
        from,
        to: None,
        proto,
        outcome: Outcome::Unknown,
        why: None,
        rtt_ms: None,
        sent: 0,
        received: 0,
    }
}

fn not_observed(vantage: &Vantage, proto: &'static str, why: &str, outcome: Outcome) -> Check {
    Check {
        outcome,
        why: Some(plain(why)),
        ..check(vantage, proto)
    }
}

/// Judges every target and keeps the best result: one target that answers is enough.
fn best(
    vantage: &Vantage,
    proto: &'static str,
    seen: &Observation,
    judge: impl Fn(&TargetSeen, &mut Check),
) -> Check {
    seen.targets
        .iter()
        .map(|target| {
            let mut check = check(vantage, proto);
            check.to = Some(target.target);
            judge(target, &mut check);
            if let Some(why) = target
                .proves_nothing()
                .filter(|_| check.outcome == Outcome::Pass)
            {
                check.outcome = Outcome::Unknown;
                check.why = Some(why.to_owned());
            }
            check
        })
        .min_by_key(|check| match check.outcome {
            Outcome::Pass => 0,
            Outcome::Fail => 1,
            Outcome::Unknown => 2,
            Outcome::Skip => 3,
        })
        .unwrap_or_else(|| check(vantage, proto))
}

fn icmp6(vantage: &Vantage, seen: &Observation) -> Check {
    best(vantage, ICMP6, seen, |target, check| {
        let echo = &target.echo;
        check.sent = echo.sent;
        check.received = echo.received;
        check.rtt_ms = round_trips(&echo.rtt_us);
        (check.outcome, check.why) = match echo.outcome {
            _ if echo.control_answered => (
                Outcome::Fail,
                Some("somebody also answers for an address that does not exist".to_owned()),
            ),
            EchoOutcome::Answered => (Outcome::Pass, loss(echo.sent, echo.received)),
            EchoOutcome::NoSocket => (Outcome::Unknown, Some(plain(&echo.socket_notes.join("; ")))),
            EchoOutcome::Error => (Outcome::Fail, Some(errors(&echo.errors))),
            EchoOutcome::Silent => (
                Outcome::Fail,
                Some(
                    no_route(target)
                        .unwrap_or_else(|| format!("no answer to {} echoes", echo.sent)),
                ),
            ),
        };
    })
}

/// A target that takes no connection from the host either says nothing about the way to it.
fn tcp6(vantage: &Vantage, seen: &Observation, host: Option<&Observation>) -> Check {
    best(vantage, TCP6, seen, |target, check| {
        check.sent = target.tcp.ports.iter().map(|port| port.tries).sum();
        let no_listener = host
            .and_then(|host| {
                host.targets
                    .iter()
                    .find(|seen| seen.target == target.target)
            })
            .is_some_and(takes_no_connection);
        (check.outcome, check.why) = match &target.tcp.outcome {
            TcpOutcome::Connected { port, micros } => {
                check.received = 1;
                check.rtt_ms = round_trips(&[*micros]);
                (Outcome::Pass, Some(format!("port {port}")))
            }
            _ if no_listener => (
                Outcome::Skip,
                Some(
                    "the target takes no TCP connection on these ports, from the host neither"
                        .to_owned(),
                ),
            ),
            TcpOutcome::Refused if host.is_none() || *vantage == Vantage::Host => (
                Outcome::Skip,
                Some("the target refuses TCP connections on these ports".to_owned()),
            ),
            TcpOutcome::Refused => (Outcome::Fail, Some("connection refused".to_owned())),
            TcpOutcome::Unreachable(why) => (Outcome::Fail, Some(plain(why))),
            TcpOutcome::Silent => (
                Outcome::Fail,
                Some(no_route(target).unwrap_or_else(|| "no answer".to_owned())),
            ),
            TcpOutcome::Failed(why) => (Outcome::Unknown, Some(plain(why))),
        };
    })
}

fn takes_no_connection(host: &TargetSeen) -> bool {
    let echoes = host.echo.outcome == EchoOutcome::Answered && !host.echo.control_answered;
    match host.tcp.outcome {
        TcpOutcome::Refused => true,
        TcpOutcome::Silent => echoes,
        _ => false,
    }
}

fn no_route(target: &TargetSeen) -> Option<String> {
    (target.route.kind == RouteKind::None).then(|| "no route".to_owned())
}

fn loss(sent: u32, received: u32) -> Option<String> {
    (received < sent).then(|| format!("{received} of {sent} echoes answered"))
}

fn errors(errors: &[ErrorSeen]) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in errors {
        let from = error
            .offender
            .map(|offender| format!(" (from {offender})"))
            .unwrap_or_default();
        let word = plain(&format!("{}{from}", error.kind));
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

fn round_trips(micros: &[u64]) -> Option<RoundTrips> {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a round trip are few"
    )]
    let ms = |micros: u64| micros as f64 / 1000.0;
    Some(RoundTrips {
        min: ms(*sorted.first()?),
        median: ms(*sorted.get(sorted.len() / 2)?),
        max: ms(*sorted.last()?),
    })
}

/// The cause in words: the finding's own, else what the probes showed.
fn explain(cause: Code, findings: &[Finding]) -> String {
    if let Some(finding) = findings.iter().find(|finding| finding.code == cause) {
        return match &finding.cure {
            Cure::Setup => match obstacle(findings, Wanted::best(findings)) {
                Ok(()) => format!("{}; `rootless6 setup` changes that", finding.title),
                Err(in_the_way) => format!("{}; {}", finding.title, in_the_way.message),
            },
            Cure::Root(lines) => format!("{}; as root: `{}`", finding.title, lines.join(" && ")),
            Cure::Words(words) => format!(
                "{}; {}",
                finding.title,
                words.trim_end().replace('\n', "; ")
            ),
        };
    }
    match cause {
        Code::HostNoIpv6Route => "the host itself has no IPv6 route to the target",
        Code::HostIpv6Unreachable => {
            "the host itself does not reach the target: mend its IPv6 first, or choose another `--target`"
        }
        Code::IcmpFiltered => "TCP passes and ICMPv6 echo does not: something on the way filters it",
        Code::ForgedReplies => {
            "echo replies are forged: an address that does not exist answers as well"
        }
        Code::NetnsUnreachable => {
            "the host reaches the target and RootlessKit's netns does not: see `journalctl --user -u docker.service -n 50`"
        }
        Code::NetworkWithoutIpv6 => {
            "the container's network has no IPv6: make it again with `docker network create --ipv6 NAME`"
        }
        _ => "the container does not reach the target, and nothing in the settings explains it",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
