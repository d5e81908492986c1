//! Many destinations at once, against the real kernel.

use std::cell::Cell;
use std::net::SocketAddrV6;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::net::if_::if_nametoindex;

use super::super::icmp_error::ErrorKind;
use super::super::ping::{self, PingEvent, PingReport, PingRequest};
use super::super::report::Rejected;
use super::netns::{Neighbour, PEER, in_netns, ip};

/// A whole network that answers by itself (AnyIP).
const EVERYBODY: &str = "2001:db8:f::/64";

fn everybody(count: u16) -> Vec<SocketAddrV6> {
    let address = |host| [0x2001, 0xdb8, 0xf, 0, 0, 0, 0, host].into();
    (1..=count)
        .map(|host| SocketAddrV6::new(address(host), 0, 0, 0))
        .collect()
}

fn request(destinations: Vec<SocketAddrV6>, count: u32) -> PingRequest {
    PingRequest {
        destinations,
        count: Some(count),
        interval_us: None,
        wait_ms: 5000,
        payload_bytes: 56,
    }
}

fn run(request: &PingRequest) -> (PingReport, Vec<PingEvent>) {
    let mut events = Vec::new();
    let report = ping::run(request, &|| false, &mut |event| events.push(event.clone()));
    (report, events)
}

#[test]
fn two_thousand_destinations_answer_ten_times_each() {
    in_netns(|| {
        ip(&format!("route add local {EVERYBODY} dev lo"));
        for rounds in [1, 10] {
            let (report, events) = run(&request(everybody(2000), rounds));
            assert_eq!(report.socket_notes, Vec::<String>::new());
            for destination in &report.destinations {
                assert_eq!((destination.sent, destination.received), (rounds, rounds));
            }
            assert_eq!(events.len(), 2000 * rounds as usize);
        }
    });
}

#[test]
fn a_flood_loses_nothing() {
    in_netns(|| {
        let request = PingRequest {
            interval_us: Some(0),
            ..request(vec!["[::1]:0".parse().unwrap()], 20_000)
        };
        let (report, _) = run(&request);
        let destination = &report.destinations[0];
        assert_eq!((destination.sent, destination.received), (20_000, 20_000));
        assert_eq!(destination.rejected, Rejected::default());
    });
}

#[test]
fn payloads_from_nothing_to_the_longest_come_back_whole() {
    in_netns(|| {
        ip(&format!("route add local {EVERYBODY} dev lo"));
        for payload_bytes in [0, 1452, u16::MAX] {
            let request = PingRequest {
                payload_bytes,
                ..request(everybody(50), 3)
            };
            let (report, _) = run(&request);
            for destination in &report.destinations {
                assert_eq!(destination.received, 3, "{payload_bytes}: {destination:?}");
                assert_eq!(destination.rejected, Rejected::default());
            }
        }
    });
}

#[test]
fn errors_go_to_the_destination_they_are_about() {
    in_netns(|| {
        let _router = Neighbour::new(&[
            "local 2001:db8:f::/114 dev lo",
            "unreachable 2001:db8:f::8000/114",
            "prohibit 2001:db8:f::c000/114",
        ]);
        let hosts = [1, 2, 0x8001, 0x8002, 0x8003, 0xc001, 0xc002];
        let destinations = everybody(u16::MAX);
        let destinations = hosts.map(|host| destinations[host - 1]).to_vec();
        let (report, _) = run(&request(destinations, 2));
        for (host, destination) in hosts.iter().zip(&report.destinations) {
            let kinds: Vec<_> = destination.errors.iter().map(|seen| &seen.kind).collect();
            let expected = match host {
                0xc001.. => vec![&ErrorKind::AdministrativelyProhibited],
                0x8001.. => vec![&ErrorKind::NoRoute],
                _ => vec![],
            };
            assert_eq!(kinds, expected, "{host:x}: {destination:?}");
            let answers = if expected.is_empty() { 2 } else { 0 };
            assert_eq!(destination.received, answers);
        }
        assert_eq!(report.rejected, Rejected::default());
    });
}

#[test]
fn an_endless_run_stops_when_told() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&["blackhole 3fff:2::/32"]);
        let peer = SocketAddrV6::new(PEER.parse().unwrap(), 0, 0, 0);
        let silent = "[3fff:2::1]:0".parse().unwrap();
        let request = PingRequest {
            count: None,
            wait_ms: 60_000,
            ..request(vec![peer, silent], 1)
        };
        let answers = AtomicU32::new(0);
        let stop = || answers.load(Relaxed) >= 100;
        let report = ping::run(&request, &stop, &mut |event| {
            if matches!(event, PingEvent::Answer { .. }) {
                answers.fetch_add(1, Relaxed);
            }
        });
        let [peer, silent] = report.destinations.as_slice() else {
            panic!("{report:?}")
        };
        assert!(peer.received >= 100);
        assert_eq!((silent.sent, silent.received, silent.waiting), (1, 0, 1));
    });
}

#[test]
fn a_silent_run_stops_when_told() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&["blackhole 3fff:2::/32"]);
        let request = PingRequest {
            wait_ms: 3_600_000,
            ..request(vec!["[3fff:2::1]:0".parse().unwrap()], 1)
        };
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 5
        };
        let report = ping::run(&request, &stop, &mut |_| ());
        assert_eq!(report.destinations[0].waiting, 1);
    });
}

#[test]
fn the_same_link_local_address_on_two_links_is_two_destinations() {
    in_netns(|| {
        ip("link add veth0 type veth peer name veth1");
        ip("link add veth2 type veth peer name veth3");
        for link in ["veth0", "veth1", "veth2", "veth3"] {
            ip(&format!("link set {link} up"));
        }
        for link in ["veth0", "veth2"] {
            ip(&format!("addr add fe80::77/64 dev {link} nodad"));
        }
        let on = |link| {
            let scope_id = if_nametoindex(link).unwrap();
            SocketAddrV6::new("fe80::77".parse().unwrap(), 0, 0, scope_id)
        };
        let (report, _) = run(&request(vec![on("veth0"), on("veth2")], 20));
        for destination in &report.destinations {
            // A link that has just come up may refuse the first.
            assert!(destination.received >= 10, "{report:?}");
            assert!(destination.received <= 20, "{report:?}");
        }
    });
}
