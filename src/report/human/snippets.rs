//! What to paste where this program cannot write.

use std::fmt::Write;

use crate::plan::snippet::Snippet;
use crate::ui::STRONG;

/// Each text under the name of what it belongs in, then what to type.
pub fn snippets(snippets: &[Snippet]) -> String {
    let mut text = String::new();
    for snippet in snippets {
        let _ = writeln!(text, "{STRONG}{}{STRONG:#}", snippet.belongs_in);
        let _ = writeln!(text, "{}\n", snippet.text.trim_end());
    }
    let mut then: Vec<&str> = snippets
        .iter()
        .map(|snippet| snippet.then.as_str())
        .collect();
    then.dedup();
    let _ = writeln!(text, "Then:");
    for command in then.into_iter().chain(["rootless6 verify"]) {
        let _ = writeln!(text, "  {command}");
    }
    text
}
