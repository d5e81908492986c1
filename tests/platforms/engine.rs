//! A fake Docker Engine on a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use serde_json::Value;

/// What it does to whoever asks.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers what is on record under `version`, `info` and `networks`.
    Answers(Value),
    /// Answers with an error that has control characters in it.
    Status500,
    /// Answers with JSON, but not with the JSON that was asked for.
    WrongTypes,
    /// Answers in another language.
    NoHttp,
    /// Closes the connection.
    HangsUp,
    /// Answers without end.
    Endless,
    /// Takes the question and says nothing.
    Silent,
}

/// Listens until the test is over.
pub(crate) fn listen(socket: &Path, behaviour: Behaviour) {
    let listener = UnixListener::bind(socket).unwrap();
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(socket, everybody).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let behaviour = behaviour.clone();
            // Whoever asks may have gone before the answer.
            thread::spawn(move || serve(&stream.unwrap(), &behaviour).ok());
        }
    });
}

fn serve(mut stream: &UnixStream, behaviour: &Behaviour) -> std::io::Result<()> {
    let path = asked_for(stream)?;
    match behaviour {
        Behaviour::Answers(record) => match record.get(path.trim_start_matches('/')) {
            Some(answer) => answer_with(stream, "200 OK", &answer.to_string()),
            None => answer_with(stream, "404 Not Found", r#"{"message":"not on record"}"#),
        },
        Behaviour::Status500 => {
            let message = "{\"message\":\"\\u001b[2J\\u0007 No such file or directory\"}";
            answer_with(stream, "500 Internal Server Error", message)
        }
        Behaviour::WrongTypes => answer_with(stream, "200 OK", r#"{"Version":7,"Name":{},"a":[]}"#),
        Behaviour::NoHttp => stream.write_all(b"220 mail.example.com ESMTP\r\n"),
        Behaviour::HangsUp => Ok(()),
        Behaviour::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk)?;
            }
        }
        Behaviour::Silent => {
            // Ends when the other side has lost patience.
            let mut rest = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut rest).map(drop)
        }
    }
}

/// The path in a request, `/info`; its head is read to the end.
fn asked_for(stream: &UnixStream) -> std::io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    Ok(path.split('?').next().unwrap_or_default().to_owned())
}

fn answer_with(mut stream: &UnixStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
