//! The loop and the session together, over scripted links. All times are the script's.

use std::time::Duration;

use proptest::prelude::*;

use super::super::icmp_error::ErrorKind;
use super::super::link::PacketLink;
use super::super::scripted::{CONTROL, Chance, Effect, IDENTIFIER, ScriptedLink, SentEcho, TARGET};
use super::*;

fn request() -> EchoRequest {
    let target: SocketAddrV6 = TARGET.parse().unwrap();
    let control: SocketAddrV6 = CONTROL.parse().unwrap();
    EchoRequest {
        control: Some(*control.ip()),
        interval_ms: 200,
        ..EchoRequest::new(*target.ip())
    }
}

/// Runs a request over a script; the report's `elapsed_us` is the script's time.
fn run_over(
    request: &EchoRequest,
    script: impl FnMut(&SentEcho<'_>) -> Result<Vec<Effect>, ErrorKind> + 'static,
) -> EchoReport {
    let mut link = ScriptedLink::new(script);
    let mut session = EchoSession::new(request, identity(request, IDENTIFIER));
    let mut last_nonce = 0;
    let mut next_nonce = || {
        last_nonce += 1;
        Ok(last_nonce)
    };
    drive(&mut session, &mut link, &mut next_nonce, None).unwrap();
    EchoReport {
        elapsed_us: micros(link.now()),
        ..session.into_report()
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

/// Answers in a row that decide the loss, the first included.
const ANSWERS: u32 = 13;
const ENETUNREACH: i32 = 101;
const ENOBUFS: i32 = 105;

#[test]
fn a_healthy_target_takes_as_many_round_trips_as_decide_the_loss() {
    let report = run_over(&request(), |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(10)]
        })
    });
    assert_eq!(report.outcome, EchoOutcome::Answered);
    assert_eq!(
        (report.sent, report.received, report.control_sent),
        (ANSWERS, ANSWERS, 3)
    );
    assert_eq!(report.loss, Loss::Bearable);
    assert_eq!(report.rtt_us, [millis(10); ANSWERS as usize]);
    assert_eq!(report.hop_limit, Some(61));
    assert!(!report.control_answered);
    assert_eq!(report.elapsed_us, millis(13 * 10));
}

#[test]
fn the_control_has_100_ms_to_answer() {
    let report = run_over(&request(), |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(1)]
        })
    });
    assert_eq!(report.elapsed_us, millis(2 + 100), "the third went at 2 ms");
}

#[test]
fn a_round_trip_of_200_ms_takes_less_than_a_second() {
    let request = EchoRequest {
        interval_ms: 50,
        ..request()
    };
    let report = run_over(&request, |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(200)]
        })
    });
    assert_eq!(report.loss, Loss::Bearable);
    assert_eq!(report.elapsed_us, millis(12 * 50 + 200));
}

#[test]
fn without_a_control_the_last_answer_is_the_end() {
    let request = EchoRequest {
        control: None,
        ..request()
    };
    let report = run_over(&request, |echo| Ok(vec![echo.reply(10)]));
    assert_eq!((report.elapsed_us, report.control_sent), (millis(130), 0));
}

#[test]
fn a_glance_ends_with_the_first_answer_once_the_control_has_had_its_time() {
    let request = EchoRequest {
        interval_ms: 50,
        glance: true,
        ..request()
    };
    for (forged, round_trip, elapsed) in [(false, 4, 20), (false, 30, 60), (true, 4, 4)] {
        let report = run_over(&request, move |echo| {
            let silent = echo.to_control && !forged;
            Ok(if silent {
                vec![]
            } else {
                vec![echo.reply(round_trip)]
            })
        });
        assert_eq!((report.received, report.control_sent), (1, 1));
        assert_eq!(report.control_answered, forged);
        assert_eq!(report.elapsed_us, millis(elapsed), "{round_trip}");
    }
}

