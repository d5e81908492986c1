//! The kernel's two ICMPv6 sockets, raw and datagram, as a packet link.

mod filter;
mod receive;
mod send;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SetSockOpt, SockFlag, SockProtocol, SockType, SockaddrIn6, bind,
    getsockname, getsockopt, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use self::receive::Inbox;
use self::send::send_batch;
use super::icmp_error::ErrorKind;
use super::ledger::{is_link_local, message_bytes};
use super::link::{Arrival, Outgoing, PacketLink, ReceivedPacket};
use super::report::SocketKind;

/// Asked for: a few thousand small packets. Without CAP_NET_ADMIN the kernel gives no more than
/// net.core.rmem_max, and some 300.
const RECEIVE_BUFFER_BYTES: usize = 2 << 20;
/// What the kernel charges for a small packet (`skb->truesize`), amply.
const PACKET_OVERHEAD_BYTES: usize = 1280;
/// Batches of the error queue that are read before anything else is done.
const ERROR_BATCHES: usize = 16;

/// An open ICMPv6 socket that is bound to no address; closed on drop.
pub(super) struct IcmpSocket {
    socket: OwnedFd,
    kind: SocketKind,
    identifier: u16,
    start: Instant,
    inbox: Inbox,
    /// Bytes of a message as we send it.
    message_bytes: usize,
    /// A call has returned an error whose packet is in the error queue.
    errors_wait: bool,
}

