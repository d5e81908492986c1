//! The loop and the session together, over scripted links. All times are the script's.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::icmp_error::ErrorKind;
use super::super::link::{Arrival, Outgoing, PacketLink};
use super::super::scripted::{Effect, IDENTIFIER, ScriptedLink, SentEcho};
use super::*;

const ENETUNREACH: i32 = 101;
const ENOBUFS: i32 = 105;
/// More than any script here has in flight.
const AMPLE: usize = 1000;

/// So many destinations, one echo each on answer, 100 ms to wait.
fn request(destinations: u16) -> PingRequest {
    let address = |host| [0x3fff, 1, 0, 0, 0, 0, 0, host].into();
    PingRequest {
        destinations: (1..=destinations)
            .map(|host| SocketAddrV6::new(address(host), 0, 0, 0))
            .collect(),
        count: Some(1),
        interval_us: None,
        wait_ms: 100,
        payload_bytes: 16,
    }
}

fn times(count: u32) -> PingRequest {
    PingRequest {
        count: Some(count),
        ..request(1)
    }
}

fn every(interval_ms: u64, count: u32) -> PingRequest {
    PingRequest {
        interval_us: Some(interval_ms * 1000),
        ..times(count)
    }
}

/// Runs a request over a script until a time; the report's `elapsed_us` is the script's time.
fn run_until(
    request: &PingRequest,
    room: usize,
    end: Duration,
    script: impl FnMut(&SentEcho<'_>) -> Result<Vec<Effect>, ErrorKind> + 'static,
) -> (PingReport, Vec<PingEvent>) {
    let mut events = Vec::new();
    let clock = Rc::new(Cell::new(Duration::ZERO));
    let mut link = Clocked {
        link: ScriptedLink::new(script),
        clock: clock.clone(),
    };
    let tell = &mut |event: &PingEvent| events.push(event.clone());
    let mut session = PingSession::new(request, identity(request, IDENTIFIER), room, tell);
    let mut last_nonce = 0;
    let mut next_nonce = || {
        last_nonce += 1;
        Ok(last_nonce)
    };
    let stop = || clock.get() >= end;
    drive(&mut session, &mut link, &mut next_nonce, Some(&stop)).unwrap();
    let report = PingReport {
        elapsed_us: micros(link.now()),
        ..session.into_report()
    };
    (report, events)
}

fn run_over(
    request: &PingRequest,
    script: impl FnMut(&SentEcho<'_>) -> Result<Vec<Effect>, ErrorKind> + 'static,
) -> (PingReport, Vec<PingEvent>) {
    run_until(request, AMPLE, Duration::MAX, script)
}

/// Shows the script's time to the one who stops the run.
struct Clocked {
    link: ScriptedLink,
    clock: Rc<Cell<Duration>>,
}

impl PacketLink for Clocked {
    fn now(&self) -> Duration {
        self.clock.set(self.link.now());
        self.link.now()
    }

    fn send(&mut self, messages: &[Outgoing]) -> (usize, Option<ErrorKind>) {
        self.link.send(messages)
    }

    fn receive(
        &mut self,
        until: Duration,
        each: &mut dyn FnMut(&Arrival<'_>),
    ) -> Result<Option<Duration>, String> {
        self.link.receive(until, each)
    }
}

fn millis(count: u64) -> u64 {
    count * 1000
}

fn local(errno: i32) -> ErrorKind {
    ErrorKind::Local {
        errno,
        text: format!("errno {errno}"),
    }
}

/// Number and round trip (milliseconds) of each answer that is not a duplicate, late ones marked.
fn answers(events: &[PingEvent]) -> Vec<(u32, u64, bool)> {
    let answer = |event: &PingEvent| match event {
        PingEvent::Answer {
            sequence,
            rtt_us,
            late,
            duplicate: false,
            ..
        } => Some((*sequence, rtt_us / 1000, *late)),
        _ => None,
    };
    events.iter().filter_map(answer).collect()
}

fn lost(events: &[PingEvent]) -> Vec<u32> {
    let lost = |event: &PingEvent| match event {
        PingEvent::Lost { sequence, .. } => Some(*sequence),
        _ => None,
    };
    events.iter().filter_map(lost).collect()
}

#[test]
fn five_answers_take_five_round_trips() {
    let (report, events) = run_over(&times(5), |echo| Ok(vec![echo.reply(2)]));
    assert_eq!(report.elapsed_us, millis(5 * 2));
    let [destination] = report.destinations.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!((destination.sent, destination.received), (5, 5));
    assert_eq!(destination.rtt_us, [millis(2); 5]);
    assert_eq!(destination.hop_limit, Some(61));
    let expected: Vec<_> = (1..=5).map(|number| (number, 2, false)).collect();
    assert_eq!(answers(&events), expected);
}

#[test]
fn a_silent_destination_takes_the_wait_each_time() {
    let (report, events) = run_over(&times(3), |_| Ok(vec![]));
    assert_eq!(report.elapsed_us, millis(3 * 100));
    assert_eq!(lost(&events), [1, 2, 3]);
    assert_eq!(report.destinations[0].sent, 3);
}

#[test]
fn a_slow_destination_does_not_hold_up_a_fast_one() {
    let request = PingRequest {
        count: Some(10),
        ..request(2)
    };
    let fast_at = Rc::new(Cell::new(Duration::ZERO));
    let last = fast_at.clone();
    let slow = request.destinations[0];
    let (report, _) = run_over(&request, move |echo| {
        if echo.destination == slow {
            return Ok(vec![echo.reply(90)]);
        }
        last.set(echo.at);
        Ok(vec![echo.reply(1)])
    });
    assert_eq!(fast_at.get(), Duration::from_millis(9));
    assert_eq!(report.elapsed_us, millis(10 * 90));
}

#[test]
fn a_late_answer_is_late_and_no_answer() {
    let (report, events) = run_over(&times(3), |echo| {
        Ok(vec![echo.reply(if echo.number == 1 { 150 } else { 60 })])
    });
    assert_eq!(lost(&events), [1]);
    assert_eq!(
        answers(&events),
        [(1, 150, true), (2, 60, false), (3, 60, false)]
    );
    let destination = &report.destinations[0];
    assert_eq!(
        (destination.sent, destination.received, destination.late),
        (3, 2, 1)
    );
    assert_eq!(destination.rtt_us, [millis(60); 2]);
}

#[test]
fn an_answer_at_the_last_moment_is_in_time() {
    let (report, events) = run_over(&times(2), |echo| Ok(vec![echo.reply(100)]));
    assert_eq!(report.destinations[0].received, 2);
    assert_eq!(lost(&events), [0; 0]);
}

#[test]
fn duplicates_are_told_and_counted_apart() {
    let (report, events) = run_over(&times(3), |echo| {
        Ok(vec![echo.reply(5), echo.reply(6), echo.reply(7)])
    });
    let destination = &report.destinations[0];
    assert_eq!((destination.received, destination.duplicates), (3, 4));
    assert_eq!(answers(&events).len(), 3);
    assert_eq!(events.len(), 7, "the last answer was the end");
}

#[test]
fn an_interval_is_kept_whatever_the_answers_do() {
    for after in [1, 25, 95] {
        let sent_at = Rc::new(std::cell::RefCell::new(Vec::new()));
        let times = sent_at.clone();
        let (report, _) = run_over(&every(10, 5), move |echo| {
            times.borrow_mut().push(echo.at.as_millis());
            Ok(vec![echo.reply(after)])
        });
        assert_eq!(*sent_at.borrow(), [0, 10, 20, 30, 40], "after {after} ms");
        assert_eq!(report.elapsed_us, millis(40 + after));
    }
}

#[test]
fn answers_out_of_order_are_all_answers() {
    let (report, events) = run_over(&every(10, 4), |echo| {
        Ok(vec![echo.reply(90 - 20 * u64::from(echo.number))])
    });
    let destination = &report.destinations[0];
    assert_eq!((destination.received, destination.reordered), (4, 3));
    let order: Vec<u32> = answers(&events).iter().map(|answer| answer.0).collect();
    assert_eq!(order, [4, 3, 2, 1]);
}

#[test]
fn no_interval_at_all_keeps_the_buffer_full_and_no_more() {
    let room = 10;
    let flying = Rc::new(Cell::new(HashMap::<Duration, usize>::new()));
    let seen = flying.clone();
    let (report, _) = run_until(&every(0, 100), room, Duration::MAX, move |echo| {
        let mut counts = seen.take();
        *counts.entry(echo.at).or_insert(0) += 1;
        seen.set(counts);
        Ok(vec![echo.reply(10)])
    });
    let counts = flying.take();
    assert_eq!(counts.values().max(), Some(&room));
    assert_eq!(report.destinations[0].received, 100);
    assert_eq!(report.elapsed_us, millis(10 * 10));
}

#[test]
fn dead_destinations_do_not_hold_up_the_others() {
    let request = PingRequest {
        wait_ms: 1000,
        ..request(101)
    };
    let alive = request.destinations[100];
    let alive_at = Rc::new(Cell::new(Duration::ZERO));
    let seen = alive_at.clone();
    let (report, events) = run_until(&request, 10, Duration::MAX, move |echo| {
        if echo.destination == alive {
            seen.set(echo.at);
            return Ok(vec![echo.reply(1)]);
        }
        Ok(vec![])
    });
    assert_eq!(alive_at.get(), Duration::from_secs(1), "ten in 100 ms");
    assert_eq!(lost(&events).len(), 100);
    assert_eq!(report.destinations[100].received, 1);
}

#[test]
fn an_error_ends_the_wait_and_pauses() {
    let (report, events) = run_over(&times(3), |echo| Ok(vec![echo.no_route(5)]));
    assert_eq!(report.elapsed_us, millis(2 * (5 + 200) + 5));
    let destination = &report.destinations[0];
    let [seen] = destination.errors.as_slice() else {
        panic!("{destination:?}")
    };
    assert_eq!((&seen.kind, seen.count), (&ErrorKind::NoRoute, 3));
    assert_eq!(lost(&events), [0; 0]);
    assert!(
        matches!(&events[2], PingEvent::Error { sequence: 3, error, .. } if error.count == 1),
        "{events:?}"
    );
}

#[test]
fn errors_that_quote_others_are_foreign() {
    let (report, events) = run_over(&times(2), |echo| {
        let mut error = echo.no_route(5);
        if let Effect::Error { quoted, .. } = &mut error {
            quoted[9] ^= 1;
        }
        Ok(vec![error])
    });
    assert_eq!(report.rejected.foreign_error, 2);
    assert_eq!(report.destinations[0].errors, []);
    assert_eq!(lost(&events), [1, 2]);
}

#[test]
fn a_refused_echo_was_not_sent_and_pauses() {
    for request in [times(3), every(0, 3)] {
        let (report, events) = run_over(&request, |_| Err(local(ENETUNREACH)));
        let destination = &report.destinations[0];
        assert_eq!((destination.sent, destination.errors[0].count), (0, 3));
        assert_eq!(events.len(), 3);
        assert!(report.elapsed_us <= millis(2 * 200), "{report:?}");
    }
    let (report, _) = run_over(&times(3), |_| Err(local(ENETUNREACH)));
    assert_eq!(report.elapsed_us, millis(2 * 200));
}

#[test]
fn a_full_buffer_is_waited_for() {
    for request in [times(3), every(5, 3), every(0, 300)] {
        let count = request.count.unwrap();
        let mut tries = 0;
        let (report, events) = run_over(&request, move |echo| {
            tries += 1;
            if tries % 3 == 0 {
                Ok(vec![echo.reply(1)])
            } else {
                Err(local(ENOBUFS))
            }
        });
        let destination = &report.destinations[0];
        assert_eq!((destination.sent, destination.received), (count, count));
        assert_eq!(
            (destination.errors.len(), events.len()),
            (0, count as usize)
        );
    }
}

#[test]
fn a_buffer_that_stays_full_is_an_error_in_the_end() {
    let (report, _) = run_over(&times(1), |_| Err(local(ENOBUFS)));
    assert_eq!(report.destinations[0].errors[0].count, 1);
    assert_eq!(report.elapsed_us, millis(100));
}

#[test]
fn a_forged_reply_counts_for_its_destination() {
    let request = request(2);
    let forger = request.destinations[1];
    let (report, _) = run_over(&request, move |echo| {
        Ok(if echo.destination == forger {
            vec![
                echo.altered_reply(1, 4),
                echo.altered_reply(1, 7),
                echo.altered_reply(1, 8),
                echo.altered_reply(1, 20),
            ]
        } else {
            vec![echo.reply(1)]
        })
    });
    assert_eq!(report.destinations[0].rejected, Rejected::default());
    let expected = Rejected {
        other_identifier: 1,
        unknown_sequence: 1,
        wrong_nonce: 1,
        altered_payload: 1,
        ..Rejected::default()
    };
    assert_eq!(report.destinations[1].rejected, expected);
    assert_eq!(report.destinations[1].received, 0);
}

#[test]
fn another_destinations_reply_is_not_an_answer() {
    let request = request(2);
    let [first, second] = [0, 1].map(|place| request.destinations[place]);
    let (report, _) = run_over(&request, move |echo| {
        let source = if echo.destination == first {
            second
        } else {
            first
        };
        Ok(vec![Effect::Packet {
            after: 1,
            source,
            bytes: echo.reply_bytes(),
        }])
    });
    for destination in &report.destinations {
        assert_eq!(
            (destination.received, destination.rejected.wrong_nonce),
            (0, 1)
        );
    }
}

#[test]
fn a_stranger_is_told_of_beside_the_destinations() {
    let (report, _) = run_over(&times(1), |echo| {
        let source = "[3fff:9::9]:0".parse().unwrap();
        let bytes = echo.reply_bytes();
        Ok(vec![Effect::Packet {
            after: 1,
            source,
            bytes,
        }])
    });
    assert_eq!(report.rejected.foreign_source, 1);
}

#[test]
fn an_endless_run_ends_when_told_and_reports_what_it_has() {
    let request = PingRequest {
        count: None,
        ..request(2)
    };
    let silent = request.destinations[1];
    let end = Duration::from_millis(1050);
    let (report, _) = run_until(&request, AMPLE, end, move |echo| {
        Ok(if echo.destination == silent {
            vec![]
        } else {
            vec![echo.reply(1)]
        })
    });
    assert!(
        report.elapsed_us <= millis(1050 + 25),
        "{}",
        report.elapsed_us
    );
    let [answering, silent] = report.destinations.as_slice() else {
        panic!("{report:?}")
    };
    assert!(answering.received >= 1050);
    assert_eq!((silent.sent, silent.waiting, silent.received), (11, 1, 0));
}

#[test]
fn sequences_wrap_without_a_loss() {
    let (report, events) = run_over(&times(70_000), |echo| Ok(vec![echo.reply(1)]));
    let destination = &report.destinations[0];
    assert_eq!((destination.sent, destination.received), (70_000, 70_000));
    assert_eq!(destination.rejected, Rejected::default());
    assert_eq!(destination.rtt_us.len(), 10_000, "the last of them");
    assert_eq!(answers(&events).last(), Some(&(70_000, 1, false)));
}

#[test]
fn a_long_wait_holds_back_what_could_not_be_remembered() {
    let request = PingRequest {
        wait_ms: 60_000,
        interval_us: Some(1000),
        count: Some(20_000),
        ..request(1)
    };
    let (report, events) = run_over(&request, |_| Ok(vec![]));
    assert_eq!(
        lost(&events).len(),
        20_000,
        "each is given up, none forgotten"
    );
    assert_eq!(report.destinations[0].sent, 20_000);
}

#[test]
fn what_is_kept_of_many_destinations_is_bounded() {
    let kept = [1, 100, 2000, 10_000, 1_000_000].map(session::round_trips_kept);
    assert_eq!(kept, [10_000, 10_000, 500, 100, 100]);
}

#[test]
fn request_event_and_report_survive_json() {
    let request = times(2);
    let line = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<PingRequest>(&line).unwrap(), request);
    let (report, events) = run_over(&request, |echo| {
        Ok(vec![echo.no_route(1), echo.reply(2), echo.reply(3)])
    });
    let line = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<PingReport>(&line).unwrap(), report);
    let line = serde_json::to_string(&events).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<PingEvent>>(&line).unwrap(),
        events
    );
}

