//! The probers against the real kernel, as root, with `ip` (iproute2). Each test has network
//! namespaces of its own, which belong to its threads and end with them: nothing leaves the machine.

mod connects;
mod dns;
pub(crate) mod netns;
mod ping;
mod pmtu;

use std::net::{Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;

use self::netns::{Neighbour, PEER, allow_datagram, in_netns, ip};
use super::drive::drive;
use super::echo::{
    self, EchoOutcome, EchoReport, EchoRequest, Loss, Rejected, SocketKind, identity,
};
use super::icmp_error::ErrorKind;
use super::ledger::{Identity, Ledger};
use super::link::{Arrival, PacketLink};
use super::packet::ECHO_REPLY;
use super::session::EchoSession;
use super::socket::IcmpSocket;
use super::tcp::{self, PortAnswer, TcpOutcome, TcpRequest};

/// Answers in a row that decide the loss, the first included.
const ANSWERS: u32 = 13;
/// Nobody's address, behind the router where there is one (RFC 9637, documentation).
const NOWHERE: &str = "3fff:2::1";

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn run_on(kind: SocketKind, request: &EchoRequest) -> EchoReport {
    let payload_bytes = usize::from(request.payload_bytes);
    let mut socket = IcmpSocket::open_kind(kind, 0x5a5a, payload_bytes, Instant::now()).unwrap();
    assert_eq!(socket.set_options(), Vec::<String>::new());
    let mut session = EchoSession::new(request, identity(request, socket.identifier()));
    drive(&mut session, &mut socket, &mut || Ok(7), None).unwrap();
    session.into_report()
}

#[test]
fn loopback_answers_on_a_raw_socket_with_nothing_left_over() {
    in_netns(|| {
        let report = echo::run(&EchoRequest::new(Ipv6Addr::LOCALHOST));
        assert_eq!(report.outcome, EchoOutcome::Answered);
        assert_eq!(
            (report.socket, report.socket_notes.len()),
            (Some(SocketKind::Raw), 0)
        );
        assert_eq!(report.loss, Loss::Bearable);
        assert_eq!((report.sent, report.received), (ANSWERS, ANSWERS));
        assert_eq!(report.rtt_us.len(), report.received as usize);
        assert_eq!(
            (report.duplicates, report.rejected),
            (0, Rejected::default())
        );
        assert_eq!(report.hop_limit, Some(64));
    });
}

#[test]
fn loopback_answers_on_a_datagram_socket() {
    in_netns(|| {
        allow_datagram();
        let report = run_on(SocketKind::Datagram, &EchoRequest::new(Ipv6Addr::LOCALHOST));
        assert_eq!(
            (report.outcome, report.received),
            (EchoOutcome::Answered, ANSWERS)
        );
        assert_eq!(
            (report.hop_limit, report.rejected),
            (Some(64), Rejected::default())
        );
    });
}

#[test]
fn payloads_from_nothing_to_the_longest_come_back_whole() {
    in_netns(|| {
        for payload_bytes in [0, 9, 1232, 40_000, u16::MAX] {
            let request = EchoRequest {
                payload_bytes,
                ..EchoRequest::new(Ipv6Addr::LOCALHOST)
            };
            let report = run_on(SocketKind::Raw, &request);
            assert_eq!(
                (report.received, report.rejected),
                (ANSWERS, Rejected::default()),
                "{report:?}"
            );
        }
    });
}

/// Everything that comes in within a moment after one echo to `::1` went out.
fn first_bytes(identifier: u16) -> Vec<(u8, u16)> {
    let mut socket = IcmpSocket::open_kind(SocketKind::Raw, identifier, 8, Instant::now()).unwrap();
    assert_eq!(socket.set_options(), Vec::<String>::new());
    let mut ledger = Ledger::new(Identity {
        destinations: vec!["[::1]:0".parse().unwrap()],
        identifier,
        payload_bytes: 8,
    });
    let outgoing = ledger.enter(0, 42);
    assert_eq!(socket.send(&[outgoing]), (1, None));
    let mut seen = Vec::new();
    let until = socket.now() + Duration::from_millis(50);
    while socket.now() < until {
        let each = &mut |arrival: &Arrival<'_>| {
            let Arrival::Packet(packet) = arrival else {
                panic!("{arrival:?}")
            };
            let identifier = u16::from_be_bytes([packet.bytes[4], packet.bytes[5]]);
            seen.push((packet.bytes[0], identifier));
        };
        socket.receive(until, each).unwrap();
    }
    seen
}

