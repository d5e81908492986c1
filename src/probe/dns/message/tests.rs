//! Messages in hex, and any bytes at all.

use proptest::prelude::*;

use super::*;

fn question(name: &str, kind: Kind) -> Question {
    Question {
        name: Name::parse(name).unwrap(),
        kind,
    }
}

/// An answer to a question: flags and code, then records as (owner, type, data).
fn answer(question: &Question, flags: u16, records: &[(&str, u16, &[u8])]) -> Vec<u8> {
    let mut bytes = encode(7, question);
    bytes[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
    bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    for (owner, kind, data) in records {
        bytes.extend(Name::parse(owner).unwrap().wire());
        bytes.extend([kind.to_be_bytes(), CLASS_INTERNET.to_be_bytes()].concat());
        bytes.extend([0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(*data);
    }
    bytes
}

fn wire(name: &str) -> Vec<u8> {
    Name::parse(name).unwrap().wire()
}

const AAAA: u16 = 28;
const ADDRESS: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn addresses(texts: &[&str]) -> Said {
    Said::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn a_question_is_these_bytes() {
    let bytes = encode(0x1234, &question("v6.Test.", Kind::Aaaa));
    let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02v6\x04test\0\0\x1c\0\x01";
    assert_eq!(bytes, expected);
}

#[test]
fn the_name_of_an_address_is_asked_for_by_its_nibbles() {
    let name = Name::of_address("2001:db8::567:89ab".parse().unwrap());
    let expected = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    assert_eq!(name.to_string(), expected);
}

#[test]
fn answers_are_read() {
    let asked = question("v6.test", Kind::Aaaa);
    let (www, cdn, v6) = (wire("www.test"), wire("cdn.test"), wire("V6.TEST"));
    let circle = Said::Refused("aliases (CNAME) that lead in a circle".to_owned());
    type Records<'a> = Vec<(&'a str, u16, &'a [u8])>;
    let cases: Vec<(&str, u16, Records, Said)> = vec![
        (
            "an address",
            0,
            vec![("v6.test", AAAA, &ADDRESS)],
            addresses(&["2001:db8::1"]),
        ),
        ("no record", 0, vec![], Said::NoRecords),
        ("no such name", 3, vec![], Said::NoSuchName),
        ("refused", 5, vec![], Said::Refused("refused".to_owned())),
        (
            "only IPv4",
            0,
            vec![("v6.test", 1, &[192, 0, 2, 1])],
            Said::NoRecords,
        ),
        (
            "another name's address",
            0,
            vec![("other.test", AAAA, &ADDRESS)],
            Said::NoRecords,
        ),
        (
            "a filter's no",
            0,
            vec![("v6.test", AAAA, &[0; 16])],
            Said::NoRecords,
        ),
        (
            "aliases in any order",
            0,
            vec![
                ("cdn.test", AAAA, &ADDRESS),
                ("www.test", CNAME, &cdn),
                ("v6.test", CNAME, &www),
            ],
            addresses(&["2001:db8::1"]),
        ),
        (
            "an alias of nothing",
            0,
            vec![("v6.test", CNAME, &www)],
            Said::NoRecords,
        ),
        (
            "an alias of itself",
            0,
            vec![("v6.test", CNAME, &v6)],
            circle.clone(),
        ),
        (
            "a circle",
            0,
            vec![("v6.test", CNAME, &www), ("www.test", CNAME, &v6)],
            circle,
        ),
        ("truncated", 0x200, vec![], Said::Truncated),
        (
            "truncated behind an address",
            0x200,
            vec![("v6.test", AAAA, &ADDRESS)],
            addresses(&["2001:db8::1"]),
        ),
        (
            "an address of 15 bytes",
            0,
            vec![("v6.test", AAAA, &ADDRESS[..15])],
            Said::Refused("an answer that cannot be read".to_owned()),
        ),
    ];
    for (name, flags, records, said) in cases {
        let bytes = answer(&asked, flags, &records);
        assert_eq!(decode(7, &asked, &bytes), Some(said), "{name}");
    }
    let pointer = question("1.ip6.arpa", Kind::Ptr);
    let bytes = answer(&pointer, 0, &[("1.ip6.arpa", 12, &www)]);
    let expected = Said::Name(Name::parse("www.test").unwrap());
    assert_eq!(decode(7, &pointer, &bytes), Some(expected));
}

#[test]
fn what_answers_another_question_is_no_answer() {
    let asked = question("v6.test", Kind::Aaaa);
    let bytes = answer(&asked, 0, &[("v6.test", AAAA, &ADDRESS)]);
    assert!(decode(7, &asked, &bytes).is_some());
    assert_eq!(decode(8, &asked, &bytes), None, "another id");
    for other in [
        question("v6.test", Kind::A),
        question("v4.test", Kind::Aaaa),
    ] {
        assert_eq!(decode(7, &other, &bytes), None);
    }
    assert_eq!(
        decode(7, &asked, &encode(7, &asked)),
        None,
        "the question itself"
    );
    for cut in 0..12 {
        assert_eq!(decode(7, &asked, &bytes[..cut]), None);
    }
    let refusal = b"\0\x07\x81\x85\0\0\0\0\0\0\0\0";
    let refused = Some(Said::Refused("refused".to_owned()));
    assert_eq!(decode(7, &asked, refusal), refused, "without the question");
}

#[test]
fn compression_leads_backwards_only() {
    let pointer = b"\x03www\0\x01a\xc0\x00";
    let (name, end) = Name::read(pointer, 5).unwrap();
    assert_eq!((name.to_string().as_str(), end), ("a.www", 9));
    for circle in [
        &b"\xc0\x00"[..],
        b"\x01a\xc0\x00",
        b"\xc0\x02\xc0\x00",
        b"\xc0",
    ] {
        assert_eq!(Name::read(circle, 0), None, "{circle:?}");
    }
    assert_eq!(Name::read(b"\x40aa\0", 0), None, "a reserved label");
    let mut chain = b"\0\xc0\x00".to_vec();
    for to in (1u8..).step_by(2).take(100) {
        chain.extend([0xc0, to]);
    }
    assert_eq!(
        Name::read(&chain, chain.len() - 2),
        None,
        "a hundred pointers"
    );
    let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
    assert_eq!(Name::read(&[&long[..], b"\0"].concat(), 0), None);
}

#[test]
fn names_that_dns_does_not_carry_are_refused() {
    let long = "a".repeat(64);
    for text in [
        "",
        ".",
        "a..b",
        ".a",
        "müller.test",
        long.as_str(),
        &"abc.".repeat(64),
    ] {
        assert_eq!(Name::parse(text), None, "{text:?}");
    }
    assert_eq!(
        Name::parse("A_b-1.Test.").unwrap().to_string(),
        "a_b-1.test"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
        let asked = question("v6.test", Kind::Aaaa);
        let _ = decode(7, &asked, &bytes);
        let _ = Name::read(&bytes, at);
    }

    /// The header and the question right, so that the records are reached.
    #[test]
    fn no_records_are_too_much(
        count: u16,
        flags in 0u16..16,
        kind in prop_oneof![Just(Kind::A), Just(Kind::Aaaa), Just(Kind::Ptr)],
        tail in proptest::collection::vec(prop_oneof![Just(0u8), Just(0xc0), Just(12), Just(1), Just(28), Just(5), any::<u8>()], 0..200),
    ) {
        let asked = question("v6.test", kind);
        let mut bytes = answer(&asked, flags, &[]);
        bytes[6..8].copy_from_slice(&count.to_be_bytes());
        bytes.extend(tail);
        match decode(7, &asked, &bytes) {
            Some(Said::Addresses(addresses)) => prop_assert!((1..=MOST_ADDRESSES).contains(&addresses.len())),
            Some(Said::Name(name)) => prop_assert!(name.wire().len() <= 255),
            said => prop_assert!(said.is_some()),
        }
    }

    #[test]
    fn a_name_survives_the_wire(text in "[a-z0-9_-]{1,63}(\\.[a-z0-9]{1,20}){0,5}") {
        let name = Name::parse(&text).unwrap();
        prop_assert_eq!(Name::read(&name.wire(), 0), Some((name.clone(), name.wire().len())));
        prop_assert_eq!(name.to_string(), text);
    }
}

/// The largest message is read in no time, whatever it holds.
#[test]
fn sixty_four_kilobytes_of_aliases_end() {
    let asked = question("v6.test", Kind::Aaaa);
    let mut bytes = answer(&asked, 0, &[]);
    while bytes.len() + 14 <= 65_535 {
        // v6.test is an alias of itself, by pointers to the question.
        bytes.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\0\0\x02\xc0\x0c");
    }
    bytes[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    assert!(matches!(decode(7, &asked, &bytes), Some(Said::Refused(_))));
}
