//! The last echoes to one destination. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::loss::Fate;
use super::wire_sequence;

/// Where an echo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum State {
    /// Entered, and about to go out.
    Unsent,
    /// The kernel has refused it: nothing can answer it.
    Refused,
    /// Sent and waited for.
    Open,
    Answered,
    /// Nobody waits any more; an answer is late.
    GivenUp,
}

#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Echo {
    pub nonce: u64,
    pub state: State,
    /// An ICMPv6 error has quoted it.
    pub failed: bool,
    sent_at: Duration,
}

/// Echoes by number, which counts up from 1 without gaps.
#[derive(Debug, Clone)]
pub(in super::super) struct Window {
    echoes: VecDeque<Echo>,
    /// The number of the next echo.
    next: u64,
    capacity: usize,
    /// How many are open.
    open: usize,
    /// No echo before this number is open.
    oldest_open: u64,
}

impl Echo {
    /// `None` until the kernel has taken it, and for good when the kernel refused.
    pub(in super::super) fn sent_at(&self) -> Option<Duration> {
        (!matches!(self.state, State::Unsent | State::Refused)).then_some(self.sent_at)
    }

    /// `None` for an echo that never went out. An error counts as loss, unless an answer follows.
    pub(in super::super) fn fate(&self, lost_before: Duration) -> Option<Fate> {
        match self.state {
            State::Unsent | State::Refused => None,
            State::Answered => Some(Fate::Answered),
            State::Open if !self.failed && self.sent_at >= lost_before => Some(Fate::Open),
            State::Open | State::GivenUp => Some(Fate::Lost),
        }
    }
}

impl Window {
    /// Remembers at most `capacity` echoes; fewer than half of what a sequence can name.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            echoes: VecDeque::new(),
            next: 1,
            capacity,
            open: 0,
            oldest_open: 1,
        }
    }

    pub(super) fn enter(&mut self, nonce: u64) -> u64 {
        if self.echoes.len() == self.capacity
            && let Some(forgotten) = self.echoes.pop_front()
        {
            self.open -= usize::from(forgotten.state == State::Open);
        }
        self.echoes.push_back(Echo {
            nonce,
            state: State::Unsent,
            failed: false,
            sent_at: Duration::ZERO,
        });
        self.next += 1;
        self.next - 1
    }

    /// Takes an echo back that the kernel could not take just now; its number is used again if it
    /// was the last.
    pub(in super::super) fn take_back(&mut self, number: u64) {
        self.settle(number, State::Refused);
        if number + 1 == self.next {
            self.echoes.pop_back();
            self.next -= 1;
        }
    }

    pub(super) fn sent(&mut self, number: u64, at: Duration) {
        if let Some(echo) = self.entry_mut(number) {
            (echo.state, echo.sent_at) = (State::Open, at);
            self.open += 1;
            self.oldest_open = self.oldest_open.min(number);
        }
    }

    /// Ends the waiting for an echo.
    pub(in super::super) fn settle(&mut self, number: u64, state: State) {
        let Some(echo) = self.entry_mut(number) else {
            return;
        };
        let was_open = echo.state == State::Open;
        echo.state = state;
        self.open -= usize::from(was_open);
    }

    /// An error has quoted an echo; `true` for the first time.
    pub(super) fn fail(&mut self, number: u64) -> bool {
        let Some(echo) = self.entry_mut(number) else {
            return false;
        };
        !std::mem::replace(&mut echo.failed, true)
    }

    /// The number of the next echo.
    #[cfg(test)]
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many are waited for.
    pub(in super::super) fn open(&self) -> usize {
        self.open
    }

    /// Whether one more would push out an echo that is still needed.
    pub(in super::super) fn is_full(&self) -> bool {
        self.echoes.len() == self.capacity
            && self
                .echoes
                .front()
                .is_some_and(|echo| matches!(echo.state, State::Open | State::Unsent))
    }

    /// The oldest echo that is waited for.
    pub(in super::super) fn oldest_open(&mut self) -> Option<(u64, Duration)> {
        self.oldest_open = self.oldest_open.max(self.first());
        while self.oldest_open < self.next {
            match self.entry(self.oldest_open) {
                Some(echo) if echo.state == State::Open => {
                    return Some((self.oldest_open, echo.sent_at));
                }
                _ => self.oldest_open += 1,
            }
        }
        None
    }

    pub(in super::super) fn entry(&self, number: u64) -> Option<&Echo> {
        self.echoes.get(self.place(number)?)
    }

    fn entry_mut(&mut self, number: u64) -> Option<&mut Echo> {
        let place = self.place(number)?;
        self.echoes.get_mut(place)
    }

    /// All that are remembered, with their numbers, the oldest first.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (u64, &Echo)> {
        (self.first()..).zip(&self.echoes)
    }

    /// The one echo in the window whose sequence this is.
    pub(super) fn number_of(&self, sequence: u16) -> Option<u64> {
        let last = self.next - 1;
        let back = wire_sequence(last).wrapping_sub(sequence);
        let number = last.checked_sub(u64::from(back))?;
        (number >= self.first()).then_some(number)
    }

    fn first(&self) -> u64 {
        self.next - self.echoes.len() as u64
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first())?).ok()
    }
}
