//! A Docker Engine that answers as long as it lives.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::setting::hand_over;

/// Engine 26.1.5 with RootlessKit 2.0.2, as Debian 13 has them.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    listening: JoinHandle<()>,
}

impl Engine {
    pub(crate) fn listen(socket: &Path, ipv6: bool) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        hand_over(socket);
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever asks may have gone before the answer.
                tokio::spawn(async move { serve(stream, ipv6).await.ok() });
            }
        });
        Self {
            socket: socket.to_owned(),
            listening,
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.listening.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn serve(mut stream: UnixStream, ipv6: bool) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let (status, body) = match answer(path, ipv6) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", json!({"message": "not here"})),
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await
}

fn answer(path: &str, ipv6: bool) -> Option<Value> {
    let name = nix::unistd::gethostname().unwrap();
    Some(match path {
        "/_ping" => json!("OK"),
        "/version" => json!({
            "Version": "26.1.5",
            "ApiVersion": "1.45",
            "Components": [
                {"Name": "Engine", "Version": "26.1.5", "Details": {}},
                {"Name": "rootlesskit", "Version": "2.0.2", "Details": {}},
            ],
        }),
        "/info" => json!({
            "ServerVersion": "26.1.5",
            "OperatingSystem": "Debian GNU/Linux 13 (trixie)",
            "Name": name.to_string_lossy(),
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
        }),
        "/networks" => json!([
            {"Name": "bridge", "Driver": "bridge", "EnableIPv6": ipv6, "Options": {},
             "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.17.0.0/16"}]}},
            {"Name": "host", "Driver": "host", "EnableIPv6": false, "Options": {},
             "IPAM": {"Driver": "default", "Config": []}},
        ]),
        "/containers/json" | "/images/json" => json!([]),
        _ => return None,
    })
}
