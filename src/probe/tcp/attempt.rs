//! One port: its connects, its retries, its answer.

use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, SockaddrStorage, connect,
    getsockname, getsockopt, socket, sockopt,
};

use super::super::ledger::is_link_local;
use super::super::session::micros;
use super::super::socket::words;
use super::{PortAnswer, PortReport, TcpRequest};

/// Between tries while an address settles: short against duplicate address detection (1–2 s).
const RETRY_GAP: Duration = Duration::from_millis(100);

/// Connects to one port. Each repeats a lost SYN by itself, but only after a second (RFC 6298
/// section 2), and then after three: with three of them, one lost packet in ten costs no verdict.
const CONNECTS: usize = 3;

/// Between these connects: long enough that a path of any length on Earth has answered the first.
const CONNECT_GAP: Duration = Duration::from_millis(400);

/// A connect under way.
struct Pending {
    socket: OwnedFd,
    begun_at: Duration,
}

pub(super) struct Attempt {
    address: SocketAddr,
    pending: Vec<Pending>,
    /// Connects that the kernel took, or refused for what may be over in a moment.
    connects: usize,
    /// When the next connect is to begin, if another one is.
    next_at: Option<Duration>,
    /// What the network said to a connect that ended while others were left.
    unreachable: Option<PortAnswer>,
    decided: Option<PortAnswer>,
    last_begun_at: Duration,
    took: Option<Duration>,
    tries: u32,
}

impl Attempt {
    pub(super) fn new(request: &TcpRequest, port: u16) -> Self {
        let mut address = SocketAddr::new(request.target, port);
        if let SocketAddr::V6(address) = &mut address {
            address.set_scope_id(request.scope_id);
        }
        Self {
            address,
            pending: Vec::new(),
            connects: 0,
            next_at: Some(Duration::ZERO),
            unreachable: None,
            decided: None,
            last_begun_at: Duration::ZERO,
            took: None,
            tries: 0,
        }
    }

    pub(super) fn decided(&self) -> Option<&PortAnswer> {
        self.decided.as_ref()
    }

    /// When the next connect is to begin; none when no more do.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.next_at.filter(|_| self.decided.is_none())
    }

    /// Sockets to wait for.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pending.iter().map(|pending| pending.socket.as_fd())
    }

    pub(super) fn connect_if_due(&mut self, now: Duration, settle: Duration) {
        if self.next_at().is_none_or(|at| at > now) {
            return;
        }
        self.tries += 1;
        self.last_begun_at = now;
        match begin(self.address) {
            Ok((socket, connected)) => self.begun(socket, connected, now, settle),
            Err(why) => self.ended(PortAnswer::Failed(why), now, now),
        }
    }

    fn begun(
        &mut self,
        socket: OwnedFd,
        connected: Result<(), Errno>,
        now: Duration,
        settle: Duration,
    ) {
        let under_way = matches!(connected, Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR));
        let is_unsettled = match connected {
            Err(errno) if !under_way => is_transient(errno),
            _ => has_makeshift_source(&socket, self.address),
        };
        if is_unsettled && now < settle {
            self.next_at = Some(now + RETRY_GAP);
            return;
        }
        self.next_at = None;
        match connected {
            Err(errno) if !under_way => {
                if is_transient(errno) {
                    self.schedule_next(now);
                }
                self.ended(answer(errno), now, now);
            }
            _ => {
                self.pending.push(Pending {
                    socket,
                    begun_at: now,
                });
                self.schedule_next(now);
            }
        }
    }

    fn schedule_next(&mut self, now: Duration) {
        self.connects += 1;
        self.next_at = (self.connects < CONNECTS).then(|| now + CONNECT_GAP);
    }

    /// Takes in the connects that have ended: those whose socket is writable; `SO_ERROR` says how
    /// (connect(2)). `ready` is in the order of `sockets`.
    pub(super) fn finish(&mut self, ready: &[bool], now: Duration) {
        let mut ready = ready.iter();
        let (ended, pending): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|_| ready.next().copied().unwrap_or(false));
        self.pending = pending;
        for Pending { socket, begun_at } in ended {
            let answer = match getsockopt(&socket, sockopt::SocketError) {
                Ok(0) => PortAnswer::Connected,
                Ok(errno) => answer(Errno::from_raw(errno)),
                Err(errno) => PortAnswer::Failed(format!("read SO_ERROR: {}", words(errno))),
            };
            self.ended(answer, begun_at, now);
        }
    }

    /// A connection or a refusal decides. What a router says, or the kernel for want of a route, may
    /// be over in a moment, when a route is just being replaced: it decides with the last connect.
    fn ended(&mut self, answer: PortAnswer, begun_at: Duration, now: Duration) {
        let is_last = self.pending.is_empty() && self.next_at.is_none();
        match answer {
            PortAnswer::Connected | PortAnswer::Refused => {}
            _ if !is_last => {
                self.unreachable.get_or_insert(answer);
                return;
            }
            _ => {}
        }
        if self.decided.as_ref() != Some(&PortAnswer::Connected) {
            self.decided = Some(answer);
            self.took = Some(now.saturating_sub(begun_at));
        }
    }

    pub(super) fn into_report(self, end: Duration) -> PortReport {
        let took = end.saturating_sub(self.last_begun_at);
        PortReport {
            port: self.address.port(),
            answer: self
                .decided
                .or(self.unreachable)
                .unwrap_or(PortAnswer::Silent),
            micros: micros(self.took.unwrap_or(took)),
            tries: self.tries,
        }
    }
}

/// Opens a socket and begins to connect it: the socket, and what `connect` returned.
fn begin(address: SocketAddr) -> Result<(OwnedFd, Result<(), Errno>), String> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Stream, flags, SockProtocol::Tcp)
        .map_err(|errno| format!("open TCP socket: {}", words(errno)))?;
    let connected = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
    Ok((socket, connected))
}

/// What a route or source address that is not there yet looks like.
fn is_transient(errno: Errno) -> bool {
    matches!(errno, Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
}

/// While its only address is tentative, the kernel connects from `::1` or a link-local address to
/// anywhere (seen on 6.18), and keeps that source for every SYN of the socket: it never answers.
fn has_makeshift_source(socket: &OwnedFd, target: SocketAddr) -> bool {
    let SocketAddr::V6(target) = target else {
        return false;
    };
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