#[test]
fn a_control_that_is_the_target_is_ignored() {
    let request = EchoRequest {
        control: Some(request().target),
        ..request()
    };
    let report = run_over(&request, |echo| Ok(vec![echo.reply(10)]));
    assert_eq!((report.received, report.control_sent), (ANSWERS, 0));
}

#[test]
fn the_grace_grows_with_the_round_trip() {
    let request = EchoRequest {
        interval_ms: 10,
        ..request()
    };
    let report = run_over(&request, |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(150)]
        })
    });
    assert_eq!(report.control_sent, 6, "again when the path was there");
    assert_eq!(report.elapsed_us, millis(150 + 300));
}

/// Runs over a path on which some echoes to the target get lost.
fn run_with_loss(request: &EchoRequest, lost: impl Fn(u32) -> bool + 'static) -> EchoReport {
    run_over(request, move |echo| {
        let lost = echo.to_control || lost(echo.number);
        Ok(if lost { vec![] } else { vec![echo.reply(10)] })
    })
}

#[test]
fn one_echo_in_ten_lost_is_made_up_for() {
    let report = run_with_loss(&request(), |number| number % 10 == 1);
    assert_eq!(
        (report.outcome, report.loss),
        (EchoOutcome::Answered, Loss::Bearable)
    );
    assert_eq!((report.sent, report.received), (18, 16));
    assert_eq!(report.elapsed_us, millis(2 * 200 + 16 * 10));
}

#[test]
fn every_other_echo_lost_is_heavy() {
    let request = EchoRequest {
        interval_ms: 50,
        ..request()
    };
    let report = run_with_loss(&request, |number| number % 2 == 1);
    assert_eq!(
        (report.outcome, report.loss),
        (EchoOutcome::Answered, Loss::Heavy)
    );
    assert!(report.elapsed_us < millis(1500), "{report:?}");
}

#[test]
fn half_lost_is_heavy_even_where_answers_take_long() {
    let request = EchoRequest {
        interval_ms: 50,
        ..request()
    };
    let report = run_over(&request, |echo| {
        let lost = echo.to_control || echo.number % 2 == 0;
        Ok(if lost { vec![] } else { vec![echo.reply(600)] })
    });
    assert_eq!(report.loss, Loss::Heavy, "{report:?}");
}

/// The verdicts of 1,000 runs over a path with such a loss.
fn verdicts_over(loss: f64, round_trip: u64) -> Vec<Loss> {
    let request = EchoRequest {
        interval_ms: 50,
        ..request()
    };
    let chance = std::rc::Rc::new(std::cell::RefCell::new(Chance::default()));
    let run = |_| {
        let chance = chance.clone();
        let report = run_over(&request, move |echo| {
            let lost = echo.to_control || chance.borrow_mut().next() < loss;
            Ok(if lost {
                vec![]
            } else {
                vec![echo.reply(round_trip)]
            })
        });
        assert!(report.elapsed_us <= millis(3000));
        report.loss
    };
    (0..1000).map(run).collect()
}

#[test]
fn a_tenth_lost_is_bearable_and_half_is_heavy_whatever_the_round_trip() {
    for round_trip in [1, 20, 200] {
        for (loss, right, wrong) in [
            (0.1, Loss::Bearable, Loss::Heavy),
            (0.5, Loss::Heavy, Loss::Bearable),
        ] {
            let verdicts = verdicts_over(loss, round_trip);
            let count = |one| verdicts.iter().filter(|verdict| **verdict == one).count();
            let counts = (count(right), count(wrong));
            assert!(
                counts.0 >= 990 && counts.1 < 5,
                "{counts:?} right and wrong at a loss of {loss} and {round_trip} ms"
            );
        }
    }
}

#[test]
fn a_deadline_may_leave_the_loss_undecided() {
    let request = EchoRequest {
        deadline_ms: 50,
        ..request()
    };
    let report = run_with_loss(&request, |_| false);
    assert_eq!(
        (report.outcome, report.loss),
        (EchoOutcome::Answered, Loss::Undecided)
    );
}

