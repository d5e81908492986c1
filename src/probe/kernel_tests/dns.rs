//! The stub resolver beside name servers that follow a script, on the loopback of a netns.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::netns::in_netns;
use crate::probe::dns::{self, DnsAnswer, DnsReport, DnsRequest};

const ADDRESS: &str = "2001:db8::1";

/// Shorter than the pause before a server is asked again.
const STARTING: Duration = Duration::from_millis(150);

/// What a server does with a question.
#[derive(Clone, Copy)]
enum Manner {
    /// Knows `ADDRESS` for every name.
    Honest,
    /// Knows that every name has an IPv4 address only.
    WithoutAaaa,
    Refusing,
    /// Refuses for a while after the first question.
    Starting,
    /// Says that the answer is too long for a datagram.
    OverTcpOnly,
    /// The first so many questions get lost.
    Losing(usize),
    /// Answers with the wrong id, then with another name, then honestly.
    AmongForgeries,
    Mute,
}

/// Answers until the test's namespace and its threads have gone.
fn serve(address: &str, manner: Manner) {
    let address: SocketAddr = (address.parse::<IpAddr>().unwrap(), 53).into();
    let socket = UdpSocket::bind(address).unwrap();
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 600];
        let mut first_at = None;
        for number in 0.. {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            let first_at = first_at.get_or_insert_with(Instant::now);
            let manner = match manner {
                Manner::Starting if first_at.elapsed() < STARTING => Manner::Refusing,
                Manner::Starting => Manner::Honest,
                manner => manner,
            };
            for answer in answers(&buffer[..length], manner, number) {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut question = [0; 600];
            let length = stream.read(&mut question).unwrap();
            let answer = answer(&question[2..length], 0, Some(ADDRESS));
            let prefixed = [
                &u16::try_from(answer.len()).unwrap().to_be_bytes(),
                &answer[..],
            ];
            // In two pieces.
            let bytes = prefixed.concat();
            stream.write_all(&bytes[..1]).unwrap();
            stream.write_all(&bytes[1..]).unwrap();
        }
    });
}

fn answers(question: &[u8], manner: Manner, number: usize) -> Vec<Vec<u8>> {
    let honest = answer(question, 0, Some(ADDRESS));
    match manner {
        Manner::Honest => vec![honest],
        Manner::WithoutAaaa => vec![answer(question, 0, None)],
        Manner::Refusing => vec![answer(question, 5, None)],
        Manner::OverTcpOnly => vec![answer(question, 0x200, None)],
        Manner::Losing(lost) if number < lost => vec![],
        Manner::Losing(_) => vec![honest],
        Manner::AmongForgeries => {
            let (mut id, mut name) = (honest.clone(), honest.clone());
            id[0] ^= 1;
            name[13] ^= 1;
            vec![vec![0xff; 600], id, name, honest]
        }
        Manner::Mute | Manner::Starting => vec![],
    }
}

/// To AAAA the address if there is one, to A 192.0.2.1, to PTR `host.test`.
fn answer(question: &[u8], flags: u16, aaaa: Option<&str>) -> Vec<u8> {
    let kind = question[question.len() - 3];
    let data = match (kind, aaaa) {
        _ if flags != 0 => None,
        (28, Some(address)) => Some(address.parse::<Ipv6Addr>().unwrap().octets().to_vec()),
        (1, _) => Some(vec![192, 0, 2, 1]),
        (12, _) => Some(b"\x04host\x04test\0".to_vec()),
        _ => None,
    };
    let mut bytes = question.to_vec();
    bytes[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
    if let Some(data) = data {
        bytes[7] = 1;
        bytes.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
        bytes.push(u8::try_from(data.len()).unwrap());
        bytes.extend(data);
    }
    bytes
}

fn ask(servers: &[&str], names: &[&str], addresses: &[&str], deadline_ms: u64) -> DnsReport {
    let lines: String = servers
        .iter()
        .map(|server| format!("nameserver {server}\n"))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file.as_file(), lines.as_bytes()).unwrap();
    dns::run(&DnsRequest {
        resolv_conf: file.path().to_owned(),
        root: None,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        deadline_ms,
    })
}

fn found() -> DnsAnswer {
    DnsAnswer::Addresses(vec![ADDRESS.parse().unwrap()])
}

fn only_ipv4() -> DnsAnswer {
    DnsAnswer::Addresses(vec!["192.0.2.1".parse().unwrap()])
}

