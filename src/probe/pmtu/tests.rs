//! The search on paths that a table describes.

use std::time::Duration;

use super::super::drive::{Decision, Event, Session};
use super::super::link::{Arrival, Outgoing, ReceivedError, ReceivedPacket};
use super::super::packet::ECHO_REPLY;
use super::*;

const TARGET: &str = "3fff:1::1";
const IDENTIFIER: u16 = 0x1234;

/// A reply, or the MTU and the quote of a Packet Too Big.
type Arriving = Result<Vec<u8>, (u32, Vec<u8>)>;

/// What the network does with the n-th echo of a size.
enum Fate {
    Back {
        after: u64,
    },
    TooBig {
        mtu: u32,
    },
    /// As large as that and no larger.
    Cut {
        bytes: usize,
    },
    /// Packet Too Big that quotes so much of the message.
    Quoting {
        bytes: usize,
    },
    Lost,
}

use Fate::{Back, Cut, Lost, Quoting, TooBig};

fn request() -> PathMtuRequest {
    PathMtuRequest {
        target: TARGET.parse().unwrap(),
        link_mtu: Some(65_520),
        route_mtu: None,
        deadline_ms: 2000,
    }
}

/// Runs a search over a network, on a clock that moves only while it waits: the report, and when it
/// ended.
fn run_over(
    request: &PathMtuRequest,
    mut network: impl FnMut(u16, u32) -> Fate,
) -> (PathMtuReport, Duration) {
    let mut search = Search::new(request, IDENTIFIER);
    let mut now = Duration::ZERO;
    let mut under_way: Vec<(Duration, Arriving)> = Vec::new();
    let mut counts = std::collections::HashMap::new();
    let mut batch = Vec::new();
    loop {
        under_way.sort_by_key(|(at, _)| *at);
        match search.decide(now) {
            Decision::Done => return (search.into_report(), now),
            Decision::Send => {
                batch.clear();
                search.prepare(now, &mut || Ok(7), &mut batch).unwrap();
                for Outgoing {
                    echo, mut message, ..
                } in batch.clone()
                {
                    let bytes = u16::try_from(message.len() + 40).unwrap();
                    let number = counts.entry(bytes).or_insert(0);
                    *number += 1;
                    search.observe(&Event::Sent { echo, at: now });
                    match network(bytes, *number) {
                        Back { after } => {
                            message[0] = ECHO_REPLY;
                            under_way.push((now + Duration::from_millis(after), Ok(message)));
                        }
                        TooBig { mtu } => {
                            message.truncate(1192);
                            let at = now + Duration::from_millis(5);
                            under_way.push((at, Err((mtu, message))));
                        }
                        Cut { bytes } => {
                            message[0] = ECHO_REPLY;
                            message.truncate(bytes - 40);
                            under_way.push((now + Duration::from_millis(20), Ok(message)));
                        }
                        Quoting { bytes } => {
                            message.truncate(bytes);
                            let at = now + Duration::from_millis(5);
                            under_way.push((at, Err((1280, message))));
                        }
                        Lost => {}
                    }
                }
            }
            Decision::WaitUntil(until) => {
                assert!(until > now, "waits for the past");
                now = match under_way.first() {
                    Some((at, _)) if *at <= until => *at,
                    _ => until,
                };
                while under_way.first().is_some_and(|(at, _)| *at <= now) {
                    let (_, packet) = under_way.remove(0);
                    search.observe(&Event::Arrived(&arrival(&packet, now)));
                }
                search.observe(&Event::Drained { at: now });
            }
        }
    }
}

fn arrival(packet: &Arriving, read_at: Duration) -> Arrival<'_> {
    match packet {
        Ok(bytes) => Arrival::Packet(ReceivedPacket {
            source: format!("[{TARGET}]:0").parse().unwrap(),
            bytes,
            hop_limit: None,
            stamped_at: None,
            read_at,
        }),
        Err((mtu, quoted)) => Arrival::Error(ReceivedError {
            icmp_type: 2,
            icmp_code: 0,
            information: *mtu,
            offender: Some("3fff:9::1".parse().unwrap()),
            destination: Some(TARGET.parse().unwrap()),
            quoted,
            read_at,
        }),
    }
}