#[test]
fn a_raw_socket_is_woken_by_echo_replies_alone_and_by_those_of_others() {
    in_netns(|| {
        assert_eq!(first_bytes(0x1111), [(ECHO_REPLY, 0x1111)]);
        let bystander = IcmpSocket::open_kind(SocketKind::Raw, 0x2222, 8, Instant::now());
        let mut bystander = bystander.unwrap();
        bystander.set_options();
        first_bytes(0x3333);
        let mut seen = Vec::new();
        let each = &mut |arrival: &Arrival<'_>| {
            if let Arrival::Packet(packet) = arrival {
                seen.push((packet.bytes[0], packet.bytes[4]));
            }
        };
        bystander.receive(bystander.now(), each).unwrap();
        assert_eq!(seen, [(ECHO_REPLY, 0x33)]);
    });
}

#[test]
fn a_new_netns_refuses_datagram_sockets() {
    in_netns(|| {
        let refused = IcmpSocket::open_kind(SocketKind::Datagram, 0, 8, Instant::now());
        assert_eq!(refused.err(), Some(nix::errno::Errno::EACCES));
    });
}

/// An echo may be lost: while another raw socket opens, a new one now and then misses its first
/// packets (seen on 6.18, with a Python script as well; cause not found). It is made up for.
#[test]
fn two_probers_in_one_netns_do_not_mistake_each_others_replies() {
    in_netns(|| {
        let request = EchoRequest {
            count: 200,
            ..EchoRequest::new(Ipv6Addr::LOCALHOST)
        };
        std::thread::scope(|scope| {
            let runs = [0, 1].map(|_| scope.spawn(|| echo::run(&request)));
            for run in runs {
                let report = run.join().unwrap();
                let other_identifier = report.rejected.other_identifier;
                assert_eq!(report.received, 200, "{report:?}");
                assert_eq!(report.duplicates, 0);
                let expected = Rejected {
                    other_identifier,
                    ..Rejected::default()
                };
                assert_eq!(report.rejected, expected);
            }
        });
    });
}

#[test]
fn routes_that_refuse_are_named_at_the_first_send() {
    let cases = [
        (None, "network is unreachable"),
        (Some("unreachable 3fff:2::/32"), "no route to host"),
        (Some("prohibit 3fff:2::/32"), "permission denied"),
        (Some("blackhole 3fff:2::/32"), "invalid argument"),
    ];
    for (route, expected) in cases {
        in_netns(move || {
            if let Some(route) = route {
                ip(&format!("route add {route}"));
            }
            let report = echo::run(&EchoRequest::new(address(NOWHERE)));
            assert_eq!((report.outcome, report.sent), (EchoOutcome::Error, 0));
            assert_eq!(report.errors[0].kind.to_string(), expected);
            assert!(report.errors[0].kind.is_hard());
        });
    }
}

#[test]
fn a_router_without_a_route_is_named_on_both_sockets() {
    let cases = [
        ("unreachable 3fff:2::/32", ErrorKind::NoRoute),
        (
            "prohibit 3fff:2::/32",
            ErrorKind::AdministrativelyProhibited,
        ),
    ];
    for (route, expected) in cases {
        in_netns(move || {
            allow_datagram();
            let routes: &'static [&'static str] = Box::leak(Box::new([route]));
            let _router = Neighbour::new(routes);
            for kind in [SocketKind::Raw, SocketKind::Datagram] {
                let report = run_on(kind, &EchoRequest::new(address(NOWHERE)));
                assert_eq!(report.outcome, EchoOutcome::Error, "{kind:?}: {report:?}");
                assert_eq!(report.errors.len(), 1, "{kind:?}: {report:?}");
                assert_eq!(report.errors[0].kind, expected);
                assert_eq!(report.errors[0].offender, Some(address(PEER)));
                assert_eq!(report.rejected, Rejected::default());
            }
        });
    }
}

#[test]
fn an_error_for_the_control_does_not_spoil_the_echoes_to_the_target() {
    in_netns(|| {
        allow_datagram();
        let _router = Neighbour::new(&["unreachable 3fff:2::/32"]);
        let control = Some(address(NOWHERE));
        let request = EchoRequest {
            control,
            count: 5,
            ..EchoRequest::new(address(PEER))
        };
        for kind in [SocketKind::Raw, SocketKind::Datagram] {
            let report = run_on(kind, &request);
            assert_eq!(report.outcome, EchoOutcome::Answered, "{kind:?}");
            // On a busy machine an answer may be late enough for one more echo to be on its way.
            assert!(report.received >= 5, "{report:?}");
            assert_eq!(report.errors, [], "{kind:?}");
            assert_eq!(
                report.control_errors[0].kind,
                ErrorKind::NoRoute,
                "{kind:?}"
            );
            assert!(!report.control_answered);
        }
    });
}