impl IcmpSocket {
    /// Raw if we may (`CAP_NET_RAW`), else datagram (`net.ipv4.ping_group_range`). Raw comes first
    /// because a new network namespace switches datagram off for everybody. Also says what could
    /// not be had. `identifier` is used on a raw socket; on a datagram socket the kernel chooses.
    ///
    /// # Errors
    /// Why each kind failed, when both did.
    pub(super) fn open(
        identifier: u16,
        payload_bytes: usize,
        start: Instant,
    ) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut notes = Vec::new();
        for kind in [SocketKind::Raw, SocketKind::Datagram] {
            match Self::open_kind(kind, identifier, payload_bytes, start) {
                Ok(socket) => {
                    notes.extend(socket.set_options());
                    return Ok((socket, notes));
                }
                Err(errno) => notes.push(why_not(kind, errno)),
            }
        }
        Err(notes)
    }

    pub(super) fn open_kind(
        kind: SocketKind,
        identifier: u16,
        payload_bytes: usize,
        start: Instant,
    ) -> Result<Self, Errno> {
        let socket_type = match kind {
            SocketKind::Raw => SockType::Raw,
            SocketKind::Datagram => SockType::Datagram,
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(
            AddressFamily::Inet6,
            socket_type,
            flags,
            SockProtocol::IcmpV6,
        )?;
        let identifier = match kind {
            SocketKind::Raw => identifier,
            SocketKind::Datagram => bound_identifier(&socket)?,
        };
        let message_bytes = message_bytes(payload_bytes);
        Ok(Self {
            socket,
            kind,
            identifier,
            start,
            // One more byte than we send, so that a longer reply shows.
            inbox: Inbox::new(message_bytes + 1),
            message_bytes,
            errors_wait: false,
        })
    }

    pub(super) fn kind(&self) -> SocketKind {
        self.kind
    }

    pub(super) fn identifier(&self) -> u16 {
        self.identifier
    }

    /// Asks for the error queue, hop limits and receive stamps, and to be woken by echo replies
    /// alone; returns a note for each refusal, because an echo is worth sending without them.
    pub(super) fn set_options(&self) -> Vec<String> {
        let socket = &self.socket;
        let buffer = RECEIVE_BUFFER_BYTES;
        // What there is in the end, `room` asks.
        let _ = setsockopt(socket, sockopt::RcvBufForce, &buffer)
            .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &buffer));
        let is_raw = self.kind == SocketKind::Raw;
        [
            is_raw.then(|| filter::attach(socket)).flatten(),
            refused("IPV6_RECVERR", socket, sockopt::Ipv6RecvErr),
            refused("IPV6_RECVHOPLIMIT", socket, sockopt::Ipv6RecvHopLimit),
            refused("SO_TIMESTAMPNS", socket, sockopt::ReceiveTimestampns),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How many replies the receive buffer holds for certain.
    pub(super) fn room(&self) -> usize {
        let buffer = getsockopt(&self.socket, sockopt::RcvBuf).unwrap_or(0);
        buffer / (PACKET_OVERHEAD_BYTES + 2 * self.message_bytes)
    }

    /// Waits for something to read; empty flags when there was nothing by `until`, and `None` for a
    /// signal.
    fn wait(&self, until: Duration) -> Result<Option<PollFlags>, String> {
        let left = until.saturating_sub(self.now());
        let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut waiting, Some(TimeSpec::from(left)), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(format!("poll ICMPv6 socket: {}", words(errno))),
        }
        let ready = waiting[0].revents().unwrap_or(PollFlags::empty());
        if ready.contains(PollFlags::POLLNVAL) {
            return Err("poll ICMPv6 socket: not an open file".to_owned());
        }
        Ok(Some(ready))
    }

    /// Hands over one batch of packets: whether there was any, and up to when that was all.
    fn read_packets(&mut self, each: &mut dyn FnMut(&Arrival<'_>)) -> (bool, Option<Duration>) {
        let as_of = self.now();
        let start = self.start;
        let mut clocks = None;
        let read = self.inbox.read(&self.socket, MsgFlags::empty(), |message| {
            let (now, wall) = *clocks.get_or_insert_with(|| (start.elapsed(), wall_clock()));
            let Some(source) = message.address else {
                return;
            };
            each(&Arrival::Packet(ReceivedPacket {
                source,
                bytes: message.bytes,
                hop_limit: message.hop_limit,
                stamped_at: message
                    .stamp
                    .and_then(|stamp| arrived_at(now, wall?, stamp)),
                read_at: now,
            }));
        });
        match read {
            Ok(is_all) => (true, is_all.then_some(as_of)),
            Err(Errno::EAGAIN) => (false, Some(as_of)),
            Err(_) => {
                self.errors_wait = true;
                (false, None)
            }
        }
    }

    fn read_errors(&mut self, each: &mut dyn FnMut(&Arrival<'_>)) {
        self.errors_wait = false;
        let mut seen = 0;
        for _ in 0..ERROR_BATCHES {
            let read_at = self.start.elapsed();
            let read = self
                .inbox
                .read(&self.socket, MsgFlags::MSG_ERRQUEUE, |message| {
                    seen += 1;
                    if let Some(error) = message.as_error(read_at) {
                        each(&Arrival::Error(error));
                    }
                });
            if !matches!(read, Ok(false)) {
                break;
            }
        }
        if seen == 0 {
            // Nothing queued: an error without a packet, which reading clears.
            let _ = getsockopt(&self.socket, sockopt::SocketError);
        }
    }
}

impl PacketLink for IcmpSocket {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Refuses a link-local destination without its link on both kinds, as the kernel does on datagram
    /// sockets alone (linux:net/ipv6/ping.c); on a raw one it would guess the link.
    ///
    /// Tries twice, because the first call may return an error that an earlier echo has brought
    /// back (linux:net/core/sock.c, `sock_alloc_send_pskb`); that one also is in the error queue.
    fn send(&mut self, messages: &[Outgoing]) -> (usize, Option<ErrorKind>) {
        let vague = messages.iter().position(|one| is_without_link(one.address));
        let clear = &messages[..vague.unwrap_or(messages.len())];
        if clear.is_empty() {
            return (0, vague.map(|_| local_error(Errno::EINVAL)));
        }
        let first = send_batch(&self.socket, clear);
        // A call that sends some and then meets an error keeps the error to itself.
        self.errors_wait |= first != Ok(clear.len());
        match first.or_else(|_| send_batch(&self.socket, clear)) {
            Ok(taken) => (taken, None),
            Err(errno) => (0, Some(local_error(errno))),
        }
    }

    fn receive(
        &mut self,
        until: Duration,
        each: &mut dyn FnMut(&Arrival<'_>),
    ) -> Result<Option<Duration>, String> {
        if self.errors_wait {
            self.read_errors(each);
        }
        let (any, as_of) = self.read_packets(each);
        if any || self.errors_wait || self.now() >= until {
            return Ok(as_of);
        }
        let Some(ready) = self.wait(until)? else {
            return Ok(as_of);
        };
        if ready.is_empty() {
            return Ok(Some(until));
        }
        if ready.contains(PollFlags::POLLERR) {
            self.read_errors(each);
        }
        Ok(self.read_packets(each).1)
    }
}

/// fe80::1 is a different host on each link.
fn is_without_link(address: SocketAddrV6) -> bool {
    is_link_local(*address.ip()) && address.scope_id() == 0
}

fn wall_clock() -> Option<Duration> {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
}

/// Binds a datagram socket to any address; the kernel takes the port it finds as the identifier of
/// every echo (linux:net/ipv4/ping.c, `ping_get_port`).
fn bound_identifier(socket: &OwnedFd) -> Result<u16, Errno> {
    let any = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    bind(socket.as_raw_fd(), &any)?;
    getsockname::<SockaddrIn6>(socket.as_raw_fd()).map(|address| address.port())
}

fn refused<O: SetSockOpt<Val = bool>>(name: &str, socket: &OwnedFd, option: O) -> Option<String> {
    let errno = setsockopt(socket, option, &true).err()?;
    Some(format!("set {name}: {}", words(errno)))
}

/// A wall-clock stamp on the monotonic clock: as long before `now` as the stamp is before `wall`.
/// `None` when the wall clock has been set so that this makes no sense.
fn arrived_at(now: Duration, wall: Duration, stamp: Duration) -> Option<Duration> {
    now.checked_sub(wall.checked_sub(stamp)?)
}

fn local_error(errno: Errno) -> ErrorKind {
    ErrorKind::Local {
        errno: errno as i32,
        text: words(errno),
    }
}

/// Who may open datagram sockets (icmp(7)); also for IPv6.
pub(crate) const PING_GROUP_RANGE: &str = "net.ipv4.ping_group_range";

fn why_not(kind: SocketKind, errno: Errno) -> String {
    let text = words(errno);
    match (kind, errno) {
        (SocketKind::Raw, _) => format!("raw: {text}"),
        (SocketKind::Datagram, Errno::EACCES) => {
            format!("datagram: {text} ({PING_GROUP_RANGE} excludes this group)")
        }
        (SocketKind::Datagram, _) => format!("datagram: {text}"),
    }
}

/// The errno as the kernel's manual words it, in the lower case of our messages.
pub(super) fn words(errno: Errno) -> String {
    errno.desc().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_becomes_a_time_on_our_clock_or_nothing() {
        let seconds = Duration::from_secs;
        let now = seconds(10);
        assert_eq!(
            arrived_at(now, seconds(1000), seconds(997)),
            Some(seconds(7))
        );
        assert_eq!(
            arrived_at(now, seconds(1000), seconds(1001)),
            None,
            "clock set back"
        );
        assert_eq!(
            arrived_at(now, seconds(1000), seconds(900)),
            None,
            "clock set ahead"
        );
    }

    #[test]
    fn a_refused_socket_says_what_to_look_at() {
        let datagram = why_not(SocketKind::Datagram, Errno::EACCES);
        let expected =
            "datagram: permission denied (net.ipv4.ping_group_range excludes this group)";
        assert_eq!(datagram, expected);
        assert_eq!(
            why_not(SocketKind::Raw, Errno::EPERM),
            "raw: operation not permitted"
        );
    }
}