#[test]
fn echoes_lost_before_the_path_was_there_are_no_loss() {
    let report = run_with_loss(&request(), |number| number < 8);
    assert_eq!((report.received, report.loss), (ANSWERS, Loss::Bearable));
}

#[test]
fn echoes_lost_while_the_first_was_held_up_are_no_loss() {
    let report = run_over(&request(), |echo| {
        Ok(match echo.number {
            _ if echo.to_control => vec![],
            1 => vec![echo.reply(1700)],
            2..=8 => vec![],
            _ => vec![echo.reply(1)],
        })
    });
    assert_eq!(report.loss, Loss::Bearable, "{report:?}");
    assert!(report.elapsed_us < millis(2000), "{report:?}");
}

#[test]
fn more_answers_may_be_wanted_than_decide_the_loss() {
    let request = EchoRequest {
        count: 40,
        ..request()
    };
    assert_eq!(run_with_loss(&request, |_| false).received, 40);
}

#[test]
fn duplicates_are_counted_apart() {
    let report = run_over(&request(), |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(5), echo.reply(6), echo.reply(7)]
        })
    });
    assert_eq!((report.received, report.duplicates), (13, 26));
}

#[test]
fn a_late_answer_counts_with_its_own_round_trip() {
    let report = run_over(&request(), |echo| {
        let after = if echo.number == 1 { 250 } else { 10 };
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(after)]
        })
    });
    assert_eq!((report.received, report.reordered), (ANSWERS + 1, 1),);
    assert_eq!(report.rtt_us.iter().max(), Some(&millis(250)));
    assert_eq!(report.loss, Loss::Bearable);
}

#[test]
fn a_wrong_nonce_is_never_an_answer() {
    let report = run_over(&request(), |echo| Ok(vec![echo.altered_reply(5, 8)]));
    assert_eq!((report.outcome, report.received), (EchoOutcome::Silent, 0));
    assert_eq!(
        report.rejected.wrong_nonce,
        report.sent + report.control_sent
    );
    assert!(!report.control_answered);
}

#[test]
fn an_altered_payload_is_never_an_answer() {
    let report = run_over(&request(), |echo| Ok(vec![echo.altered_reply(5, 40)]));
    assert_eq!((report.outcome, report.received), (EchoOutcome::Silent, 0));
    assert!(report.rejected.altered_payload > 0);
}

#[test]
fn a_control_that_answers_ends_the_wait_and_is_told() {
    let report = run_over(&request(), |echo| Ok(vec![echo.reply(10)]));
    assert!(report.control_answered);
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Answered, millis(130))
    );
}

#[test]
fn a_control_that_answers_within_the_grace_is_told() {
    let report = run_over(&request(), |echo| {
        let after = if echo.to_control { 90 } else { 1 };
        Ok(vec![echo.reply(after)])
    });
    assert!(report.control_answered);
}

#[test]
fn an_error_for_the_control_is_no_error_for_the_target() {
    let report = run_over(&request(), |echo| {
        Ok(vec![if echo.to_control {
            echo.no_route(5)
        } else {
            echo.reply(10)
        }])
    });
    assert_eq!(
        (report.outcome, report.errors.len()),
        (EchoOutcome::Answered, 0)
    );
    assert_eq!(report.control_errors[0].count, 3);
}

#[test]
fn an_address_that_settles_after_1500_ms_is_waited_for() {
    let request = EchoRequest {
        settle_ms: 2500,
        ..request()
    };
    let report = run_over(&request, |echo| {
        if echo.at < Duration::from_millis(1500) {
            return Err(local(ENETUNREACH));
        }
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.reply(10)]
        })
    });
    assert_eq!(
        (report.outcome, report.received),
        (EchoOutcome::Answered, ANSWERS)
    );
    assert_eq!(report.errors[0].count, 8);
    assert_eq!(report.control_sent, 3, "once the address had settled");
    assert_eq!(report.elapsed_us, millis(1600 + 13 * 10));
}

