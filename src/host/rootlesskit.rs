//! RootlessKit's own API, on the socket in its state directory (rootlesskit:pkg/api/openapi.yaml).

use std::path::Path;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::http;
use crate::error::{Doing, Error, Exit, Result};

/// RootlessKit answers in a millisecond; it is a witness that others can stand in for.
const DEADLINE: Duration = Duration::from_secs(2);

/// Bytes: an honest answer has some hundred.
const LONGEST_ANSWER: usize = 64 << 10;

/// What RootlessKit says of itself, as far as it is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Of the program that runs, `2.3.6` or `3.0.1+dev`.
    pub version: String,
    /// The same as in the file `child_pid`.
    #[serde(rename = "childPID")]
    pub child_pid: u32,
    /// Absent with `--net=host`.
    pub network_driver: Option<NetworkDriver>,
}

/// The part on the network driver.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NetworkDriver {
    /// `pasta`, `slirp4netns` …
    pub driver: String,
}

/// Asks for `/v1/info`, which RootlessKit has from 0.14 on.
///
/// # Errors
/// When nobody listens, or no such answer comes in time.
pub async fn info(state_dir: &Path) -> Result<Info> {
    let socket = state_dir.join("api.sock");
    let doing = || format!("ask RootlessKit at {}", socket.display());
    tracing::info!("{}", doing());
    let body = match timeout(DEADLINE, get(&socket)).await {
        Ok(body) => body?,
        Err(_) => {
            let why = format!("no answer within {} s", DEADLINE.as_secs());
            return Err(Error::cannot(Exit::Bad, doing()).caused_by(why));
        }
    };
    serde_json::from_slice(&body).doing(doing)
}

async fn get(socket: &Path) -> Result<Bytes> {
    let doing = || format!("ask RootlessKit at {}", socket.display());
    let stream = UnixStream::connect(socket).await.doing(doing)?;
    let answer = http::get(stream, "rootlesskit", "/v1/info", LONGEST_ANSWER, doing).await?;
    Ok(answer.into_body())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// As RootlessKit 3.0.1 answers, with the implicit port driver.
    const INFO: &str = r#"{"apiVersion":"1.1.1","version":"3.0.1","stateDir":"/run/user/1000/dockerd-rootless",
        "childPID":88,"networkDriver":{"driver":"pasta","dns":["10.0.2.3"],"childIP":"10.0.2.100"}}"#;

    fn answer(status: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    /// What `info` makes of a RootlessKit that answers every request with these bytes.
    async fn told(bytes: Vec<u8>, then_closes: bool) -> Result<Info> {
        let state_dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(state_dir.path().join("api.sock")).unwrap();
        let server = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = client.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /v1/info HTTP/1.1\r\n"));
            // The client may have heard enough.
            let _ = client.write_all(&bytes).await;
            if !then_closes {
                std::future::pending::<()>().await;
            }
            drop(client);
            std::future::pending().await
        };
        tokio::select! {
            info = info(state_dir.path()) => info,
            () = server => unreachable!(),
        }
    }

    #[tokio::test]
    async fn rootlesskit_says_who_it_is() {
        for then_closes in [false, true] {
            let info = told(answer("200 OK", INFO), then_closes).await.unwrap();
            assert_eq!(info.version, "3.0.1");
            assert_eq!(info.child_pid, 88);
            assert_eq!(info.network_driver.unwrap().driver, "pasta");
        }
        let host = r#"{"version":"2.3.6","childPID":1,"portDriver":{"driver":"builtin","protos":["tcp"]}}"#;
        let host = told(answer("200 OK", host), true).await.unwrap();
        assert_eq!(host.network_driver, None);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_with_a_reason() {
        let endless = answer("200 OK", &" ".repeat(LONGEST_ANSWER + 1));
        let cases = [
            (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "invalid"),
            (Vec::new(), "connection closed"),
            (answer("404 Not Found", INFO), "404"),
            (answer("200 OK", "[]"), "invalid"),
            (answer("200 OK", "<html>"), "expected value"),
            (answer("200 OK", r#"{"version":"3.0.1"}"#), "childPID"),
            (answer("200 OK", r#"{"version":3,"childPID":1}"#), "string"),
            (answer("200 OK", r#"{"version":"3","childPID":-1}"#), "u32"),
            (endless, "length limit exceeded"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec(),
                "before",
            ),
            (
                format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20)).into_bytes(),
                "too large",
            ),
        ];
        for (bytes, why) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let error = told(bytes, true).await.unwrap_err().to_string();
            assert!(error.contains("api.sock"), "{shown:?}: {error}");
            assert!(error.contains(why), "{shown:?}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_answers_is_not_waited_for() {
        for begun in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"] {
            let error = told(begun.into(), false).await.unwrap_err().to_string();
            assert!(error.ends_with("no answer within 2 s"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_socket_that_nobody_has_or_that_is_none_is_an_error() {
        let directory = TempDir::new().unwrap();
        let dead: PathBuf = directory.path().join("dead");
        std::fs::create_dir(&dead).unwrap();
        drop(UnixListener::bind(dead.join("api.sock")).unwrap());
        let file = directory.path().join("file");
        std::fs::create_dir(&file).unwrap();
        symlink("/dev/null", file.join("api.sock")).unwrap();
        for state_dir in [directory.path(), &dead, &file] {
            assert!(info(state_dir).await.is_err(), "{}", state_dir.display());
        }
    }
}
