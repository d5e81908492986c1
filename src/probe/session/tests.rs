//! The session alone: one event, one decision.

use super::super::scripted::{CONTROL, IDENTIFIER, TARGET};
use super::*;

fn at(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn session(control: bool) -> Session {
    let target: SocketAddrV6 = TARGET.parse().unwrap();
    let control = control.then(|| CONTROL.parse().unwrap());
    let identity = Identity {
        target,
        control,
        identifier: IDENTIFIER,
        payload_bytes: 16,
    };
    Session::new(&EchoRequest::new(*target.ip()), identity)
}

/// Sends the next echo and returns the honest reply to it.
fn send(session: &mut Session, role: Role, now: Duration) -> (SocketAddrV6, Vec<u8>) {
    let (sequence, destination, mut message) = session.prepare(role, 99).unwrap();
    session.observe(&Event::Sent {
        sequence,
        role,
        at: now,
    });
    message[0] = super::super::packet::ECHO_REPLY;
    (destination, message)
}

fn receive(session: &mut Session, reply: &(SocketAddrV6, Vec<u8>), now: Duration) {
    let packet = ReceivedPacket {
        source: reply.0,
        bytes: &reply.1,
        truncated: false,
        hop_limit: None,
        stamped_at: None,
        read_at: now,
    };
    session.observe(&Event::Arrived(Arrival::Packet(packet)));
}

#[test]
fn it_sends_at_once_then_waits_one_interval() {
    let mut session = session(false);
    assert_eq!(session.decide(at(0)), Decision::Send(Role::Target));
    send(&mut session, Role::Target, at(0));
    assert_eq!(session.decide(at(1)), Decision::WaitUntil(at(200)));
    assert_eq!(session.decide(at(200)), Decision::Send(Role::Target));
}

#[test]
fn the_answer_to_the_last_echo_sends_the_next() {
    let mut session = session(false);
    let reply = send(&mut session, Role::Target, at(0));
    receive(&mut session, &reply, at(7));
    assert_eq!(session.decide(at(7)), Decision::Send(Role::Target));
}

#[test]
fn the_answer_to_an_earlier_echo_does_not() {
    let mut session = session(false);
    let first = send(&mut session, Role::Target, at(0));
    send(&mut session, Role::Target, at(200));
    receive(&mut session, &first, at(210));
    assert_eq!(session.decide(at(210)), Decision::WaitUntil(at(400)));
}

#[test]
fn the_control_follows_the_first_echo_without_waiting() {
    let mut session = session(true);
    send(&mut session, Role::Target, at(0));
    assert_eq!(session.decide(at(0)), Decision::Send(Role::Control));
    send(&mut session, Role::Control, at(0));
    assert_eq!(session.decide(at(0)), Decision::WaitUntil(at(200)));
}

#[test]
fn the_grace_ends_with_the_deadline() {
    let mut session = session(true);
    for now in [2950, 2960, 2970] {
        let reply = send(&mut session, Role::Target, at(now));
        send(&mut session, Role::Control, at(now));
        receive(&mut session, &reply, at(now + 1));
    }
    assert_eq!(session.decide(at(2971)), Decision::WaitUntil(at(3000)));
    assert_eq!(
        session.decide(at(3000)),
        Decision::Done(EchoOutcome::Answered)
    );
}

#[test]
fn nothing_is_sent_that_could_not_be_answered_before_the_deadline() {
    let mut session = session(false);
    send(&mut session, Role::Target, at(2900));
    assert_eq!(session.decide(at(2950)), Decision::WaitUntil(at(3000)));
    assert_eq!(
        session.decide(at(3000)),
        Decision::Done(EchoOutcome::Silent)
    );
}

#[test]
fn a_full_ledger_waits_for_the_deadline() {
    let mut session = session(false);
    while session.prepare(Role::Target, 0).is_some() {}
    assert_eq!(session.decide(at(1)), Decision::WaitUntil(at(3000)));
}

#[test]
fn invented_offenders_do_not_grow_the_report_without_end() {
    let mut errors = Vec::new();
    for offender in 0..1000_u128 {
        let offender = Some(offender.into());
        let kind = ErrorKind::NoRoute;
        let seen = ErrorSeen {
            kind,
            icmp_type: Some(1),
            icmp_code: Some(0),
            offender,
            count: 1,
        };
        count_error(&mut errors, seen);
    }
    assert_eq!(errors.len(), 32);
}
