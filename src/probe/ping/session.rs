//! Many destinations at once: who is to be asked next, and what became of each echo. Pure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::super::drive::{Decision, Event, NextNonce, Session};
use super::super::icmp_error::{ErrorKind, ErrorSeen};
use super::super::ledger::{Identity, Judgement, Ledger, State};
use super::super::link::{Arrival, EchoName, Outgoing, ReceivedError, ReceivedPacket};
use super::super::report::Rejected;
use super::super::session::{count_error, micros};
use super::{DestinationReport, PingEvent, PingReport, PingRequest};

/// Echoes that go out together. Their send time is the same, read before the first: with more of
/// them, the round trips of the last would seem longer than they were.
const BATCH: usize = 32;
/// An echo that is unanswered for so long no longer keeps room in the receive buffer: dead
/// destinations do not hold up the others, and no pause of ours is that long.
const ROOM_KEPT: Duration = Duration::from_millis(100);
/// After an error the next echo to that destination waits: five errors within a millisecond prove
/// less than five within a second.
const ERROR_PAUSE: Duration = Duration::from_millis(200);
/// How long to leave a full send buffer alone.
const FULL_BUFFER_PAUSE: Duration = Duration::from_millis(1);
/// How long to look for an answer whose time is over among packets that do not end: whoever floods us
/// shall not keep us from ending.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// When nothing else is to be waited for.
const IDLE: Duration = Duration::from_secs(1);
/// Round trips that are kept of all destinations, and of one.
const ROUND_TRIPS: usize = 1_000_000;
const ROUND_TRIPS_OF_ONE: usize = 10_000;
const ROUND_TRIPS_AT_LEAST: usize = 100;

/// One destination.
#[derive(Debug, Default)]
struct Line {
    report: DestinationReport,
    round_trips: VecDeque<u64>,
    /// Echoes still to be entered; `None` without end.
    left: Option<u32>,
    /// Entered, and neither answered nor given up nor refused.
    outstanding: u32,
    /// When the last echo was due.
    due: Duration,
    /// It has a place in `ready` or a timer to get one.
    queued: bool,
    /// All its echoes are remembered and waited for: the next must wait.
    blocked: bool,
    /// It has a timer for its oldest open echo.
    timed: bool,
    highest_answered: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Send,
    GiveUp,
}

pub(super) struct PingSession<'a> {
    interval: Option<Duration>,
    wait: Duration,
    /// Replies that the receive buffer holds.
    room: usize,
    round_trips_kept: usize,
    ledger: Ledger,
    lines: Vec<Line>,
    unfinished: usize,
    /// Destinations that are due.
    ready: VecDeque<usize>,
    timers: BinaryHeap<Reverse<(Duration, Timer, usize)>>,
    /// Echoes of the last `ROOM_KEPT`, and how many of them are open.
    recent: VecDeque<(Duration, EchoName)>,
    recent_open: usize,
    recent_since: Duration,
    /// The send buffer is full since, and left alone until.
    full_since: Option<Duration>,
    paused_until: Duration,
    /// All that arrived by this time has been seen.
    drained_at: Duration,
    /// An echo's time is over since, and there is more to read all the while.
    looking_since: Option<Duration>,
    rejected: Rejected,
    tell: &'a mut dyn FnMut(&PingEvent),
}

