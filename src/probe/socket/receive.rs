//! Packets, or entries of the error queue, many at once, with what the kernel notes beside them.

use std::io::IoSliceMut;
use std::net::SocketAddrV6;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{sock_extended_err, sockaddr_in6, timespec};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn6, recvmmsg,
};
use nix::sys::time::TimeSpec;

use super::super::link::ReceivedError;

/// Read by one system call.
const LARGEST_BATCH: usize = 64;
/// So many at first: one answer, and room that shows that there is no other.
const SMALLEST_BATCH: usize = 2;
/// The most memory for the packets of a batch.
const BUFFER_BYTES: usize = 1 << 20;

/// Room for a batch of messages, which grows with what comes in.
pub(super) struct Inbox {
    buffer: Vec<u8>,
    /// Bytes for each message: what is longer is cut.
    slot: usize,
    batch: usize,
    largest: usize,
}

/// One message of a batch.
pub(super) struct Message<'a> {
    /// Whence a packet came; where the packet was going that an error quotes.
    pub address: Option<SocketAddrV6>,
    pub bytes: &'a [u8],
    pub hop_limit: Option<u8>,
    /// Since the epoch.
    pub stamp: Option<Duration>,
    pub error: Option<(sock_extended_err, Option<sockaddr_in6>)>,
}

impl Inbox {
    pub(super) fn new(slot: usize) -> Self {
        Self {
            buffer: vec![0; SMALLEST_BATCH * slot],
            slot,
            batch: SMALLEST_BATCH,
            largest: (BUFFER_BYTES / slot).clamp(SMALLEST_BATCH, LARGEST_BATCH),
        }
    }

    /// Reads what is there without waiting, one batch at most. Whether that was all.
    ///
    /// # Errors
    /// `EAGAIN` when there was nothing; else an error that an echo has brought back, which is in
    /// the error queue.
    pub(super) fn read(
        &mut self,
        socket: &OwnedFd,
        flags: MsgFlags,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<bool, Errno> {
        // Made anew each time: the kernel writes what it used over what there is room for.
        let control = cmsg_space!(timespec, i32, (sock_extended_err, sockaddr_in6));
        let mut headers = MultiHeaders::<SockaddrIn6>::preallocate(self.batch, Some(control));
        let slots = self.buffer.chunks_mut(self.slot).take(self.batch);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            slots.map(|slot| [IoSliceMut::new(slot)]).collect();
        let messages = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            flags | MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        let mut count = 0;
        for message in messages {
            count += 1;
            each(Message::new(&message));
        }
        let is_all = count < self.batch;
        self.expect(count);
        Ok(is_all)
    }

    /// Room for twice as many as came last.
    fn expect(&mut self, count: usize) {
        self.batch = (2 * count).clamp(SMALLEST_BATCH, self.largest);
        if self.buffer.len() < self.batch * self.slot {
            self.buffer.resize(self.batch * self.slot, 0);
        }
    }
}

impl<'a> Message<'a> {
    fn new(received: &RecvMsg<'a, 'a, SockaddrIn6>) -> Self {
        let mut message = Message {
            address: received.address.map(SocketAddrV6::from),
            bytes: received.iovs().next().unwrap_or_default(),
            hop_limit: None,
            stamp: None,
            error: None,
        };
        let Ok(notes) = received.cmsgs() else {
            return message;
        };
        for note in notes {
            match note {
                ControlMessageOwned::Ipv6HopLimit(limit) => {
                    message.hop_limit = u8::try_from(limit).ok();
                }
                ControlMessageOwned::ScmTimestampns(stamp) => message.stamp = since_epoch(stamp),
                ControlMessageOwned::Ipv6RecvErr(error, offender) => {
                    message.error = Some((error, offender));
                }
                _ => {}
            }
        }
        message
    }

    /// An entry of the error queue that came as ICMPv6. What our own kernel queues (`EMSGSIZE`),
    /// `send` has returned already.
    pub(super) fn as_error(&self, read_at: Duration) -> Option<ReceivedError<'a>> {
        let (error, offender) = self.error?;
        (error.ee_origin == nix::libc::SO_EE_ORIGIN_ICMP6).then_some(ReceivedError {
            icmp_type: error.ee_type,
            icmp_code: error.ee_code,
            information: error.ee_info,
            offender: offender.map(|address| SockaddrIn6::from(address).ip()),
            destination: self.address.map(|address| *address.ip()),
            quoted: self.bytes,
            read_at,
        })
    }
}

fn since_epoch(stamp: TimeSpec) -> Option<Duration> {
    let seconds = u64::try_from(stamp.tv_sec()).ok()?;
    let nanoseconds = u32::try_from(stamp.tv_nsec()).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}
