//! The sockets that questions and answers go through.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::message::{Question, encode};
use super::resolv_conf::Server;
use crate::hostile::plain;
use crate::probe::socket::words;

/// RFC 1035 section 4.2.
const PORT: u16 = 53;

/// Sends a question from a new socket: the socket, the id of the question, and whom it went to.
pub(super) fn begin(
    server: &Server,
    question: &Question,
) -> io::Result<(UdpSocket, u16, SocketAddr)> {
    let server = socket_address(server).map_err(io::Error::other)?;
    let id = getrandom::u32().map_err(io::Error::other)?;
    let [high, low, ..] = id.to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect(server)?;
    socket.send(&encode(id, question))?;
    Ok((socket, id, server))
}

fn socket_address(server: &Server) -> Result<SocketAddr, String> {
    let IpAddr::V6(address) = server.address else {
        return Ok(SocketAddr::new(server.address, PORT));
    };
    let scope = match &server.scope {
        Some(scope) => match scope.parse() {
            Ok(index) => index,
            Err(_) => if_nametoindex(scope.as_str())
                .map_err(|errno| format!("interface {}: {}", plain(scope), words(errno)))?,
        },
        None => 0,
    };
    Ok(SocketAddrV6::new(address, PORT, 0, scope).into())
}

/// For each socket, whether there is something to read within `timeout`.
pub(super) fn readable<'a>(
    open: impl Iterator<Item = &'a UdpSocket>,
    timeout: Duration,
) -> Vec<bool> {
    let mut waiting: Vec<PollFd<'_>> = open
        .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
        .collect();
    match ppoll(&mut waiting, Some(TimeSpec::from(timeout)), None) {
        Ok(_) => waiting
            .iter()
            .map(|entry| entry.any().unwrap_or(true))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// A message with its length before it (RFC 1035 section 4.2.2), there and back.
pub(super) fn over_tcp(server: SocketAddr, message: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut stream = TcpStream::connect_timeout(&server, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())?;
    let mut answer = Vec::new();
    let mut wanted = 2;
    while answer.len() < wanted {
        stream.set_read_timeout(Some(left()?))?;
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => answer.extend(&buffer[..length]),
        }
        if let Some(length) = answer.first_chunk() {
            wanted = 2 + usize::from(u16::from_be_bytes(*length));
        }
    }
    Ok(answer.drain(2..wanted).collect())
}

/// The errno as the kernel's manual words it; errors of ours have none.
pub(super) fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => words(Errno::from_raw(errno)),
        None => error.to_string(),
    }
}

/// Whether this says that questions do not get to a server, rather than that none could be made.
pub(super) fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            // A route that prohibits, or a firewall's rule.
            | ErrorKind::PermissionDenied
            // Over TCP.
            | ErrorKind::TimedOut
            | ErrorKind::UnexpectedEof
    )
}
