use std::net::Ipv6Addr;

use super::*;
use crate::diagnose::Severity;
use crate::facts::RouteTo;
use crate::probe::echo::EchoReport;
use crate::probe::tcp::TcpReport;

const TARGET: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53);
const OTHER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x99);

fn connected() -> TcpOutcome {
    TcpOutcome::Connected {
        port: 53,
        micros: 100,
    }
}

/// A target to which the route is fine.
fn target(address: Ipv6Addr, echo: EchoOutcome, tcp: TcpOutcome) -> TargetSeen {
    let answers = u32::from(echo == EchoOutcome::Answered);
    TargetSeen {
        target: address,
        route: RouteTo {
            kind: RouteKind::Unicast,
            gateway: None,
        },
        source: None,
        echo: EchoReport {
            outcome: echo,
            sent: 1,
            received: answers,
            rtt_us: vec![100; answers as usize],
            ..EchoReport::default()
        },
        tcp: TcpReport {
            outcome: tcp,
            ports: Vec::new(),
            elapsed_us: 100,
        },
    }
}

fn good() -> TargetSeen {
    target(TARGET, EchoOutcome::Answered, connected())
}

fn silent() -> TargetSeen {
    target(TARGET, EchoOutcome::Silent, TcpOutcome::Silent)
}

fn without_route() -> TargetSeen {
    TargetSeen {
        route: RouteTo::none(),
        ..silent()
    }
}

fn seen(targets: Vec<TargetSeen>) -> Report {
    Ok(Observation {
        targets,
        ..Observation::default()
    })
}

fn found(codes: &[Code]) -> Vec<Finding> {
    codes
        .iter()
        .map(|code| Finding {
            code: *code,
            severity: Severity::Broken,
            title: String::new(),
            evidence: Vec::new(),
            cure: Cure::Setup,
        })
        .collect()
}

fn judged(host: Report, netns: Report, container: Report, codes: &[Code]) -> Verification {
    judge(
        &evidence(vec![
            (Vantage::Host, host),
            (Vantage::Netns, netns),
            (Vantage::Container, container),
        ]),
        &[Vantage::Host, Vantage::Netns, Vantage::Container],
        &found(codes),
    )
}

fn evidence(reports: Vec<(Vantage, Report)>) -> Evidence {
    Evidence {
        reports,
        ..Evidence::default()
    }
}

fn all(target: &TargetSeen) -> Verification {
    let report = || seen(vec![target.clone()]);
    judged(report(), report(), report(), &[])
}

#[test]
fn what_answers_everywhere_passes() {
    let verification = all(&good());
    assert_eq!(verification.verdict, Outcome::Pass);
    assert_eq!(verification.cause, None);
    let ids: Vec<_> = verification
        .checks
        .iter()
        .map(|check| check.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "host.internet.icmp6",
            "host.internet.tcp6",
            "netns.internet.icmp6",
            "netns.internet.tcp6",
            "container.internet.icmp6",
            "container.internet.tcp6",
        ]
    );
}

#[test]
fn an_answer_that_proves_nothing_is_no_pass() {
    let mut local = good();
    local.route.kind = RouteKind::Local;
    let mut gateway = good();
    gateway.route.gateway = Some(TARGET);
    for target in [local, gateway] {
        assert_eq!(all(&target).verdict, Outcome::Unknown);
    }
}

#[test]
fn a_control_that_answers_makes_every_answer_a_forgery() {
    let mut forged = good();
    forged.echo.control_answered = true;
    let verification = all(&forged);
    assert_eq!(verification.verdict, Outcome::Fail);
    assert_eq!(verification.cause, Some(Code::ForgedReplies));
}

