//! systemd unit text: read it as systemd does, merge the environment it sets, write a drop-in of our own.
//!
//! Theory of operation. A unit is its fragment plus its drop-ins, read one after the other with the same rules
//! (systemd:src/shared/conf-parser.c, systemd.syntax(7)). [`parse`] cuts one file into assignments, [`environment`]
//! folds the `Environment=` lines of all files into what the unit manager would answer on D-Bus, and [`render`] is
//! the inverse for the one file that we own: `environment(&[&render(v, &[])?])` gives back exactly `v`.
//! [`merge_flags`] edits the one variable that is itself a list, `DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS`.
//!
//! Nothing here reads a file or the process environment. Specifiers (`%h`, `%t` …) are known to the manager only:
//! a value that contains one is marked `uncertain` instead of being guessed.

mod environment;
mod environment_file;
mod flags;
mod render;
mod unescape;

#[cfg(test)]
mod tests;

pub use environment::{Environment, Mention, SkipReason, Skipped, Variable, environment};
pub use environment_file::environment_file;
pub use flags::{FlagError, flags, merge_flags};
pub use render::{Command, RenderError, When, render};

/// What systemd strips from the ends of keys and values, and splits words at (`WHITESPACE` in its sources).
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Stands for bytes that are no UTF-8: a code point that systemd takes for invalid as well.
pub const NO_UTF8: char = '\u{fffe}';

/// The text of one unit file or drop-in, cut up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In file order.
    pub assignments: Vec<Assignment>,
    /// Lines that systemd ignores with a warning, or stops at.
    pub broken: Vec<Broken>,
}

/// One `key = value`, blanks trimmed and continuation lines joined; quotes and escapes are still in `value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub section: String,
    pub key: String,
    pub value: String,
    /// 1-based; for a continued assignment the line it starts on.
    pub line: usize,
}

/// A line that has no effect on the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// 1-based.
    pub line: usize,
    pub why: BrokenWhy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenWhy {
    /// Neither a comment nor a section nor an assignment; systemd goes on with the next line.
    NoEqualsSign,
    /// `=value`; systemd goes on with the next line.
    NoKey,
    /// An assignment above the first section; systemd goes on with the next line.
    OutsideSection,
    /// `[Service`, `[]`, or a section name with quotes in it. systemd reads no further in this file.
    BadSectionHeader,
    /// A code point that systemd does not accept as UTF-8 (U+FFFE and the like). systemd reads no further in this file.
    NotUtf8,
}

impl std::fmt::Display for BrokenWhy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NoEqualsSign => "no `=` in this line: systemd ignores it",
            Self::NoKey => "nothing before `=`: systemd ignores this line",
            Self::OutsideSection => "an assignment before the first section: systemd ignores it",
            Self::BadSectionHeader => "not a section header: systemd reads no further in this file",
            Self::NotUtf8 => "not valid UTF-8 for systemd: it reads no further in this file",
        })
    }
}

/// Cuts unit text into assignments as systemd's config parser does. Never fails and never panics.
///
/// systemd:src/shared/conf-parser.c, `config_parse` and `parse_line`.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut section = None;
    for line in logical_lines(text) {
        match classify(line.text.trim_matches(BLANKS)) {
            Line::Blank => {}
            Line::Section(name) => section = Some(name.to_owned()),
            Line::Assignment { .. } if section.is_none() => {
                parsed.broken.push(Broken {
                    line: line.number,
                    why: BrokenWhy::OutsideSection,
                });
            }
            Line::Assignment { key, value } => parsed.assignments.push(Assignment {
                section: section.clone().unwrap_or_default(),
                key: key.to_owned(),
                value: value.to_owned(),
                line: line.number,
            }),
            Line::Broken(why) => {
                parsed.broken.push(Broken {
                    line: line.number,
                    why,
                });
                if matches!(why, BrokenWhy::BadSectionHeader | BrokenWhy::NotUtf8) {
                    break;
                }
            }
        }
    }
    parsed
}