#[test]
fn a_path_is_decided_by_what_comes_back() {
    use PathMtuOutcome::{BlackHole, Told, Unanswered, Whole};
    type Network = fn(u16, u32) -> Fate;
    let cases: [(&str, Network, PathMtuOutcome, u64); 12] = [
        (
            "healthy: one round trip",
            |_, _| Back { after: 20 },
            Whole { bytes: 1500 },
            20,
        ),
        (
            "around half the world",
            |_, _| Back { after: 600 },
            Whole { bytes: 1500 },
            600,
        ),
        (
            "the first two large ones are lost",
            |bytes, number| match (bytes, number) {
                (1500, ..=2) => Lost,
                _ => Back { after: 20 },
            },
            Whole { bytes: 1500 },
            220,
        ),
        (
            "told: the second try goes out at once",
            |bytes, number| match (bytes, number) {
                (1500, 1) => TooBig { mtu: 1400 },
                _ => Back { after: 20 },
            },
            Told {
                bytes: 1500,
                mtu: 1400,
            },
            25,
        ),
        (
            "told, and whoever is behind takes no fragments",
            |bytes, number| match (bytes, number) {
                (1500, 1) => TooBig { mtu: 1400 },
                (1500, _) => Lost,
                _ => Back { after: 20 },
            },
            Told {
                bytes: 1400,
                mtu: 1400,
            },
            25,
        ),
        (
            "told, and swallowed behind that",
            |bytes, number| match (bytes, number) {
                (1500, 1) => TooBig { mtu: 1480 },
                (1401.., _) => Lost,
                _ => Back { after: 20 },
            },
            BlackHole {
                passes: 1400,
                lost: 1420,
            },
            575,
        ),
        (
            "told twice, by a narrower link each time",
            |bytes, number| match (bytes, number) {
                (1500, 1) => TooBig { mtu: 1480 },
                (1500, 2) => TooBig { mtu: 1280 },
                _ => Back { after: 20 },
            },
            Told {
                bytes: 1500,
                mtu: 1280,
            },
            30,
        ),
        (
            "swallowed behind a tunnel",
            |bytes, _| match bytes {
                1481.. => Lost,
                _ => Back { after: 20 },
            },
            BlackHole {
                passes: 1480,
                lost: 1492,
            },
            670,
        ),
        (
            "told of a link narrower than IPv6 knows",
            |bytes, _| match bytes {
                1001.. => TooBig { mtu: 1000 },
                _ => Back { after: 20 },
            },
            BlackHole {
                passes: 104,
                lost: 1280,
            },
            // Four volleys went out at once.
            290,
        ),
        (
            "swallowed, and the small ones waited for the neighbour to be found",
            |bytes, number| match (bytes, u64::from(number)) {
                (1401.., _) => Lost,
                (104, number @ ..=10) => Back {
                    after: 1000 - (number - 1) * 100,
                },
                _ => Back { after: 20 },
            },
            BlackHole {
                passes: 1400,
                lost: 1420,
            },
            1500,
        ),
        ("nothing comes back", |_, _| Lost, Unanswered, 2000),
        (
            "swallowed, and most small ones lost as well",
            |bytes, number| match (bytes, number % 4) {
                (104, 0) => Back { after: 20 },
                _ => Lost,
            },
            Unanswered,
            2000,
        ),
    ];
    for (name, network, outcome, millis) in cases {
        let (report, ended) = run_over(&request(), network);
        assert_eq!(report.outcome, outcome, "{name}: {report:?}");
        assert_eq!(ended.as_millis(), u128::from(millis), "{name}");
    }
}

