//! Many messages by one system call.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use super::super::link::Outgoing;

/// Sends in order until the kernel refuses one: how many it took, at least one.
///
/// # Errors
/// Why it did not take the first.
pub(super) fn send_batch(socket: &OwnedFd, messages: &[Outgoing]) -> Result<usize, Errno> {
    let addresses: Vec<SocketAddrAny> = messages.iter().map(|one| one.address.into()).collect();
    let slices: Vec<[IoSlice<'_>; 1]> = messages
        .iter()
        .map(|one| [IoSlice::new(&one.message)])
        .collect();
    let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> = messages
        .iter()
        .map(|_| SendAncillaryBuffer::default())
        .collect();
    let mut headers: Vec<MMsgHdr<'_>> = addresses
        .iter()
        .zip(&slices)
        .zip(&mut controls)
        .map(|((address, slice), control)| MMsgHdr::new_with_addr(address, slice, control))
        .collect();
    sendmmsg(socket, &mut headers, SendFlags::empty())
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))
}