impl Session for PingSession<'_> {
    fn decide(&mut self, now: Duration) -> Decision {
        if self.unfinished == 0 {
            return Decision::Done;
        }
        self.forget_recent(now);
        while let Some(Reverse((at, timer, place))) = self.timers.peek().copied() {
            match timer {
                Timer::Send if at <= now => {
                    self.timers.pop();
                    self.ready.push_back(place);
                }
                Timer::GiveUp if at <= self.known_at(now) => {
                    self.timers.pop();
                    self.give_up(place, self.known_at(now));
                }
                // First see whether the answer is there.
                Timer::GiveUp if at <= now => {
                    self.looking_since.get_or_insert(now);
                    return Decision::WaitUntil(now);
                }
                _ => break,
            }
        }
        if self.unfinished == 0 {
            return Decision::Done;
        }
        if self.can_send(now) {
            Decision::Send
        } else {
            Decision::WaitUntil(self.next_change(now))
        }
    }

    fn prepare(
        &mut self,
        now: Duration,
        next_nonce: &mut NextNonce<'_>,
        batch: &mut Vec<Outgoing>,
    ) -> Result<(), String> {
        let size = BATCH.min(self.room - self.recent_open);
        while batch.len() < size {
            let Some(place) = self.ready.pop_front() else {
                break;
            };
            let line = &mut self.lines[place];
            line.queued = false;
            line.due = match self.interval {
                // On time on the whole, but what was missed by more than one is not made up for.
                Some(interval) => (line.due + interval).clamp(now.saturating_sub(interval), now),
                None => now,
            };
            // Alone and without an interval, one destination fills the batch.
            let floods = self.interval == Some(Duration::ZERO) && self.ready.is_empty();
            let share = if floods { size - batch.len() } else { 1 };
            for _ in 0..share {
                if !self.enter(place, next_nonce, batch)? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Sent { echo, at } => self.sent(*echo, *at),
            Event::SendFailed { echo, kind, at } => self.send_failed(*echo, kind, *at),
            Event::Arrived(Arrival::Packet(packet)) => self.arrived(packet),
            Event::Arrived(Arrival::Error(error)) => self.refused(error),
            Event::Drained { at } => {
                self.drained_at = self.drained_at.max(*at);
                self.looking_since = None;
            }
        }
    }
}

impl<'a> PingSession<'a> {
    /// `room` is how many replies the receive buffer holds for certain.
    pub(super) fn new(
        request: &PingRequest,
        identity: Identity,
        room: usize,
        tell: &'a mut dyn FnMut(&PingEvent),
    ) -> Self {
        let destinations = identity.destinations.len();
        let line = || Line {
            left: request.count.map(|count| count.max(1)),
            queued: true,
            ..Line::default()
        };
        Self {
            interval: request.interval_us.map(Duration::from_micros),
            wait: Duration::from_millis(request.wait_ms),
            room: room.max(1),
            round_trips_kept: round_trips_kept(destinations),
            ledger: Ledger::new(identity),
            lines: (0..destinations).map(|_| line()).collect(),
            unfinished: destinations,
            ready: (0..destinations).collect(),
            timers: BinaryHeap::new(),
            recent: VecDeque::new(),
            recent_open: 0,
            recent_since: Duration::ZERO,
            full_since: None,
            paused_until: Duration::ZERO,
            drained_at: Duration::ZERO,
            looking_since: None,
            rejected: Rejected::default(),
            tell,
        }
    }

    /// What was observed so far.
    pub(super) fn into_report(self) -> PingReport {
        let finish = |(place, line): (usize, Line)| DestinationReport {
            rtt_us: line.round_trips.into(),
            waiting: u32::try_from(self.ledger.window(place).open()).unwrap_or(u32::MAX),
            ..line.report
        };
        PingReport {
            rejected: self.rejected,
            destinations: self.lines.into_iter().enumerate().map(finish).collect(),
            ..PingReport::default()
        }
    }

    /// What had arrived by then is known, or has been looked for long enough.
    fn known_at(&self, now: Duration) -> Duration {
        match self.looking_since {
            Some(since) if now >= since + LONGEST_LOOK => now,
            _ => self.drained_at,
        }
    }

    fn can_send(&self, now: Duration) -> bool {
        !self.ready.is_empty() && self.recent_open < self.room && self.paused_until <= now
    }

    /// When something changes by itself.
    fn next_change(&self, now: Duration) -> Duration {
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let room = self.recent.front().map(|(sent_at, _)| *sent_at + ROOM_KEPT);
        let send = match room {
            _ if self.ready.is_empty() => None,
            _ if self.paused_until > now => Some(self.paused_until),
            room => room,
        };
        let next = timer.into_iter().chain(send).min();
        next.unwrap_or(now + IDLE).max(now)
    }

    /// Enters one echo; `false` when there is none to enter, or no place to remember it.
    fn enter(
        &mut self,
        place: usize,
        next_nonce: &mut NextNonce<'_>,
        batch: &mut Vec<Outgoing>,
    ) -> Result<bool, String> {
        let line = &mut self.lines[place];
        if line.left == Some(0) {
            return Ok(false);
        }
        if self.ledger.window(place).is_full() {
            (line.blocked, line.queued) = (true, true);
            return Ok(false);
        }
        line.left = line.left.map(|left| left - 1);
        line.outstanding += 1;
        batch.push(self.ledger.enter(place, next_nonce()?));
        Ok(true)
    }

