//! What went wrong, why, and what to type next: one shape for every failure of the program.

use std::fmt;

/// The program's exit statuses. Scripts rely on the numbers; README.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Well, or nothing to do.
    Well = 0,
    /// The answer is bad: something is broken, a check failed, or the settings drifted.
    Bad = 1,
    /// Usage, or an answer is missing and there is no terminal to ask on.
    Usage = 2,
    /// Not applied, or rolled back: the old state stands.
    NotApplied = 3,
    /// The rollback itself failed.
    RollbackFailed = 4,
    /// Something only root can change is in the way.
    Blocked = 5,
    /// Not a rootless Docker that this tool can configure.
    Elsewhere = 6,
    /// Another run holds the lock.
    Busy = 7,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// A failure: what failed in our words, the causes in theirs, and hints that can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// How the program ends.
    pub exit: Exit,
    /// What failed; lower case, no full stop.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do next, commands in backticks.
    pub hints: Vec<String>,
    /// Commands for root, ready to paste, when only root can help.
    pub needs_root: Vec<String>,
}

/// The result of anything that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with neither causes nor hints yet.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            needs_root: Vec::new(),
        }
    }

    /// A failure to do something: `cannot write ~/.config/…`.
    pub fn cannot(exit: Exit, doing: impl fmt::Display) -> Self {
        Self::new(exit, format!("cannot {doing}"))
    }

    /// Adds a cause below those already there.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Gives the failure another exit status.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Names the operation and its object where a foreign error enters ours.
pub trait Doing<T> {
    /// Turns a foreign error into ours: `doing` says what was tried and on what.
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: std::error::Error> Doing<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| {
            let mut ours = Error::cannot(Exit::NotApplied, doing().into());
            ours.causes = cause_chain(&error);
            ours
        })
    }
}

/// An error's own text and those of its sources, each said once.
pub fn cause_chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !causes.iter().any(|said| said.contains(&text)) {
            causes.push(text);
        }
        next = error.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_error_keeps_its_words_below_ours() {
        let error = std::fs::read("/nonexistent/file")
            .doing(|| "read /nonexistent/file")
            .unwrap_err();
        assert_eq!(error.message, "cannot read /nonexistent/file");
        assert_eq!(error.causes, ["No such file or directory (os error 2)"]);
    }
}