#[test]
fn errors_from_before_an_address_settled_are_silence_in_the_end() {
    let request = EchoRequest {
        settle_ms: 2500,
        ..request()
    };
    let report = run_over(&request, |echo| {
        if echo.at < Duration::from_millis(1500) {
            Err(local(ENETUNREACH))
        } else {
            Ok(vec![])
        }
    });
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Silent, millis(3000))
    );
    assert_eq!(report.errors.len(), 1);
}

#[test]
fn a_send_that_keeps_failing_is_decided_after_600_ms() {
    let report = run_over(&request(), |_| Err(local(ENETUNREACH)));
    assert_eq!((report.outcome, report.sent), (EchoOutcome::Error, 0));
    assert_eq!(
        (report.elapsed_us, report.errors[0].count),
        (millis(600), 4)
    );
    assert_eq!(report.errors[0].offender, None);
}

#[test]
fn a_send_that_keeps_failing_is_decided_once_settled() {
    let request = EchoRequest {
        settle_ms: 1500,
        ..request()
    };
    let report = run_over(&request, |_| Err(local(ENETUNREACH)));
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Error, millis(1600))
    );
}

#[test]
fn a_full_buffer_decides_nothing() {
    let report = run_over(&request(), |_| Err(local(ENOBUFS)));
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Error, millis(3000))
    );
}

#[test]
fn an_icmpv6_error_that_stays_is_decided_and_attributed() {
    let report = run_over(&request(), |echo| {
        Ok(if echo.to_control {
            vec![]
        } else {
            vec![echo.no_route(5)]
        })
    });
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Error, millis(605))
    );
    let [seen] = report.errors.as_slice() else {
        panic!("{:?}", report.errors)
    };
    assert_eq!((&seen.kind, seen.count), (&ErrorKind::NoRoute, 4));
    assert_eq!(seen.offender, Some("3fff:9::1".parse().unwrap()));
}

#[test]
fn many_errors_for_one_echo_decide_nothing() {
    let report = run_over(&request(), |echo| {
        let errors = (0..9).map(|step| echo.no_route(step * 100)).collect();
        Ok(if echo.number == 1 && !echo.to_control {
            errors
        } else {
            vec![]
        })
    });
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Error, millis(3000))
    );
    assert_eq!(report.errors[0].count, 9);
}

#[test]
fn errors_that_quote_others_are_foreign() {
    let report = run_over(&request(), |echo| {
        let Effect::Error {
            icmp_type,
            icmp_code,
            destination,
            mut quoted,
            ..
        } = echo.no_route(5)
        else {
            return Ok(vec![]);
        };
        quoted[9] ^= 1;
        Ok(vec![Effect::Error {
            after: 5,
            icmp_type,
            icmp_code,
            destination,
            quoted,
        }])
    });
    assert_eq!(
        (report.outcome, report.errors.len()),
        (EchoOutcome::Silent, 0)
    );
    assert!(report.rejected.foreign_error > 3);
}

#[test]
fn silence_lasts_until_the_deadline() {
    let report = run_over(&request(), |_| Ok(vec![]));
    assert_eq!(
        (report.outcome, report.elapsed_us),
        (EchoOutcome::Silent, millis(3000))
    );
    assert_eq!((report.sent, report.control_sent), (15, 3));
}

#[test]
fn one_answer_and_no_more_is_answered_with_heavy_loss() {
    let report = run_over(&request(), |echo| {
        let heard = echo.number == 1 && !echo.to_control;
        Ok(if heard { vec![echo.reply(5)] } else { vec![] })
    });
    assert_eq!(
        (report.outcome, report.received),
        (EchoOutcome::Answered, 1)
    );
    assert_eq!(report.loss, Loss::Heavy);
    assert_eq!(
        report.elapsed_us,
        millis(5 + 4 * 200 + 1000),
        "the fifth is lost after a second"
    );
}

