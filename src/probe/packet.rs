//! ICMPv6 echo messages as bytes, and the echo quoted inside an ICMPv6 error. Pure.
//!
//! Layout (RFC 4443 sections 4.1 and 4.2), all fields big-endian:
//!
//! ```text
//!  0      1      2          4            6          8          16
//!  type   code   checksum   identifier   sequence   nonce      filler: 08 09 0a …
//! ```
//!
//! Identifier and sequence are the protocol's; nonce and filler are our payload.

use std::fmt;
use std::net::Ipv6Addr;

/// Type of an echo request (RFC 4443 section 4.1).
pub const ECHO_REQUEST: u8 = 128;
/// Type of an echo reply (RFC 4443 section 4.2).
pub const ECHO_REPLY: u8 = 129;
/// Bytes before the payload of an echo message.
pub const HEADER_BYTES: usize = 8;
/// Bytes of the nonce, which is how every payload of ours begins.
pub const NONCE_BYTES: usize = 8;
/// The longest payload: 65,535 bytes behind the IPv6 header (RFC 8200 section 3) less the header.
pub const LONGEST_PAYLOAD: usize = 65_535 - HEADER_BYTES;

/// Next-header number of ICMPv6, which the pseudo-header carries.
const NEXT_HEADER_ICMPV6: u32 = 58;

/// An echo request or reply; the payload is borrowed from the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoMessage<'a> {
    /// `ECHO_REQUEST` or `ECHO_REPLY`.
    pub icmp_type: u8,
    pub identifier: u16,
    pub sequence: u16,
    /// Everything behind the eight header bytes; in an error's quote it may be cut short.
    pub payload: &'a [u8],
}

/// Why bytes are not an echo message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer than `HEADER_BYTES` bytes.
    Short { bytes: usize },
    /// A well-formed message of another kind, such as a router advertisement.
    NotEcho { icmp_type: u8, icmp_code: u8 },
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { bytes } => {
                write!(
                    out,
                    "decode ICMPv6 echo: {bytes} bytes, {HEADER_BYTES} needed"
                )
            }
            Self::NotEcho {
                icmp_type,
                icmp_code,
            } => {
                write!(out, "decode ICMPv6 echo: type {icmp_type} code {icmp_code}")
            }
        }
    }
}

impl std::error::Error for Malformed {}

/// The bytes of an echo message, with a zero checksum: the kernel fills it in on both socket kinds
/// (linux:net/ipv6/raw.c, linux:net/ipv6/ping.c), and the identifier on datagram sockets.
pub fn encode(message: &EchoMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + message.payload.len());
    bytes.extend([message.icmp_type, 0, 0, 0]);
    bytes.extend(message.identifier.to_be_bytes());
    bytes.extend(message.sequence.to_be_bytes());
    bytes.extend(message.payload);
    bytes
}

/// Reads an echo request or reply as a socket delivers it: from the ICMPv6 header on. The checksum
/// is not looked at, because the kernel drops what does not match before delivery.
///
/// The same function reads the packet an ICMPv6 error quotes, since the error queue hands it over
/// from the ICMPv6 header on as well (linux:net/ipv6/datagram.c, `ipv6_icmp_error`).
///
/// # Errors
/// `Malformed`, for anything else; never panics, whatever the bytes.
pub fn decode(bytes: &[u8]) -> Result<EchoMessage<'_>, Malformed> {
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Malformed::Short { bytes: bytes.len() });
    };
    let [
        icmp_type,
        icmp_code,
        _,
        _,
        id_high,
        id_low,
        sequence_high,
        sequence_low,
    ] = *header;
    if !matches!(icmp_type, ECHO_REQUEST | ECHO_REPLY) || icmp_code != 0 {
        return Err(Malformed::NotEcho {
            icmp_type,
            icmp_code,
        });
    }
    Ok(EchoMessage {
        icmp_type,
        identifier: u16::from_be_bytes([id_high, id_low]),
        sequence: u16::from_be_bytes([sequence_high, sequence_low]),
        payload,
    })
}

/// Our payload: the nonce, then a byte that counts up, so that a reply cut or patched on its way
/// shows. `bytes` is raised to `NONCE_BYTES` and lowered to `LONGEST_PAYLOAD`.
pub fn payload(nonce: u64, bytes: usize) -> Vec<u8> {
    let length = bytes.clamp(NONCE_BYTES, LONGEST_PAYLOAD);
    let filler = (0..=u8::MAX).cycle().skip(NONCE_BYTES);
    nonce
        .to_be_bytes()
        .into_iter()
        .chain(filler)
        .take(length)
        .collect()
}

