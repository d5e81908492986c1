//! A packet link that follows a script, on a clock that moves only while somebody waits.

use std::collections::HashMap;
use std::net::SocketAddrV6;
use std::time::Duration;

use super::icmp_error::ErrorKind;
use super::link::{Arrival, Outgoing, PacketLink, ReceivedError, ReceivedPacket};
use super::packet::ECHO_REPLY;

pub(super) const TARGET: &str = "[3fff:1::1]:0";
pub(super) const CONTROL: &str = "[3fff:2::1]:0";
pub(super) const IDENTIFIER: u16 = 0x1234;

/// An echo as the script sees it.
pub(super) struct SentEcho<'a> {
    /// Counts echoes to this destination from 1, failed ones too.
    pub number: u32,
    pub to_control: bool,
    pub at: Duration,
    pub destination: SocketAddrV6,
    pub message: &'a [u8],
}

/// What the network does about an echo, `after` so many milliseconds.
pub(super) enum Effect {
    Packet {
        after: u64,
        source: SocketAddrV6,
        bytes: Vec<u8>,
    },
    Error {
        after: u64,
        icmp_type: u8,
        icmp_code: u8,
        destination: SocketAddrV6,
        quoted: Vec<u8>,
    },
}

impl SentEcho<'_> {
    pub(super) fn reply_bytes(&self) -> Vec<u8> {
        let mut bytes = self.message.to_vec();
        bytes[0] = ECHO_REPLY;
        bytes
    }

    pub(super) fn reply(&self, after: u64) -> Effect {
        Effect::Packet {
            after,
            source: self.destination,
            bytes: self.reply_bytes(),
        }
    }

    /// The honest reply with one byte changed.
    pub(super) fn altered_reply(&self, after: u64, position: usize) -> Effect {
        let mut bytes = self.reply_bytes();
        bytes[position] ^= 1;
        Effect::Packet {
            after,
            source: self.destination,
            bytes,
        }
    }

    pub(super) fn no_route(&self, after: u64) -> Effect {
        Effect::Error {
            after,
            icmp_type: 1,
            icmp_code: 0,
            destination: self.destination,
            quoted: self.message.to_vec(),
        }
    }
}

type Script = dyn FnMut(&SentEcho<'_>) -> Result<Vec<Effect>, ErrorKind>;

pub(super) struct ScriptedLink {
    script: Box<Script>,
    now: Duration,
    inbox: Vec<(Duration, Effect)>,
    numbers: HashMap<SocketAddrV6, u32>,
}

impl ScriptedLink {
    pub(super) fn new(
        script: impl FnMut(&SentEcho<'_>) -> Result<Vec<Effect>, ErrorKind> + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            now: Duration::ZERO,
            inbox: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    fn send_one(&mut self, outgoing: &Outgoing) -> Result<(), ErrorKind> {
        let number = self.numbers.entry(outgoing.address).or_insert(0);
        *number += 1;
        let echo = SentEcho {
            number: *number,
            to_control: outgoing.address == CONTROL.parse().unwrap(),
            at: self.now,
            destination: outgoing.address,
            message: &outgoing.message,
        };
        for effect in (self.script)(&echo)? {
            let (Effect::Packet { after, .. } | Effect::Error { after, .. }) = &effect;
            self.inbox
                .push((self.now + Duration::from_millis(*after), effect));
        }
        self.inbox.sort_by_key(|(at, _)| *at);
        Ok(())
    }
}

impl PacketLink for ScriptedLink {
    fn now(&self) -> Duration {
        self.now
    }

    fn send(&mut self, messages: &[Outgoing]) -> (usize, Option<ErrorKind>) {
        for (taken, outgoing) in messages.iter().enumerate() {
            if let Err(kind) = self.send_one(outgoing) {
                return (taken, Some(kind));
            }
        }
        (messages.len(), None)
    }

    /// One thing at a time.
    fn receive(
        &mut self,
        until: Duration,
        each: &mut dyn FnMut(&Arrival<'_>),
    ) -> Result<Option<Duration>, String> {
        assert!(until >= self.now, "asked to wait for the past");
        if self.inbox.first().is_none_or(|(at, _)| *at > until) {
            self.now = until;
            return Ok(Some(until));
        }
        let (at, effect) = self.inbox.remove(0);
        self.now = at;
        each(&arrival(&effect, at));
        let is_all = self.inbox.first().is_none_or(|(next, _)| *next > at);
        Ok(is_all.then_some(at))
    }
}

fn arrival(effect: &Effect, read_at: Duration) -> Arrival<'_> {
    match effect {
        Effect::Packet { source, bytes, .. } => Arrival::Packet(ReceivedPacket {
            source: *source,
            bytes,
            hop_limit: Some(61),
            stamped_at: None,
            read_at,
        }),
        Effect::Error {
            icmp_type,
            icmp_code,
            destination,
            quoted,
            ..
        } => Arrival::Error(ReceivedError {
            icmp_type: *icmp_type,
            icmp_code: *icmp_code,
            information: 0,
            offender: Some("3fff:9::1".parse().unwrap()),
            destination: Some(*destination.ip()),
            quoted,
            read_at,
        }),
    }
}

/// A small generator with a fixed seed (xorshift64*, Vigna 2016), uniform in [0, 1).
pub(super) struct Chance(u64);

impl Default for Chance {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Chance {
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let share = bits as f64 / (1_u64 << 53) as f64;
        share
    }
}
