//! How the file at hand is written, so that what is put in looks as if its owner had typed it.

use std::ops::Range;

use serde_json::Value;

use super::Splice;
use super::scan::{self, Member, Object};

/// For documents that do not show theirs.
const DEFAULT_INDENTATION: &str = "  ";

/// How to write at one place of the file.
pub(super) struct Style {
    /// Line end and indentation before an item at this place; `None` where items share a line.
    line_start: Option<String>,
    /// Print values on one line although they stand on a line of their own.
    inline: bool,
    /// One step of indentation.
    unit: String,
    /// From key to value, colon included.
    colon: String,
    /// Between items that share a line, comma included.
    comma: String,
}

impl Style {
    /// For a further member of this object.
    pub(super) fn of_members(text: &str, object: &Object) -> Self {
        let Some((last, earlier)) = object.members.split_last() else {
            return Self::of_empty(text, object.open, &document_colon(text));
        };
        let line_start = line_start(text, last.start);
        let comma = earlier
            .last()
            .and_then(|previous| on_one_line(&text[previous.value.end..last.start]));
        Self::new(text, line_start, &colon(text, last), comma)
    }

    /// For another value of this member.
    pub(super) fn of_value(text: &str, object: &Object, member: &Member) -> Self {
        let old = &text[member.value.clone()];
        let alone = line_start(text, member.start).is_some()
            || object.members.len() == 1 && old.contains('\n');
        let item = alone.then(|| format!("{}{}", line_end(text), indentation(text, member.start)));
        let mut style = Self::new(text, item, &colon(text, member), None);
        style.inline |= has_items(old) && !old.contains('\n');
        style
    }

    /// For a further element of the list that is this member's value.
    pub(super) fn of_elements(text: &str, member: &Member, elements: &[Range<usize>]) -> Self {
        let Some((last, earlier)) = elements.split_last() else {
            // A line of its own for each element is enough.
            return Self {
                inline: true,
                ..Self::of_empty(text, member.value.start, &colon(text, member))
            };
        };
        let old = &text[last.clone()];
        let comma = earlier
            .last()
            .and_then(|previous| on_one_line(&text[previous.end..last.start]));
        let colon = match old
            .starts_with('{')
            .then(|| scan::object(text, last.start).members)
        {
            Some(members) if !members.is_empty() => colon(text, &members[0]),
            _ => colon(text, member),
        };
        let mut style = Self::new(text, line_start(text, last.start), &colon, comma);
        style.inline |= has_items(old) && !old.contains('\n');
        style
    }

    /// For the first item of an object or list that has none. It gets lines of its own where there already is a line
    /// break in it, at the top, and where its key begins a line; `{ }` stays on its line.
    fn of_empty(text: &str, open: usize, colon: &str) -> Self {
        let inside = &text[open + 1..scan::skip_blanks(text, open + 1)];
        let top = text[..open].trim().is_empty();
        let breaks =
            inside.contains('\n') || inside.is_empty() && (top || key_begins_line(text, open));
        let unit = unit(text);
        let item = breaks.then(|| format!("{}{}{unit}", line_end(text), indentation(text, open)));
        Self::new(text, item, colon, None)
    }

    fn new(text: &str, line_start: Option<String>, colon: &str, comma: Option<&str>) -> Self {
        let airy = if colon.ends_with(' ') { ", " } else { "," };
        Self {
            inline: line_start.is_none(),
            line_start,
            unit: unit(text),
            colon: colon.to_owned(),
            comma: comma.unwrap_or(airy).to_owned(),
        }
    }

    /// An item after the one that ends at `last_end`, or as the first one behind the bracket at `open`.
    pub(super) fn insert(
        &self,
        text: &str,
        open: usize,
        last_end: Option<usize>,
        item: &str,
    ) -> Splice {
        if let Some(end) = last_end {
            let separator = self
                .line_start
                .as_ref()
                .map_or(self.comma.clone(), |start| format!(",{start}"));
            return Splice {
                range: end..end,
                replacement: format!("{separator}{item}"),
            };
        }
        let inside = &text[open + 1..scan::skip_blanks(text, open + 1)];
        let replacement = match &self.line_start {
            Some(start) if inside.contains('\n') => format!("{start}{item}"),
            Some(start) => format!(
                "{start}{item}{}",
                start.strip_suffix(&self.unit).unwrap_or(start)
            ),
            None => format!("{inside}{item}"),
        };
        Splice {
            range: open + 1..open + 1,
            replacement,
        }
    }