#[test]
fn a_name_server_is_asked_over_either_protocol_and_transport() {
    for (server, manner) in [
        ("127.0.0.11", Manner::Honest),
        ("::1", Manner::Honest),
        ("127.0.0.1", Manner::OverTcpOnly),
        ("::1", Manner::OverTcpOnly),
        ("127.0.0.1", Manner::Losing(5)),
        ("127.0.0.1", Manner::AmongForgeries),
    ] {
        in_netns(move || {
            serve(server, manner);
            let report = ask(&[server], &["v6.test"], &[], 20_000);
            assert_eq!(report.aaaa, found(), "{report:?}");
            assert_eq!(report.name.as_deref(), Some("v6.test"));
            assert_eq!(report.server, Some(server.parse().unwrap()));
            assert!(report.rtt_us.is_some());
        });
    }
}

#[test]
fn a_resolver_that_hides_aaaa_is_told_from_one_that_says_nothing() {
    let cases = [
        (Manner::WithoutAaaa, DnsAnswer::NoRecords, only_ipv4()),
        (
            Manner::Refusing,
            DnsAnswer::Refused("refused".into()),
            DnsAnswer::Refused("refused".into()),
        ),
        (Manner::Mute, DnsAnswer::Silent, DnsAnswer::Silent),
    ];
    for (manner, aaaa, a) in cases {
        in_netns(move || {
            serve("127.0.0.1", manner);
            let report = ask(&["127.0.0.1"], &["v6.test"], &[], 1000);
            assert_eq!((&report.aaaa, &report.a), (&aaaa, &a), "{report:?}");
        });
    }
}

#[test]
fn a_dead_server_is_passed_over() {
    in_netns(|| {
        serve("127.0.0.2", Manner::Mute);
        serve("127.0.0.3", Manner::Refusing);
        serve("127.0.0.4", Manner::Honest);
        for dead in [
            "127.0.0.1",
            "127.0.0.2",
            "127.0.0.3",
            "3fff:2::1",
            "fe80::1%nothere",
        ] {
            let report = ask(&[dead, "127.0.0.4"], &["v6.test"], &[], 20_000);
            assert_eq!(report.aaaa, found(), "{dead}: {report:?}");
            assert_eq!(report.server, Some("127.0.0.4".parse().unwrap()));
        }
    });
}

/// Long before the deadline, which is the point.
#[test]
fn servers_that_are_all_dead_are_given_up() {
    in_netns(|| {
        let report = ask(&["127.0.0.1", "3fff:2::1"], &["v6.test"], &[], 600_000);
        let DnsAnswer::Unreachable(why) = &report.aaaa else {
            panic!("{report:?}");
        };
        let last = "3fff:2::1: network is unreachable";
        assert!(
            [last, "127.0.0.1: connection refused"].contains(&why.as_str()),
            "{why}"
        );
    });
}

/// Each attempt by itself is over in a moment.
#[test]
fn a_server_that_is_starting_is_given_time() {
    in_netns(|| {
        serve("127.0.0.1", Manner::Starting);
        let report = ask(&["127.0.0.1"], &["v6.test"], &[], 20_000);
        assert_eq!(report.aaaa, found(), "{report:?}");
    });
}

#[test]
fn an_address_leads_to_its_name_and_that_to_its_addresses() {
    in_netns(|| {
        serve("127.0.0.1", Manner::Honest);
        let report = ask(&["127.0.0.1"], &[], &["2001:db8::53"], 20_000);
        assert_eq!(
            (report.name.as_deref(), report.aaaa),
            (Some("host.test"), found())
        );
        let report = ask(&["127.0.0.1"], &[], &[], 20_000);
        assert_eq!(report.name.as_deref(), Some("a.root-servers.net"));
    });
}

#[test]
fn without_a_file_the_resolver_is_on_this_machine() {
    in_netns(|| {
        serve("127.0.0.1", Manner::Honest);
        let request = |path: &str| DnsRequest {
            resolv_conf: PathBuf::from(path),
            root: None,
            names: vec!["v6.test".to_owned()],
            addresses: vec![],
            deadline_ms: 20_000,
        };
        assert_eq!(dns::run(&request("/nonexistent")).aaaa, found());
        // Neither is read to its end.
        assert_eq!(dns::run(&request("/dev/zero")).aaaa, found());
        assert!(matches!(dns::run(&request("/")).aaaa, DnsAnswer::Failed(_)));
    });
}
