//! Byte ranges in a text that is known to be valid JSON.

use std::ops::Range;

/// The members of one object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Of the `{`.
    pub open: usize,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Unescaped.
    pub key: String,
    /// Of the key's opening quote.
    pub start: usize,
    /// Just after the key's closing quote.
    pub key_end: usize,
    pub value: Range<usize>,
}

/// The object whose `{` is at `open`.
pub(super) fn object(text: &str, open: usize) -> Object {
    let mut members = Vec::new();
    let mut start = skip_blanks(text, open + 1);
    while byte(text, start) == b'"' {
        let key_end = skip_string(text, start);
        // Cannot fail on valid JSON; an unreadable key would merely match nothing.
        let key = serde_json::from_str(&text[start..key_end]).unwrap_or_default();
        let colon = skip_blanks(text, key_end);
        let value_start = skip_blanks(text, colon + 1);
        let value = value_start..skip_value(text, value_start);
        let next = next_item(text, value.end);
        members.push(Member {
            key,
            start,
            key_end,
            value,
        });
        start = next;
    }
    Object { open, members }
}

/// The elements of the list whose `[` is at `open`.
pub(super) fn list(text: &str, open: usize) -> Vec<Range<usize>> {
    let mut elements = Vec::new();
    let mut start = skip_blanks(text, open + 1);
    while !matches!(byte(text, start), b']' | 0) {
        let end = skip_value(text, start);
        elements.push(start..end);
        start = next_item(text, end);
    }
    elements
}

pub(super) fn skip_blanks(text: &str, from: usize) -> usize {
    let blanks = text.as_bytes()[from.min(text.len())..].iter();
    from + blanks
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

/// Past the comma, if there is one, and the blanks around it.
fn next_item(text: &str, end: usize) -> usize {
    let after = skip_blanks(text, end);
    if byte(text, after) == b',' {
        skip_blanks(text, after + 1)
    } else {
        after
    }
}

/// Strings aside, brackets only have to be counted.
fn skip_value(text: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match byte(text, at) {
            b'"' => at = skip_string(text, at),
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' => (depth, at) = (depth.saturating_sub(1), at + 1),
            0 => return at,
            _ if depth == 0 => return skip_scalar(text, at),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

/// A number, `true`, `false` or `null`.
fn skip_scalar(text: &str, start: usize) -> usize {
    let rest = text.as_bytes()[start..].iter();
    start
        + rest
            .take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
            .count()
}

pub(super) fn skip_string(text: &str, open: usize) -> usize {
    let mut at = open + 1;
    loop {
        match byte(text, at) {
            b'\\' => at += 2,
            b'"' => return at + 1,
            0 => return at,
            _ => at += 1,
        }
    }
}

/// 0 past the end; valid JSON has no NUL of its own.
fn byte(text: &str, at: usize) -> u8 {
    text.as_bytes().get(at).copied().unwrap_or(0)
}
