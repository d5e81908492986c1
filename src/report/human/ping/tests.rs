use anstream::adapter::strip_str;

use super::*;
use crate::ping::Destination;
use crate::probe::echo::SocketKind;
use crate::probe::icmp_error::ErrorKind;
use crate::probe::ping::{DestinationReport, PingReport};

fn target(address: &str, names: &[&str]) -> Target {
    Target {
        destination: Destination {
            address: address.parse().unwrap(),
            scope: None,
        },
        names: names.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn no_route(offender: Option<&str>, count: u32) -> ErrorSeen {
    ErrorSeen {
        kind: ErrorKind::NoRoute,
        icmp_type: Some(1),
        icmp_code: Some(0),
        offender: offender.map(|address| address.parse().unwrap()),
        count,
    }
}

/// Without colour, and with the marks of a terminal that knows only ASCII.
fn bare(text: &str) -> String {
    let text = strip_str(text).to_string();
    text.replace('✓', "+").replace('✗', "x")
}

fn told(destinations: Vec<DestinationReport>) -> String {
    let targets: Vec<_> = (1..=destinations.len())
        .map(|number| target(&format!("2001:db8::{number}"), &[]))
        .collect();
    let places: Vec<_> = (0..destinations.len()).collect();
    let report = PingReport {
        socket: Some(SocketKind::Datagram),
        destinations,
        ..PingReport::default()
    };
    bare(&pinged(&targets, &Summary::new(report, &places), false))
}

#[test]
fn each_event_is_one_line_in_words() {
    let targets = [target("2001:db8::1", &[]), target("::1", &["localhost"])];
    let answer = |late, duplicate| PingEvent::Answer {
        destination: 0,
        sequence: 7,
        rtt_us: 1_234,
        hop_limit: Some(63),
        late,
        duplicate,
    };
    let error = |error| PingEvent::Error {
        destination: 0,
        sequence: 7,
        error,
    };
    let lost = PingEvent::Lost {
        destination: 1,
        sequence: 7,
    };
    for (event, line) in [
        (
            answer(false, false),
            "2001:db8::1      seq 7  hop limit 63  1.23 ms",
        ),
        (
            answer(true, false),
            "2001:db8::1      seq 7  hop limit 63  1.23 ms  late: after more than 0.5 s",
        ),
        (
            answer(false, true),
            "2001:db8::1      seq 7  hop limit 63  1.23 ms  duplicate",
        ),
        (
            error(no_route(Some("2001:db8::fe"), 1)),
            "2001:db8::1      seq 7  no route, says 2001:db8::fe",
        ),
        (
            error(no_route(None, 1)),
            "2001:db8::1      seq 7  not sent: no route",
        ),
        (lost, "::1 (localhost)  seq 7  no answer within 0.5 s"),
    ] {
        let told = ping_event(&event, &targets, Duration::from_millis(500));
        assert_eq!(bare(&told), format!("{line}\n"));
    }
}

#[test]
fn the_verdict_is_in_the_word_and_in_the_counts() {
    let report = DestinationReport::default;
    for (seen, line) in [
        (
            DestinationReport {
                sent: 2,
                received: 2,
                rtt_us: vec![1_000, 3_000],
                ..report()
            },
            "+ ok      2001:db8::1  2 sent, 2 received, 0 % lost  min 1.00 ms  median 3.00 ms  max 3.00 ms\n",
        ),
        (
            DestinationReport {
                sent: 3,
                received: 2,
                waiting: 1,
                ..report()
            },
            "+ ok      2001:db8::1  3 sent, 2 received, 1 still under way, 0 % lost\n",
        ),
        (
            DestinationReport {
                sent: 5,
                received: 4,
                late: 1,
                duplicates: 2,
                reordered: 1,
                ..report()
            },
            "! late    2001:db8::1  5 sent, 4 received, 1 late, 2 duplicate, 1 out of order, 0 % lost\n",
        ),
        (
            DestinationReport {
                sent: 3,
                received: 1,
                ..report()
            },
            "! lossy   2001:db8::1  3 sent, 1 received, 66.7 % lost\n",
        ),
        (
            DestinationReport {
                sent: 5,
                late: 5,
                ..report()
            },
            "x late    2001:db8::1  5 sent, 0 received, 5 late, 0 % lost\n",
        ),
        (
            DestinationReport {
                sent: 1,
                waiting: 1,
                ..report()
            },
            "? waiting 2001:db8::1  1 sent, 0 received, 1 still under way\n",
        ),
        (
            DestinationReport {
                sent: 5,
                ..report()
            },
            "x silent  2001:db8::1  5 sent, 0 received, 100 % lost\n",
        ),
        (
            DestinationReport {
                sent: 2,
                errors: vec![no_route(Some("::2"), 2)],
                ..report()
            },
            "x error   2001:db8::1  2 sent, 0 received, 100 % lost\n  no route, says ::2, 2 times\n",
        ),
        (
            DestinationReport {
                errors: vec![no_route(None, 1)],
                ..report()
            },
            "x error   2001:db8::1  0 sent, 0 received\n  not sent: no route, once\n",
        ),
        (
            DestinationReport {
                sent: 5,
                rejected: Rejected {
                    wrong_nonce: 4,
                    truncated: 1,
                    other_identifier: 9,
                    ..Rejected::default()
                },
                ..report()
            },
            "x forged  2001:db8::1  5 sent, 0 received, 100 % lost\n  not believed: 4 with a wrong nonce, 1 cut short\n",
        ),
    ] {
        let text = told(vec![seen]);
        assert!(text.starts_with(line), "{text}\nis not\n{line}");
    }
}

#[test]
fn the_last_line_but_a_hint_is_about_all_targets() {
    let well = DestinationReport {
        sent: 500,
        received: 500,
        ..DestinationReport::default()
    };
    let dead = DestinationReport {
        sent: 500,
        ..DestinationReport::default()
    };
    let nearly = DestinationReport {
        received: 499,
        ..well.clone()
    };
    let last = |destinations| {
        told(destinations)
            .lines()
            .rev()
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        last(vec![well.clone(), nearly])[0],
        "+ 2 of 2 targets answer: 1000 sent, 999 received, 0.1 % lost"
    );
    let [hint, total] = &last(vec![well, dead])[..] else {
        panic!("two lines")
    };
    assert_eq!(
        total,
        "x 1 of 2 targets answer: 1000 sent, 500 received, 50 % lost"
    );
    assert!(
        hint.starts_with("hint: `rootless6 verify --target 2001:db8::2`"),
        "{hint}"
    );
}

#[test]
fn a_loss_is_never_rounded_to_none_or_to_all() {
    for (settled, gone, share) in [
        (0, 0, ""),
        (3, 0, ", 0 % lost"),
        (3, 1, ", 33.3 % lost"),
        (4, 1, ", 25 % lost"),
        (10_000, 1, ", <0.1 % lost"),
        (10_000, 9_999, ", >99.9 % lost"),
        (7, 7, ", 100 % lost"),
    ] {
        assert_eq!(lost(settled, gone), share, "{gone} of {settled}");
    }
}

#[test]
fn what_is_under_way_or_late_is_no_reason_to_verify() {
    let seen = |waiting, late| DestinationReport {
        sent: 1,
        waiting,
        late,
        ..DestinationReport::default()
    };
    for (report, is_hinted) in [(seen(1, 0), false), (seen(0, 1), false), (seen(0, 0), true)] {
        let text = told(vec![report]);
        assert_eq!(text.contains("hint:"), is_hinted, "{text}");
    }
}