    /// `"key": value`
    pub(super) fn print_member(&self, key: &str, value: &Value) -> String {
        format!("{}{}{}", Value::from(key), self.colon, self.print(value))
    }

    pub(super) fn print(&self, value: &Value) -> String {
        let start = if self.inline {
            None
        } else {
            self.line_start.as_deref()
        };
        self.print_at(value, start)
    }

    fn print_at(&self, value: &Value, line_start: Option<&str>) -> String {
        let inner = line_start.map(|start| format!("{start}{}", self.unit));
        let (brackets, items): (_, Vec<String>) = match value {
            Value::Object(members) => {
                let print = |(key, value): (&String, &Value)| {
                    format!(
                        "{}{}{}",
                        Value::from(key.as_str()),
                        self.colon,
                        self.print_at(value, inner.as_deref())
                    )
                };
                (["{", "}"], members.iter().map(print).collect())
            }
            Value::Array(elements) => (
                ["[", "]"],
                elements
                    .iter()
                    .map(|element| {
                        let start = inner.as_deref().filter(|_| !is_flat(element));
                        self.print_at(element, start)
                    })
                    .collect(),
            ),
            scalar => return scalar.to_string(),
        };
        let [open, close] = brackets;
        match (&inner, line_start) {
            (Some(inner), Some(outer)) if !items.is_empty() => {
                format!(
                    "{open}{inner}{}{outer}{close}",
                    items.join(&format!(",{inner}"))
                )
            }
            _ => format!("{open}{}{close}", items.join(&self.comma)),
        }
    }
}

/// An object without anything nested in it, such as an address pool: a list of those reads as a table.
fn is_flat(value: &Value) -> bool {
    let nests = |value: &Value| value.is_object() || value.is_array();
    value
        .as_object()
        .is_some_and(|members| !members.values().any(nests))
}

/// Line end and indentation before what stands at `offset`, if it begins a line.
fn line_start(text: &str, offset: usize) -> Option<String> {
    let before = &text[..offset];
    let blanks = &before[before.trim_end_matches([' ', '\t', '\n', '\r']).len()..];
    let (_, indentation) = blanks.rsplit_once('\n')?;
    Some(format!("{}{indentation}", line_end(text)))
}

/// Of the line that `offset` is in.
fn indentation(text: &str, offset: usize) -> &str {
    let line = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let blanks = text[line..]
        .bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &text[line..line + blanks]
}

/// The file's own, by its first line.
fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(newline) if text[..newline].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// One step of indentation: how far the first member of the document is from its `{`.
fn unit(text: &str) -> String {
    let top = scan::skip_blanks(text, 0);
    let first = scan::skip_blanks(text, top + 1);
    match text[top + 1..first].rsplit_once('\n') {
        Some((_, indented)) => match indented.strip_prefix(indentation(text, top)) {
            Some(unit) if !unit.is_empty() && !text[first..].starts_with('}') => unit.to_owned(),
            _ => DEFAULT_INDENTATION.to_owned(),
        },
        None => DEFAULT_INDENTATION.to_owned(),
    }
}

fn colon(text: &str, member: &Member) -> String {
    on_one_line(&text[member.key_end..member.value.start])
        .unwrap_or(": ")
        .to_owned()
}

/// As its first member has it.
fn document_colon(text: &str) -> String {
    let document = scan::object(text, scan::skip_blanks(text, 0));
    document
        .members
        .first()
        .map_or(": ".to_owned(), |first| colon(text, first))
}

fn on_one_line(separator: &str) -> Option<&str> {
    (!separator.contains('\n')).then_some(separator)
}

fn has_items(container: &str) -> bool {
    container.starts_with(['{', '[']) && scan::skip_blanks(container, 1) + 1 < container.len()
}

/// Whether nothing but a key stands before `open` on its line.
fn key_begins_line(text: &str, open: usize) -> bool {
    let line = text[..open].rfind('\n').map_or(0, |newline| newline + 1);
    let start = scan::skip_blanks(text, line);
    if !text[start..].starts_with('"') {
        return false;
    }
    let colon = scan::skip_blanks(text, scan::skip_string(text, start));
    scan::skip_blanks(text, colon + 1) == open
}
