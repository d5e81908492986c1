//! Which echoes to send, and what their answers say about size. Pure; time is a `Duration` since the
//! start that comes with each event.

use std::time::Duration;

use super::super::drive::{Decision, Event, NextNonce, Session};
use super::super::icmp_error::{ErrorKind, ErrorSeen};
use super::super::link::{Arrival, Outgoing, ReceivedError, ReceivedPacket};
use super::super::session::{count_error, micros};
use super::echoes::{Echoes, Reply, payload_bytes};
use super::{PathMtuOutcome, PathMtuReport, PathMtuRequest};

/// Every link carries as much (RFC 8200 section 5).
const LEAST_MTU: u16 = 1280;
/// What Ethernet carries, and so nearly every path: nobody needs more.
const MOST_BYTES: u16 = 1500;
/// As large as a usual ping: 56 bytes of payload.
const SMALL_BYTES: u16 = 104;
/// Asked for once the large size seems lost, to say what passes: common MTUs of tunnels and of
/// mobile networks, WireGuard, 6in4, PPPoE.
const BETWEEN: [u16; 5] = [LEAST_MTU, 1400, 1420, 1480, 1492];

/// Between volleys while nothing large has come back.
const GAP: Duration = Duration::from_millis(100);
/// Volleys of which the small echo came back and the large one did not, until it is said that large
/// ones do not pass. A path that loses one packet in ten, whatever its size, does that less than once
/// in a million runs; one that loses half, once in 700.
const LOST_PAIRS: usize = 6;
/// How much longer than the small echo a large one may at least take.
const GRACE: Duration = Duration::from_millis(150);
/// Volleys that go out at once because a router has just told its MTU: one for each narrow link of a
/// path, and no more, because anybody can send Packet Too Big.
const TOLD_AT_ONCE: u32 = 4;
/// Far more than a run has time for; a sequence is 16 bits wide.
const MOST_VOLLEYS: u32 = 1000;

/// Behind the ICMPv6 header of the largest packet.
pub(super) const MOST_PAYLOAD: usize = payload_bytes(MOST_BYTES);

#[derive(Debug)]
pub(super) struct Search {
    large: u16,
    /// The first size to come back that decides.
    passed: Option<u16>,
    /// The first such size of which a part came back.
    cut_short: Option<u16>,
    route_mtu: Option<u32>,
    deadline: Duration,
    echoes: Echoes,
    volleys: u32,
    last_volley_at: Option<Duration>,
    /// The first echo of the first volley that asked for sizes in between.
    explored_from: Option<usize>,
    told_at_once: u32,
    /// A router has told its MTU since the last volley.
    told: bool,
    /// All that had arrived by then is known.
    drained_at: Duration,
    report: PathMtuReport,
}

impl Search {
    pub(super) fn new(request: &PathMtuRequest, identifier: u16) -> Self {
        let link = request.link_mtu.unwrap_or(u32::from(MOST_BYTES));
        let large = u16::try_from(link).unwrap_or(MOST_BYTES);
        Self {
            large: large.clamp(LEAST_MTU, MOST_BYTES),
            passed: None,
            cut_short: None,
            route_mtu: request.route_mtu,
            deadline: Duration::from_millis(request.deadline_ms),
            echoes: Echoes::new(request.target, identifier),
            volleys: 0,
            last_volley_at: None,
            explored_from: None,
            told_at_once: 0,
            told: false,
            drained_at: Duration::ZERO,
            report: PathMtuReport::default(),
        }
    }

    /// Begins the next volley: its sizes.
    fn volley(&mut self, now: Duration) -> Vec<u16> {
        let mut sizes = vec![SMALL_BYTES, self.large];
        sizes.extend(self.told_bytes());
        if self.volleys >= 2 && self.comes_back(SMALL_BYTES) {
            self.explored_from.get_or_insert(self.echoes.list.len());
            sizes.extend(BETWEEN.into_iter().filter(|bytes| *bytes < self.large));
        }
        self.volleys += 1;
        self.last_volley_at = Some(now);
        self.told = false;
        sizes
    }

    /// What passes in fragments, or as large as a router has told: TCP sends no larger then, and
    /// pasta takes no fragments.
    fn decides(&self, bytes: u16) -> bool {
        bytes == self.large || Some(bytes) == self.told_bytes()
    }

    fn told_bytes(&self) -> Option<u16> {
        self.told_mtu().and_then(|mtu| u16::try_from(mtu).ok())
    }

    fn arrived(&mut self, packet: &ReceivedPacket<'_>) {
        match self.echoes.answered(packet) {
            Some(Reply::Whole { bytes, round_trip }) if self.decides(bytes) => {
                self.report.received += 1;
                self.passed.get_or_insert(bytes);
                self.report.rtt_us.push(micros(round_trip));
            }
            Some(Reply::CutShort { bytes }) if self.decides(bytes) => {
                self.cut_short.get_or_insert(bytes);
            }
            _ => {}
        }
    }

