use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

use nix::unistd::getppid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use super::*;

const PING: &str =
    "HTTP/1.1 200 OK\r\nServer: Docker/28.5.2+dfsg4 (linux)\r\nContent-Length: 2\r\n\r\nOK";
const NETWORKS: &str = r#"[{"Name":"bridge","Driver":"bridge","EnableIPv6":true,
    "IPAM":{"Config":[{"Subnet":"fd00::/64"}]}}]"#;

/// An Engine in this process, which goes by dockerd's name for the purpose: what it makes of these
/// answers, and for what it was asked. The whole way leads to another version.
async fn told(ping: &str, networks: &str, child_pid: u32) -> (Seen<Engine>, Vec<String>) {
    let mut name = File::options()
        .write(true)
        .open(format!("/proc/{}/comm", std::process::id()))
        .unwrap();
    name.write_all(b"dockerd").unwrap();
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let serve = async {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let (ping, networks, asked) = (ping.to_owned(), networks.to_owned(), asked.clone());
            tokio::spawn(async move {
                let mut request = String::new();
                let (reader, mut writer) = client.split();
                let mut reader = BufReader::new(reader);
                reader.read_line(&mut request).await.unwrap();
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let answer = match path.as_str() {
                    "/_ping" => ping,
                    "/networks" => whole(&networks),
                    "/version" => whole(r#"{"Version":"1.2.3"}"#),
                    _ => whole(r#"{"OperatingSystem":"Alpine","Name":"else"}"#),
                };
                asked.lock().unwrap().push(path);
                // The client may have heard enough.
                let _ = writer.write_all(answer.as_bytes()).await;
                let mut line = String::new();
                while reader
                    .read_line(&mut line)
                    .await
                    .is_ok_and(|length| length > 0)
                {}
            });
        }
    };
    let kit = RootlessKit {
        child_pid,
        ..RootlessKit::default()
    };
    let engine = tokio::select! {
        engine = gather(&socket, &kit) => engine,
        () = serve => unreachable!(),
    };
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    (engine, asked)
}

fn whole(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn parent() -> u32 {
    getppid().as_raw().cast_unsigned()
}

#[tokio::test]
async fn a_dockerd_below_rootlesskit_is_asked_nothing_that_it_would_run_programs_for() {
    let (engine, asked) = told(PING, NETWORKS, parent()).await;
    let engine = engine.is().unwrap();
    assert_eq!(asked, ["/_ping", "/networks"]);
    assert_eq!(engine.version, Version::new(28, 5, 2));
    assert!(engine.rootless && !engine.podman);
    assert_eq!(Some(&engine.operating_system), operating_system().as_ref());
    assert_eq!(engine.name, gethostname().unwrap().to_str().unwrap());
    assert_eq!(engine.networks[0].subnets, ["fd00::/64"]);
}

#[tokio::test]
async fn anything_else_is_asked_who_it_is() {
    let with_head = |head: &str| format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 0\r\n\r\n");
    let many = "Server: x\r\n".repeat(200);
    let cases = [
        with_head(""),
        with_head("Server: Libpod/5.4.2 (linux)\r\n"),
        with_head("Server: Docker/\r\n"),
        with_head("Server: Docker/library-import (linux)\r\n"),
        with_head("Server: Docker/\x1b[31m28.5.2\r\n"),
        with_head("Server: Docker/28.5.2\u{fc}\u{ff}.\u{80} (linux)\r\n").replace("28.5.2", "x"),
        with_head(&format!("Server: Docker/{}\r\n", "9".repeat(1 << 20))),
        with_head(&many),
        PING.replace("200 OK", "503 No"),
        PING.replace("Length: 2", &format!("Length: {}", u64::MAX)),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
    ];
    for ping in cases {
        let (engine, asked) = told(&ping, NETWORKS, parent()).await;
        let shown: String = ping.chars().take(80).collect();
        let engine = engine.is().unwrap_or_else(|| panic!("{shown:?}"));
        assert_eq!(engine.version, Version::new(1, 2, 3), "{shown:?}");
        assert_eq!(engine.name, "else");
        assert!(asked.contains(&"/info".to_owned()));
    }
}

#[tokio::test]
async fn networks_that_are_none_are_not_guessed() {
    for networks in ["{}", "[7]", "<html>"] {
        let (engine, asked) = told(PING, networks, parent()).await;
        assert!(engine.unknown().is_some(), "{networks}");
        assert!(asked.contains(&"/info".to_owned()));
    }
}

#[tokio::test]
async fn a_process_that_is_none_of_rootlesskits_is_asked_who_it_is() {
    // Its own number is not that of its parent.
    let (engine, asked) = told(PING, NETWORKS, std::process::id()).await;
    assert_eq!(engine.is().unwrap().version, Version::new(1, 2, 3));
    assert!(!asked.contains(&"/_ping".to_owned()));
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_engine() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("docker.sock");
    let kit = RootlessKit::default();
    assert_eq!(gather(&socket, &kit).await, Seen::Absent);
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(gather(&socket, &kit).await, Seen::Absent);
}

#[test]
fn the_systems_name_is_read_where_that_takes_no_shell() {
    for (text, name) in [
        (
            "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n",
            Some("Debian GNU/Linux 13 (trixie)"),
        ),
        ("PRETTY_NAME='Void Linux'", Some("Void Linux")),
        ("PRETTY_NAME=Alpine", Some("Alpine")),
        ("PRETTY_NAME=\"\"", None),
        ("PRETTY_NAME=\"a \\\"b\\\"\"", None),
        ("PRETTY_NAME=\"a", None),
        ("PRETTY_NAME=\"$NAME\"", None),
        ("NAME=x", None),
        ("", None),
    ] {
        assert_eq!(pretty_name(text).as_deref(), name, "{text:?}");
    }
}
