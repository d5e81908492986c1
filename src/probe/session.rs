//! One target and its control: when to send, how long to wait, and what it meant. Pure.

use std::time::Duration;

use super::drive::{Decision, Event, NextNonce, Session};
use super::icmp_error::{ErrorKind, ErrorSeen};
use super::ledger::{Identity, Judgement, Ledger};
use super::link::{Arrival, EchoName, Outgoing, ReceivedError, ReceivedPacket};
use super::loss::{self, Loss};
use super::report::{EchoOutcome, EchoReport, EchoRequest};

/// Places in the ledger.
const TARGET: usize = 0;
const CONTROL: usize = 1;

/// Echoes to the control: as many as answers are usually wanted; a forger shows at the first.
const CONTROL_ECHOES: u32 = 3;
/// The same hard error for so many echoes …
const HARD_ERROR_ECHOES: u32 = 3;
/// … over so long ends a run: a route that is just being replaced is back sooner.
const HARD_ERROR_SPAN: Duration = Duration::from_millis(600);
/// How long the control may at least take to answer.
const CONTROL_GRACE: Duration = Duration::from_millis(100);
/// The same where one answer is enough: who answers for everybody does so for both at once.
const GLANCE_GRACE: Duration = Duration::from_millis(20);
/// Else twice the median of so many last round trips: the first may have waited for the link.
const RECENT: usize = 8;
/// Keeps an interval of 0 from flooding a silent target.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// An echo counts as lost after this time, or one and a half times the longest round trip. What a
/// busy machine holds up for less is no loss.
const LOSS_PATIENCE: Duration = Duration::from_secs(1);
/// The same where the deadline leaves no more time.
const LAST_PATIENCE: Duration = Duration::from_millis(200);

/// The one hard error that everything since the last answer has met.
#[derive(Debug)]
struct Streak {
    kind: ErrorKind,
    echoes: u32,
    first_at: Duration,
    last_at: Duration,
}

#[derive(Debug)]
pub(super) struct EchoSession {
    count: u32,
    interval: Duration,
    deadline: Duration,
    settle: Duration,
    ledger: Ledger,
    report: EchoReport,
    /// When the last echo to the target was tried, and its number if the kernel took it.
    last_try: Option<(Duration, Option<u64>)>,
    last_answered: bool,
    highest_answered: u64,
    has_control: bool,
    glance: bool,
    control_tries: u32,
    control_quota: u32,
    last_control_at: Duration,
    streak: Option<Streak>,
    /// Number and time of arrival of the first answer.
    first_answer: Option<(u64, Duration)>,
    /// All that arrived by this time has been seen.
    drained_at: Duration,
}

impl Session for EchoSession {
    /// Asking twice gives the same answer: only `prepare` and `observe` change anything.
    fn decide(&mut self, now: Duration) -> Decision {
        if now >= self.deadline || self.has_failed_for_good() {
            return Decision::Done;
        }
        if self.is_decided() {
            return wait_or(
                now,
                self.control_silent_at().min(self.deadline),
                Decision::Done,
            );
        }
        let Some((last_at, _)) = self.last_try else {
            return Decision::Send;
        };
        if self.is_control_due() {
            return Decision::Send;
        }
        let next_at = if self.last_answered {
            now
        } else {
            last_at + self.interval
        };
        if next_at >= self.deadline {
            return Decision::WaitUntil(self.deadline);
        }
        wait_or(now, next_at, Decision::Send)
    }

    fn prepare(
        &mut self,
        _: Duration,
        next_nonce: &mut NextNonce<'_>,
        batch: &mut Vec<Outgoing>,
    ) -> Result<(), String> {
        let to_control = self.last_try.is_some() && self.is_control_due();
        let destination = if to_control { CONTROL } else { TARGET };
        batch.push(self.ledger.enter(destination, next_nonce()?));
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
                self.judge_loss(LOSS_PATIENCE);
            }
        }
    }
}

impl EchoSession {
    /// The identity's first destination is the target; the second, if there is one, the control.
    pub(super) fn new(request: &EchoRequest, identity: Identity) -> Self {
        Self {
            count: request.count.max(1),
            interval: Duration::from_millis(request.interval_ms).max(SHORTEST_INTERVAL),
            deadline: Duration::from_millis(request.deadline_ms),
            settle: Duration::from_millis(request.settle_ms),
            glance: request.glance,
            has_control: identity.destinations.len() > CONTROL,
            ledger: Ledger::new(identity),
            report: EchoReport::default(),
            last_try: None,
            last_answered: false,
            highest_answered: 0,
            control_tries: 0,
            control_quota: CONTROL_ECHOES,
            last_control_at: Duration::ZERO,
            streak: None,
            first_answer: None,
            drained_at: Duration::ZERO,
        }
    }

