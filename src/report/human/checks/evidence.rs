//! The checks: a row for each vantage point, a column for each thing that was tried.

use std::fmt::Write;

use super::{LONGEST_NAME, label, mark, milliseconds, shorten, wrap};
use crate::ui::FAINT;
use crate::verify::{Check, Outcome, Verification, What};

/// What a column is called.
const COLUMNS: [(What, &str); 6] = [
    (What::Echo, "ping6"),
    (What::Tcp, "tcp6"),
    (What::PathMtu, "path mtu"),
    (What::Tcp4, "tcp4"),
    (What::Names, "dns"),
    (What::Peer, "peers"),
];

const PUBLISHED: &str = "published";

/// More rows than these do not fit on a screen.
const MOST_ROWS: usize = 8;

/// More remarks than these, or longer ones, nobody reads; JSON has them all.
const MOST_REMARKS: usize = 6;
const LINES_OF_A_REMARK: usize = 2;

/// Rows that a remark names.
const NAMED: usize = 4;

/// What a cell says where the check has passed; longer words are a remark.
const LONGEST_CELL: usize = 10;

/// The table, aligned.
pub(super) fn table(verification: &Verification, width: Option<usize>) -> String {
    let checks = &verification.checks;
    let has = |(what, _): &&(What, &str)| checks.iter().any(|check| check.what == *what);
    let columns: Vec<_> = COLUMNS.iter().filter(has).collect();
    let rows = rows(checks);
    let (shown, folded) = fold(&rows);
    let length = |text: &str| text.chars().count();
    let find = |row: &str, what: What| {
        checks
            .iter()
            .find(|check| check.from == row && check.what == what)
    };
    let names = shown.iter().map(|row| length(&name(row)));
    let mut first = names.chain([PUBLISHED.len()]).max().unwrap_or_default();
    let widths: Vec<usize> = columns
        .iter()
        .map(|(what, title)| {
            let cells = shown.iter().filter_map(|row| find(row, *what));
            let cells = cells.map(|check| length(&words(check)) + 2);
            cells.chain([title.len()]).max().unwrap_or_default()
        })
        .collect();
    let cells = |gap: usize| widths.iter().map(|cell| cell + gap).sum::<usize>();
    let mut gap = 2;
    if let Some(width) = width.filter(|width| 2 + first + cells(gap) > *width) {
        gap = 1;
        // What is still too much is taken from the names.
        let room = width.saturating_sub(2 + cells(gap));
        first = first.min(room.max(PUBLISHED.len()));
    }
    let space = " ".repeat(gap);

    let mut text = String::new();
    let titles: Vec<String> = columns
        .iter()
        .zip(&widths)
        .map(|((_, title), width)| format!("{title:<width$}"))
        .collect();
    let titles = titles.join(&space);
    let _ = writeln!(
        text,
        "  {:<first$}{space}{FAINT}{}{FAINT:#}",
        "",
        titles.trim_end()
    );
    for row in &shown {
        let mut line = format!("  {:<first$}", shorten(&name(row), first));
        let mut padding = gap;
        for ((what, _), width) in columns.iter().zip(&widths) {
            let Some(check) = find(row, *what) else {
                padding += width + gap;
                continue;
            };
            let words = words(check);
            let _ = write!(
                line,
                "{}{} {words}",
                " ".repeat(padding),
                mark(check.outcome)
            );
            padding = gap + width - 2 - length(&words);
        }
        let _ = writeln!(text, "{line}");
    }
    for (outcome, count) in folded {
        let word = word(outcome);
        let _ = writeln!(text, "  {} {count} more: {word}", mark(outcome));
    }
    text.push_str(&published(checks, first, width));
    text
}

/// The worst first where not all can be shown; the others by their number.
fn fold<'a>(rows: &[(&'a str, Outcome)]) -> (Vec<&'a str>, Vec<(Outcome, usize)>) {
    if rows.len() <= MOST_ROWS {
        return (rows.iter().map(|(row, _)| *row).collect(), Vec::new());
    }
    let is_kept = |place: usize, row: &(&str, Outcome)| {
        let bad_before = rows[..place]
            .iter()
            .filter(|row| row.1 != Outcome::Pass)
            .count();
        !row.0.contains('[') || (row.1 != Outcome::Pass && bad_before < MOST_ROWS - 3)
    };
    let (kept, left): (Vec<_>, Vec<_>) = rows
        .iter()
        .enumerate()
        .partition(|(place, row)| is_kept(*place, row));
    let count = |outcome| left.iter().filter(|(_, row)| row.1 == outcome).count();
    let folded =
        [Outcome::Fail, Outcome::Unknown, Outcome::Pass].map(|outcome| (outcome, count(outcome)));
    let folded = folded.into_iter().filter(|(_, count)| *count > 0).collect();
    (kept.into_iter().map(|(_, row)| row.0).collect(), folded)
}

/// The vantage points and the worst that was seen from each.
fn rows(checks: &[Check]) -> Vec<(&str, Outcome)> {
    let mut rows: Vec<(&str, Outcome)> = Vec::new();
    for check in checks.iter().filter(|check| !is_published(check)) {
        let worst = |outcome| match (outcome, check.outcome) {
            (Outcome::Fail, _) | (_, Outcome::Fail) => Outcome::Fail,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            _ => Outcome::Pass,
        };
        match rows.iter_mut().find(|(from, _)| *from == check.from) {
            Some((_, outcome)) => *outcome = worst(*outcome),
            None => rows.push((&check.from, worst(Outcome::Pass))),
        }
    }
    rows
}

