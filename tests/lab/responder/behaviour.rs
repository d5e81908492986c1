//! How the responder treats a packet: its destination says it.

use std::fmt;
use std::net::Ipv6Addr;

/// 2001:db8:aa::/48, of the documentation prefix (RFC 3849).
const PREFIX: [u16; 3] = [0x2001, 0xdb8, 0xaa];

/// What happens to packets for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// All pass.
    Well,
    /// All pass, so many milliseconds later.
    Late(u16),
    /// Those of the first 1.2 s pass together at its end, as behind duplicate address detection.
    HeldAtFirst,
    /// So many per cent are lost.
    Lossy(u16),
    /// Those of more bytes are answered by Packet Too Big.
    Narrow(u16),
    /// Those of more bytes are swallowed, and nobody is told: a black hole.
    BlackHole(u16),
    /// Echo requests are swallowed, the rest passes.
    WithoutEcho,
    /// Echo requests are answered by Destination Unreachable of this code, the rest passes.
    RejectsEcho(u16),
    /// All are answered by Destination Unreachable of this code.
    Rejects(u16),
    /// TCP is swallowed, the rest passes.
    WithoutTcp,
    /// Echo replies carry another payload than was sent; the rest passes, as in those below.
    WrongPayload,
    /// Echo replies carry another identifier.
    WrongIdentifier,
    /// Echo replies come from another address.
    WrongSource,
    /// Echo replies end after four bytes of the payload.
    Truncated,
    /// Each echo is answered twice.
    Twice,
    /// Echoes to any address that was not asked to behave are answered; the rest is swallowed.
    Forges,
}

use Behaviour::{
    BlackHole, Forges, HeldAtFirst, Late, Lossy, Narrow, Rejects, RejectsEcho, Truncated, Twice,
    Well, WithoutEcho, WithoutTcp, WrongIdentifier, WrongPayload, WrongSource,
};

/// In the order of the fourth group of their addresses, with an example of the argument.
pub(crate) const ALL: [Behaviour; 15] = [
    Well,
    Late(200),
    HeldAtFirst,
    Lossy(50),
    Narrow(1280),
    BlackHole(1280),
    WithoutEcho,
    RejectsEcho(1),
    Rejects(1),
    WithoutTcp,
    WrongPayload,
    WrongIdentifier,
    WrongSource,
    Truncated,
    Twice,
];

impl Behaviour {
    /// Of a destination.
    pub(crate) fn of(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        let argument = read_as_decimal(segments[7]);
        match (segments[..3] == PREFIX, segments[3]) {
            (true, 0) => Well,
            (true, 1) => Late(argument),
            (true, 2) => HeldAtFirst,
            (true, 3) => Lossy(argument),
            (true, 4) => Narrow(argument),
            (true, 5) => BlackHole(argument),
            (true, 6) => WithoutEcho,
            (true, 7) => RejectsEcho(argument),
            (true, 8) => Rejects(argument),
            (true, 9) => WithoutTcp,
            (true, 0xa) => WrongPayload,
            (true, 0xb) => WrongIdentifier,
            (true, 0xc) => WrongSource,
            (true, 0xd) => Truncated,
            (true, 0xe) => Twice,
            _ => Forges,
        }
    }

    /// `2001:db8:aa:BEHAVIOUR::ARGUMENT`, the argument's digits as they are written.
    pub(crate) fn address(self) -> Ipv6Addr {
        let (behaviour, argument) = match self {
            Well => (0, 1),
            Late(milliseconds) => (1, milliseconds),
            HeldAtFirst => (2, 1),
            Lossy(percent) => (3, percent),
            Narrow(bytes) => (4, bytes),
            BlackHole(bytes) => (5, bytes),
            WithoutEcho => (6, 1),
            RejectsEcho(code) => (7, code),
            Rejects(code) => (8, code),
            WithoutTcp => (9, 1),
            WrongPayload => (0xa, 1),
            WrongIdentifier => (0xb, 1),
            WrongSource => (0xc, 1),
            Truncated => (0xd, 1),
            Twice => (0xe, 1),
            // RFC 9637: for documentation as well
            Forges => return Ipv6Addr::new(0x3fff, 0xaa, 0, 0, 0, 0, 0, 1),
        };
        let [a, b, c] = PREFIX;
        Ipv6Addr::new(a, b, c, behaviour, 0, 0, 0, write_as_decimal(argument))
    }
}

/// 0x1280 is 1280.
fn read_as_decimal(digits: u16) -> u16 {
    format!("{digits:x}").parse().unwrap_or_default()
}

fn write_as_decimal(number: u16) -> u16 {
    u16::from_str_radix(&number.to_string(), 16).unwrap_or_default()
}

impl fmt::Display for Behaviour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Well => write!(formatter, "all passes"),
            Late(milliseconds) => write!(formatter, "all passes {milliseconds} ms late"),
            HeldAtFirst => write!(formatter, "the first 1.2 s pass together at their end"),
            Lossy(percent) => write!(formatter, "{percent} % are lost"),
            Narrow(bytes) => write!(formatter, "Packet Too Big for more than {bytes} bytes"),
            BlackHole(bytes) => write!(formatter, "more than {bytes} bytes are swallowed"),
            WithoutEcho => write!(formatter, "echoes are swallowed, TCP passes"),
            RejectsEcho(code) => {
                write!(formatter, "echoes get unreachable code {code}, TCP passes")
            }
            Rejects(code) => write!(formatter, "all gets Destination Unreachable code {code}"),
            WithoutTcp => write!(formatter, "TCP is swallowed, echoes pass"),
            WrongPayload => write!(formatter, "echo replies with another payload, TCP passes"),
            WrongIdentifier => write!(
                formatter,
                "echo replies with another identifier, TCP passes"
            ),
            WrongSource => write!(formatter, "echo replies from another address, TCP passes"),
            Truncated => write!(formatter, "echo replies cut short, TCP passes"),
            Twice => write!(formatter, "each echo is answered twice, TCP passes"),
            Forges => write!(formatter, "echoes are answered, whoever they were for"),
        }
    }
}
