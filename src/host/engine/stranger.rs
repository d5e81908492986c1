//! A connection to whoever listens on a socket, before anybody knows who that is.
//!
//! bollard collects an answer whole, however long it is, and bounds only the time until its head
//! has come. Here each answer may be so long and no longer.

use std::path::{Path, PathBuf};

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, join};
use tokio::net::UnixStream;

/// Bytes of one answer. A thousand networks with a thousand containers take less than a tenth.
pub(super) const LONGEST_ANSWER: usize = 16 << 20;

/// Prepares to talk; nothing is sent yet. Each request has a connection of its own.
pub(super) fn connect(socket: &Path, request_seconds: u64) -> Result<Docker, Error> {
    let socket = socket.to_owned();
    Docker::connect_with_custom_transport(
        move |request| send(socket.clone(), request),
        Some("http://docker"),
        request_seconds,
        API_DEFAULT_VERSION,
    )
}

async fn send(socket: PathBuf, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let (reader, writer) = UnixStream::connect(&socket).await?.into_split();
    let stream = TokioIo::new(join(reader.take(LONGEST_ANSWER as u64), writer));
    let (mut sender, connection) = http1::handshake(stream).await?;
    // Ends with the answer, or with the runtime.
    tokio::spawn(connection);
    // RFC 9112 section 3.2.1: to the server itself a request names the path alone.
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(hyper::http::Error::from)?;
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?)
}
