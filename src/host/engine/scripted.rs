//! An Engine that answers as it is told, on a socket of its own.

use std::time::Duration;

use bollard::Docker;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, sink};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

/// What comes to a request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: &'static str,
    /// What the head says of the body. Where there is less of it, the rest never comes.
    pub(crate) length: usize,
    pub(crate) after: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &'static str) -> Self {
        Self {
            status,
            body,
            length: body.len(),
            after: Duration::ZERO,
        }
    }
}

/// The Engine that answers each request line with what the script says. It ends with the runtime.
pub(crate) fn engine(script: impl Fn(&str) -> Reply + Copy + Send + 'static) -> (TempDir, Docker) {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer(client, script));
        }
    });
    (directory, super::connect(&socket).unwrap())
}

async fn answer(client: UnixStream, script: impl Fn(&str) -> Reply) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    let mut request = String::new();
    reader.read_line(&mut request).await?;
    let reply = script(&request);
    let taking = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut sink()).await });
    sleep(reply.after).await;
    let Reply {
        status,
        body,
        length,
        ..
    } = reply;
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n");
    let answer = format!("{head}Connection: close\r\n\r\n{body}");
    writer.write_all(answer.as_bytes()).await?;
    // Open until the client has had enough.
    let _ = taking.await;
    Ok(())
}
