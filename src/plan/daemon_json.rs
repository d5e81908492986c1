//! Text-preserving edits of daemon.json.
//!
//! The file is somebody's own: it comes back with every byte that we did not mean to change, white space, key order,
//! number spelling and line ends included. So the text is never printed anew; `scan` finds the byte ranges of the
//! members on our path, and [`edit`] replaces one value or inserts one member there, in the style of its surroundings.
//!
//! serde_json has checked the whole text before a range is looked up, so the scanner may trust what it walks over.

mod scan;
mod style;

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Map, Value};

use scan::{Member, Object};
use style::Style;

/// One thing that daemon.json shall say. Paths are keys from the top, never empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The member at `path` has this value; missing objects on the way are created.
    Set { path: Vec<String>, value: Value },
    /// The list at `path` contains this element; it goes to the end, and a missing list is created.
    Append { path: Vec<String>, value: Value },
}

impl Change {
    /// `Change::set(["ipv6"], true)`
    pub fn set<K: Into<String>>(
        path: impl IntoIterator<Item = K>,
        value: impl Into<Value>,
    ) -> Self {
        Self::Set {
            path: path.into_iter().map(Into::into).collect(),
            value: value.into(),
        }
    }

    /// `Change::append(["default-address-pools"], json!({"base": "fd12:3456:789a::/48", "size": 64}))`
    pub fn append<K: Into<String>>(
        path: impl IntoIterator<Item = K>,
        value: impl Into<Value>,
    ) -> Self {
        Self::Append {
            path: path.into_iter().map(Into::into).collect(),
            value: value.into(),
        }
    }

    /// Keys from the top.
    pub fn path(&self) -> &[String] {
        match self {
            Self::Set { path, .. } | Self::Append { path, .. } => path,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Comments and trailing commas end up here: they are not JSON, and dockerd refuses them too.
    #[error("not valid JSON: {0}")]
    Syntax(serde_json::Error),
    /// Recent ones strip it (moby:daemon/config/config.go), older ones take it for a syntax error.
    #[error("the file starts with a byte order mark, which not every dockerd accepts")]
    ByteOrderMark,
    #[error("the top level is {0}, not an object")]
    TopLevel(&'static str),
    #[error("`{path}` is {found}, not an object")]
    NotAnObject { path: String, found: &'static str },
    #[error("`{path}` is {found}, not a list")]
    NotAList { path: String, found: &'static str },
    /// Go's decoder, and so dockerd, takes the last one.
    #[error(
        "`{path}` is there twice (lines {first} and {second}); dockerd would take the last one"
    )]
    Duplicate {
        path: String,
        first: usize,
        second: usize,
    },
    #[error("a change without a path")]
    EmptyPath,
}

/// The text with the changes made, one after the other. What already says so is not touched: with nothing to change
/// the same bytes come back, and editing twice is editing once.
///
/// No text, or a blank one, starts a fresh document (two spaces, a final newline); dockerd takes both for `{}`.
pub fn edit(text: Option<&str>, changes: &[Change]) -> Result<String, JsonError> {
    let mut text = match text {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        Some(blank) if changes.is_empty() => return Ok(blank.to_owned()),
        _ => "{}\n".to_owned(),
    };
    check(&text)?;
    for change in changes {
        if let Some(Splice { range, replacement }) = splice(&text, change)? {
            text.replace_range(range, &replacement);
        }
    }
    Ok(text)
}

/// The value at `path`; `None` where the file does not say. The same errors as [`edit`].
pub fn lookup(text: &str, path: &[&str]) -> Result<Option<Value>, JsonError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    check(text)?;
    let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
    match find(text, &path)? {
        Place::Found { member, .. } => parse(&text[member.value]).map(Some),
        Place::Missing { .. } => Ok(None),
    }
}

/// The line on which the member at `path` stands, 1-based; none where it does not stand once.
pub fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    check(text).ok()?;
    let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
    match find(text, &path).ok()? {
        Place::Found { member, .. } => Some(line(text, member.start)),
        Place::Missing { .. } => None,
    }
}

/// The trust of everything below: one JSON object and nothing else.
fn check(text: &str) -> Result<(), JsonError> {
    if text.starts_with('\u{feff}') {
        return Err(JsonError::ByteOrderMark);
    }
    match parse(text)? {
        Value::Object(_) => Ok(()),
        other => Err(JsonError::TopLevel(kind(&other))),
    }
}

fn parse(text: &str) -> Result<Value, JsonError> {
    serde_json::from_str(text).map_err(JsonError::Syntax)
}

/// How to say what a value is.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

enum Place<'a> {
    Found {
        object: Object,
        member: Member,
    },
    /// The innermost object that is there, and the keys that are not.
    Missing {
        object: Object,
        rest: &'a [String],
    },
}

