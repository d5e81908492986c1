//! Evidence in, verdict and screen out, as people read them. A new case is a new file in
//! `tests/evidence`: what differs there from `healthy.json`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use anstream::adapter::strip_str;
use proptest::prelude::*;
use rootless6::diagnose::{Finding, diagnose};
use rootless6::facts::{Engine, Facts};
use rootless6::probe::echo::{EchoOutcome, Loss};
use rootless6::probe::tcp::TcpOutcome;
use rootless6::report::human;
use rootless6::request::Proof;
use rootless6::verify::{Check, Evidence, Outcome, Vantage, Verification, judge::judge};
use serde_json::{Map, Value, json};

/// A terminal as it has always been.
const COLUMNS: usize = 80;
const LINES: usize = 24;

/// What was seen, who was asked, and what was found.
#[derive(Clone)]
struct Case {
    name: String,
    evidence: Evidence,
    asked: Vec<Vantage>,
    findings: Vec<Finding>,
}

impl Case {
    fn judged(&self) -> Verification {
        judge(&self.evidence, &self.asked, &self.findings)
    }
}

#[test]
fn all_evidence_on_record_gets_its_verdict_and_its_screen() {
    let cases = cases();
    assert!(cases.len() > 80, "the table has been lost");
    for case in cases {
        insta::assert_snapshot!(case.name.clone(), shown(&case.judged()));
    }
}

#[test]
fn no_fault_passes_no_healthy_variant_fails_and_what_is_unclear_is_said_to_be() {
    for case in cases() {
        let judged = case.judged();
        let verdict = match case.name.split('-').next().unwrap() {
            "fault" => Outcome::Fail,
            "unknown" => Outcome::Unknown,
            _ => Outcome::Pass,
        };
        assert_eq!(judged.verdict, verdict, "{}: {judged:#?}", case.name);
        if verdict == Outcome::Fail {
            assert!(judged.cause.is_some(), "{}", case.name);
            assert!(judged.explanation.is_some(), "{}", case.name);
        }
    }
}

#[test]
fn each_screen_fits_a_terminal() {
    for case in cases() {
        let text = screen(&case.judged());
        assert!(text.lines().count() <= LINES, "{}:\n{text}", case.name);
        for line in text.lines() {
            // A command is not broken.
            let is_typed = line.contains('`');
            assert!(
                is_typed || line.chars().count() <= COLUMNS,
                "{}: {line}",
                case.name
            );
        }
    }
}

#[test]
fn the_last_line_alone_misleads_nobody() {
    for case in cases() {
        let judged = case.judged();
        let text = screen(&judged);
        let last = text.lines().last().unwrap();
        match judged.verdict {
            Outcome::Fail => {
                assert!(last.starts_with(['x', '✗']), "{}: {last}", case.name);
                let cause = judged.cause.unwrap().to_string();
                assert!(last.contains(&cause), "{}: {last}", case.name);
            }
            Outcome::Unknown => assert!(last.starts_with('?'), "{}: {last}", case.name),
            _ => assert!(!last.contains(['✗', '?']), "{}: {last}", case.name),
        }
    }
}

#[test]
fn the_contracts_names_are_in_the_json() {
    let judged = named("fault-published-dead-on-loopback").judged();
    let json = serde_json::to_value(&judged).unwrap();
    let ids: Vec<_> = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["id"])
        .collect();
    assert_eq!(
        json!(ids),
        json!([
            "host.internet.icmp6",
            "host.internet.tcp6",
            "netns.internet.icmp6",
            "netns.internet.tcp6",
            "netns.internet.pmtu",
            "container.internet.icmp6",
            "container.internet.tcp6",
            "container.internet.pmtu",
            "container.internet.tcp4",
            "container.dns.aaaa",
            "container.container.icmp6",
            "host.published.tcp6",
            "host.published.tcp4",
        ])
    );
    assert_eq!(json["verdict"], "fail");
    assert_eq!(json["cause"], "published-port-dead");
    let published = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["id"] == "host.published.tcp6");
    assert_eq!(
        published.unwrap(),
        &json!({
            "id": "host.published.tcp6", "from": "host", "to": "::1", "proto": "tcp6",
            "outcome": "fail", "why": "::1 refuses",
            "rtt_ms": { "min": 0.9, "median": 0.9, "max": 0.9 }, "sent": 2, "received": 1,
            "paths": [
                { "to": "::1", "outcome": "fail", "source": null },
                { "to": "2001:db8:1::2", "outcome": "pass", "source": "2001:db8:1::2" },
            ],
        })
    );
    let networks = named("healthy-30-networks").judged();
    let id = |id: &str| networks.checks.iter().any(|check| check.id == id);
    for what in [
        "internet.icmp6",
        "internet.tcp6",
        "internet.pmtu",
        "dns.aaaa",
        "container.icmp6",
    ] {
        assert!(id(&format!("container[many29].{what}")), "{what}");
    }
}