/// What a hostile or clumsy network may do to an echo.
#[derive(Debug, Clone, Copy)]
enum Mischief {
    Honest { after: u64 },
    Altered { after: u64, position: usize },
    Cut { after: u64, length: usize },
    FromAnother { after: u64 },
    Error { after: u64 },
    Refusal { errno: i32 },
}

fn mischief() -> impl Strategy<Value = Mischief> {
    let after = || 0_u64..150;
    prop_oneof![
        4 => after().prop_map(|after| Mischief::Honest { after }),
        1 => (after(), 4_usize..24).prop_map(|(after, position)| Mischief::Altered { after, position }),
        1 => (after(), 0_usize..24).prop_map(|(after, length)| Mischief::Cut { after, length }),
        1 => after().prop_map(|after| Mischief::FromAnother { after }),
        1 => after().prop_map(|after| Mischief::Error { after }),
        1 => prop_oneof![Just(ENETUNREACH), Just(ENOBUFS)].prop_map(|errno| Mischief::Refusal { errno }),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_in_each_echo_has_one_end_and_only_honest_replies_count(
        script in proptest::collection::vec(proptest::collection::vec(mischief(), 0..4), 1..40),
        interval_ms in proptest::option::of(0_u64..30),
        room in 1_usize..40,
    ) {
        let request = PingRequest {
            count: Some(20),
            interval_us: interval_ms.map(|interval| interval * 1000),
            ..request(3)
        };
        let destinations = request.destinations.clone();
        let honest = Rc::new(Cell::new(0_u32));
        let counted = honest.clone();
        let mut steps = script.into_iter().cycle();
        let (report, events) = run_until(&request, room, Duration::MAX, move |echo| {
            let mut effects = Vec::new();
            for step in steps.next().unwrap_or_default() {
                effects.push(match step {
                    Mischief::Honest { after } => {
                        counted.set(counted.get() + 1);
                        echo.reply(after)
                    }
                    Mischief::Altered { after, position } => echo.altered_reply(after, position),
                    Mischief::Cut { after, length } => Effect::Packet {
                        after,
                        source: echo.destination,
                        bytes: echo.reply_bytes()[..length].to_vec(),
                    },
                    Mischief::FromAnother { after } => Effect::Packet {
                        after,
                        source: *destinations.iter().find(|one| **one != echo.destination).unwrap(),
                        bytes: echo.reply_bytes(),
                    },
                    Mischief::Error { after } => echo.no_route(after),
                    Mischief::Refusal { errno } => return Err(local(errno)),
                });
            }
            Ok(effects)
        });
        let mut ends: HashMap<(usize, u32), u32> = HashMap::new();
        for event in &events {
            let name = match event {
                PingEvent::Lost { destination, sequence }
                | PingEvent::Answer { destination, sequence, late: false, duplicate: false, .. } => {
                    (*destination, *sequence)
                }
                _ => continue,
            };
            *ends.entry(name).or_insert(0) += 1;
        }
        prop_assert!(ends.values().all(|count| *count == 1), "{ends:?}");
        let sum = |part: fn(&DestinationReport) -> u32| -> u32 {
            report.destinations.iter().map(part).sum()
        };
        prop_assert!(sum(|one| one.received + one.late + one.duplicates) <= honest.get());
        prop_assert!(sum(|one| one.sent) <= 60);
        for destination in &report.destinations {
            prop_assert_eq!(destination.waiting, 0);
            prop_assert!(destination.received <= destination.sent);
            prop_assert_eq!(destination.rtt_us.len(), destination.received as usize);
        }
        let longest = 20 * (100 + 200 + 100) + 100;
        prop_assert!(report.elapsed_us <= millis(longest), "{}", report.elapsed_us);
    }
}

/// There is always more to read.
struct Flooded(Duration);

impl PacketLink for Flooded {
    fn now(&self) -> Duration {
        self.0
    }

    fn send(&mut self, messages: &[Outgoing]) -> (usize, Option<ErrorKind>) {
        (messages.len(), None)
    }

    fn receive(
        &mut self,
        _until: Duration,
        _each: &mut dyn FnMut(&Arrival<'_>),
    ) -> Result<Option<Duration>, String> {
        self.0 += Duration::from_millis(1);
        Ok(None)
    }
}

#[test]
fn a_flood_keeps_nobody_from_ending() {
    let request = times(1);
    let ignore = &mut |_: &PingEvent| {};
    let mut session = PingSession::new(&request, identity(&request, IDENTIFIER), AMPLE, ignore);
    let mut link = Flooded(Duration::ZERO);
    let turns = Cell::new(0);
    let stop = || {
        turns.set(turns.get() + 1);
        turns.get() > 10_000
    };
    drive(&mut session, &mut link, &mut || Ok(7), Some(&stop)).unwrap();
    assert_eq!(session.into_report().destinations[0].waiting, 0);
    assert!(link.0 > Duration::from_secs(1), "looks first");
}