/// The command of a directive such as `ExecStartPost` with which files of a unit, in systemd's order,
/// run this program with this command of its own. An empty assignment takes back all before it.
pub(super) fn own_command(texts: &[&str], directive: &str, command: &str) -> Option<String> {
    let ours = |line: &str| {
        line.contains("rootless6") && line.split_whitespace().any(|word| word == command)
    };
    texts
        .iter()
        .flat_map(|text| parse(text).assignments)
        .filter(|line| line.section == "Service" && line.key == directive)
        .map(|line| line.value)
        .fold(None, |known, line| match line.as_str() {
            "" => None,
            text if ours(text) => Some(line),
            _ => known,
        })
}

enum Line<'a> {
    Blank,
    Section(&'a str),
    Assignment { key: &'a str, value: &'a str },
    Broken(BrokenWhy),
}

fn classify(line: &str) -> Line<'_> {
    if line.is_empty() {
        return Line::Blank;
    }
    if !is_utf8_for_systemd(line) {
        return Line::Broken(BrokenWhy::NotUtf8);
    }
    if let Some(rest) = line.strip_prefix('[') {
        return match rest.strip_suffix(']') {
            Some(name) if !name.is_empty() && !name.chars().any(is_unsafe) => Line::Section(name),
            _ => Line::Broken(BrokenWhy::BadSectionHeader),
        };
    }
    match line.split_once('=') {
        None => Line::Broken(BrokenWhy::NoEqualsSign),
        Some(("", _)) => Line::Broken(BrokenWhy::NoKey),
        Some((key, value)) => Line::Assignment {
            key: key.trim_matches(BLANKS),
            value: value.trim_matches(BLANKS),
        },
    }
}

/// What systemd refuses in section names and in the path of a command (systemd:src/basic/string-util.c,
/// `string_is_safe`). 262 refuses glob characters too, and an empty section name; older ones take them.
fn is_unsafe(character: char) -> bool {
    character.is_ascii_control() || matches!(character, '"' | '\'' | '\\' | '*' | '?' | '[')
}

/// systemd refuses Unicode's 66 noncharacters wherever it asks for UTF-8 (systemd:src/basic/utf8.c, `unichar_is_valid`).
fn is_utf8_for_systemd(text: &str) -> bool {
    !text.chars().any(|character| {
        let code = u32::from(character);
        (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
    })
}

struct LogicalLine {
    number: usize,
    text: String,
}

/// Joins continuation lines: a line that ends in an odd number of backslashes loses the last one to a blank and takes
/// the next line on; comment lines in between vanish, an empty line ends it.
fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let mut lines = Vec::new();
    let mut pending: Option<LogicalLine> = None;
    let mut bom_seen = false;
    for (index, physical) in physical_lines(text).enumerate() {
        if physical.trim_start_matches(BLANKS).starts_with(['#', ';']) {
            continue;
        }
        let physical = match physical.strip_prefix('\u{feff}') {
            Some(rest) if !bom_seen => {
                bom_seen = true;
                rest
            }
            _ => physical,
        };
        let mut line = pending.take().unwrap_or(LogicalLine {
            number: index + 1,
            text: String::new(),
        });
        line.text.push_str(physical);
        if ends_escaped(&line.text) {
            line.text.pop();
            line.text.push(' ');
            pending = Some(line);
        } else {
            lines.push(line);
        }
    }
    lines.extend(pending);
    lines
}

fn ends_escaped(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Lines as systemd's `read_line` cuts them: any of LF, CR and NUL ends a line, and a run of different ones, such as
/// CR LF, ends it once.
fn physical_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(end) = rest.find(['\n', '\r', '\0']) else {
            return Some(std::mem::take(&mut rest));
        };
        let line = &rest[..end];
        let mut seen = Vec::with_capacity(3);
        for byte in rest[end..].bytes() {
            if !matches!(byte, b'\n' | b'\r' | b'\0')
                || seen.contains(&byte)
                || seen.last() == Some(&0)
            {
                break;
            }
            seen.push(byte);
        }
        rest = &rest[end + seen.len()..];
        Some(line)
    })
}