#[test]
fn a_host_that_answers_for_everybody_is_found_out() {
    in_netns(|| {
        let _liar = Neighbour::new(&["local 3fff:2::/32 dev lo"]);
        let control = Some(address(NOWHERE));
        let report = echo::run(&EchoRequest {
            control,
            ..EchoRequest::new(address(PEER))
        });
        assert!(report.control_answered, "{report:?}");
    });
}

#[test]
fn silence_is_told_from_errors() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&["blackhole 3fff:2::/32"]);
        let request = EchoRequest {
            deadline_ms: 500,
            ..EchoRequest::new(address(NOWHERE))
        };
        let report = echo::run(&request);
        assert_eq!(
            (report.outcome, report.errors.len()),
            (EchoOutcome::Silent, 0)
        );
        assert!(report.sent > 0);
        let request = TcpRequest {
            deadline_ms: 300,
            ..TcpRequest::new(address(NOWHERE), vec![80, 443])
        };
        assert_eq!(tcp::run(&request).outcome, TcpOutcome::Silent);
    });
}

#[test]
fn a_link_local_target_needs_its_scope() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&[]);
        ip("addr add fe80::1/64 dev veth0 nodad");
        let scope_id = if_nametoindex("veth0").unwrap();
        let request = EchoRequest {
            scope_id,
            ..EchoRequest::new(address("fe80::2"))
        };
        assert_eq!(echo::run(&request).outcome, EchoOutcome::Answered);
        let report = echo::run(&EchoRequest {
            scope_id: 0,
            ..request
        });
        assert_eq!(report.outcome, EchoOutcome::Error, "{report:?}");
        assert_eq!(report.errors[0].kind.to_string(), "invalid argument");
    });
}

/// The kernel takes 1–2 s to find out that nobody else has the address (RFC 4862 section 5.4).
#[test]
fn a_tentative_address_is_waited_for_when_asked() {
    in_netns(|| {
        let _neighbour = Neighbour::new(&[]);
        ip("addr del 3fff:1::1/64 dev veth0");
        ip("addr add 3fff:1::1/64 dev veth0");
        let patient = EchoRequest {
            settle_ms: 10_000,
            deadline_ms: 10_000,
            ..EchoRequest::new(address(PEER))
        };
        let tcp = TcpRequest {
            settle_ms: 10_000,
            deadline_ms: 10_000,
            ..TcpRequest::new(address(PEER), vec![9])
        };
        std::thread::scope(|scope| {
            let ports = scope.spawn(|| tcp::run(&tcp));
            let report = echo::run(&patient);
            assert_eq!(
                (report.outcome, report.loss),
                (EchoOutcome::Answered, Loss::Bearable)
            );
            assert!(
                report.sent > ANSWERS || !report.errors.is_empty(),
                "the address was not tentative"
            );
            let ports = ports.join().unwrap();
            assert_eq!(ports.outcome, TcpOutcome::Refused);
            assert!(ports.ports[0].tries > 1);
        });
    });
}

#[test]
fn tcp_connects_where_one_port_of_several_listens() {
    in_netns(|| {
        let listener = TcpListener::bind("[::1]:4430").unwrap();
        let report = tcp::run(&TcpRequest::new(Ipv6Addr::LOCALHOST, vec![9, 4430, 10]));
        assert!(
            matches!(report.outcome, TcpOutcome::Connected { port: 4430, .. }),
            "{report:?}"
        );
        let answers: Vec<&PortAnswer> = report.ports.iter().map(|port| &port.answer).collect();
        assert_eq!(answers[1], &PortAnswer::Connected);
        drop(listener);
        let report = tcp::run(&TcpRequest::new(Ipv6Addr::LOCALHOST, vec![9, 4430, 10]));
        assert_eq!(report.outcome, TcpOutcome::Refused);
    });
}

#[test]
fn tcp_without_a_route_is_unreachable() {
    in_netns(|| {
        let report = tcp::run(&TcpRequest::new(address(NOWHERE), vec![80, 443]));
        assert_eq!(
            report.outcome,
            TcpOutcome::Unreachable("network is unreachable".into())
        );
        // Long before the deadline.
        assert!(report.ports.iter().all(|port| port.tries == 3));
    });
}
