//! ICMPv6 errors and failed sends in words. Pure.

use std::fmt;
use std::io;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::link::ReceivedError;

/// What an ICMPv6 error, or the kernel's refusal to send, says. Type and code are those of RFC 4443
/// section 3 (codes 7 and 8 of type 1: RFC 6554, RFC 8883).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    NoRoute,
    AdministrativelyProhibited,
    BeyondScope,
    AddressUnreachable,
    PortUnreachable,
    SourcePolicy,
    RejectRoute,
    SourceRoutingHeader,
    HeadersTooLong,
    /// `mtu` in bytes, of the link that was too narrow.
    PacketTooBig {
        mtu: u32,
    },
    HopLimitExceeded,
    ReassemblyTimeExceeded,
    ParameterProblem,
    /// Our own kernel refused to send: the errno and its text.
    Local {
        errno: i32,
        text: String,
    },
    /// A type and code without a word here.
    Other(String),
}

/// One error as the report lists it: how often the same kind came from the same offender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSeen {
    pub kind: ErrorKind,
    /// `None` for `ErrorKind::Local`.
    pub icmp_type: Option<u8>,
    /// `None` for `ErrorKind::Local`.
    pub icmp_code: Option<u8>,
    /// Who sent the error; `None` when our own kernel refused.
    pub offender: Option<Ipv6Addr>,
    pub count: u32,
}

impl ErrorSeen {
    /// Our own kernel refused to send.
    pub(super) fn refused(kind: ErrorKind) -> Self {
        Self {
            kind,
            icmp_type: None,
            icmp_code: None,
            offender: None,
            count: 1,
        }
    }

    pub(super) fn received(error: &ReceivedError<'_>) -> Self {
        Self {
            kind: ErrorKind::from_icmp(error.icmp_type, error.icmp_code, error.information),
            icmp_type: Some(error.icmp_type),
            icmp_code: Some(error.icmp_code),
            offender: error.offender,
            count: 1,
        }
    }
}

impl ErrorKind {
    /// The kind for an ICMPv6 type and code; `information` is the 32-bit word behind the checksum,
    /// which only Packet Too Big uses (its MTU).
    pub fn from_icmp(icmp_type: u8, icmp_code: u8, information: u32) -> Self {
        match (icmp_type, icmp_code) {
            (1, 0) => Self::NoRoute,
            (1, 1) => Self::AdministrativelyProhibited,
            (1, 2) => Self::BeyondScope,
            (1, 3) => Self::AddressUnreachable,
            (1, 4) => Self::PortUnreachable,
            (1, 5) => Self::SourcePolicy,
            (1, 6) => Self::RejectRoute,
            (1, 7) => Self::SourceRoutingHeader,
            (1, 8) => Self::HeadersTooLong,
            (2, _) => Self::PacketTooBig { mtu: information },
            (3, 0) => Self::HopLimitExceeded,
            (3, 1) => Self::ReassemblyTimeExceeded,
            (4, _) => Self::ParameterProblem,
            _ => Self::Other(format!("ICMPv6 type {icmp_type} code {icmp_code}")),
        }
    }

    /// Whether our own kernel had no room for the packet just now (EAGAIN, ENOBUFS: a full send
    /// buffer, a full queue of the device).
    pub fn is_full_buffer(&self) -> bool {
        const EAGAIN: i32 = 11;
        const ENOBUFS: i32 = 105;
        matches!(
            self,
            Self::Local {
                errno: EAGAIN | ENOBUFS,
                ..
            }
        )
    }

    /// Whether sending again soon will meet the same error: what may end a run before its deadline.
    /// Lost fragments, a too big packet, and a full buffer are not of that sort.
    pub fn is_hard(&self) -> bool {
        match self {
            Self::PacketTooBig { .. } | Self::ReassemblyTimeExceeded | Self::Other(_) => false,
            Self::Local { errno, .. } => matches!(
                io::Error::from_raw_os_error(*errno).kind(),
                io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::AddrNotAvailable
                    | io::ErrorKind::NetworkDown
            ),
            _ => true,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NoRoute => "no route",
            Self::AdministrativelyProhibited => "administratively prohibited",
            Self::BeyondScope => "beyond scope of the source address",
            Self::AddressUnreachable => "address unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::SourcePolicy => "source address failed policy",
            Self::RejectRoute => "reject route",
            Self::SourceRoutingHeader => "error in source routing header",
            Self::HeadersTooLong => "headers too long",
            Self::PacketTooBig { mtu } => return write!(out, "packet too big, mtu {mtu}"),
            Self::HopLimitExceeded => "time exceeded: hop limit",
            Self::ReassemblyTimeExceeded => "time exceeded: fragment reassembly",
            Self::ParameterProblem => "parameter problem",
            Self::Local { text, .. } | Self::Other(text) => text,
        };
        out.write_str(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_codes_have_the_words_of_the_rfc() {
        let cases = [
            ((1, 0, 0), "no route", true),
            ((1, 1, 0), "administratively prohibited", true),
            ((1, 3, 0), "address unreachable", true),
            ((1, 4, 0), "port unreachable", true),
            ((1, 9, 0), "ICMPv6 type 1 code 9", false),
            ((2, 0, 1280), "packet too big, mtu 1280", false),
            ((3, 0, 0), "time exceeded: hop limit", true),
            ((3, 1, 0), "time exceeded: fragment reassembly", false),
            ((4, 1, 0), "parameter problem", true),
        ];
        for ((icmp_type, code, information), words, hard) in cases {
            let kind = ErrorKind::from_icmp(icmp_type, code, information);
            assert_eq!((kind.to_string().as_str(), kind.is_hard()), (words, hard));
        }
    }

    #[test]
    fn a_missing_route_is_hard_and_a_full_buffer_is_not() {
        let local = |errno: i32| ErrorKind::Local {
            errno,
            text: String::new(),
        };
        let (enetunreach, eacces, enobufs) = (101, 13, 105);
        assert!(local(enetunreach).is_hard());
        assert!(local(eacces).is_hard());
        assert!(!local(enobufs).is_hard());
    }

    #[test]
    fn kinds_survive_json() {
        let kinds = [
            ErrorKind::NoRoute,
            ErrorKind::PacketTooBig { mtu: 1280 },
            ErrorKind::Local {
                errno: 101,
                text: "network is unreachable".into(),
            },
            ErrorKind::Other("ICMPv6 type 1 code 9".into()),
        ];
        let line = serde_json::to_string(&kinds).unwrap();
        assert_eq!(
            serde_json::from_str::<[ErrorKind; 4]>(&line).unwrap(),
            kinds
        );
        assert!(
            line.starts_with(r#"["no-route",{"packet-too-big":{"mtu":1280}}"#),
            "{line}"
        );
    }
}
