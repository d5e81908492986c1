//! What is written beside what runs, and what has changed since setup.

use std::fmt::Write;

use super::wrap::wrap;
use crate::diagnose::Finding;
use crate::facts::{Changed, Facts};
use crate::hostile::plain;
use crate::plan::said::By;
use crate::plan::settings::{Setting, settings};
use crate::ui::{FAINT, STRONG};

/// Columns of a name, `docker0 ipv6` and two blanks.
const NAME: usize = 14;

/// Columns of a value, `slirp4netns` and two blanks.
const VALUE: usize = 13;

/// The settings that do not run as they are written, side by side, and the versions that have
/// changed since setup; nothing where there is nothing of either, or a finding has told it.
pub(super) fn beside(facts: &Facts, findings: &[Finding], width: Option<usize>) -> String {
    let mut text = String::new();
    let all = settings(facts);
    let is_told = |setting: &Setting| {
        let words = format!("{} is ", setting.name.replace('_', " "));
        let mut seen = findings.iter().flat_map(|finding| &finding.evidence);
        seen.any(|seen| seen.starts_with(&words))
    };
    let differing = all.iter().filter(|it| it.differs() == Some(true));
    let differing: Vec<_> = differing.filter(|it| !is_told(it)).collect();
    if !differing.is_empty() {
        let _ = writeln!(
            text,
            "\n{STRONG}{:<NAME$}{:<VALUE$}{:<VALUE$}{STRONG:#}{FAINT}by{FAINT:#}",
            "setting", "runs", "next start"
        );
    }
    for setting in differing {
        let _ = writeln!(
            text,
            "{:<NAME$}{:<VALUE$}{:<VALUE$}{FAINT}{}{FAINT:#}",
            setting.name.replace('_', " "),
            value(setting.running.is()),
            value(setting.configured.value.is()),
            plain(&in_words(facts, &setting.configured.by))
        );
    }
    let since = since_setup(facts.since_setup().as_deref(), width);
    if !since.is_empty() {
        let _ = write!(text, "\n{since}");
    }
    text
}

fn value(known: Option<&String>) -> String {
    known.map_or_else(|| "?".to_owned(), |value| plain(value))
}

fn in_words(facts: &Facts, by: &By) -> String {
    match by {
        By::Default(of) => format!("default of {of}"),
        by => by.place(facts).unwrap_or_default(),
    }
}

/// `since setup: RootlessKit 2.0.2 → 2.3.6, …`; nothing where nothing has changed.
pub(super) fn since_setup(changed: Option<&[Changed]>, width: Option<usize>) -> String {
    let arrow = if crate::ui::unicode() { "→" } else { "->" };
    let words: Vec<String> = changed
        .unwrap_or_default()
        .iter()
        .map(|Changed { what, then, now }| match now {
            Some(now) => format!("{what} {then} {arrow} {now}"),
            None => format!("{what} {then} {arrow} gone"),
        })
        .collect();
    if words.is_empty() {
        return String::new();
    }
    let line = plain(&format!("since setup: {}", words.join(", ")));
    format!("{}\n", wrap(&line, 0, 2, width))
}
