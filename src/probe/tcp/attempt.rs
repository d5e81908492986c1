//! One port: its connect, its retries, its answer.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, connect, getsockname, getsockopt,
    socket, sockopt,
};

use super::super::ledger::is_link_local;
use super::super::session::micros;
use super::super::socket::words;
use super::{PortAnswer, PortReport, TcpRequest};

/// Between tries while an address settles: short against duplicate address detection (1–2 s).
const RETRY_GAP: Duration = Duration::from_millis(100);

/// Where one port stands.
pub(super) enum State {
    Due(Duration),
    Pending(OwnedFd),
    Decided(PortAnswer),
}

pub(super) struct Attempt {
    address: SocketAddrV6,
    pub state: State,
    started_at: Duration,
    ended_at: Option<Duration>,
    tries: u32,
}

impl Attempt {
    pub(super) fn new(request: &TcpRequest, port: u16) -> Self {
        let address = SocketAddrV6::new(request.target, port, 0, request.scope_id);
        let state = State::Due(Duration::ZERO);
        Self {
            address,
            state,
            started_at: Duration::ZERO,
            ended_at: None,
            tries: 0,
        }
    }

    pub(super) fn connect_if_due(&mut self, now: Duration, settle: Duration) {
        let State::Due(at) = self.state else {
            return;
        };
        if at > now {
            return;
        }
        self.started_at = now;
        self.tries += 1;
        self.state = match begin(self.address) {
            Ok((socket, connected)) => self.begun(socket, connected, now, settle),
            Err(why) => self.decided(PortAnswer::Failed(why), now),
        };
    }

    fn begun(
        &mut self,
        socket: OwnedFd,
        connected: Result<(), Errno>,
        now: Duration,
        settle: Duration,
    ) -> State {
        let is_unsettled = match connected {
            Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => {
                has_makeshift_source(&socket, self.address)
            }
            Err(errno) => is_transient(errno),
        };
        if is_unsettled && now < settle {
            return State::Due(now + RETRY_GAP);
        }
        match connected {
            Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => State::Pending(socket),
            Err(errno) => self.decided(answer(errno), now),
        }
    }

    /// A pending connect has ended when its socket is writable; `SO_ERROR` says how (connect(2)).
    pub(super) fn finish(&mut self, now: Duration) {
        let State::Pending(socket) = &self.state else {
            return;
        };
        let ended = match getsockopt(socket, sockopt::SocketError) {
            Ok(0) => PortAnswer::Connected,
            Ok(errno) => answer(Errno::from_raw(errno)),
            Err(errno) => PortAnswer::Failed(format!("read SO_ERROR: {}", words(errno))),
        };
        self.state = self.decided(ended, now);
    }

    fn decided(&mut self, answer: PortAnswer, now: Duration) -> State {
        self.ended_at = Some(now);
        State::Decided(answer)
    }

    pub(super) fn into_report(self, end: Duration) -> PortReport {
        let answer = match self.state {
            State::Decided(answer) => answer,
            State::Due(_) | State::Pending(_) => PortAnswer::Silent,
        };
        let took = self.ended_at.unwrap_or(end).saturating_sub(self.started_at);
        PortReport {
            port: self.address.port(),
            answer,
            micros: micros(took),
            tries: self.tries,
        }
    }
}

/// Opens a socket and begins to connect it: the socket, and what `connect` returned.
fn begin(address: SocketAddrV6) -> Result<(OwnedFd, Result<(), Errno>), String> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Stream,
        flags,
        SockProtocol::Tcp,
    )
    .map_err(|errno| format!("open TCP socket: {}", words(errno)))?;
    let connected = connect(socket.as_raw_fd(), &SockaddrIn6::from(address));
    Ok((socket, connected))
}

/// What a route or source address that is not there yet looks like.
fn is_transient(errno: Errno) -> bool {
    matches!(errno, Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
}

/// While its only address is tentative, the kernel connects from `::1` or a link-local address to
/// anywhere (seen on 6.18), and keeps that source for every SYN of the socket: it never answers.
fn has_makeshift_source(socket: &OwnedFd, target: SocketAddrV6) -> bool {
    let is_makeshift = |address: Ipv6Addr| address.is_loopback() || is_link_local(address);
    let source = getsockname::<SockaddrIn6>(socket.as_raw_fd()).map(|source| source.ip());
    source.is_ok_and(is_makeshift) && !is_makeshift(*target.ip())
}

/// `ETIMEDOUT` is the kernel giving up on its SYNs: nobody has answered.
fn answer(errno: Errno) -> PortAnswer {
    match errno {
        Errno::ECONNREFUSED | Errno::ECONNRESET => PortAnswer::Refused,
        Errno::ETIMEDOUT => PortAnswer::Silent,
        _ => PortAnswer::Unreachable(words(errno)),
    }
}