fn is_published(check: &Check) -> bool {
    matches!(check.what, What::Published6 | What::Published4)
}

fn name(row: &str) -> String {
    shorten(label(row), LONGEST_NAME)
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "ok",
        Outcome::Fail => "failed",
        Outcome::Skip => "skip",
        Outcome::Unknown => "unknown",
    }
}

/// A cell behind its mark: a time or a size where all is well.
fn words(check: &Check) -> String {
    match (check.outcome, check.what, check.rtt_ms) {
        (Outcome::Pass, What::Echo | What::Tcp, Some(rtt)) => time(rtt.median),
        (Outcome::Pass, What::PathMtu, _) => match &check.why {
            Some(why) if why.len() <= LONGEST_CELL => why.clone(),
            _ => "ok".to_owned(),
        },
        (outcome, ..) => word(outcome).to_owned(),
    }
}

/// As short as a cell: hundredths of many milliseconds tell nothing.
fn time(value: f64) -> String {
    if value < 10.0 {
        milliseconds(value)
    } else {
        format!("{value:.0} ms")
    }
}

/// A published port, at each address of the host.
fn published(checks: &[Check], first: usize, width: Option<usize>) -> String {
    let mut line = String::new();
    let mut column = 2 + first;
    for check in checks.iter().filter(|check| is_published(check)) {
        let paths = check
            .paths
            .iter()
            .map(|path| (path.outcome, path.to.to_string()));
        let paths: Vec<_> = if check.paths.is_empty() {
            vec![(
                check.outcome,
                format!("{} {}", check.proto, word(check.outcome)),
            )]
        } else {
            paths.collect()
        };
        for (outcome, to) in paths {
            if width.is_some_and(|width| column + 4 + to.len() > width) {
                let _ = write!(line, "\n{}", " ".repeat(2 + first));
                column = 2 + first;
            }
            let _ = write!(line, "  {} {to}", mark(outcome));
            column += 4 + to.len();
        }
    }
    if line.is_empty() {
        return line;
    }
    format!("  {PUBLISHED:<first$}{line}\n")
}

/// What the cells cannot say, each once, the worst first; what the cause says is not said again.
pub(super) fn remarks(verification: &Verification, width: Option<usize>) -> String {
    let said = verification.explanation.as_deref().unwrap_or_default();
    let mut remarks: Vec<(Outcome, &str, Vec<&Check>)> = Vec::new();
    for check in &verification.checks {
        let Some(why) = check.why.as_deref() else {
            continue;
        };
        if is_plain(check, why) || (check.outcome == Outcome::Fail && said.contains(why)) {
            continue;
        }
        let same = |(outcome, known, _): &&mut (Outcome, &str, _)| {
            *outcome == check.outcome && *known == why
        };
        match remarks.iter_mut().find(same) {
            Some((.., checks)) => checks.push(check),
            None => remarks.push((check.outcome, why, vec![check])),
        }
    }
    remarks.sort_by_key(|(outcome, ..)| match outcome {
        Outcome::Fail => 0,
        Outcome::Unknown => 1,
        Outcome::Skip => 2,
        Outcome::Pass => 3,
    });
    let mut text = String::new();
    for (outcome, why, checks) in remarks.iter().take(MOST_REMARKS) {
        let mut words = format!("{}: {why}", subject(&verification.checks, checks));
        if let Some(width) = width {
            words = shorten(&words, LINES_OF_A_REMARK * width.saturating_sub(12).max(20));
        }
        let _ = writeln!(text, "  {} {}", mark(*outcome), wrap(&words, 4, 4, width));
    }
    if remarks.len() > MOST_REMARKS {
        let _ = writeln!(
            text,
            "    and {} more, in `rootless6 verify --json`",
            remarks.len() - MOST_REMARKS
        );
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

/// A remark that the table has made already.
fn is_plain(check: &Check, why: &str) -> bool {
    let tells = match check.what {
        What::Echo => true,
        What::PathMtu => why.len() > LONGEST_CELL,
        _ => false,
    };
    check.outcome == Outcome::Pass && !tells
}

/// `container ping6, tcp6`; where it is all of a row, its name alone, and of many rows how many.
fn subject(all: &[Check], checks: &[&Check]) -> String {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for check in checks {
        let (row, title) = (row(check), title(check));
        match rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, titles)) => titles.push(title),
            None => rows.push((row, vec![title])),
        }
    }
    for (row, titles) in &mut rows {
        if titles.len() == all.iter().filter(|check| self::row(check) == *row).count() {
            titles.clear();
        }
    }
    let mut groups: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for (row, titles) in rows {
        match groups.iter_mut().find(|(_, known)| *known == titles) {
            Some((rows, _)) => rows.push(row),
            None => groups.push((vec![row], titles)),
        }
    }
    let words = groups.iter().map(|(rows, titles)| {
        let mut words = rows
            .iter()
            .take(NAMED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if rows.len() > NAMED {
            let _ = write!(words, " and {} more", rows.len() - NAMED);
        }
        format!("{words} {}", titles.join(", "))
            .trim_end()
            .to_owned()
    });
    words.collect::<Vec<_>>().join("; ")
}

fn row(check: &Check) -> String {
    if is_published(check) {
        PUBLISHED.to_owned()
    } else {
        name(&check.from)
    }
}

fn title(check: &Check) -> &'static str {
    let column = COLUMNS.iter().find(|(what, _)| *what == check.what);
    column.map_or(check.proto, |(_, title)| title)
}
