//! Talk on stderr that keeps nobody waiting.
//!
//! Whoever reads stderr may have stopped: a pipe that is full, a terminal held by Ctrl-S. A write
//! there blocks, and half a change of the system would wait for it. So a thread of its own does the
//! writing, and only where nothing is under way any more does anybody wait for that.

use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::unicode;

/// How often a spinner turns; fast enough to look alive, slow enough to cost nothing.
const TURN: Duration = Duration::from_millis(100);

/// How long the end of the program waits for a pipe that nobody reads; a person at a terminal is
/// waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the thread; none where there can be no thread.
static TALK: LazyLock<Option<Sender<Said>>> = LazyLock::new(|| {
    let (sender, receiver) = channel();
    let thread = thread::Builder::new().name("talk".to_owned());
    thread.spawn(move || talk(&receiver)).ok().map(|_| sender)
});

enum Said {
    Text(String),
    /// A spinner turns beside a text.
    Spinner(String),
    /// The spinner, if there is one, goes away.
    Still,
    /// Everything before this is written.
    Written(Sender<()>),
}

fn talk(said: &Receiver<Said>) {
    let mut spinner: Option<ProgressBar> = None;
    for said in said {
        match said {
            Said::Text(text) => write(&text),
            Said::Spinner(text) => spinner = Some(spinning(text)),
            Said::Still => {
                if let Some(spinner) = spinner.take() {
                    spinner.finish_and_clear();
                }
            }
            Said::Written(waiting) => {
                let _ = waiting.send(());
            }
        }
    }
}

fn write(text: &str) {
    // Whoever does not listen is not told.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

fn spinning(text: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}") {
        let turns = if unicode() {
            "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "
        } else {
            "|/-\\ "
        };
        spinner.set_style(style.tick_chars(turns));
    }
    spinner.set_message(text);
    spinner.enable_steady_tick(TURN);
    spinner
}

/// Says something, in its own time.
pub(crate) fn say(text: String) {
    match TALK.as_ref() {
        Some(talk) => {
            let _ = talk.send(Said::Text(text));
        }
        None => write(&text),
    }
}

/// Turns a spinner until [`still`].
pub(super) fn spin(text: &str) {
    send(Said::Spinner(text.to_owned()));
}

/// Takes the spinner away.
pub(super) fn still() {
    send(Said::Still);
}

fn send(said: Said) {
    if let Some(talk) = TALK.as_ref() {
        let _ = talk.send(said);
    }
}

/// Waits until everything is said, so that a question or a result comes after it. Nothing may be
/// half done meanwhile.
pub(crate) fn finish() {
    static NOBODY_READS: AtomicBool = AtomicBool::new(false);

    if NOBODY_READS.load(Ordering::Relaxed) {
        return;
    }
    let (waiting, written) = channel();
    send(Said::Written(waiting));
    if io::stderr().is_terminal() {
        let _ = written.recv();
    } else if written.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        NOBODY_READS.store(true, Ordering::Relaxed);
    }
}

/// A writer for what goes on behind the scenes, a line for each write: whatever stands in it of others
/// is text and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Talk;

impl Write for Talk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.trim_end().replace('\n', " ");
        say(format!("{}\n", lines.replace(char::is_control, "")));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
