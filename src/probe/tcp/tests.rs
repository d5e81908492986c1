//! What several ports together say.

use super::*;

fn port(port: u16, answer: PortAnswer, micros: u64) -> PortReport {
    PortReport {
        port,
        answer,
        micros,
        tries: 1,
    }
}

#[test]
fn the_strongest_answer_decides() {
    let silent = || port(1, PortAnswer::Silent, 9);
    let unreachable = || port(2, PortAnswer::Unreachable("no route to host".into()), 9);
    let refused = || port(3, PortAnswer::Refused, 9);
    let connected = |number, micros| port(number, PortAnswer::Connected, micros);
    let failed = || {
        port(
            6,
            PortAnswer::Failed("open TCP socket: too many open files".into()),
            0,
        )
    };
    let cases = [
        (vec![], TcpOutcome::Failed("connect: no port to try".into())),
        (
            vec![failed()],
            TcpOutcome::Failed("open TCP socket: too many open files".into()),
        ),
        (vec![failed(), silent()], TcpOutcome::Silent),
        (
            vec![silent(), unreachable()],
            TcpOutcome::Unreachable("no route to host".into()),
        ),
        (
            vec![silent(), unreachable(), refused()],
            TcpOutcome::Refused,
        ),
        (
            vec![refused(), connected(4, 8), connected(5, 7)],
            TcpOutcome::Connected { port: 5, micros: 7 },
        ),
    ];
    for (ports, expected) in cases {
        assert_eq!(outcome(&ports), expected, "{ports:?}");
    }
}

#[test]
fn a_report_survives_json() {
    let report = TcpReport {
        outcome: TcpOutcome::Connected {
            port: 443,
            micros: 9,
        },
        ports: vec![
            port(443, PortAnswer::Connected, 9),
            port(80, PortAnswer::Silent, 9),
        ],
        elapsed_us: 12,
    };
    let line = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<TcpReport>(&line).unwrap(), report);
}
