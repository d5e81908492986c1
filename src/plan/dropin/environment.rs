//! The merged `Environment=` of a unit.

use super::unescape::words;
use super::{Assignment, is_utf8_for_systemd, parse};

/// The specifiers of systemd.unit(5), newest systemd (262). systemd skips an assignment with any other letter or digit
/// after `%`, and takes `%` literally before anything else.
const SPECIFIERS: &str = "aAbBcCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY";

/// What fragment and drop-ins configure, before `EnvironmentFile=` and `UnsetEnvironment=`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// In systemd's order: a name keeps the place where it was first set since the last reset.
    pub variables: Vec<Variable>,
    /// Words of `Environment=` and `UnsetEnvironment=` that systemd passes over, or that only
    /// systemd can know.
    pub skipped: Vec<Skipped>,
    /// `UnsetEnvironment=`, one word each (a name, or `NAME=value`): taken away at the very end.
    pub unset: Vec<Mention>,
}

impl Environment {
    /// The variable of that name, if it is set.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Unquoted and unescaped, `%%` as `%`; other specifiers stand as they are written.
    pub value: String,
    /// The value contains a specifier that only the unit manager can resolve.
    pub uncertain: bool,
    /// Index into the files given to [`environment`].
    pub file: usize,
    /// 1-based.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub text: String,
    /// Index into the files given to [`environment`].
    pub file: usize,
    /// 1-based.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The word, or for [`SkipReason::BadSyntax`] the whole value.
    pub text: String,
    pub why: SkipReason,
    /// Index into the files given to [`environment`].
    pub file: usize,
    /// 1-based.
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// An open quote or an unknown escape; the words before it on the same line count.
    BadSyntax,
    NoEqualsSign,
    /// Names are letters, digits and `_`, not starting with a digit.
    BadName,
    NotUtf8,
    /// `%` before a letter or digit that is no specifier.
    UnknownSpecifier,
    /// A specifier in the name, or in what is unset: systemd may well do something here, but only it
    /// knows to which name.
    SpecifierInName,
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::BadSyntax => "an open quote or an unknown escape",
            Self::NoEqualsSign => "no `=` in this word",
            Self::BadName => "not the name of a variable",
            Self::NotUtf8 => "not valid UTF-8",
            Self::UnknownSpecifier => "an unknown specifier: a literal `%` is written `%%`",
            Self::SpecifierInName => "a specifier in the name, which only systemd can resolve",
        })
    }
}

/// Merges the `[Service]` environment of a fragment and its drop-ins, given as texts in the order systemd reads them
/// (the fragment first, then the drop-ins by file name).
///
/// Where systemd stops reading a *fragment* ([`super::BrokenWhy::BadSectionHeader`]), it does not load the unit at all; a
/// drop-in counts up to that line.
///
/// systemd:src/core/load-fragment.c `config_parse_environ`; systemd:src/basic/env-util.c `strv_env_replace_consume`.
pub fn environment(files: &[&str]) -> Environment {
    let mut merged = Environment::default();
    for (file, text) in files.iter().enumerate() {
        for assignment in parse(text).assignments {
            if assignment.section != "Service" {
                continue;
            }
            match assignment.key.as_str() {
                "Environment" => merged.assign(file, &assignment),
                "UnsetEnvironment" => merged.unset(file, &assignment),
                _ => {}
            }
        }
    }
    merged
}

impl Environment {
    fn assign(&mut self, file: usize, assignment: &Assignment) {
        if assignment.value.is_empty() {
            self.variables.clear();
            return;
        }
        let line = assignment.line;
        for word in words(&assignment.value) {
            let (text, outcome) = match word {
                Ok(word) => (String::from_utf8_lossy(&word).into_owned(), variable(word)),
                Err(_) => (assignment.value.clone(), Err(SkipReason::BadSyntax)),
            };
            match outcome {
                Ok((name, value, uncertain)) => self.set(Variable {
                    name,
                    value,
                    uncertain,
                    file,
                    line,
                }),
                Err(why) => self.skipped.push(Skipped {
                    text,
                    why,
                    file,
                    line,
                }),
            }
        }
    }

    fn set(&mut self, variable: Variable) {
        match self
            .variables
            .iter_mut()
            .find(|known| known.name == variable.name)
        {
            Some(known) => *known = variable,
            None => self.variables.push(variable),
        }
    }

    /// systemd:src/core/load-fragment.c `config_parse_unset_environ`. Said twice is said once.
    fn unset(&mut self, file: usize, assignment: &Assignment) {
        if assignment.value.is_empty() {
            self.unset.clear();
            return;
        }
        let line = assignment.line;
        for word in words(&assignment.value) {
            let (text, outcome) = match word {
                Ok(word) => (String::from_utf8_lossy(&word).into_owned(), unset(word)),
                Err(_) => (assignment.value.clone(), Err(SkipReason::BadSyntax)),
            };
            match outcome {
                Ok(text) if self.unset.iter().any(|known| known.text == text) => {}
                Ok(text) => self.unset.push(Mention { text, file, line }),
                Err(why) => self.skipped.push(Skipped {
                    text,
                    why,
                    file,
                    line,
                }),
            }
        }
    }
}

/// Name, value and whether the value is uncertain. Specifiers are resolved before the word is cut at `=`.
fn variable(word: Vec<u8>) -> Result<(String, String, bool), SkipReason> {
    let resolved = resolve(&text(word)?)?;
    let Some((name, value)) = resolved.text.split_once('=') else {
        return Err(if resolved.first.is_some() {
            SkipReason::SpecifierInName
        } else {
            SkipReason::NoEqualsSign
        });
    };
    if resolved.first.is_some_and(|first| first < name.len()) {
        return Err(SkipReason::SpecifierInName);
    }
    if !is_name(name) {
        return Err(SkipReason::BadName);
    }
    Ok((name.to_owned(), value.to_owned(), resolved.first.is_some()))
}

/// A name, or an assignment that is taken away only where it is the very same.
fn unset(word: Vec<u8>) -> Result<String, SkipReason> {
    let resolved = resolve(&text(word)?)?;
    let name = resolved.text.split('=').next().unwrap_or_default();
    if resolved.first.is_some() {
        return Err(SkipReason::SpecifierInName);
    }
    if !is_name(name) {
        return Err(SkipReason::BadName);
    }
    Ok(resolved.text)
}

fn text(word: Vec<u8>) -> Result<String, SkipReason> {
    String::from_utf8(word)
        .ok()
        .filter(|word| is_utf8_for_systemd(word))
        .ok_or(SkipReason::NotUtf8)
}

struct Resolved {
    text: String,
    /// Where the first specifier stands in `text`.
    first: Option<usize>,
}

/// systemd:src/shared/specifier.c, `specifier_printf`.
fn resolve(word: &str) -> Result<Resolved, SkipReason> {
    let mut resolved = Resolved {
        text: String::with_capacity(word.len()),
        first: None,
    };
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            resolved.text.push(character);
            continue;
        }
        let next = characters.next();
        match next {
            Some('%') => {
                resolved.text.push('%');
                continue;
            }
            Some(letter) if SPECIFIERS.contains(letter) => {
                resolved.first.get_or_insert(resolved.text.len());
            }
            Some(letter) if letter.is_ascii_alphanumeric() => {
                return Err(SkipReason::UnknownSpecifier);
            }
            _ => {}
        }
        resolved.text.push('%');
        resolved.text.extend(next);
    }
    Ok(resolved)
}

/// systemd:src/basic/env-util.c, `env_name_is_valid`.
pub(super) fn is_name(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}
