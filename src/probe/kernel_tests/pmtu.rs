//! Path MTU behind narrow links.

use super::address;
use super::netns::{FAR, Neighbour, PEER, in_netns};
use crate::probe::icmp_error::ErrorKind;
use crate::probe::pmtu::{self, PathMtuOutcome, PathMtuReport, PathMtuRequest};

fn run(target: &str) -> PathMtuReport {
    pmtu::run(&PathMtuRequest {
        target: address(target),
        link_mtu: Some(1500),
        route_mtu: None,
        deadline_ms: 10_000,
    })
}

#[test]
fn a_path_as_wide_as_its_first_link_is_whole() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&[]);
        let report = run(PEER);
        assert_eq!(report.outcome, PathMtuOutcome::Whole { bytes: 1500 });
        assert_eq!((report.received, report.errors), (1, vec![]));
    });
}

#[test]
fn a_link_that_drops_what_is_too_large_is_a_black_hole() {
    in_netns(|| {
        let neighbour = Neighbour::new(&[]);
        neighbour.ip("link set veth1 mtu 1400");
        let report = run(PEER);
        let expected = PathMtuOutcome::BlackHole {
            passes: 1400,
            lost: 1420,
        };
        assert_eq!(report.outcome, expected, "{report:?}");
    });
}

#[test]
fn a_router_that_tells_its_mtu_is_believed_and_larger_packets_pass_in_fragments() {
    in_netns(|| {
        let router = Neighbour::new(&[]);
        let _far = router.host_behind(1300);
        let report = run(FAR);
        let expected = PathMtuOutcome::Told {
            bytes: 1500,
            mtu: 1300,
        };
        assert_eq!(report.outcome, expected, "{report:?}");
        assert_eq!(report.errors[0].kind, ErrorKind::PacketTooBig { mtu: 1300 });
        assert_eq!(report.errors[0].offender, Some(address(PEER)));
    });
}
