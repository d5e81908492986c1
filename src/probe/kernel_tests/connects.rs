//! Connects that get lost, and IPv4.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::netns::{Neighbour, PEER, in_netns, ip};
use super::{NOWHERE, address};
use crate::probe::tcp::{self, TcpOutcome, TcpRequest};

#[test]
fn a_port_that_is_silent_is_connected_to_three_times() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&["blackhole 3fff:2::/32"]);
        let request = TcpRequest {
            deadline_ms: 2000,
            ..TcpRequest::new(address(NOWHERE), vec![80, 443])
        };
        let report = tcp::run(&request);
        assert_eq!(report.outcome, TcpOutcome::Silent);
        assert!(
            report.ports.iter().all(|port| port.tries == 3),
            "{report:?}"
        );
    });
}

/// The router has a route from the second connect on, or from the third.
#[test]
fn an_error_that_passes_is_not_the_last_word() {
    in_netns(|| {
        let neighbour = Neighbour::new(&["unreachable 3fff:2::/32"]);
        let request = TcpRequest {
            deadline_ms: 20_000,
            ..TcpRequest::new(address(NOWHERE), vec![80])
        };
        std::thread::scope(|scope| {
            let run = scope.spawn(|| tcp::run(&request));
            neighbour.ip("route replace local 3fff:2::/32 dev lo");
            assert_eq!(run.join().unwrap().outcome, TcpOutcome::Refused);
        });
    });
}

/// There is a route from the second connect on, or from the third.
#[test]
fn a_route_that_comes_back_is_taken() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&["local 3fff:2::/32 dev lo"]);
        let default_route = format!("default via {PEER}");
        ip(&format!("route del {default_route}"));
        let request = TcpRequest {
            deadline_ms: 20_000,
            ..TcpRequest::new(address(NOWHERE), vec![80])
        };
        // The namespace is a thread's own.
        let run = thread::spawn(move || tcp::run(&request));
        ip(&format!("route add {default_route}"));
        assert_eq!(run.join().unwrap().outcome, TcpOutcome::Refused);
    });
}

#[test]
fn ipv4_is_connected_to_as_well() {
    in_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:4430").unwrap();
        let report = tcp::run(&TcpRequest::new(Ipv4Addr::LOCALHOST, vec![9, 4430]));
        assert!(
            matches!(report.outcome, TcpOutcome::Connected { port: 4430, .. }),
            "{report:?}"
        );
        drop(listener);
        let report = tcp::run(&TcpRequest::new(Ipv4Addr::LOCALHOST, vec![9]));
        assert_eq!(report.outcome, TcpOutcome::Refused);
        let elsewhere = tcp::run(&TcpRequest::new(Ipv4Addr::new(192, 0, 2, 1), vec![80]));
        let expected = TcpOutcome::Unreachable("network is unreachable".into());
        assert_eq!(elsewhere.outcome, expected);
        assert_eq!(elsewhere.ports[0].tries, 3, "a route may be on its way");
    });
}
