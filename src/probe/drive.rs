//! The loop between a session and a link. It does what the session decides, and decides nothing.

use std::time::Duration;

use super::icmp_error::ErrorKind;
use super::link::{Arrival, EchoName, Outgoing, PacketLink};

/// How late a run may notice that it is to stop.
const STOP_LATENCY: Duration = Duration::from_millis(25);

/// When to send, how long to wait, and what it meant. Pure: time is a `Duration` since the start
/// that comes with each call.
pub(super) trait Session {
    fn decide(&mut self, now: Duration) -> Decision;

    /// Adds the echoes that are to go out together, after `Decision::Send`.
    ///
    /// # Errors
    /// When there are no more nonces.
    fn prepare(
        &mut self,
        now: Duration,
        next_nonce: &mut NextNonce<'_>,
        batch: &mut Vec<Outgoing>,
    ) -> Result<(), String>;

    fn observe(&mut self, event: &Event<'_>);
}

pub(super) type NextNonce<'a> = dyn FnMut() -> Result<u64, String> + 'a;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Send,
    /// Nothing to do before this time, unless something arrives.
    WaitUntil(Duration),
    Done,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event<'a> {
    /// The kernel took the echo; `at` was read before the send.
    Sent {
        echo: EchoName,
        at: Duration,
    },
    SendFailed {
        echo: EchoName,
        kind: ErrorKind,
        at: Duration,
    },
    Arrived(&'a Arrival<'a>),
    /// Everything that had arrived by `at` has been observed.
    Drained {
        at: Duration,
    },
}

/// Does what the session decides, on any link, until it is done or `stop` says so.
///
/// # Errors
/// The link's, or that there are no more nonces; what the session saw until then stays in it.
pub(super) fn drive(
    session: &mut impl Session,
    link: &mut impl PacketLink,
    next_nonce: &mut NextNonce<'_>,
    stop: Option<&dyn Fn() -> bool>,
) -> Result<(), String> {
    let mut batch = Vec::new();
    loop {
        if stop.is_some_and(|stop| stop()) {
            return Ok(());
        }
        let now = link.now();
        match session.decide(now) {
            Decision::Done => return Ok(()),
            Decision::Send => {
                batch.clear();
                session.prepare(now, next_nonce, &mut batch)?;
                send(session, link, &batch);
                // Answers from near by are there already: reading them while they are warm is
                // cheaper than letting them pile up.
                if batch.len() > 1 {
                    receive(session, link, now)?;
                }
            }
            Decision::WaitUntil(until) => {
                let until = match stop {
                    Some(_) => until.min(now + STOP_LATENCY),
                    None => until,
                };
                receive(session, link, until)?;
            }
        }
    }
}

fn receive(
    session: &mut impl Session,
    link: &mut impl PacketLink,
    until: Duration,
) -> Result<(), String> {
    let each = &mut |arrival: &Arrival<'_>| session.observe(&Event::Arrived(arrival));
    if let Some(at) = link.receive(until, each)? {
        session.observe(&Event::Drained { at });
    }
    Ok(())
}

fn send(session: &mut impl Session, link: &mut impl PacketLink, batch: &[Outgoing]) {
    let mut rest = batch;
    while !rest.is_empty() {
        let at = link.now();
        let (taken, refusal) = link.send(rest);
        let (sent, unsent) = rest.split_at(taken.min(rest.len()));
        for outgoing in sent {
            session.observe(&Event::Sent {
                echo: outgoing.echo,
                at,
            });
        }
        rest = unsent;
        if let (Some(kind), Some((refused, unsent))) = (refusal, unsent.split_first()) {
            let echo = refused.echo;
            session.observe(&Event::SendFailed { echo, kind, at });
            rest = unsent;
        }
    }
}
