//! What a raw socket is woken for.

use std::os::fd::OwnedFd;

use socket2::{SockFilter, SockRef};

use super::super::packet::ECHO_REPLY;

/// Lets only echo replies in, of whatever identifier: those of others are evidence. Without it, a
/// raw socket gets every ICMPv6 message of the namespace, our own echoes to `::1` too.
///
/// A classic filter (linux:Documentation/networking/filter.rst); a raw ICMPv6 socket shows it the
/// packet from the ICMPv6 header on.
pub(super) fn attach(socket: &OwnedFd) -> Option<String> {
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let program = [
        SockFilter::new(LOAD_BYTE, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(ECHO_REPLY)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ];
    let refusal = SockRef::from(socket).attach_filter(&program).err()?;
    Some(format!("attach filter: {refusal}"))
}
