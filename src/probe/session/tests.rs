//! The session alone: one event, one decision.

use std::net::SocketAddrV6;

use super::super::scripted::{CONTROL, IDENTIFIER, TARGET};
use super::*;

fn at(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn session(control: bool) -> EchoSession {
    let target: SocketAddrV6 = TARGET.parse().unwrap();
    let control = control.then(|| CONTROL.parse().unwrap());
    let identity = Identity {
        destinations: std::iter::once(target).chain(control).collect(),
        identifier: IDENTIFIER,
        payload_bytes: 16,
    };
    let request = EchoRequest {
        interval_ms: 200,
        ..EchoRequest::new(*target.ip())
    };
    EchoSession::new(&request, identity)
}

/// Sends what is due and returns the honest reply to it.
fn send(session: &mut EchoSession, now: Duration) -> (SocketAddrV6, Vec<u8>) {
    let mut batch = Vec::new();
    session.prepare(now, &mut || Ok(99), &mut batch).unwrap();
    let [outgoing] = batch.as_mut_slice() else {
        panic!("{batch:?}")
    };
    let echo = outgoing.echo;
    session.observe(&Event::Sent { echo, at: now });
    outgoing.message[0] = super::super::packet::ECHO_REPLY;
    (outgoing.address, outgoing.message.clone())
}

fn receive(session: &mut EchoSession, reply: &(SocketAddrV6, Vec<u8>), now: Duration) {
    let packet = ReceivedPacket {
        source: reply.0,
        bytes: &reply.1,
        hop_limit: None,
        stamped_at: None,
        read_at: now,
    };
    session.observe(&Event::Arrived(&Arrival::Packet(packet)));
}

#[test]
fn it_sends_at_once_then_waits_one_interval() {
    let mut session = session(false);
    assert_eq!(session.decide(at(0)), Decision::Send);
    send(&mut session, at(0));
    assert_eq!(session.decide(at(1)), Decision::WaitUntil(at(200)));
    assert_eq!(session.decide(at(200)), Decision::Send);
}

#[test]
fn the_answer_to_the_last_echo_sends_the_next() {
    let mut session = session(false);
    let reply = send(&mut session, at(0));
    receive(&mut session, &reply, at(7));
    assert_eq!(session.decide(at(7)), Decision::Send);
}

#[test]
fn the_answer_to_an_earlier_echo_does_not() {
    let mut session = session(false);
    let first = send(&mut session, at(0));
    send(&mut session, at(200));
    receive(&mut session, &first, at(210));
    assert_eq!(session.decide(at(210)), Decision::WaitUntil(at(400)));
}

#[test]
fn the_control_follows_the_first_echo_without_waiting() {
    let mut session = session(true);
    send(&mut session, at(0));
    assert_eq!(session.decide(at(0)), Decision::Send);
    let (address, _) = send(&mut session, at(0));
    assert_eq!(address, CONTROL.parse().unwrap());
    assert_eq!(session.decide(at(0)), Decision::WaitUntil(at(200)));
}

#[test]
fn the_grace_ends_with_the_deadline() {
    let mut session = session(true);
    for now in 2950..2970 {
        let reply = send(&mut session, at(now));
        if reply.0 != CONTROL.parse().unwrap() {
            receive(&mut session, &reply, at(now));
        }
    }
    assert_eq!(session.decide(at(2971)), Decision::WaitUntil(at(3000)));
    assert_eq!(session.decide(at(3000)), Decision::Done);
}

#[test]
fn nothing_is_sent_that_could_not_be_answered_before_the_deadline() {
    let mut session = session(false);
    send(&mut session, at(2900));
    assert_eq!(session.decide(at(2950)), Decision::WaitUntil(at(3000)));
    assert_eq!(session.decide(at(3000)), Decision::Done);
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
