//! When to send, how long to wait, and what it meant: the echo run as a state machine. Pure; time
//! is a `Duration` since the start that comes with each event.

use std::net::SocketAddrV6;
use std::time::Duration;

use super::icmp_error::{ErrorKind, ErrorSeen};
use super::ledger::{Identity, Judgement, Ledger, Reason, Role};
use super::link::{Arrival, ReceivedError, ReceivedPacket};
use super::report::{EchoOutcome, EchoReport, EchoRequest};

/// Echoes to the control: as many as answers are usually wanted; a forger shows at the first.
const CONTROL_ECHOES: u32 = 3;
/// The same hard error for so many echoes …
const HARD_ERROR_ECHOES: u32 = 3;
/// … over so long ends a run: a route that is just being replaced is back sooner.
const HARD_ERROR_SPAN: Duration = Duration::from_millis(600);
/// How long the control may at least take to answer after the last answer of the target.
const CONTROL_GRACE: Duration = Duration::from_millis(100);
/// Keeps an interval of 0 from flooding a silent target.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event<'a> {
    /// The kernel took the echo; `at` was read before the send.
    Sent {
        sequence: u16,
        role: Role,
        at: Duration,
    },
    SendFailed {
        role: Role,
        kind: ErrorKind,
        at: Duration,
    },
    Arrived(Arrival<'a>),
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Send(Role),
    /// Nothing to do before this time, unless something arrives.
    WaitUntil(Duration),
    Done(EchoOutcome),
}

/// The one hard error that everything since the last answer has met.
#[derive(Debug)]
struct Streak {
    kind: ErrorKind,
    echoes: u32,
    first_at: Duration,
    last_at: Duration,
}

#[derive(Debug)]
pub(super) struct Session {
    count: u32,
    interval: Duration,
    deadline: Duration,
    settle: Duration,
    ledger: Ledger,
    report: EchoReport,
    /// When the last echo to the target was tried, and its sequence if the kernel took it.
    last_try: Option<(Duration, Option<u16>)>,
    last_answered: bool,
    highest_answered: u16,
    control_tries: u32,
    streak: Option<Streak>,
    /// When the last answer wanted was in.
    complete_at: Option<Duration>,
}

impl Session {
    pub(super) fn new(request: &EchoRequest, identity: Identity) -> Self {
        Self {
            count: request.count.max(1),
            interval: Duration::from_millis(request.interval_ms).max(SHORTEST_INTERVAL),
            deadline: Duration::from_millis(request.deadline_ms),
            settle: Duration::from_millis(request.settle_ms),
            ledger: Ledger::new(identity),
            report: EchoReport::default(),
            last_try: None,
            last_answered: false,
            highest_answered: 0,
            control_tries: 0,
            streak: None,
            complete_at: None,
        }
    }

    /// What to do at `now`. Asking twice gives the same answer: only `prepare` and `observe` change
    /// anything.
    pub(super) fn decide(&self, now: Duration) -> Decision {
        if now >= self.deadline {
            return Decision::Done(self.outcome());
        }
        if let Some(complete_at) = self.complete_at {
            let until = self.control_silent_at(complete_at).min(self.deadline);
            return wait_or(now, until, Decision::Done(EchoOutcome::Answered));
        }
        if self.has_failed_for_good() {
            return Decision::Done(EchoOutcome::Error);
        }
        if self.ledger.is_full() {
            return Decision::WaitUntil(self.deadline);
        }
        let Some((last_at, _)) = self.last_try else {
            return Decision::Send(Role::Target);
        };
        if self.is_control_due() {
            return Decision::Send(Role::Control);
        }
        let next_at = if self.last_answered {
            now
        } else {
            last_at + self.interval
        };
        if next_at >= self.deadline {
            return Decision::WaitUntil(self.deadline);
        }
        wait_or(now, next_at, Decision::Send(Role::Target))
    }