#[test]
fn setup_bears_what_no_setting_of_dockerds_brings_about() {
    const BORNE: [&str; 13] = [
        "fault-black-hole",
        "fault-dns-blocks-with-the-unspecified-address",
        "fault-dns-without-aaaa",
        "fault-packet-too-big-below-1280",
        "fault-published-dead-before-setup",
        "fault-published-dead-on-loopback",
        "fault-published-dead-over-ipv6",
        "fault-published-dead-where-ip6tables-is-off",
        "unknown-nobody-asked-the-resolver",
        "unknown-nobody-published",
        "unknown-nobody-tried-a-size",
        "unknown-nobody-tried-the-peer",
        "fault-published-port-is-a-strangers",
    ];
    for case in cases() {
        let judged = case.judged();
        let was = judged.verdict;
        let cause = judged.cause;
        let accepted = judged.accepting(Proof::Whole);
        let borne = BORNE.contains(&case.name.as_str());
        let expected = if borne { Outcome::Pass } else { was };
        assert_eq!(accepted.verdict, expected, "{}", case.name);
        assert_eq!(accepted.cause, cause, "still said: {}", case.name);
        if let (true, Some(cause)) = (borne, cause) {
            let text = screen(&accepted);
            assert!(text.starts_with("! "), "{text}");
            let last = text.lines().last().unwrap();
            assert!(last.ends_with(&format!("({cause})")), "{text}");
        }
    }
}

#[test]
fn setup_says_of_a_proof_what_failed() {
    for (name, words) in [
        (
            "fault-ipv4-lost-in-the-container",
            "IPv6 works, but IPv4 does not from a container",
        ),
        (
            "fault-published-dead-over-ipv4",
            "IPv6 works, but a published port does not answer",
        ),
        (
            "fault-peers-do-not-reach-each-other",
            "IPv6 works, but not from container to container",
        ),
        (
            "fault-host-without-default-route",
            "IPv6 does not work from the host itself",
        ),
        (
            "unknown-host-may-not-ping",
            "it is not clear whether IPv6 works",
        ),
    ] {
        assert_eq!(human::verdict_in_words(&named(name).judged()), words);
    }
}

#[test]
fn the_known_limit_of_a_driver_is_accepted_without_echo() {
    for case in cases() {
        let judged = case.judged();
        let was = judged.clone().accepting(Proof::Whole).verdict;
        let accepted = judged.accepting(Proof::WithoutEcho);
        let known = [
            "fault-slirp4netns-without-icmp6",
            "fault-icmp-dropped-and-tcp-fine",
            "fault-ping-group-range",
            "unknown-host-may-not-ping",
            "fault-slirp4netns-where-the-host-may-not-ping",
            "unknown-no-control-was-tried",
            "unknown-one-slow-answer",
        ]
        .contains(&case.name.as_str())
            || case.name.starts_with("fault-icmp-rejected-code")
            || [
                "fault-replies-wrong-identifier",
                "fault-replies-wrong-source",
            ]
            .contains(&case.name.as_str());
        let expected = if known { Outcome::Pass } else { was };
        assert_eq!(accepted.verdict, expected, "{}", case.name);
    }
}

#[test]
fn what_is_typed_names_the_unit_that_was_asked_about() {
    let mut case = named("fault-netns-for-no-known-reason");
    case.evidence.unit = "docker-work.service".to_owned();
    let text = screen(&case.judged());
    assert!(text.contains("-u docker-work.service"), "{text}");
    assert!(!text.contains(" docker.service"), "{text}");
}

#[test]
fn a_vantage_point_that_nobody_asked_for_explains_but_is_not_judged() {
    let mut case = named("fault-target-dead-behind-a-gateway-that-answers");
    case.evidence.reports[2].1 = named("fault-nobody-masquerades").evidence.reports[2]
        .1
        .clone();
    case.asked = vec![Vantage::Container];
    let both = case.judged();
    assert_eq!(both.cause.unwrap().to_string(), "host-ipv6-unreachable");
    assert!(both.checks.iter().all(|check| check.from == "container"));
    case.evidence.reports[2].1 = named("healthy").evidence.reports[2].1.clone();
    assert_eq!(
        case.judged().verdict,
        Outcome::Pass,
        "the host is not judged"
    );
}

