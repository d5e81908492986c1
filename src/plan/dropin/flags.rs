//! Tokens of `DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS`.
//!
//! dockerd-rootless.sh expands the variable unquoted, so /bin/sh splits it at blanks and expands globs, and quotes do
//! not help. What rootlesskit makes of the tokens is in [`Flags`].

use crate::facts::{Flag, Flags, Word};

/// What /bin/sh splits at (the default `IFS`).
const FIELD_SEPARATORS: [char; 3] = [' ', '\t', '\n'];
/// A backslash quotes within a glob pattern, so it is no safer than the rest.
const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '\\'];

/// Flags that add up instead of replacing each other.
const REPEATABLE: [&str; 3] = ["copy-up", "p", "publish"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("`{0}` contains white space, which dockerd-rootless.sh splits at: no quoting helps")]
    WhiteSpace(String),
    #[error(
        "`{token}` contains `{character}`, which /bin/sh may expand to file names: no quoting helps"
    )]
    Glob { token: String, character: char },
    #[error("`{0}` is not a flag: rootlesskit would take it for the command to run")]
    NotAFlag(String),
    #[error("`{0}` lacks its value")]
    NoValue(String),
}

/// Adds flags to the value of the variable: strangers and their order stay, a flag with another value is changed where
/// it stands, what is missing goes to the end (before a `--`). Where nothing is missing the text comes back as it is,
/// so merging twice is merging once.
///
/// `wanted` is a list of tokens; a flag and its value may be one token (`--cidr=10.0.3.0/24`) or two.
pub fn merge_flags(existing: &str, wanted: &[&str]) -> Result<String, FlagError> {
    for token in wanted {
        check(token)?;
    }
    let mut words = flags(existing).0;
    let mut changed = false;
    for word in Flags::parse(wanted.iter().copied()).0 {
        let Word::Flag(flag) = word else {
            return Err(FlagError::NotAFlag(word.words().join(" ")));
        };
        if flag.value.is_none() && !flag.is_boolean() && REPEATABLE.contains(&flag.name.as_str()) {
            return Err(FlagError::NoValue(flag.words.join(" ")));
        }
        changed |= merge_one(&mut words, flag);
    }
    if !changed {
        return Ok(existing.to_owned());
    }
    let tokens: Vec<&str> = words
        .iter()
        .flat_map(Word::words)
        .map(String::as_str)
        .collect();
    Ok(tokens.join(" "))
}

/// The flags in the value of the variable.
pub fn flags(value: &str) -> Flags {
    let words = value.split(FIELD_SEPARATORS);
    Flags::parse(words.filter(|word| !word.is_empty()))
}

fn check(token: &str) -> Result<(), FlagError> {
    if token.contains(char::is_whitespace) {
        return Err(FlagError::WhiteSpace(token.to_owned()));
    }
    if let Some(character) = token
        .chars()
        .find(|character| GLOB_CHARACTERS.contains(character))
    {
        return Err(FlagError::Glob {
            token: token.to_owned(),
            character,
        });
    }
    if token.is_empty() {
        return Err(FlagError::NotAFlag(String::new()));
    }
    Ok(())
}

/// Says whether anything changed.
fn merge_one(words: &mut Vec<Word>, wanted: Flag) -> bool {
    let end = words.iter().position(ends_flags).unwrap_or(words.len());
    let same_name =
        |word: &Word| matches!(word, Word::Flag(flag) if canonical(flag) == canonical(&wanted));
    let same = |word: &Word| matches!(word, Word::Flag(flag) if say_the_same(flag, &wanted));
    if REPEATABLE.contains(&wanted.name.as_str()) {
        if words[..end].iter().any(same) {
            return false;
        }
        words.insert(end, Word::Flag(wanted));
        return true;
    }
    match words[..end].iter().rposition(same_name) {
        Some(index) if same(&words[index]) => false,
        Some(index) => {
            words[index] = Word::Flag(wanted);
            true
        }
        None => {
            words.insert(end, Word::Flag(wanted));
            true
        }
    }
}

fn ends_flags(word: &Word) -> bool {
    matches!(word, Word::Other(token) if token == "--")
}

fn canonical(flag: &Flag) -> &str {
    match flag.name.as_str() {
        "p" => "publish",
        "h" => "help",
        "v" => "version",
        name => name,
    }
}

fn say_the_same(one: &Flag, other: &Flag) -> bool {
    if canonical(one) != canonical(other) {
        return false;
    }
    if one.is_boolean() {
        return one.truth() == other.truth();
    }
    one.value == other.value
}
