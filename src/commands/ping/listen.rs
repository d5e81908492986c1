//! Hears out whoever sends, shows what happens as it comes, and lets Ctrl-C end it with what was
//! seen until then.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::{Error, Exit, Result};
use crate::host::netns::Conversation;
use crate::host::process;
use crate::ping::{From, Pinged, Target};
use crate::probe::ping::PingEvent;
use crate::report::human;
use crate::ui::{Progress, Steps, Ui};
use crate::vantage::Answer;
use crate::vantage::ping::Here;

/// How long whoever sends may take to come to an end.
const GRACE: Duration = Duration::from_secs(2);

/// Who sends.
#[derive(Debug)]
pub(super) enum Source {
    /// A thread of this process.
    Here(Here),
    /// A vantage point.
    There(Box<Conversation>),
}

impl Source {
    async fn next(&mut self) -> Result<Answer> {
        match self {
            Self::Here(here) => here
                .next()
                .await
                .ok_or_else(|| Error::new(Exit::Bad, "the prober ended without an answer")),
            Self::There(conversation) => conversation.next().await,
        }
    }

    fn stop(&mut self) {
        match self {
            Self::Here(here) => here.stop(),
            Self::There(conversation) => conversation.stop(),
        }
    }
}

/// What was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) pinged: Pinged,
    /// Whether somebody wanted it to end early.
    pub(super) interrupted: bool,
    /// Whether anything has been shown already.
    pub(super) shown: bool,
}

/// Listens until the answer comes.
///
/// # Errors
/// When none comes.
pub(super) async fn listen(
    mut source: Source,
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
    mut screen: Screen<'_>,
) -> Result<Heard> {
    let mut stopped: Option<Instant> = None;
    loop {
        tokio::select! {
            answer = source.next() => match answer {
                Ok(Answer::Event(event)) => {
                    // A reader that has gone away needs no more.
                    if !screen.show(&event) {
                        source.stop();
                    }
                }
                Ok(Answer::Pinged(pinged)) => {
                    return Ok(Heard { pinged, interrupted: stopped.is_some(), shown: screen.shown });
                }
                Ok(_) => return Err(Error::new(Exit::Bad, "the vantage point answered something else")),
                Err(_) if stopped.is_some() => return Err(cut_short()),
                Err(error) => return Err(error),
            },
            () = &mut interrupted, if stopped.is_none() => {
                source.stop();
                stopped = Some(Instant::now() + GRACE);
            }
            () = process::interrupted(), if stopped.is_some() => return Err(cut_short()),
            () = sleep_until(stopped.unwrap_or_else(Instant::now)), if stopped.is_some() => {
                return Err(cut_short().caused_by("the prober did not come to an end"));
            }
        }
    }
}

fn cut_short() -> Error {
    Error::new(Exit::Interrupted, "interrupted")
}

/// Shows events, and a sign of life where there are none to show.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    ui: Ui,
    targets: &'a [Target],
    wait: Duration,
    steps: Steps,
    shown: bool,
}

impl<'a> Screen<'a> {
    pub(super) fn new(from: &From, targets: &'a [Target], wait: Duration, ui: Ui) -> Self {
        let mut steps = ui.steps();
        if targets.len() > super::WATCHED {
            steps.begin(&format!(
                "ping {} addresses from {}",
                targets.len(),
                human::vantage_point(from)
            ));
        }
        Self {
            ui,
            targets,
            wait,
            steps,
            shown: false,
        }
    }

    /// Whether anybody reads it.
    fn show(&mut self, event: &PingEvent) -> bool {
        self.shown = true;
        let line = human::ping_event(event, self.targets, self.wait);
        self.ui.result(&line).is_ok()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.steps.hush();
    }
}