/// One thing that can be wrong with one vantage point's evidence.
#[derive(Debug, Clone, Copy)]
enum Spoilt {
    NotSeen,
    Silent,
    Local,
    Gateway,
    ControlAnswered,
    WithoutTargets,
    AnsweredByNobody,
    HeavyLoss,
}

const SPOILT: [Spoilt; 8] = [
    Spoilt::NotSeen,
    Spoilt::Silent,
    Spoilt::Local,
    Spoilt::Gateway,
    Spoilt::ControlAnswered,
    Spoilt::WithoutTargets,
    Spoilt::AnsweredByNobody,
    Spoilt::HeavyLoss,
];

/// Takes from a vantage point every genuine answer from the Internet.
fn spoil(case: &mut Case, place: usize, how: Spoilt) {
    let places = case.evidence.reports.len();
    let report = &mut case.evidence.reports[place % places].1;
    let Ok(seen) = report else { return };
    if matches!(how, Spoilt::NotSeen) {
        *report = Err("nobody answers".to_owned());
        return;
    }
    if matches!(how, Spoilt::WithoutTargets) {
        seen.targets.clear();
    }
    for target in &mut seen.targets {
        match how {
            Spoilt::Local => target.route.kind = rootless6::facts::RouteKind::Local,
            Spoilt::Gateway => target.route.gateway = Some(target.target),
            Spoilt::AnsweredByNobody => {
                (target.echo.received, target.tcp.outcome) = (0, TcpOutcome::Silent);
            }
            Spoilt::ControlAnswered => {
                target.echo.control_answered = true;
                target.tcp.outcome = TcpOutcome::Silent;
            }
            Spoilt::HeavyLoss => {
                target.echo.loss = Loss::Heavy;
                target.tcp.outcome = TcpOutcome::Refused;
            }
            _ => {
                target.echo.outcome = EchoOutcome::Silent;
                (target.echo.received, target.echo.rtt_us) = (0, Vec::new());
                target.tcp.outcome = TcpOutcome::Silent;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_vantage_point_passes_without_a_genuine_answer_there(
        base in any::<prop::sample::Index>(),
        place in 0_usize..3,
        how in prop::sample::select(&SPOILT[..]),
    ) {
        let mut case = base.get(cases()).clone();
        let reports = case.evidence.reports.len();
        let (vantage, _) = case.evidence.reports[place % reports].clone();
        spoil(&mut case, place, how);
        let judged = case.judged();
        // Without RootlessKit there is no netns to prove anything, nor a container without docker0.
        let excused = match vantage {
            Vantage::Netns => case.findings.iter().any(Finding::is_elsewhere),
            Vantage::Container => case.evidence.engine.iter().any(Engine::is_without_docker0),
            _ => false,
        };
        if case.asked.contains(&vantage) && !excused {
            prop_assert_ne!(judged.verdict, Outcome::Pass, "{}: {:?} {:?}", case.name, vantage, how);
        }
    }

    #[test]
    fn what_fails_never_passes_for_one_more_failure(
        base in any::<prop::sample::Index>(),
        place in 0_usize..3,
        how in prop::sample::select(&SPOILT[..]),
    ) {
        let mut case = base.get(cases()).clone();
        let before = case.judged().verdict;
        spoil(&mut case, place, how);
        let after = case.judged().verdict;
        prop_assert!(after != Outcome::Pass || before == Outcome::Pass, "{}: {:?}", case.name, how);
    }

    #[test]
    fn a_cause_is_named_exactly_where_something_fails_or_a_finding_says_why_not(
        base in any::<prop::sample::Index>(),
        faults in prop::collection::vec((0_usize..3, prop::sample::select(&SPOILT[..])), 0..4),
        asked in prop::sample::subsequence(vec![Vantage::Host, Vantage::Netns, Vantage::Container], 0..=3),
        keeps in any::<[bool; 4]>(),
    ) {
        let mut case = base.get(cases()).clone();
        case.asked = asked;
        for (place, how) in faults {
            spoil(&mut case, place, how);
        }
        if !keeps[0] { let _ = case.evidence.reports.remove(0); }
        if !keeps[1] { case.evidence.published = None; }
        if !keeps[2] { case.findings.clear(); }
        if !keeps[3] { case.evidence.reports.clear(); }
        let judged = case.judged();
        match judged.verdict {
            Outcome::Pass => prop_assert!(judged.cause.is_none()),
            Outcome::Fail => prop_assert!(judged.cause.is_some()),
            _ => prop_assert!(judged.cause.is_none() || !case.findings.is_empty()),
        }
        let fails = judged.checks.iter().any(|check| check.outcome == Outcome::Fail);
        prop_assert_eq!(fails, judged.verdict == Outcome::Fail);
        // And every screen can be drawn, however narrow.
        for width in [None, Some(1), Some(20), Some(COLUMNS)] {
            prop_assert!(!human::verification_within(&judged, width).is_empty());
        }
    }
}

fn screen(judged: &Verification) -> String {
    strip_str(&human::verification_within(judged, Some(COLUMNS))).to_string()
}

fn shown(judged: &Verification) -> String {
    let cause = judged
        .cause
        .map_or_else(|| "none".to_owned(), |cause| cause.to_string());
    let mut text = format!("{:?}, cause {cause}\n", judged.verdict);
    let remarkable = |check: &&Check| check.outcome != Outcome::Pass;
    for check in judged.checks.iter().filter(remarkable) {
        let why = check.why.as_deref().unwrap_or_default();
        let _ = writeln!(text, "    {} {:?}: {why}", check.id, check.outcome);
    }
    format!("{text}\n{}", screen(judged))
}

fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let files = fs::read_dir("tests/evidence").unwrap();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.iter().map(|path| named(&name(path))).collect()
    });
    &CASES
}

