//! The kernel's two ICMPv6 sockets, raw and datagram, as a packet link.

mod receive;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP6, sock_extended_err, sockaddr_in6, timespec};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SetSockOpt, SockFlag, SockProtocol, SockType, SockaddrIn6, bind,
    getsockname, getsockopt, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use self::receive::{PacketHead, receive_error, receive_packet};
use super::icmp_error::ErrorKind;
use super::ledger::is_link_local;
use super::link::{Arrival, PacketLink, ReceivedError, ReceivedPacket};
use super::packet::{ECHO_REPLY, HEADER_BYTES};
use super::report::SocketKind;

/// The longest IPv6 payload, so that nothing is cut on reading.
const BUFFER_BYTES: usize = 65_535;
/// Packets of others a raw socket skips before it looks at the clock again.
const SKIPPED_AT_ONCE: usize = 64;

/// An open ICMPv6 socket that is bound to no address; closed on drop.
pub(super) struct IcmpSocket {
    socket: OwnedFd,
    kind: SocketKind,
    identifier: u16,
    start: Instant,
    buffer: Vec<u8>,
    control: Vec<u8>,
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
        start: Instant,
    ) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut notes = Vec::new();
        for kind in [SocketKind::Raw, SocketKind::Datagram] {
            match Self::open_kind(kind, identifier, start) {
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
        let control = cmsg_space!(timespec, i32, (sock_extended_err, sockaddr_in6));
        Ok(Self {
            socket,
            kind,
            identifier,
            start,
            buffer: vec![0; BUFFER_BYTES],
            control,
        })
    }

    pub(super) fn kind(&self) -> SocketKind {
        self.kind
    }

    pub(super) fn identifier(&self) -> u16 {
        self.identifier
    }

    /// Asks for the error queue, hop limits and receive stamps; returns a note for each refusal,
    /// because an echo is worth sending without them.
    pub(super) fn set_options(&self) -> Vec<String> {
        let socket = &self.socket;
        [
            refused("IPV6_RECVERR", socket, sockopt::Ipv6RecvErr),
            refused("IPV6_RECVHOPLIMIT", socket, sockopt::Ipv6RecvHopLimit),
            refused("SO_TIMESTAMPNS", socket, sockopt::ReceiveTimestampns),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Waits for something to read; empty flags when there is nothing by `until`.
    fn wait(&self, until: Duration) -> Result<PollFlags, String> {
        let left = until.saturating_sub(self.now());
        let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut waiting, Some(TimeSpec::from(left)), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(PollFlags::empty()),
            Err(errno) => return Err(format!("poll ICMPv6 socket: {}", words(errno))),
        }
        let ready = waiting[0].revents().unwrap_or(PollFlags::empty());
        if ready.contains(PollFlags::POLLNVAL) {
            return Err("poll ICMPv6 socket: not an open file".to_owned());
        }
        Ok(ready)
    }

    /// The next packet that may be an echo reply. A raw socket sees every ICMPv6 message of the
    /// namespace, our own echoes to `::1` too; they are skipped without going back to `ppoll`.
    fn read_packet(&mut self) -> Option<PacketHead> {
        for _ in 0..SKIPPED_AT_ONCE {
            let head =
                receive_packet(self.socket.as_raw_fd(), &mut self.buffer, &mut self.control)?;
            let is_message = head.length >= HEADER_BYTES;
            if is_message && self.buffer[0] == ECHO_REPLY {
                return Some(head);
            }
        }
        None
    }

    /// When a packet with this stamp arrived, on the clock of `now()`.
    fn arrival(&self, stamp: Duration) -> Option<Duration> {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()?;
        arrived_at(self.now(), wall, stamp)
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
    fn send(&mut self, destination: SocketAddrV6, message: &[u8]) -> Result<(), ErrorKind> {
        if is_link_local(*destination.ip()) && destination.scope_id() == 0 {
            return Err(local_error(Errno::EINVAL));
        }
        let address = SockaddrIn6::from(destination);
        let try_once = || {
            sendto(
                self.socket.as_raw_fd(),
                message,
                &address,
                MsgFlags::empty(),
            )
            .map(drop)
        };
        try_once().or_else(|_| try_once()).map_err(local_error)
    }

    fn next(&mut self, until: Duration) -> Result<Option<Arrival<'_>>, String> {
        let ready = self.wait(until)?;
        if ready.contains(PollFlags::POLLERR) {
            return Ok(self.next_error().map(Arrival::Error));
        }
        if !ready.contains(PollFlags::POLLIN) {
            return Ok(None);
        }
        let Some(head) = self.read_packet() else {
            return Ok(None);
        };
        Ok(Some(Arrival::Packet(ReceivedPacket {
            source: head.source,
            bytes: &self.buffer[..head.length],
            truncated: head.truncated,
            hop_limit: head.hop_limit,
            stamped_at: head.stamp.and_then(|stamp| self.arrival(stamp)),
            read_at: self.now(),
        })))
    }
}

impl IcmpSocket {
    /// The oldest entry of the error queue that came as ICMPv6. What our own kernel queues
    /// (`EMSGSIZE`), `send` has returned already.
    fn next_error(&mut self) -> Option<ReceivedError<'_>> {
        let Some(head) =
            receive_error(self.socket.as_raw_fd(), &mut self.buffer, &mut self.control)
        else {
            // Nothing queued: an error without a packet, which reading clears.
            let _ = getsockopt(&self.socket, sockopt::SocketError);
            return None;
        };
        if head.error.ee_origin != SO_EE_ORIGIN_ICMP6 {
            return None;
        }
        Some(ReceivedError {
            icmp_type: head.error.ee_type,
            icmp_code: head.error.ee_code,
            information: head.error.ee_info,
            offender: head.offender,
            destination: head.destination,
            quoted: &self.buffer[..head.length],
            read_at: self.now(),
        })
    }
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

fn why_not(kind: SocketKind, errno: Errno) -> String {
    let text = words(errno);
    match (kind, errno) {
        (SocketKind::Raw, _) => format!("raw: {text}"),
        (SocketKind::Datagram, Errno::EACCES) => {
            format!("datagram: {text} (net.ipv4.ping_group_range excludes this group)")
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