#[test]
fn what_the_kernel_knows_already_is_told() {
    let known = PathMtuRequest {
        route_mtu: Some(1400),
        ..request()
    };
    let (report, _) = run_over(&known, |_, _| Back { after: 1 });
    let told = PathMtuOutcome::Told {
        bytes: 1500,
        mtu: 1400,
    };
    assert_eq!(report.outcome, told);
    let narrow = PathMtuRequest {
        link_mtu: Some(1280),
        ..known
    };
    let (report, _) = run_over(&narrow, |_, _| Back { after: 1 });
    assert_eq!(report.outcome, PathMtuOutcome::Whole { bytes: 1280 });
}

#[test]
fn packet_too_big_without_end_is_heard_and_hastens_nothing() {
    let (report, ended) = run_over(&request(), |bytes, _| match bytes {
        1500 => TooBig { mtu: 1400 },
        _ => Lost,
    });
    assert_eq!(report.outcome, PathMtuOutcome::Unanswered);
    assert_eq!(ended, Duration::from_secs(2));
    assert!(report.sent < 60, "{report:?}");
    assert_eq!(report.errors.len(), 1);
}

/// A path that loses packets, whatever their size, by a generator that is always the same.
#[test]
fn loss_is_not_mistaken_for_a_limit() {
    for (percent, most_mistakes) in [(10, 0), (20, 0), (50, 25)] {
        let mut state: u64 = 6;
        let mut mistakes = 0;
        for _ in 0..5000 {
            let (report, _) = run_over(&request(), |_, _| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                match (state >> 33) % 100 < percent {
                    true => Lost,
                    false => Back { after: 30 },
                }
            });
            mistakes += u32::from(!matches!(report.outcome, PathMtuOutcome::Whole { .. }));
        }
        assert!(mistakes <= most_mistakes, "{percent} %: {mistakes} of 5000");
    }
}

#[test]
fn a_target_that_sends_a_part_back_is_no_black_hole() {
    let (report, ended) = run_over(&request(), |bytes, _| match bytes {
        1500 => Cut { bytes: 112 },
        _ => Back { after: 20 },
    });
    assert_eq!(report.outcome, PathMtuOutcome::CutShort { bytes: 1500 });
    assert_eq!((report.received, ended), (0, Duration::from_millis(20)));
    // Less than the nonce proves nothing.
    let (report, _) = run_over(&request(), |bytes, _| match bytes {
        105.. => Cut { bytes: 55 },
        _ => Back { after: 20 },
    });
    assert!(matches!(report.outcome, PathMtuOutcome::BlackHole { .. }));
}

#[test]
fn a_router_that_does_not_quote_the_nonce_is_not_believed() {
    for (quoted, believed) in [(8, false), (15, false), (16, true), (1192, true)] {
        let (report, _) = run_over(&request(), |bytes, number| match (bytes, number) {
            (1500, 1) => Quoting { bytes: quoted },
            _ => Back { after: 20 },
        });
        assert_eq!(!report.errors.is_empty(), believed, "{quoted}");
    }
}

#[test]
fn what_a_busy_machine_has_not_read_yet_is_not_lost() {
    let mut search = Search::new(&request(), IDENTIFIER);
    let mut batch = Vec::new();
    let mut now = Duration::ZERO;
    // Six volleys whose small echoes are read at once, and whose large ones wait to be read.
    for _ in 0..6 {
        assert_eq!(search.decide(now), Decision::Send);
        batch.clear();
        search.prepare(now, &mut || Ok(7), &mut batch).unwrap();
        for sent in &batch {
            search.observe(&Event::Sent {
                echo: sent.echo,
                at: now,
            });
        }
        batch[0].message[0] = ECHO_REPLY;
        let small = Ok(batch[0].message.clone());
        search.observe(&Event::Arrived(&arrival(&small, now)));
        now += Duration::from_millis(100);
    }
    now += Duration::from_secs(1);
    assert!(
        matches!(search.decide(now), Decision::WaitUntil(_)),
        "reads first"
    );
    batch[1].message[0] = ECHO_REPLY;
    let large = Ok(batch[1].message.clone());
    search.observe(&Event::Arrived(&arrival(&large, now)));
    assert_eq!(search.decide(now), Decision::Done);
    let whole = PathMtuOutcome::Whole { bytes: 1500 };
    assert_eq!(search.into_report().outcome, whole);
}
