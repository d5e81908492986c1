//! The list of codes, and the page of one, for people.

use std::fmt::Write;

use super::wrap::wrap;
use crate::diagnose::{Code, Group};
use crate::ui::{FAINT, STRONG};

/// Columns before a title in the list: two, the longest code and one.
const TITLE: usize = 34;

/// How far a page's text hangs below its headings, as manuals have it: without colours, too, a
/// heading is told from the text.
const TEXT: &str = "  ";

/// What begins a line of a page that is typed, or read on a screen.
const TYPED: &str = "    ";

/// What begins a remark behind a command.
const REMARK: &str = "  # ";

/// Below the list, which is long: who is at its end reads this.
const MORE: &str = "`rootless6 explain CODE` says more. `rootless6 doctor` sends no packet:\n\
    what is below path, and host-ipv6-unreachable, `rootless6 verify` finds.";

/// `doctor --list` and `explain`: all codes, by where they are found.
pub fn codes() -> String {
    let width = crate::ui::width();
    let mut text = String::new();
    let mut group: Option<Group> = None;
    for code in Code::ALL {
        if group.replace(code.group()) != Some(code.group()) {
            let above = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{above}{STRONG}{}{STRONG:#}", heading(code.group()));
        }
        let title = wrap(code.title(), TITLE, TITLE, width);
        let _ = writeln!(text, "  {:<32}{title}", code.name());
    }
    let _ = writeln!(text, "\n{MORE}");
    text
}

/// As people read it in the list.
fn heading(group: Group) -> &'static str {
    match group {
        Group::Host => "host",
        Group::Unit => "unit",
        Group::RootlessKit => "RootlessKit",
        Group::Engine => "Engine",
        Group::Path => "path (found by verify)",
    }
}

/// `explain CODE`.
pub fn code_page(code: Code) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#}  ({code})\n", code.title());
    for line in code.page().lines().skip(1) {
        let _ = match line.strip_prefix("## ") {
            Some(heading) => writeln!(text, "{STRONG}{heading}{STRONG:#}"),
            None if line.is_empty() => writeln!(text),
            None => writeln!(text, "{TEXT}{}", typed(line)),
        };
    }
    text
}

/// A remark is not to be typed.
fn typed(line: &str) -> String {
    match line.split_once(REMARK) {
        Some((command, remark)) if line.starts_with(TYPED) => {
            format!("{command}{FAINT}{REMARK}{remark}{FAINT:#}")
        }
        _ => line.to_owned(),
    }
}
