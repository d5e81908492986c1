//! Replies and errors, one byte wrong at a time.

use proptest::prelude::*;

use super::*;

const TARGET: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0);
const SENT_AT: Duration = Duration::from_millis(10);
const FIRST: EchoName = EchoName {
    destination: 0,
    number: 1,
};

fn rejected(reason: Reason) -> Judgement {
    Judgement::Rejected(reason, Some(0))
}

fn ledger(target: SocketAddrV6) -> (Ledger, Vec<u8>) {
    let control = "[3fff::1]:0".parse().unwrap();
    let identity = Identity {
        destinations: vec![target, control],
        identifier: 7,
        payload_bytes: 24,
    };
    let mut ledger = Ledger::new(identity);
    let Outgoing {
        echo, mut message, ..
    } = ledger.enter(0, 42);
    assert_eq!(echo, FIRST);
    ledger.sent(echo, SENT_AT);
    message[0] = ECHO_REPLY;
    (ledger, message)
}

fn from(source: SocketAddrV6, bytes: &[u8]) -> ReceivedPacket<'_> {
    let read_at = Duration::from_millis(15);
    ReceivedPacket {
        source,
        bytes,
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
fn an_echo_goes_out_as_these_bytes() {
    let identity = Identity {
        destinations: vec![TARGET],
        identifier: 0xbeef,
        payload_bytes: 12,
    };
    let mut ledger = Ledger::new(identity);
    for _ in 0..0x0102 {
        ledger.enter(0, 0);
    }
    let message = ledger.enter(0, 0x1122_3344_5566_7788).message;
    let header = [128, 0, 0, 0, 0xbe, 0xef, 0x01, 0x03];
    let nonce = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
    assert_eq!(message, [&header[..], &nonce, &[8, 9, 10, 11]].concat());
}

#[test]
fn each_changed_byte_has_its_reason() {
    let cases = [
        (0, 135, Judgement::Unrelated),
        (1, 1, Judgement::Unrelated),
        (5, 8, rejected(Reason::OtherIdentifier)),
        (7, 2, rejected(Reason::UnknownSequence)),
        (7, 0, rejected(Reason::UnknownSequence)),
        (15, 43, rejected(Reason::WrongNonce)),
        (31, 0, rejected(Reason::AlteredPayload)),
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
fn an_answer_to_somebody_else_from_somebody_else_is_none_of_our_business() {
    let (mut ledger, mut message) = ledger(TARGET);
    message[5] = 8;
    let stranger: SocketAddrV6 = "[2001:db8::77]:0".parse().unwrap();
    let judged = ledger.judge(&from(stranger, &message));
    assert_eq!(judged, Judgement::Unrelated);
}

#[test]
fn a_reply_cut_anywhere_is_truncated() {
    let (mut ledger, message) = ledger(TARGET);
    for length in 0..message.len() {
        let judged = ledger.judge(&from(TARGET, &message[..length]));
        assert_eq!(judged, rejected(Reason::Truncated), "{length} bytes");
    }
}

#[test]
fn a_reply_from_elsewhere_is_no_answer() {
    let (mut ledger, message) = ledger(TARGET);
    let stranger = "[3fff::2]:0".parse().unwrap();
    let judged = ledger.judge(&from(stranger, &message));
    assert_eq!(judged, Judgement::Rejected(Reason::ForeignSource, None));
    let other_destination = "[3fff::1]:0".parse().unwrap();
    let judged = ledger.judge(&from(other_destination, &message));
    assert_eq!(
        judged,
        Judgement::Rejected(Reason::UnknownSequence, Some(1))
    );
    let name = ledger.enter(1, 43).echo;
    ledger.sent(name, SENT_AT);
    let judged = ledger.judge(&from(other_destination, &message));
    assert_eq!(judged, Judgement::Rejected(Reason::WrongNonce, Some(1)));
}

#[test]
fn a_longer_reply_is_altered() {
    let (mut ledger, mut message) = ledger(TARGET);
    message.push(0x20);
    let judged = ledger.judge(&from(TARGET, &message));
    assert_eq!(judged, rejected(Reason::AlteredPayload));
}

#[test]
fn a_link_local_reply_counts_on_its_own_link_alone() {
    let target = SocketAddrV6::new("fe80::1".parse().unwrap(), 0, 0, 2);
    let (mut ledger, message) = ledger(target);
    let elsewhere = SocketAddrV6::new(*target.ip(), 0, 0, 3);
    let judged = ledger.judge(&from(elsewhere, &message));
    assert_eq!(judged, Judgement::Rejected(Reason::ForeignSource, None));
    assert!(matches!(
        ledger.judge(&from(target, &message)),
        Judgement::Answer { .. }
    ));
    assert!(matches!(
        ledger.judge(&from(target, &message)),
        Judgement::Duplicate { echo: FIRST, .. }
    ));
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
    assert_eq!(ledger.attribute(&error(cut, "::1")), Some((FIRST, true)));
    assert_eq!(
        ledger.attribute(&error(&message, "::1")),
        Some((FIRST, false))
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

/// Enters and sends echoes up to a number, each with its number as the nonce; the last reply.
fn up_to(ledger: &mut Ledger, number: u64) -> Vec<u8> {
    loop {
        let next = ledger.window(0).next();
        let Outgoing {
            echo, mut message, ..
        } = ledger.enter(0, next);
        ledger.sent(echo, SENT_AT);
        if echo.number == number {
            message[0] = ECHO_REPLY;
            return message;
        }
    }
}

#[test]
fn sequences_wrap_and_echoes_are_not_mixed_up() {
    let (mut ledger, _) = ledger(TARGET);
    for number in [65_535, 65_536, 65_537, 131_072, 140_000] {
        let message = up_to(&mut ledger, number);
        let wire = u16::try_from(number % 65_536).unwrap();
        assert_eq!(message[6..8], wire.to_be_bytes());
        let judged = ledger.judge(&from(TARGET, &message));
        assert!(
            matches!(judged, Judgement::Answer { echo, .. } if echo.number == number),
            "{number}: {judged:?}"
        );
    }
}

#[test]
fn a_reply_to_an_echo_one_wrap_ago_is_not_taken_for_another() {
    let (mut ledger, first) = ledger(TARGET);
    up_to(&mut ledger, 65_536);
    let judged = ledger.judge(&from(TARGET, &first));
    assert_eq!(judged, rejected(Reason::UnknownSequence), "forgotten");
    up_to(&mut ledger, 65_537);
    let judged = ledger.judge(&from(TARGET, &first));
    assert_eq!(judged, rejected(Reason::WrongNonce), "its sequence again");
}

#[test]
fn what_was_forgotten_is_not_remembered_for_many_destinations() {
    let destination = |host: u128| SocketAddrV6::new(host.into(), 0, 0, 0);
    let identity = Identity {
        destinations: (1..=100_000).map(destination).collect(),
        identifier: 7,
        payload_bytes: 8,
    };
    let mut ledger = Ledger::new(identity);
    for _ in 0..1000 {
        let echo = ledger.enter(99_999, 1).echo;
        ledger.sent(echo, SENT_AT);
        assert!(ledger.window(99_999).iter().count() <= REMEMBERED_AT_LEAST);
    }
}

/// Messages of ours with a bit or two changed, cut or made longer; and anything.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let flips = proptest::collection::vec((0_usize..32, any::<u8>()), 0..3);
    let patched = (2_u64..=3, flips, 0_usize..=34, any::<bool>()).prop_map(
        |(number, flips, length, as_request)| {
            let (mut ledger, _) = ledger(TARGET);
            let mut message = up_to(&mut ledger, number);
            message[0] = if as_request { ECHO_REQUEST } else { ECHO_REPLY };
            for (position, mask) in flips {
                message[position] ^= mask;
            }
            message.resize(length, 0);
            message
        },
    );
    let random = proptest::collection::vec(any::<u8>(), 0..100);
    prop_oneof![9 => patched, 1 => random]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn only_the_very_reply_is_an_answer(bytes in noise(), from_target in any::<bool>()) {
        let (mut ledger, _) = ledger(TARGET);
        up_to(&mut ledger, 3);
        let source = if from_target { TARGET } else { "[3fff::1]:0".parse().unwrap() };
        let judged = ledger.judge(&from(source, &bytes));
        let honest = (2..=3).map(|number: u64| {
            let mut honest = ledger.template.clone();
            (honest[0], honest[7]) = (ECHO_REPLY, u8::try_from(number).unwrap());
            honest[8..16].copy_from_slice(&number.to_be_bytes());
            honest
        });
        // Nobody looks at the checksum: the kernel has.
        let mut summed = bytes;
        summed.iter_mut().skip(2).take(2).for_each(|byte| *byte = 0);
        let is_honest = from_target && honest.into_iter().any(|honest| honest == summed);
        prop_assert_eq!(matches!(judged, Judgement::Answer { .. }), is_honest, "{:?}", judged);
    }

    #[test]
    fn only_our_own_quoted_echo_is_blamed_on_us(bytes in noise(), to in 0_usize..3) {
        let (mut ledger, _) = ledger(TARGET);
        up_to(&mut ledger, 3);
        let to = ["::1", "3fff::1", "3fff::2"][to];
        let Some((echo, _)) = ledger.attribute(&error(&bytes, to)) else {
            return Ok(());
        };
        prop_assert_eq!((to, echo.destination), ("::1", 0));
        prop_assert_eq!((bytes[0], bytes[1]), (ECHO_REQUEST, 0));
        prop_assert_eq!(&bytes[4..6], &[0, 7]);
        prop_assert_eq!(u64::from(bytes[7]), echo.number);
        let nonce = ledger.window(0).entry(echo.number).unwrap().nonce;
        prop_assert!(bytes.len() < 16 || bytes[8..16] == nonce.to_be_bytes());
    }
}