/// The nonce a payload begins with; `None` when it is shorter than one.
pub fn nonce(payload: &[u8]) -> Option<u64> {
    payload
        .first_chunk()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

/// The checksum of an ICMPv6 message between two addresses (RFC 8200 section 8.1, RFC 1071), over
/// the bytes as they are: zero the checksum field first to compute, and a valid message sums to 0.
pub fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut sum = sum_words(&source.octets()) + sum_words(&destination.octets());
    sum += sum_words(&length.to_be_bytes()) + sum_words(&NEXT_HEADER_ICMPV6.to_be_bytes());
    sum += sum_words(message);
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The sum of the 16-bit words, an odd last byte padded with zero.
fn sum_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let whole: u64 = words
        .iter()
        .map(|word| u64::from(u16::from_be_bytes(*word)))
        .sum();
    whole + rest.first().map_or(0, |byte| u64::from(*byte) << 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    }

    #[test]
    fn a_request_is_these_bytes() {
        let payload = payload(0x0102_0304_0506_0708, 12);
        let message = EchoMessage {
            icmp_type: ECHO_REQUEST,
            identifier: 0xbeef,
            sequence: 3,
            payload: &payload,
        };
        let expected = hex("80 00 00 00 be ef 00 03 01 02 03 04 05 06 07 08 08 09 0a 0b");
        assert_eq!(encode(&message), expected);
    }

    #[test]
    fn a_reply_in_hex_is_this_struct() {
        let bytes = hex("81 00 12 34 be ef 00 03 ff ee");
        let expected = EchoMessage {
            icmp_type: ECHO_REPLY,
            identifier: 0xbeef,
            sequence: 3,
            payload: &[0xff, 0xee],
        };
        assert_eq!(decode(&bytes), Ok(expected));
    }

    #[test]
    fn other_messages_are_told_apart_from_broken_ones() {
        let advertisement = hex("86 00 00 00 40 00 07 08");
        let expected = Err(Malformed::NotEcho {
            icmp_type: 134,
            icmp_code: 0,
        });
        assert_eq!(decode(&advertisement), expected);
        assert_eq!(decode(&hex("81 00 00")), Err(Malformed::Short { bytes: 3 }));
        let code_one = hex("81 01 00 00 00 00 00 00");
        assert_eq!(
            decode(&code_one),
            Err(Malformed::NotEcho {
                icmp_type: 129,
                icmp_code: 1
            })
        );
    }

    #[test]
    fn a_payload_has_room_for_the_nonce_and_fits_a_packet() {
        assert_eq!(payload(7, 0).len(), NONCE_BYTES);
        assert_eq!(payload(7, usize::MAX).len(), LONGEST_PAYLOAD);
        assert_eq!(nonce(&payload(7, 56)), Some(7));
        assert_eq!(nonce(&[0; 7]), None);
    }

    #[test]
    fn the_checksum_of_a_hand_computed_echo_matches() {
        // ::1 to ::1, `80 00 00 00 00 01 00 01`: 1+1+8+58+0x8000+1+1 = 0x8046, complemented.
        let request = hex("80 00 00 00 00 01 00 01");
        let address = Ipv6Addr::LOCALHOST;
        assert_eq!(checksum(address, address, &request), 0x7fb9);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = nonce(&bytes);
        }

        #[test]
        fn decode_undoes_encode(id: u16, sequence: u16, secret: u64, length in 0usize..200) {
            let payload = payload(secret, length);
            for icmp_type in [ECHO_REQUEST, ECHO_REPLY] {
                let message =
                    EchoMessage { icmp_type, identifier: id, sequence, payload: &payload };
                let bytes = encode(&message);
                prop_assert_eq!(decode(&bytes), Ok(message));
            }
        }

        #[test]
        fn a_message_with_its_checksum_sums_to_zero(
            source: u128,
            destination: u128,
            filler in proptest::collection::vec(any::<u8>(), 0..99),
        ) {
            let (source, destination) = (Ipv6Addr::from(source), Ipv6Addr::from(destination));
            let message =
                EchoMessage { icmp_type: ECHO_REPLY, identifier: 1, sequence: 2, payload: &filler };
            let mut bytes = encode(&message);
            let sum = checksum(source, destination, &bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
            prop_assert_eq!(checksum(source, destination, &bytes), 0);
        }
    }
}