fn find<'a>(text: &str, path: &'a [String]) -> Result<Place<'a>, JsonError> {
    let mut object = scan::object(text, scan::skip_blanks(text, 0));
    for (depth, key) in path.iter().enumerate() {
        let mut named = object.members.iter().filter(|member| member.key == *key);
        let Some(member) = named.next().cloned() else {
            return Ok(Place::Missing {
                object,
                rest: &path[depth..],
            });
        };
        if let Some(second) = named.next() {
            let (first, second) = (line(text, member.start), line(text, second.start));
            return Err(JsonError::Duplicate {
                path: dotted(&path[..=depth]),
                first,
                second,
            });
        }
        if depth + 1 == path.len() {
            return Ok(Place::Found { object, member });
        }
        if !text[member.value.clone()].starts_with('{') {
            let found = kind(&parse(&text[member.value])?);
            return Err(JsonError::NotAnObject {
                path: dotted(&path[..=depth]),
                found,
            });
        }
        object = scan::object(text, member.value.start);
    }
    Err(JsonError::EmptyPath)
}

/// 1-based.
fn line(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn dotted(path: &[String]) -> String {
    path.join(" → ")
}

struct Splice {
    range: Range<usize>,
    replacement: String,
}

/// What to do to the text for one change; `None` where it already says so.
fn splice(text: &str, change: &Change) -> Result<Option<Splice>, JsonError> {
    match (find(text, change.path())?, change) {
        (Place::Missing { object, rest }, Change::Set { value, .. }) => {
            Ok(insert_member(text, &object, rest, value.clone()))
        }
        (Place::Missing { object, rest }, Change::Append { value, .. }) => Ok(insert_member(
            text,
            &object,
            rest,
            Value::Array(vec![value.clone()]),
        )),
        (Place::Found { object, member }, Change::Set { value, .. }) => {
            if parse(&text[member.value.clone()])? == *value {
                return Ok(None);
            }
            let style = Style::of_value(text, &object, &member);
            Ok(Some(Splice {
                range: member.value,
                replacement: style.print(value),
            }))
        }
        (Place::Found { member, .. }, Change::Append { path, value }) => {
            append(text, &member, path, value)
        }
    }
}

/// As last member, with the objects that the rest of the path still needs around the value.
fn insert_member(text: &str, object: &Object, rest: &[String], value: Value) -> Option<Splice> {
    let (key, inner) = rest.split_first()?;
    let value = inner.iter().rev().fold(value, |value, key| {
        Value::Object(Map::from_iter([(key.clone(), value)]))
    });
    let style = Style::of_members(text, object);
    let member = style.print_member(key, &value);
    Some(style.insert(
        text,
        object.open,
        object.members.last().map(|last| last.value.end),
        &member,
    ))
}

fn append(
    text: &str,
    member: &Member,
    path: &[String],
    value: &Value,
) -> Result<Option<Splice>, JsonError> {
    match parse(&text[member.value.clone()])? {
        Value::Array(elements) if elements.contains(value) => return Ok(None),
        Value::Array(_) => {}
        other => {
            return Err(JsonError::NotAList {
                path: dotted(path),
                found: kind(&other),
            });
        }
    }
    let elements = scan::list(text, member.value.start);
    let style = Style::of_elements(text, member, &elements);
    let element = style.print(value);
    Ok(Some(style.insert(
        text,
        member.value.start,
        elements.last().map(|last| last.end),
        &element,
    )))
}
