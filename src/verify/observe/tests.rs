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