#[test]
fn an_interval_of_zero_does_not_flood() {
    let report = run_over(
        &EchoRequest {
            interval_ms: 0,
            ..request()
        },
        |_| Ok(vec![]),
    );
    assert_eq!(report.sent, 300);
}

#[test]
fn a_deadline_of_zero_sends_nothing() {
    let report = run_over(
        &EchoRequest {
            deadline_ms: 0,
            ..request()
        },
        |_| Ok(vec![]),
    );
    assert_eq!((report.outcome, report.sent), (EchoOutcome::Silent, 0));
}

#[test]
fn request_and_report_survive_json() {
    let request = request();
    let line = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<EchoRequest>(&line).unwrap(), request);
    let report = run_over(&request, |echo| Ok(vec![echo.reply(1), echo.no_route(2)]));
    let line = serde_json::to_string(&report).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(serde_json::from_str::<EchoReport>(&line).unwrap(), report);
}

/// What a hostile network may do to an echo: which of its bytes it flips, and when it replies.
#[derive(Debug, Clone)]
struct Mischief {
    after: u64,
    flips: Vec<(usize, u8)>,
    length: usize,
    as_error: bool,
    from_control: bool,
}

fn mischief() -> impl Strategy<Value = Mischief> {
    let flips = proptest::collection::vec((0usize..64, any::<u8>()), 0..2);
    (0u64..900, flips, 0usize..70, any::<bool>(), any::<bool>()).prop_map(
        |(after, flips, length, as_error, from_control)| {
            // A third of the lengths leave the message whole.
            let length = if length > 45 { 64 } else { length };
            Mischief {
                after,
                flips,
                length,
                as_error,
                from_control,
            }
        },
    )
}

fn do_mischief(echo: &SentEcho<'_>, mischief: &Mischief) -> (Effect, bool) {
    let as_error = mischief.as_error;
    let honest = if as_error {
        echo.message.to_vec()
    } else {
        echo.reply_bytes()
    };
    let mut bytes = honest.clone();
    for (position, mask) in &mischief.flips {
        bytes[*position] ^= mask;
    }
    bytes.truncate(mischief.length);
    let source = if mischief.from_control {
        CONTROL.parse().unwrap()
    } else {
        echo.destination
    };
    // Nobody looks at the checksum: the kernel has.
    let intact = bytes.len() == honest.len()
        && (0..64).all(|place| bytes[place] == honest[place] || matches!(place, 2 | 3));
    let answers = intact && !as_error && source == echo.destination && !echo.to_control;
    let after = mischief.after;
    let effect = if as_error {
        Effect::Error {
            after,
            icmp_type: 1,
            icmp_code: 3,
            destination: echo.destination,
            quoted: bytes,
        }
    } else {
        Effect::Packet {
            after,
            source,
            bytes,
        }
    };
    (effect, answers)
}

proptest! {
    #[test]
    fn whatever_comes_in_only_whole_replies_count_and_the_deadline_holds(
        script in proptest::collection::vec(proptest::collection::vec(mischief(), 0..4), 1..40),
    ) {
        let honest = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = honest.clone();
        let mut steps = script.into_iter().cycle();
        let report = run_over(&request(), move |echo| {
            let step = steps.next().unwrap_or_default();
            let (effects, answers): (Vec<Effect>, Vec<bool>) =
                step.iter().map(|mischief| do_mischief(echo, mischief)).unzip();
            let new = answers.into_iter().filter(|answers| *answers).count();
            counted.set(counted.get() + u32::try_from(new).unwrap());
            Ok(effects)
        });
        prop_assert!(report.elapsed_us <= millis(3000));
        prop_assert!(report.received + report.duplicates <= honest.get());
        prop_assert!(report.received <= report.sent);
        prop_assert_eq!(report.rtt_us.len(), report.received as usize);
        prop_assert_eq!(report.outcome == EchoOutcome::Answered, report.received > 0);
    }
}