    fn erred(&mut self, error: &ReceivedError<'_>) {
        let Some(is_first) = self.echoes.attribute(error) else {
            return;
        };
        let seen = ErrorSeen::received(error);
        let tells = matches!(seen.kind, ErrorKind::PacketTooBig { .. });
        if tells && is_first && self.told_at_once < TOLD_AT_ONCE {
            self.told = true;
            self.told_at_once += 1;
        }
        count_error(&mut self.report.errors, seen);
    }

    /// What was observed, with the outcome that it has.
    pub(super) fn into_report(mut self) -> PathMtuReport {
        self.report.outcome = self.outcome();
        self.report
    }

    fn outcome(&self) -> PathMtuOutcome {
        if let Some(bytes) = self.passed {
            return match self.told_mtu() {
                Some(mtu) => PathMtuOutcome::Told { bytes, mtu },
                None => PathMtuOutcome::Whole { bytes },
            };
        }
        if let Some(bytes) = self.cut_short {
            return PathMtuOutcome::CutShort { bytes };
        }
        match self.large_is_lost_at() {
            Some(certain_at) if certain_at <= self.drained_at => self.black_hole(),
            _ => PathMtuOutcome::Unanswered,
        }
    }

    /// The narrowest link that a router has told of; the kernel heeds none below `LEAST_MTU`.
    fn told_mtu(&self) -> Option<u32> {
        let heeded = u32::from(LEAST_MTU)..u32::from(self.large);
        let told = self
            .report
            .errors
            .iter()
            .filter_map(|seen| match seen.kind {
                ErrorKind::PacketTooBig { mtu } => Some(mtu),
                _ => None,
            });
        let told = told.chain(self.route_mtu);
        told.filter(|mtu| heeded.contains(mtu)).min()
    }

    fn black_hole(&self) -> PathMtuOutcome {
        let sizes = || self.echoes.list.iter().map(|echo| echo.bytes);
        let passes = sizes().filter(|bytes| self.comes_back(*bytes)).max();
        let passes = passes.unwrap_or(SMALL_BYTES);
        let lost = sizes().filter(|bytes| *bytes > passes).min();
        PathMtuOutcome::BlackHole {
            passes,
            lost: lost.unwrap_or(self.large),
        }
    }

    fn comes_back(&self, bytes: u16) -> bool {
        let mut echoes = self.echoes.list.iter();
        echoes.any(|echo| echo.bytes == bytes && echo.answered_at.is_some())
    }

    /// When enough small echoes will have come back without their large ones, which may take longer,
    /// and one of them beside sizes in between. A large one that the kernel could not send is as
    /// lost: a veth whose other end takes less drops it and says so.
    fn large_is_lost_at(&self) -> Option<Duration> {
        let mut lost: Vec<Duration> = self.lost_from(0).collect();
        lost.sort();
        let enough = lost.get(LOST_PAIRS - 1)?;
        let explored = self.lost_from(self.explored_from?).min()?;
        Some(explored.max(*enough))
    }

    /// For the small echoes from this one on that came back: when what went beside them is lost.
    fn lost_from(&self, first: usize) -> impl Iterator<Item = Duration> {
        let echoes = self.echoes.list.iter().skip(first);
        let small = echoes.filter(|echo| echo.bytes == SMALL_BYTES);
        small.filter_map(|echo| {
            let answered_at = echo.answered_at?;
            let round_trip = answered_at.saturating_sub(echo.sent_at?);
            Some(answered_at + round_trip.max(GRACE))
        })
    }
}

impl Session for Search {
    /// A busy machine may look at the clock before it looks at what has arrived: nothing is lost, and
    /// no time over, before that is known.
    fn decide(&mut self, now: Duration) -> Decision {
        if self.passed.or(self.cut_short).is_some() || now >= self.deadline + GRACE {
            return Decision::Done;
        }
        let known_at = self.drained_at;
        let certain_at = self.large_is_lost_at().unwrap_or(self.deadline);
        if known_at >= certain_at.min(self.deadline) {
            return Decision::Done;
        }
        let next_at = match self.last_volley_at {
            _ if certain_at < self.deadline || self.volleys >= MOST_VOLLEYS => certain_at,
            Some(at) if !self.told => at + GAP,
            _ => now,
        };
        if now >= next_at && next_at < certain_at {
            Decision::Send
        } else {
            Decision::WaitUntil(next_at.min(certain_at))
        }
    }

    fn prepare(
        &mut self,
        now: Duration,
        next_nonce: &mut NextNonce<'_>,
        batch: &mut Vec<Outgoing>,
    ) -> Result<(), String> {
        for bytes in self.volley(now) {
            batch.push(self.echoes.enter(bytes, next_nonce()?));
        }
        Ok(())
    }

    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Sent { echo, at } => {
                let bytes = self.echoes.sent(*echo, *at);
                self.report.sent += u32::from(bytes.is_some_and(|bytes| self.decides(bytes)));
            }
            Event::SendFailed { kind, .. } => {
                count_error(&mut self.report.errors, ErrorSeen::refused(kind.clone()));
            }
            Event::Arrived(Arrival::Packet(packet)) => self.arrived(packet),
            Event::Arrived(Arrival::Error(error)) => self.erred(error),
            Event::Drained { at } => self.drained_at = *at,
        }
    }
}
