//! Many destinations at once, against the real kernel.

use std::net::SocketAddrV6;
use std::time::Instant;

use super::super::ping::{self, PingEvent, PingReport, PingRequest};
use super::netns::{in_netns, ip};

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
            let start = Instant::now();
            let (report, events) = run(&request(everybody(2000), rounds));
            println!("{rounds} rounds: {:?}", start.elapsed());
            assert_eq!(report.socket_notes, Vec::<String>::new());
            for destination in &report.destinations {
                assert_eq!((destination.sent, destination.received), (rounds, rounds));
            }
            assert_eq!(events.len(), 2000 * rounds as usize);
        }
    });
}