    fn sent(&mut self, echo: EchoName, at: Duration) {
        self.ledger.sent(echo, at);
        self.full_since = None;
        self.recent.push_back((at, echo));
        self.recent_open += 1;
        let line = &mut self.lines[echo.destination];
        line.report.sent = line.report.sent.saturating_add(1);
        if !line.timed {
            line.timed = true;
            let timer = (at + self.wait, Timer::GiveUp, echo.destination);
            self.timers.push(Reverse(timer));
        }
        if let Some(interval) = self.interval {
            self.queue(
                echo.destination,
                self.lines[echo.destination].due + interval,
                at,
            );
        }
    }

    /// Has the next echo to a destination go out at a time, unless that is arranged already.
    fn queue(&mut self, place: usize, at: Duration, now: Duration) {
        let line = &mut self.lines[place];
        if line.queued || line.left == Some(0) {
            return;
        }
        line.queued = true;
        if at <= now {
            self.ready.push_back(place);
        } else {
            self.timers.push(Reverse((at, Timer::Send, place)));
        }
    }

    fn send_failed(&mut self, echo: EchoName, kind: &ErrorKind, at: Duration) {
        if kind.is_full_buffer() && at < *self.full_since.get_or_insert(at) + self.wait {
            return self.send_again(echo, at);
        }
        self.ledger
            .window_mut(echo.destination)
            .settle(echo.number, State::Refused);
        self.error(echo, ErrorSeen::refused(kind.clone()));
        self.settled(echo.destination);
        self.queue(echo.destination, self.after_error(echo.destination, at), at);
    }

    /// The kernel had no room for it just now: that is no news of the destination.
    fn send_again(&mut self, echo: EchoName, at: Duration) {
        self.paused_until = at + FULL_BUFFER_PAUSE;
        self.ledger
            .window_mut(echo.destination)
            .take_back(echo.number);
        let line = &mut self.lines[echo.destination];
        line.outstanding -= 1;
        line.left = line.left.map(|left| left + 1);
        self.unblock(echo.destination);
        self.queue(echo.destination, at, at);
    }

    fn after_error(&self, place: usize, at: Duration) -> Duration {
        match self.interval {
            Some(interval) if !interval.is_zero() => self.lines[place].due + interval,
            _ => at + ERROR_PAUSE,
        }
    }

    fn arrived(&mut self, packet: &ReceivedPacket<'_>) {
        match self.ledger.judge(packet) {
            Judgement::Answer {
                echo,
                round_trip,
                was_open,
            } => self.answered(echo, round_trip, was_open, packet),
            Judgement::Duplicate { echo, round_trip } => {
                let report = &mut self.lines[echo.destination].report;
                report.duplicates = report.duplicates.saturating_add(1);
                self.tell_answer(echo, round_trip, packet.hop_limit, true);
            }
            Judgement::Rejected(reason, Some(place)) => {
                self.lines[place].report.rejected.count(reason);
            }
            Judgement::Rejected(reason, None) => self.rejected.count(reason),
            Judgement::Unrelated => {}
        }
    }

    fn answered(
        &mut self,
        echo: EchoName,
        round_trip: Duration,
        was_open: bool,
        packet: &ReceivedPacket<'_>,
    ) {
        let line = &mut self.lines[echo.destination];
        let report = &mut line.report;
        report.hop_limit = packet.hop_limit;
        if echo.number < line.highest_answered {
            report.reordered = report.reordered.saturating_add(1);
        }
        line.highest_answered = line.highest_answered.max(echo.number);
        if round_trip > self.wait {
            report.late = report.late.saturating_add(1);
        } else {
            report.received = report.received.saturating_add(1);
            if line.round_trips.len() == self.round_trips_kept {
                line.round_trips.pop_front();
            }
            line.round_trips.push_back(micros(round_trip));
        }
        self.tell_answer(echo, round_trip, packet.hop_limit, false);
        if was_open {
            self.release(echo);
            if self.interval.is_none() {
                self.queue(echo.destination, packet.read_at, packet.read_at);
            }
        }
    }

