use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;

use futures_util::future::{Either, select};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::*;
use crate::verify::peer;

const NONCE: u64 = 0x0123_4567_89ab_cdef;

fn on_loopback() -> [IpAddr; 2] {
    [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
}

/// What is seen of a port while somebody answers there, if anybody.
fn seen(to: &[IpAddr], answering: impl AsyncFnOnce(u16)) -> Vec<PublishedPath> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let wanted = Port {
            number: port,
            nonce: NONCE,
            since: Instant::now(),
            settles: false,
        };
        let reaching = pin!(reach(wanted, to));
        match select(reaching, pin!(answering(port))).await {
            Either::Left((published, _)) => published.paths,
            Either::Right(((), reaching)) => reaching.await.paths,
        }
    })
}

/// Answers every connection at an address with these bytes, and keeps it open.
async fn answer(address: IpAddr, port: u16, bytes: &[u8]) {
    let listener = TcpListener::bind((address, port)).await.unwrap();
    let mut open = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(bytes).await;
        open.push(stream);
    }
}

#[test]
fn a_container_that_begins_to_listen_late_tells_whom_it_sees_over_both_families() {
    let paths = seen(&on_loopback(), async |port| {
        sleep(Duration::from_millis(300)).await;
        peer::serve(&peer::Request { port, nonce: NONCE })
            .await
            .unwrap();
    });
    for (path, to) in paths.iter().zip(on_loopback()) {
        assert_eq!(path.to, to);
        let PublishedAnswer::Container { source, .. } = path.answer else {
            panic!("{path:?}");
        };
        assert_eq!(source, to, "IPv4 is told as IPv4");
        assert!(path.tries > 1, "{path:?}");
    }
}

#[test]
fn a_port_that_refuses_at_one_address_only_is_told_of_that_one() {
    let v4 = Ipv4Addr::LOCALHOST.into();
    let line = format!("{NONCE:016x} 192.0.2.1\n");
    let paths = seen(&on_loopback(), async |port| {
        answer(v4, port, line.as_bytes()).await;
    });
    assert_eq!(paths[0].answer, PublishedAnswer::Refused);
    assert!(paths[0].tries > 1, "it was given time");
    let PublishedAnswer::Container { source, .. } = paths[1].answer else {
        panic!("{paths:?}");
    };
    assert_eq!(source.to_string(), "192.0.2.1");
}

#[test]
fn whoever_does_not_know_the_nonce_is_a_stranger() {
    let v6 = Ipv6Addr::LOCALHOST.into();
    let long = vec![b'x'; 1 << 20];
    for said in [
        &b"0123456789abcdee 192.0.2.1\n"[..],
        b"0123456789abcdef nobody\n",
        b"0123456789abcdef\n",
        b"SSH-2.0-OpenSSH_10.0\r\n",
        b"\xff\xfe\n",
        &long,
    ] {
        let paths = seen(&[v6], async |port| answer(v6, port, said).await);
        let shown = String::from_utf8_lossy(&said[..said.len().min(40)]);
        assert_eq!(paths[0].answer, PublishedAnswer::Stranger, "{shown}");
    }
}

#[test]
fn whoever_takes_a_connection_and_says_no_whole_line_is_silent() {
    let v6 = Ipv6Addr::LOCALHOST.into();
    for said in [&b""[..], b"0123456789abcdef 192.0.2.1"] {
        let paths = seen(&[v6], async |port| answer(v6, port, said).await);
        assert_eq!(paths[0].answer, PublishedAnswer::Silent);
    }
}
