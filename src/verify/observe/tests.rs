//! Which target ends the search.

use super::*;

fn seen(loss: Loss) -> TargetSeen {
    TargetSeen {
        target: "2001:db8::53".parse().unwrap(),
        route: RouteTo {
            kind: RouteKind::Unicast,
            gateway: None,
        },
        source: None,
        echo: EchoReport {
            outcome: EchoOutcome::Answered,
            loss,
            ..EchoReport::default()
        },
        tcp: TcpReport {
            outcome: TcpOutcome::Connected {
                port: 53,
                micros: 9,
            },
            ports: Vec::new(),
            elapsed_us: 9,
        },
    }
}

#[test]
fn a_target_that_loses_half_leaves_the_word_to_the_others() {
    for (loss, decides) in [
        (Loss::Bearable, true),
        (Loss::Undecided, true),
        (Loss::Heavy, false),
    ] {
        assert_eq!(seen(loss).decides(), decides, "{loss:?}");
    }
}

fn sized(outcome: PathMtuOutcome) -> Seen {
    let report = PathMtuReport {
        outcome,
        ..PathMtuReport::default()
    };
    (seen(Loss::Bearable), Some(report))
}

#[test]
fn a_target_that_swallows_large_packets_leaves_the_word_to_one_that_does_not() {
    use PathMtuOutcome::{BlackHole, CutShort, Whole};
    let swallows = || {
        sized(BlackHole {
            passes: 1280,
            lost: 1500,
        })
    };
    let cuts = || sized(CutShort { bytes: 1500 });
    let whole = || sized(Whole { bytes: 1500 });
    for (seen, is_over, expected) in [
        (vec![whole()], true, whole()),
        (vec![swallows()], false, swallows()),
        (vec![cuts(), swallows()], false, cuts()),
        (vec![swallows(), whole()], true, whole()),
    ] {
        assert_eq!(is_decided(&seen), is_over, "{seen:?}");
        let chosen = path_mtu(&seen).map(|(_, report)| report);
        assert_eq!(chosen, expected.1, "{seen:?}");
    }
}