#[test]
fn the_first_vantage_point_that_fails_names_the_cause() {
    let ok = || seen(vec![good()]);
    let no_way = || seen(vec![without_route()]);
    let lost = || seen(vec![silent()]);
    let only_tcp = || seen(vec![target(TARGET, EchoOutcome::Silent, connected())]);
    let everything = [
        Code::HostPingGroupRange,
        Code::DriverWithoutIpv6,
        Code::BridgeWithoutIpv6,
    ];
    let cases: [(Report, Report, Report, &[Code], Code); 12] = [
        // What keeps dockerd from its next start does not explain what is seen of a running one.
        (
            ok(),
            ok(),
            no_way(),
            &[Code::DaemonJsonInvalid, Code::BridgeWithoutIpv6],
            Code::BridgeWithoutIpv6,
        ),
        // "TCP may work" explains nothing where TCP fails too.
        (
            ok(),
            lost(),
            lost(),
            &[Code::DriverWithoutIcmp6],
            Code::NetnsUnreachable,
        ),
        (
            no_way(),
            no_way(),
            no_way(),
            &everything,
            Code::HostNoIpv6Route,
        ),
        (
            lost(),
            lost(),
            lost(),
            &everything,
            Code::HostIpv6Unreachable,
        ),
        (only_tcp(), only_tcp(), only_tcp(), &[], Code::IcmpFiltered),
        (
            ok(),
            no_way(),
            no_way(),
            &everything,
            Code::DriverWithoutIpv6,
        ),
        (
            ok(),
            only_tcp(),
            only_tcp(),
            &everything,
            Code::HostPingGroupRange,
        ),
        (
            ok(),
            only_tcp(),
            only_tcp(),
            &[Code::DriverWithoutIcmp6],
            Code::DriverWithoutIcmp6,
        ),
        (ok(), lost(), lost(), &[], Code::NetnsUnreachable),
        (
            ok(),
            ok(),
            no_way(),
            &[Code::BridgeWithoutIpv6],
            Code::BridgeWithoutIpv6,
        ),
        (ok(), ok(), no_way(), &[], Code::NetworkWithoutIpv6),
        (
            ok(),
            ok(),
            lost(),
            &[Code::Ip6tablesOff],
            Code::Ip6tablesOff,
        ),
    ];
    for (host, netns, container, codes, cause) in cases {
        let verification = judged(host, netns, container, codes);
        assert_eq!(verification.verdict, Outcome::Fail, "{cause}");
        assert_eq!(verification.cause, Some(cause));
    }
}

#[test]
fn a_target_that_takes_no_connection_from_the_host_either_is_skipped() {
    let verification = all(&target(TARGET, EchoOutcome::Answered, TcpOutcome::Refused));
    assert_eq!(verification.verdict, Outcome::Pass);
    let skipped = verification
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Skip);
    assert_eq!(skipped.count(), 3);
}

#[test]
fn a_skipped_target_does_not_hide_one_that_fails() {
    let refuses = || target(OTHER, EchoOutcome::Answered, TcpOutcome::Refused);
    let host = seen(vec![refuses(), good()]);
    let inside = || {
        let only_icmp = target(TARGET, EchoOutcome::Answered, TcpOutcome::Silent);
        seen(vec![refuses(), only_icmp])
    };
    let verification = judged(host, inside(), inside(), &[]);
    assert_eq!(verification.verdict, Outcome::Fail);
}

#[test]
fn what_could_not_be_looked_at_is_unknown_unless_dockerd_is_down() {
    let report = || Err("nobody answers".to_owned());
    let ok = || seen(vec![good()]);
    assert_eq!(
        judged(ok(), report(), report(), &[]).verdict,
        Outcome::Unknown
    );
    let down = judged(ok(), report(), report(), &[Code::UnitNotRunning]);
    assert_eq!(down.verdict, Outcome::Fail);
    assert_eq!(down.cause, Some(Code::UnitNotRunning));
}

#[test]
fn a_vantage_point_that_nobody_asked_for_explains_but_is_not_judged() {
    let asked = [Vantage::Container];
    let judged = |host, container| {
        judge(
            &evidence(vec![(Vantage::Host, host), (Vantage::Container, container)]),
            &asked,
            &[],
        )
    };
    let lost = || seen(vec![silent()]);
    let both = judged(lost(), lost());
    assert_eq!(both.cause, Some(Code::HostIpv6Unreachable));
    assert_eq!(both.checks.len(), 2);
    let host_alone = judged(lost(), seen(vec![good()]));
    assert_eq!(host_alone.verdict, Outcome::Pass);
    assert_eq!(host_alone.cause, None);
}

#[test]
fn what_is_weak_is_said_though_all_passes() {
    let mut findings = found(&[Code::StaleAddress, Code::NetworkWithoutIpv6]);
    findings[0].severity = Severity::Weak;
    findings[1].severity = Severity::Note;
    let reports = vec![(Vantage::Host, seen(vec![good()]))];
    let verification = judge(&evidence(reports), &[Vantage::Host], &findings);
    assert_eq!(verification.verdict, Outcome::Pass);
    assert_eq!(verification.cause, None);
    let codes: Vec<_> = verification.weak.iter().map(|weak| weak.code).collect();
    assert_eq!(codes, [Code::StaleAddress]);
}

#[test]
fn a_start_before_ipv6_explains_what_rootlesskit_did_not_configure() {
    let netns = seen(vec![without_route()]);
    let verification = judged(
        seen(vec![good()]),
        netns,
        seen(vec![silent()]),
        &[Code::RootlesskitWithoutIpv6Config, Code::StartedBeforeIpv6],
    );
    assert_eq!(verification.cause, Some(Code::StartedBeforeIpv6));
}