fn named(name: &str) -> Case {
    case(name, &read(&format!("tests/evidence/{name}.json")))
}

fn read(path: &str) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn case(name: &str, differs: &Value) -> Case {
    let healthy = read("tests/evidence/healthy.json");
    let whole = merged(&healthy, differs);
    let mut reports: Vec<(Vantage, Value)> = vec![
        (Vantage::Host, whole["host"].clone()),
        (Vantage::Netns, whole["netns"].clone()),
        (Vantage::Container, whole["container"].clone()),
    ];
    let none = Map::new();
    let named = |key: &str| whole[key].as_object().unwrap_or(&none).clone();
    let container = |value: &Value| merged(&healthy["container"], value);
    for (network, value) in named("networks") {
        reports.push((Vantage::OnNetwork(network), container(&value)));
    }
    for (running, value) in named("containers") {
        reports.push((Vantage::InContainer(running), container(&value)));
    }
    let asked = reports
        .iter()
        .map(|(vantage, _)| vantage.clone())
        .filter(|vantage| {
            whole["from"]
                .as_array()
                .is_none_or(|from| from.contains(&json!(vantage.id())))
        });
    let context = |error| panic!("{name}: {error}");
    let seen = |value: Value| match value {
        Value::String(why) => Err(why),
        value => Ok(serde_json::from_value(value).unwrap_or_else(context)),
    };
    let facts = facts(&whole["facts"]);
    let published = match whole["published"].clone() {
        Value::Null => None,
        Value::String(why) => Some(Err(why)),
        value => Some(Ok(serde_json::from_value(value).unwrap())),
    };
    Case {
        name: name.to_owned(),
        asked: asked.collect(),
        evidence: Evidence {
            reports: reports
                .into_iter()
                .map(|(vantage, value)| (vantage, seen(value)))
                .collect(),
            published,
            ipv4_before: whole["ipv4_before"].as_bool(),
            unit: "docker.service".to_owned(),
            engine: facts.engine.is().cloned(),
        },
        findings: diagnose(&facts),
    }
}

/// Of a system in `tests/facts`, or of what differs from one.
fn facts(value: &Value) -> Facts {
    let base = value
        .as_str()
        .or(value["base"].as_str())
        .unwrap_or("debian-14-set-up");
    let facts = read(&format!("tests/facts/{base}.json"));
    let facts = match value.get("patch") {
        Some(patch) => merged(&facts, patch),
        None => facts,
    };
    serde_json::from_value(facts).unwrap()
}

/// Keys of values that are one of several kinds.
const ENUMS: [&str; 5] = ["outcome", "answer", "aaaa", "a", "kind"];

/// Objects are merged key by key, lists of objects place by place; what else differs is replaced.
fn merged(whole: &Value, differs: &Value) -> Value {
    match (whole, differs) {
        (Value::Object(whole), Value::Object(differs)) => {
            let mut merged = whole.clone();
            for (key, value) in differs {
                let before = whole.get(key).filter(|_| !ENUMS.contains(&key.as_str()));
                merged.insert(
                    key.clone(),
                    self::merged(before.unwrap_or(&Value::Null), value),
                );
            }
            Value::Object(merged)
        }
        (Value::Array(whole), Value::Array(differs)) if whole.len() == differs.len() => whole
            .iter()
            .zip(differs)
            .map(|(one, other)| merged(one, other))
            .collect(),
        (_, other) => other.clone(),
    }
}
