//! The container at the other end: it tells whoever connects which address it sees. Runs there: see
//! [`crate::vantage`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::error::{Doing, Result};

/// Longer than any verify takes from here on; nobody else ends what a killed one has left.
const LIFETIME: Duration = Duration::from_secs(60);

/// A line fits into the socket's buffer: whoever does not read it holds nobody up.
const PATIENCE: Duration = Duration::from_secs(1);

/// What to answer, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// TCP port, on all addresses.
    pub port: u16,
    /// Nobody else knows it.
    pub nonce: u64,
}

/// Answers each connection with one line, the nonce and the address that it comes from, until the
/// time is over. The kernel answers pings meanwhile.
///
/// # Errors
/// When the port cannot be listened on.
pub async fn serve(request: &Request) -> Result<()> {
    let listener = listen(request.port)
        .await
        .doing(|| format!("listen on TCP port {}", request.port))?;
    let answering = async {
        loop {
            // A connection that failed before it was taken concerns nobody else.
            if let Ok((stream, _)) = listener.accept().await {
                let _ = timeout(PATIENCE, answer(stream, request.nonce)).await;
            }
        }
    };
    let _: std::result::Result<(), _> = timeout(LIFETIME, answering).await;
    Ok(())
}

/// A socket on `::` takes IPv4 too (ipv6(7), `net.ipv6.bindv6only` is 0 in a new namespace). A kernel
/// without IPv6 has none.
async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

async fn answer(mut stream: TcpStream, nonce: u64) -> io::Result<()> {
    let source = stream.peer_addr()?.ip().to_canonical();
    stream.write_all(line(nonce, source).as_bytes()).await?;
    stream.shutdown().await
}

fn line(nonce: u64, source: IpAddr) -> String {
    format!("{nonce:016x} {source}\n")
}
