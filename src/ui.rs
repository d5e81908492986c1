//! Streams: results go to stdout, talk and progress to stderr, and neither past `--quiet`.

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::error::Error;

pub(crate) mod talk;

pub use talk::Talk;

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default();
/// News that may turn out bad.
pub const WEAK: Style = AnsiColor::Yellow.on_default();
/// What can be typed or is the point of the line.
pub const STRONG: Style = Style::new().bold();
/// What most people skip.
pub const FAINT: Style = Style::new().dimmed();

/// What to show and how.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// stdout carries one JSON document and stderr nothing.
    pub json: bool,
    /// Only results and errors.
    pub quiet: bool,
}

/// Marks a step's begin and end.
pub trait Progress {
    /// A step begins.
    fn begin(&mut self, does: &str);
    /// The step that began last is done.
    fn done(&mut self);
}

impl Ui {
    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Prints a result.
    ///
    /// # Errors
    /// When it could not be written: the reader has gone away, or a disk is full.
    pub fn result(&self, text: &str) -> io::Result<()> {
        talk::finish();
        let mut out = io::stdout().lock();
        // Whole: a stream that takes colour away writes each piece of text between two colours alone.
        match anstream::AutoStream::choice(&out) {
            anstream::ColorChoice::Never if !self.json => {
                out.write_all(anstream::adapter::strip_str(text).to_string().as_bytes())?;
            }
            _ => out.write_all(text.as_bytes())?,
        }
        out.flush()
    }

    /// Talks.
    pub fn say(&self, text: &str) {
        if !self.json && !self.quiet {
            talk::say(format!("{text}\n"));
        }
    }

    /// Prints an error: what failed, why, what to type.
    pub fn error(&self, error: &Error) {
        if self.json {
            return;
        }
        let mut text = format!("{BAD}error{BAD:#}: {}\n", error.message);
        for cause in &error.causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        text.push_str(&advice(error));
        talk::say(text);
        talk::finish();
    }

    /// Shows steps as they go: a spinner on a terminal, a line for each elsewhere.
    pub fn steps(&self) -> Steps {
        let animated = !self.json && !self.quiet && io::stderr().is_terminal();
        Steps {
            ui: *self,
            animated,
            open: false,
            taken: Vec::new(),
        }
    }
}

/// What to do about an error: the block for root, then the hints.
pub fn advice(error: &Error) -> String {
    let mut text = String::new();
    if !error.needs_root.is_empty() {
        text.push_str("as root:\n");
    }
    for line in &error.needs_root {
        text.push_str(&format!("    {line}\n"));
    }
    for hint in &error.hints {
        text.push_str(&format!("{STRONG}hint{STRONG:#}: {hint}\n"));
    }
    text
}

/// A step that was begun, and whether it was done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// What it does.
    pub does: String,
    /// Whether it is done.
    pub done: bool,
}

/// The steps of one run, shown as they go and kept for the report.
#[derive(Debug)]
pub struct Steps {
    ui: Ui,
    animated: bool,
    open: bool,
    /// All steps so far.
    pub taken: Vec<Step>,
}

impl Steps {
    fn still(&self) {
        if self.animated {
            talk::still();
        }
    }

    fn end(&mut self, sign: &str) {
        self.open = false;
        self.still();
        if let Some(step) = self.taken.last() {
            self.ui.say(&format!("  {sign} {}", step.does));
        }
    }
}

impl Progress for Steps {
    fn begin(&mut self, does: &str) {
        self.fail();
        self.open = true;
        self.taken.push(Step {
            does: does.to_owned(),
            done: false,
        });
        if self.animated {
            talk::spin(does);
        }
    }

    fn done(&mut self) {
        if let Some(step) = self.taken.last_mut() {
            step.done = true;
        }
        self.end(&sign(Sign::Good));
    }
}

impl Steps {
    /// The step that began last is over and not worth a line: its result follows.
    pub fn hush(&mut self) {
        self.still();
        self.open = false;
        self.taken.pop();
    }

    /// The step that began last has shown nothing.
    pub fn doubt(&mut self) {
        self.end(&sign(Sign::Unknown));
    }

    /// The step that is under way, if any, did not end well.
    pub fn fail(&mut self) {
        if self.open {
            self.end(&sign(Sign::Bad));
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.still();
    }
}

/// A verdict in one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Well.
    Good,
    /// Broken.
    Bad,
    /// Weak.
    Weak,
    /// Good to know.
    Note,
    /// Unknown.
    Unknown,
}

/// The coloured character, with an ASCII twin where the locale is not UTF-8.
pub fn sign(sign: Sign) -> String {
    let (style, unicode_sign, ascii) = match sign {
        Sign::Good => (GOOD, "✓", "+"),
        Sign::Bad => (BAD, "✗", "x"),
        Sign::Weak => (WEAK, "!", "!"),
        Sign::Note => (FAINT, "·", "-"),
        Sign::Unknown => (WEAK, "?", "?"),
    };
    let character = if unicode() { unicode_sign } else { ascii };
    format!("{style}{character}{style:#}")
}

/// How many columns stdout has; none where it is no terminal, or one that does not say.
pub fn width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    (columns > 0).then_some(usize::from(columns))
}

/// Whether the locale's character set is UTF-8 (locale(7): `LC_ALL`, `LC_CTYPE`, `LANG`).
pub fn unicode() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}