    /// What was observed so far, with the outcome it would have if it ended here.
    pub(super) fn into_report(mut self) -> EchoReport {
        self.judge_loss(LAST_PATIENCE);
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

    /// Whether enough is known of the target.
    fn is_decided(&self) -> bool {
        if self.glance && self.report.received > 0 {
            return !self.is_control_due();
        }
        match self.report.loss {
            Loss::Heavy => true,
            Loss::Bearable => self.report.received >= self.count,
            Loss::Undecided => false,
        }
    }

    /// When the control has been silent long enough; at once where there is nothing to wait for.
    fn control_silent_at(&self) -> Duration {
        if self.report.control_sent == 0 || self.report.control_answered {
            return Duration::ZERO;
        }
        let mut recent: Vec<_> = self.report.rtt_us.iter().rev().take(RECENT).collect();
        recent.sort_unstable();
        let median = recent.get(recent.len() / 2).map_or(0, |rtt| **rtt);
        let grace = if self.glance {
            GLANCE_GRACE
        } else {
            CONTROL_GRACE
        };
        self.last_control_at + grace.max(2 * Duration::from_micros(median))
    }

    fn longest_round_trip(&self) -> Duration {
        let longest = self.report.rtt_us.iter().max().copied().unwrap_or(0);
        Duration::from_micros(longest)
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

    /// One echo to the control behind each of the first to the target, and again when the first
    /// answer came late: until then the path may not have been there.
    fn is_control_due(&self) -> bool {
        let tries = self.report.sent + local_failures(&self.report.errors);
        self.has_control && self.control_tries < tries.min(self.control_quota)
    }

    /// The verdict on loss, which stays once it has come.
    ///
    /// What went out before the path was there says nothing about loss: an echo may be held up or
    /// dropped while an address is tentative. The path is there since the first answer left the
    /// target, about; and the first answer itself is an answer by choice, not by chance.
    fn judge_loss(&mut self, patience: Duration) {
        let Some((first, arrived_at)) = self.first_answer else {
            return;
        };
        if self.report.loss != Loss::Undecided {
            return;
        }
        let shortest = self.report.rtt_us.iter().min().copied().unwrap_or(0);
        let there_since = arrived_at.saturating_sub(Duration::from_micros(shortest));
        let patience = patience.max(self.longest_round_trip() * 3 / 2);
        let lost_before = (self.drained_at + Duration::from_nanos(1)).saturating_sub(patience);
        let echoes = self.ledger.window(TARGET).iter();
        let counted = echoes.filter(|(number, echo)| {
            *number > first && echo.sent_at().is_some_and(|sent_at| sent_at >= there_since)
        });
        self.report.loss = loss::judge(counted.filter_map(|(_, echo)| echo.fate(lost_before)));
    }

    fn sent(&mut self, echo: EchoName, at: Duration) {
        self.ledger.sent(echo, at);
        if echo.destination == CONTROL {
            self.report.control_sent += 1;
            self.control_tries += 1;
            self.last_control_at = at;
        } else {
            self.report.sent += 1;
            self.last_try = Some((at, Some(echo.number)));
            self.last_answered = false;
        }
    }

    fn send_failed(&mut self, echo: EchoName, kind: &ErrorKind, at: Duration) {
        let seen = ErrorSeen::refused(kind.clone());
        if echo.destination == CONTROL {
            count_error(&mut self.report.control_errors, seen);
            self.control_tries += 1;
        } else {
            count_error(&mut self.report.errors, seen);
            self.last_try = Some((at, None));
            self.last_answered = false;
            self.extend_streak(kind, at);
        }
    }

    fn arrived(&mut self, packet: &ReceivedPacket<'_>) {
        match self.ledger.judge(packet) {
            Judgement::Answer { echo, .. } if echo.destination == CONTROL => {
                self.report.control_answered = true;
            }
            Judgement::Answer {
                echo, round_trip, ..
            } => {
                self.report.hop_limit = packet.hop_limit;
                self.answered(echo.number, round_trip, packet.read_at);
            }
            Judgement::Duplicate { echo, .. } if echo.destination == TARGET => {
                self.report.duplicates += 1;
            }
            Judgement::Duplicate { .. } | Judgement::Unrelated => {}
            Judgement::Rejected(reason, _) => self.report.rejected.count(reason),
        }
    }

    fn answered(&mut self, number: u64, round_trip: Duration, at: Duration) {
        let report = &mut self.report;
        report.received += 1;
        report.rtt_us.push(micros(round_trip));
        if number < self.highest_answered {
            report.reordered += 1;
        }
        self.highest_answered = self.highest_answered.max(number);
        if matches!(self.last_try, Some((_, Some(last))) if last == number) {
            self.last_answered = true;
        }
        self.streak = None;
        if self.first_answer.is_none() {
            self.first_answer = Some((number, at));
            if number > u64::from(CONTROL_ECHOES) || at > self.last_control_at + CONTROL_GRACE {
                self.control_quota = self.control_tries + CONTROL_ECHOES;
            }
        }
        self.judge_loss(LOSS_PATIENCE);
    }

    fn refused(&mut self, error: &ReceivedError<'_>) {
        let Some((echo, first)) = self.ledger.attribute(error) else {
            self.report.rejected.foreign_error += 1;
            return;
        };
        let seen = ErrorSeen::received(error);
        if echo.destination == CONTROL {
            count_error(&mut self.report.control_errors, seen);
            return;
        }
        if first {
            self.extend_streak(&seen.kind, error.read_at);
        }
        count_error(&mut self.report.errors, seen);
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
pub(super) fn count_error(errors: &mut Vec<ErrorSeen>, seen: ErrorSeen) {
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
        errors[place].count = errors[place].count.saturating_add(1);
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
