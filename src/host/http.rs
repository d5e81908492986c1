//! One request on a connection, and its answer, neither of which may be endless.

use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::error::{Doing, Error, Exit, Result, cause_chain};

/// Bytes of headers: an honest answer has some hundred.
pub(super) const LONGEST_HEAD: usize = 64 << 10;

/// What comes to `GET path`, with status 200 and a body of so many bytes at most.
///
/// # Errors
/// When it is anything else; `doing` says what for. How long that may take is the caller's to say.
pub(super) async fn get(
    stream: UnixStream,
    host: &str,
    path: &str,
    longest_body: usize,
    doing: impl Fn() -> String,
) -> Result<Response<Bytes>> {
    let failed = |why: String| Error::cannot(Exit::Bad, doing()).caused_by(why);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .doing(&doing)?;
    let request = Request::get(path)
        .header(HOST, host)
        .body(Empty::<Bytes>::new())
        .doing(&doing)?;
    let exchange = async {
        let response = sender.send_request(request).await.doing(&doing)?;
        if response.status() != StatusCode::OK {
            return Err(failed(format!("it answered {}", response.status())));
        }
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, longest_body).collect().await;
        let collected = collected.map_err(|error| failed(cause_chain(&*error).join(": ")))?;
        Ok(Response::from_parts(head, collected.to_bytes()))
    };
    // The connection does the reading and writing; it may end before its last answer is taken.
    match select(Box::pin(exchange), connection).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, exchange)) => exchange.await,
    }
}