    fn tell_answer(
        &mut self,
        echo: EchoName,
        round_trip: Duration,
        hop_limit: Option<u8>,
        duplicate: bool,
    ) {
        (self.tell)(&PingEvent::Answer {
            destination: echo.destination,
            sequence: sequence(echo),
            rtt_us: micros(round_trip),
            hop_limit,
            late: round_trip > self.wait,
            duplicate,
        });
    }

    fn refused(&mut self, error: &ReceivedError<'_>) {
        let Some((echo, _)) = self.ledger.attribute(error) else {
            self.rejected.foreign_error = self.rejected.foreign_error.saturating_add(1);
            return;
        };
        self.error(echo, ErrorSeen::received(error));
        if self.is_open(echo) {
            self.ledger
                .window_mut(echo.destination)
                .settle(echo.number, State::GivenUp);
            self.release(echo);
            if self.interval.is_none() {
                let at = error.read_at;
                self.queue(echo.destination, self.after_error(echo.destination, at), at);
            }
        }
    }

    fn error(&mut self, echo: EchoName, seen: ErrorSeen) {
        (self.tell)(&PingEvent::Error {
            destination: echo.destination,
            sequence: sequence(echo),
            error: seen.clone(),
        });
        count_error(&mut self.lines[echo.destination].report.errors, seen);
    }

    /// Gives up the echoes to a destination whose time is over, and sets the timer for the next.
    fn give_up(&mut self, destination: usize, known_at: Duration) {
        while let Some((number, sent_at)) = self.ledger.window_mut(destination).oldest_open() {
            let over_at = sent_at + self.wait;
            if over_at > known_at {
                self.timers
                    .push(Reverse((over_at, Timer::GiveUp, destination)));
                return;
            }
            let echo = EchoName {
                destination,
                number,
            };
            self.ledger
                .window_mut(destination)
                .settle(number, State::GivenUp);
            (self.tell)(&PingEvent::Lost {
                destination,
                sequence: sequence(echo),
            });
            self.release(echo);
            if self.interval.is_none() {
                self.queue(destination, known_at, known_at);
            }
        }
        self.lines[destination].timed = false;
    }

    fn is_open(&self, echo: EchoName) -> bool {
        let entry = self.ledger.window(echo.destination).entry(echo.number);
        entry.is_some_and(|entry| entry.state == State::Open)
    }

    /// An echo is no longer open: makes room for the next.
    fn release(&mut self, echo: EchoName) {
        let entry = self.ledger.window(echo.destination).entry(echo.number);
        let sent_at = entry.and_then(|entry| entry.sent_at());
        if sent_at.is_some_and(|sent_at| sent_at >= self.recent_since) {
            self.recent_open -= 1;
        }
        self.settled(echo.destination);
    }

    /// One echo less is outstanding.
    fn settled(&mut self, place: usize) {
        let line = &mut self.lines[place];
        line.outstanding -= 1;
        self.unfinished -= usize::from(line.left == Some(0) && line.outstanding == 0);
        self.unblock(place);
    }

    /// There may be a place to remember the next echo.
    fn unblock(&mut self, place: usize) {
        if std::mem::take(&mut self.lines[place].blocked) {
            self.ready.push_back(place);
        }
    }

    fn forget_recent(&mut self, now: Duration) {
        while let Some((sent_at, echo)) = self.recent.front().copied() {
            let is_open = self.is_open(echo);
            let is_old = sent_at + ROOM_KEPT <= now;
            if is_open && !is_old {
                break;
            }
            self.recent.pop_front();
            if is_open {
                self.recent_open -= 1;
                self.recent_since = sent_at + Duration::from_nanos(1);
            }
        }
    }
}

/// How many round trips are kept of each destination.
pub(super) fn round_trips_kept(destinations: usize) -> usize {
    (ROUND_TRIPS / destinations.max(1)).clamp(ROUND_TRIPS_AT_LEAST, ROUND_TRIPS_OF_ONE)
}

fn sequence(echo: EchoName) -> u32 {
    u32::try_from(echo.number).unwrap_or(u32::MAX)
}
