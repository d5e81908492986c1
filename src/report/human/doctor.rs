//! `doctor` for people: the cause that matters first, each with what was seen and what to do.

use std::fmt::Write;

use super::wrap::wrap;
use crate::diagnose::{Code, Cure, Examination, Finding, Group, Severity, for_root};
use crate::facts::Facts;
use crate::hostile::plain;
use crate::ui::{FAINT, STRONG, Sign, sign};

/// Columns of a finding's labels, `    seen   `.
const LABEL: usize = 11;

/// `doctor`: what was found.
pub fn examination(facts: &Facts, examination: &Examination) -> String {
    let mut text = String::new();
    let findings = &examination.findings;
    for (place, finding) in findings.iter().enumerate() {
        let is_folded = !finding.because_of.is_empty();
        if place > 0 && !is_folded {
            text.push('\n');
        }
        add_finding(&mut text, finding);
    }
    for failed in &examination.failed {
        let codes: Vec<_> = failed.codes.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "{} the check for {} failed, which is a fault of rootless6: {}",
            sign(Sign::Unknown),
            codes.join(", "),
            plain(&failed.why)
        );
    }
    let lines = for_root(findings);
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{STRONG}as root, all at once{STRONG:#}:");
        let _ = writeln!(text, "sudo sh -eu <<'EOF'\n{}\nEOF", lines.join("\n"));
    }
    if !findings.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(facts, examination));
    text
}

fn add_finding(text: &mut String, finding: &Finding) {
    let width = crate::ui::width();
    let mut labelled = |label: &str, words: &str| {
        let words = wrap(&plain(words), LABEL, LABEL, width);
        let _ = writeln!(text, "    {FAINT}{label:<7}{FAINT:#}{words}");
    };
    if !finding.because_of.is_empty() {
        labelled("so", &format!("{} ({})", finding.title, finding.code));
        for seen in &finding.evidence {
            labelled("", seen);
        }
        return;
    }
    let (mark, word) = match finding.severity {
        Severity::Broken => (sign(Sign::Bad), "broken"),
        Severity::Weak => (sign(Sign::Weak), "weak"),
        Severity::Note => (sign(Sign::Weak), "note"),
    };
    let head = format!("{mark} {word}  ");
    let title = format!("{} ({})", plain(&finding.title), finding.code);
    let _ = writeln!(text, "{head}{}", wrap(&title, 10, 10, width));
    let mut labelled = |label: &str, words: &str| {
        let words = wrap(&plain(words), LABEL, LABEL, width);
        let _ = writeln!(text, "    {FAINT}{label:<7}{FAINT:#}{words}");
    };
    for (place, seen) in finding.evidence.iter().enumerate() {
        labelled(if place == 0 { "seen" } else { "" }, seen);
    }
    match &finding.cure {
        Cure::Setup => labelled("fix", "`rootless6 setup`"),
        Cure::Root(_) => labelled("fix", "as root, with the commands below"),
        Cure::Words(words) => {
            for (place, line) in words.lines().enumerate() {
                labelled(if place == 0 { "fix" } else { "" }, line);
            }
        }
    }
}

/// Whoever reads the last line alone is not misled.
fn summary(facts: &Facts, examination: &Examination) -> String {
    let count = |severity| {
        let findings = examination.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let (broken, weak) = (count(Severity::Broken), count(Severity::Weak));
    if broken > 0 {
        return format!(
            "{} {broken} broken, {weak} weak; `rootless6 explain CODE` says more\n",
            sign(Sign::Bad)
        );
    }
    let seen = if super::all_seen(facts) {
        "nothing speaks against IPv6"
    } else {
        "nothing that could be seen speaks against IPv6"
    };
    format!(
        "{} {seen}; `rootless6 verify` proves it\n",
        sign(Sign::Good)
    )
}

/// `doctor --list` and `explain`: all codes, by where they are found.
pub fn codes() -> String {
    let mut text = String::new();
    let mut group: Option<Group> = None;
    for code in Code::ALL {
        if group != Some(code.group()) {
            group = Some(code.group());
            let _ = writeln!(text, "{STRONG}{:?}{STRONG:#}", code.group());
        }
        let _ = writeln!(text, "  {:<32}{}", code.name(), code.title());
    }
    text
}

/// `explain CODE`.
pub fn code_page(code: Code) -> String {
    let mut text = String::new();
    for line in code.page().lines() {
        let _ = match line.strip_prefix('#') {
            Some(heading) => {
                let heading = heading.trim_start_matches('#').trim_start();
                writeln!(text, "{STRONG}{heading}{STRONG:#}")
            }
            None => writeln!(text, "{line}"),
        };
    }
    text
}
