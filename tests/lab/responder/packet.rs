//! IPv6 and ICMPv6 as far as the responder reads and writes them. It shares no code with the prober:
//! a mistake that both made would be seen by nobody. Pure.

use std::net::Ipv6Addr;

const HEADER: usize = 40;
const ICMPV6: u8 = 58;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
/// Where the payload of an echo begins.
const PAYLOAD: usize = HEADER + 8;
/// No error is longer (RFC 4443 section 2.4 (c)).
const LEAST_MTU: usize = 1280;

/// A packet of IPv6 without extension headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl Packet {
    /// None for anything that is not IPv6, or shorter than its own header says.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
        let whole = bytes.get(..HEADER + length)?;
        (whole[0] >> 4 == 6).then(|| Self(whole.to_vec()))
    }

    pub(crate) fn source(&self) -> Ipv6Addr {
        self.address(8)
    }

    pub(crate) fn destination(&self) -> Ipv6Addr {
        self.address(24)
    }

    fn address(&self, at: usize) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[at..at + 16]);
        octets.into()
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.0[6] == 6
    }

    pub(crate) fn is_echo_request(&self) -> bool {
        self.0[6] == ICMPV6 && self.0.len() >= PAYLOAD && self.0[HEADER] == ECHO_REQUEST
    }

    /// An error must not be answered by an error.
    fn is_error(&self) -> bool {
        self.0[6] == ICMPV6 && self.0.get(HEADER).is_none_or(|kind| *kind < 128)
    }

    /// The answer to this echo request, as the host that was asked would give it.
    pub(crate) fn reply(&self) -> Self {
        let mut message = self.0[HEADER..].to_vec();
        message[0] = ECHO_REPLY;
        icmpv6(self.destination(), self.source(), message)
    }

    /// The same reply from another address.
    pub(crate) fn coming_from(&self, source: Ipv6Addr) -> Self {
        icmpv6(source, self.destination(), self.0[HEADER..].to_vec())
    }

    /// The same reply with all bits of the identifier turned.
    pub(crate) fn with_another_identifier(&self) -> Self {
        self.changed(|message| message[4..6].iter_mut().for_each(|byte| *byte = !*byte))
    }

    /// The same reply with all bits of the payload turned.
    pub(crate) fn with_another_payload(&self) -> Self {
        self.changed(|message| message[8..].iter_mut().for_each(|byte| *byte = !*byte))
    }

    /// The same reply with four bytes of payload.
    pub(crate) fn cut_short(&self) -> Self {
        self.changed(|message| message.truncate(12))
    }

    fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut message = self.0[HEADER..].to_vec();
        change(&mut message);
        icmpv6(self.source(), self.destination(), message)
    }

    /// Destination Unreachable from a router.
    pub(crate) fn unreachable(&self, router: Ipv6Addr, code: u8) -> Option<Self> {
        self.error(router, [1, code], 0)
    }

    /// Packet Too Big from a router.
    pub(crate) fn too_big(&self, router: Ipv6Addr, mtu: u16) -> Option<Self> {
        self.error(router, [2, 0], mtu.into())
    }

    fn error(&self, router: Ipv6Addr, kind: [u8; 2], value: u32) -> Option<Self> {
        let quoted = &self.0[..self.0.len().min(LEAST_MTU - PAYLOAD)];
        let mut message = vec![kind[0], kind[1], 0, 0];
        message.extend(value.to_be_bytes());
        message.extend(quoted);
        (!self.is_error()).then(|| icmpv6(router, self.source(), message))
    }
}

fn icmpv6(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Packet {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    message[2..4].fill(0);
    let sum = checksum(source, destination, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([ICMPV6, 64]);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(message);
    Packet(bytes)
}

/// RFC 4443 section 2.3 with the pseudo-header of RFC 8200 section 8.1.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let mut bytes = [source.octets(), destination.octets()].concat();
    bytes.extend(u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    bytes.extend([0, 0, 0, ICMPV6]);
    bytes.extend(message);
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