    /// Sequence, destination and bytes of the next echo; `None` when there are no more to send to
    /// that role.
    pub(super) fn prepare(
        &mut self,
        role: Role,
        nonce: u64,
    ) -> Option<(u16, SocketAddrV6, Vec<u8>)> {
        let destination = self.ledger.destination(role)?;
        let (sequence, message) = self.ledger.enter(role, nonce)?;
        Some((sequence, destination, message))
    }

    pub(super) fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Sent { sequence, role, at } => self.sent(*sequence, *role, *at),
            Event::SendFailed { role, kind, at } => self.send_failed(*role, kind, *at),
            Event::Arrived(Arrival::Packet(packet)) => self.arrived(packet),
            Event::Arrived(Arrival::Error(error)) => self.refused(error),
        }
    }

    /// What was observed so far, with the outcome it would have if it ended here.
    pub(super) fn into_report(self) -> EchoReport {
        EchoReport {
            outcome: self.outcome(),
            ..self.report
        }
    }

    /// Errors make a silent run an error: those ICMPv6 brought always, those of our own kernel if
    /// they lasted to the end, because one from before an address had settled says nothing.
    fn outcome(&self) -> EchoOutcome {
        if self.report.received > 0 {
            return EchoOutcome::Answered;
        }
        let remote = self
            .report
            .errors
            .iter()
            .any(|seen| seen.icmp_type.is_some());
        let local = matches!(self.last_try, Some((_, None)));
        if remote || local {
            EchoOutcome::Error
        } else {
            EchoOutcome::Silent
        }
    }

    /// When the control has been silent long enough; at once where there is nothing to wait for.
    fn control_silent_at(&self, complete_at: Duration) -> Duration {
        if self.report.control_sent == 0 || self.report.control_answered {
            return complete_at;
        }
        let longest = self.report.rtt_us.iter().max().copied().unwrap_or(0);
        complete_at + CONTROL_GRACE.max(2 * Duration::from_micros(longest))
    }

    /// Only while nothing has answered: after an answer, errors are loss.
    fn has_failed_for_good(&self) -> bool {
        let Some(streak) = &self.streak else {
            return false;
        };
        self.report.received == 0
            && streak.echoes >= HARD_ERROR_ECHOES
            && streak.last_at.saturating_sub(streak.first_at) >= HARD_ERROR_SPAN
            && streak.last_at >= self.settle
    }

    /// One echo to the control behind each of the first to the target.
    fn is_control_due(&self) -> bool {
        let tries = self.report.sent + local_failures(&self.report.errors);
        self.ledger.has_control() && self.control_tries < tries.min(CONTROL_ECHOES)
    }

    fn sent(&mut self, sequence: u16, role: Role, at: Duration) {
        self.ledger.sent(sequence, at);
        match role {
            Role::Target => {
                self.report.sent += 1;
                self.last_try = Some((at, Some(sequence)));
                self.last_answered = false;
            }
            Role::Control => {
                self.report.control_sent += 1;
                self.control_tries += 1;
            }
        }
    }

    fn send_failed(&mut self, role: Role, kind: &ErrorKind, at: Duration) {
        let seen = ErrorSeen {
            kind: kind.clone(),
            icmp_type: None,
            icmp_code: None,
            offender: None,
            count: 1,
        };
        match role {
            Role::Target => {
                count_error(&mut self.report.errors, seen);
                self.last_try = Some((at, None));
                self.last_answered = false;
                self.extend_streak(kind, at);
            }
            Role::Control => {
                count_error(&mut self.report.control_errors, seen);
                self.control_tries += 1;
            }
        }
    }

    fn arrived(&mut self, packet: &ReceivedPacket<'_>) {
        match self.ledger.judge(packet) {
            Judgement::Answer {
                role: Role::Control,
                ..
            } => self.report.control_answered = true,
            Judgement::Answer {
                role: Role::Target,
                sequence,
                round_trip,
            } => {
                self.report.hop_limit = packet.hop_limit;
                self.answered(sequence, round_trip, packet.read_at);
            }
            Judgement::Duplicate { role: Role::Target } => self.report.duplicates += 1,
            Judgement::Duplicate {
                role: Role::Control,
            }
            | Judgement::Unrelated => {}
            Judgement::Rejected(reason) => self.reject(reason),
        }
    }

    fn answered(&mut self, sequence: u16, round_trip: Duration, at: Duration) {
        let report = &mut self.report;
        report.received += 1;
        report.rtt_us.push(micros(round_trip));
        if sequence < self.highest_answered {
            report.reordered += 1;
        }
        self.highest_answered = self.highest_answered.max(sequence);
        if matches!(self.last_try, Some((_, Some(last))) if last == sequence) {
            self.last_answered = true;
        }
        self.streak = None;
        if report.received >= self.count && self.complete_at.is_none() {
            self.complete_at = Some(at);
        }
    }

    fn reject(&mut self, reason: Reason) {
        let rejected = &mut self.report.rejected;
        let counter = match reason {
            Reason::Truncated => &mut rejected.truncated,
            Reason::OtherIdentifier => &mut rejected.other_identifier,
            Reason::ForeignSource => &mut rejected.foreign_source,
            Reason::UnknownSequence => &mut rejected.unknown_sequence,
            Reason::WrongNonce => &mut rejected.wrong_nonce,
            Reason::AlteredPayload => &mut rejected.altered_payload,
        };
        *counter += 1;
    }

    fn refused(&mut self, error: &ReceivedError<'_>) {
        let Some((role, first)) = self.ledger.attribute(error) else {
            self.report.rejected.foreign_error += 1;
            return;
        };
        let kind = ErrorKind::from_icmp(error.icmp_type, error.icmp_code, error.information);
        let seen = ErrorSeen {
            kind: kind.clone(),
            icmp_type: Some(error.icmp_type),
            icmp_code: Some(error.icmp_code),
            offender: error.offender,
            count: 1,
        };
        if role == Role::Control {
            count_error(&mut self.report.control_errors, seen);
            return;
        }
        count_error(&mut self.report.errors, seen);
        if first {
            self.extend_streak(&kind, error.read_at);
        }
    }

    fn extend_streak(&mut self, kind: &ErrorKind, at: Duration) {
        if !kind.is_hard() {
            self.streak = None;
            return;
        }
        match &mut self.streak {
            Some(streak) if streak.kind == *kind => {
                streak.echoes += 1;
                streak.last_at = at;
            }
            _ => {
                self.streak = Some(Streak {
                    kind: kind.clone(),
                    echoes: 1,
                    first_at: at,
                    last_at: at,
                });
            }
        }
    }
}

fn wait_or(now: Duration, until: Duration, then: Decision) -> Decision {
    if now >= until {
        then
    } else {
        Decision::WaitUntil(until)
    }
}

fn local_failures(errors: &[ErrorSeen]) -> u32 {
    errors
        .iter()
        .filter(|seen| seen.icmp_type.is_none())
        .map(|seen| seen.count)
        .sum()
}

/// Adds to the entry of the same kind, type, code and offender, or makes one. Kinds are ours to
/// name, but offenders are the network's to invent: the list stops growing at 32 entries.
fn count_error(errors: &mut Vec<ErrorSeen>, seen: ErrorSeen) {
    const LONGEST_LIST: usize = 32;
    let same = errors.iter().position(|entry| {
        (
            &entry.kind,
            entry.icmp_type,
            entry.icmp_code,
            entry.offender,
        ) == (&seen.kind, seen.icmp_type, seen.icmp_code, seen.offender)
    });
    if let Some(place) = same {
        errors[place].count += 1;
        return;
    }
    if errors.len() < LONGEST_LIST {
        errors.push(seen);
    }
}

/// Whole microseconds, as the reports carry them.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
