//! Replies and errors, one byte wrong at a time.

use super::*;

const TARGET: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0);
const SENT_AT: Duration = Duration::from_millis(10);

fn ledger(target: SocketAddrV6) -> (Ledger, Vec<u8>) {
    let control = "[3fff::1]:0".parse().unwrap();
    let identity = Identity {
        target,
        control: Some(control),
        identifier: 7,
        payload_bytes: 24,
    };
    let mut ledger = Ledger::new(identity);
    let (sequence, mut message) = ledger.enter(Role::Target, 42).unwrap();
    ledger.sent(sequence, SENT_AT);
    message[0] = ECHO_REPLY;
    (ledger, message)
}

fn from(source: SocketAddrV6, bytes: &[u8]) -> ReceivedPacket<'_> {
    let read_at = Duration::from_millis(15);
    ReceivedPacket {
        source,
        bytes,
        truncated: false,
        hop_limit: None,
        stamped_at: None,
        read_at,
    }
}

fn error<'a>(quoted: &'a [u8], destination: &str) -> ReceivedError<'a> {
    ReceivedError {
        icmp_type: 1,
        icmp_code: 0,
        information: 0,
        offender: None,
        destination: Some(destination.parse().unwrap()),
        quoted,
        read_at: SENT_AT,
    }
}

#[test]
fn each_changed_byte_has_its_reason() {
    let cases = [
        (0, 135, Judgement::Unrelated),
        (1, 1, Judgement::Unrelated),
        (5, 8, Judgement::Rejected(Reason::OtherIdentifier)),
        (7, 2, Judgement::Rejected(Reason::UnknownSequence)),
        (7, 0, Judgement::Rejected(Reason::UnknownSequence)),
        (15, 43, Judgement::Rejected(Reason::WrongNonce)),
        (31, 0, Judgement::Rejected(Reason::AlteredPayload)),
    ];
    for (position, byte, expected) in cases {
        let (mut ledger, mut message) = ledger(TARGET);
        message[position] = byte;
        assert_eq!(
            ledger.judge(&from(TARGET, &message)),
            expected,
            "byte {position}"
        );
    }
}

#[test]
fn a_reply_cut_anywhere_is_truncated() {
    let (mut ledger, message) = ledger(TARGET);
    for length in 0..message.len() {
        let judged = ledger.judge(&from(TARGET, &message[..length]));
        assert_eq!(
            judged,
            Judgement::Rejected(Reason::Truncated),
            "{length} bytes"
        );
    }
}

#[test]
fn a_reply_from_elsewhere_is_foreign_even_from_the_control() {
    for source in ["[3fff::1]:0", "[3fff::2]:0"] {
        let (mut ledger, message) = ledger(TARGET);
        let judged = ledger.judge(&from(source.parse().unwrap(), &message));
        assert_eq!(
            judged,
            Judgement::Rejected(Reason::ForeignSource),
            "{source}"
        );
    }
}

#[test]
fn a_link_local_reply_counts_on_its_own_link_alone() {
    let target = SocketAddrV6::new("fe80::1".parse().unwrap(), 0, 0, 2);
    let (mut ledger, message) = ledger(target);
    let elsewhere = SocketAddrV6::new(*target.ip(), 0, 0, 3);
    let judged = ledger.judge(&from(elsewhere, &message));
    assert_eq!(judged, Judgement::Rejected(Reason::ForeignSource));
    assert!(matches!(
        ledger.judge(&from(target, &message)),
        Judgement::Answer { .. }
    ));
    let again = Judgement::Duplicate { role: Role::Target };
    assert_eq!(ledger.judge(&from(target, &message)), again);
}

#[test]
fn an_error_is_ours_when_it_quotes_our_echo() {
    let (mut ledger, mut message) = ledger(TARGET);
    assert_eq!(
        ledger.attribute(&error(&message, "::1")),
        None,
        "quotes a reply"
    );
    message[0] = ECHO_REQUEST;
    assert_eq!(
        ledger.attribute(&error(&message, "3fff::1")),
        None,
        "other destination"
    );
    assert_eq!(
        ledger.attribute(&error(&message[..7], "::1")),
        None,
        "no sequence"
    );
    let cut = &message[..12];
    assert_eq!(
        ledger.attribute(&error(cut, "::1")),
        Some((Role::Target, true))
    );
    assert_eq!(
        ledger.attribute(&error(&message, "::1")),
        Some((Role::Target, false))
    );
    message[15] ^= 1;
    assert_eq!(
        ledger.attribute(&error(&message, "::1")),
        None,
        "wrong nonce"
    );
}

#[test]
fn a_stamp_from_a_clock_that_jumped_is_not_used() {
    let millis = Duration::from_millis;
    let cases = [(None, 9), (Some(14), 4), (Some(9), 9), (Some(20), 9)];
    for (stamp, expected) in cases {
        let measured = round_trip(millis(10), stamp.map(millis), millis(19));
        assert_eq!(measured, millis(expected), "stamp {stamp:?}");
    }
}

#[test]
fn the_65536th_echo_is_not_sent() {
    let (mut ledger, _) = ledger(TARGET);
    for _ in 1..u16::MAX {
        assert!(ledger.enter(Role::Target, 0).is_some());
    }
    assert!(ledger.is_full());
    assert_eq!(ledger.enter(Role::Target, 0), None);
}
