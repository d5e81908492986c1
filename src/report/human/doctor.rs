//! `doctor` for people: the cause that matters first, each with what to do and what was seen.

use std::fmt::Write;

use super::wrap::wrap;
use crate::diagnose::{Code, Cure, Examination, Finding, Severity, for_root};
use crate::facts::Facts;
use crate::hostile::plain;
use crate::ui::{FAINT, STRONG, Sign, sign};

/// Columns before a finding's title, `✗ broken  `.
const TITLE: usize = 10;

/// Columns before what is labelled, `    seen  `.
const LABELLED: usize = 10;

/// `doctor`: the causes, each with what to do, what was seen and what it brings about; then what
/// root has to do about all of it, what could not be looked at, and the sum.
pub fn examination(facts: &Facts, examination: &Examination) -> String {
    let width = crate::ui::width();
    let mut text = String::new();
    let findings = &examination.findings;
    for (place, finding) in findings.iter().enumerate() {
        if !finding.because_of.is_empty() {
            labelled(&mut text, connection(finding), &named(finding), width);
            add_evidence(&mut text, finding, "", width);
            continue;
        }
        if place > 0 {
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "{}{}",
            marked(finding.severity),
            wrap(&named(finding), TITLE, TITLE, width)
        );
        add_cure(&mut text, &finding.cure, width);
        add_evidence(&mut text, finding, "seen", width);
    }
    text.push_str(&root_block(findings));
    text.push_str(&then(facts, findings));
    text.push_str(&super::settings::beside(facts, findings, width));
    text.push_str(&doubts(facts, examination, width));
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", sum(facts, examination));
    // Each part keeps apart from what comes before it, and before the first comes nothing.
    text.trim_start_matches('\n').to_owned()
}

/// `doctor --quiet`: a line for each cause.
pub fn examination_in_short(examination: &Examination) -> String {
    let causes = examination.findings.iter();
    let causes = causes.filter(|finding| finding.because_of.is_empty());
    causes.fold(String::new(), |mut text, finding| {
        let _ = writeln!(text, "{}{}", marked(finding.severity), named(finding));
        text
    })
}

/// What is folded follows from what stands above it, or came before it.
fn connection(finding: &Finding) -> &'static str {
    if finding.stands_behind_others() {
        "for"
    } else {
        "so"
    }
}

fn named(finding: &Finding) -> String {
    format!("{} ({})", plain(&finding.title), finding.code)
}

/// The sign and the word for it, as wide as [`TITLE`].
pub(super) fn marked(severity: Severity) -> String {
    let (mark, word) = match severity {
        Severity::Broken => (Sign::Bad, "broken"),
        Severity::Weak => (Sign::Weak, "weak"),
        Severity::Note => (Sign::Note, "note"),
    };
    format!("{} {word:<8}", sign(mark))
}

fn labelled(text: &mut String, label: &str, words: &str, width: Option<usize>) {
    let words = wrap(&plain(words), LABELLED, LABELLED, width);
    let _ = writeln!(text, "    {FAINT}{label:<6}{FAINT:#}{words}");
}

fn add_cure(text: &mut String, cure: &Cure, width: Option<usize>) {
    let words = match cure {
        Cure::Setup => "`rootless6 setup`",
        Cure::Root(_) => "as root, with the commands below",
        Cure::Words(words) => words,
    };
    for (place, line) in words.lines().enumerate() {
        labelled(text, if place == 0 { "fix" } else { "" }, line, width);
    }
}

fn add_evidence(text: &mut String, finding: &Finding, label: &str, width: Option<usize>) {
    for (place, seen) in finding.evidence.iter().enumerate() {
        labelled(text, if place == 0 { label } else { "" }, seen, width);
    }
}

/// What root has to do about all of them, ready to paste; nothing where there is nothing.
pub(super) fn root_block(findings: &[Finding]) -> String {
    let lines = for_root(findings);
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "\n{STRONG}as root, all at once{STRONG:#}:\nsudo sh -eu <<'EOF'\n{}\nEOF\n",
        lines.join("\n")
    )
}

/// How dockerd comes back where something else keeps it down and setup does not mend that: systemd has
/// given up by then.
fn then(facts: &Facts, findings: &[Finding]) -> String {
    let is_down = |finding: &&Finding| {
        let codes = [Code::UnitNotRunning, Code::UnitStartLimit];
        codes.contains(&finding.code) && !finding.because_of.is_empty()
    };
    let Some(down) = findings.iter().find(is_down) else {
        return String::new();
    };
    let mut causes = findings
        .iter()
        .filter(|cause| down.because_of.contains(&cause.code));
    let is_setups = |cause: &Finding| match &cause.cure {
        Cure::Setup => true,
        Cure::Words(words) => words.contains("`rootless6 setup"),
        Cure::Root(_) => false,
    };
    if causes.any(is_setups) {
        return String::new();
    }
    let unit = facts.typed_unit();
    format!(
        "\n{STRONG}then{STRONG:#}:\nsystemctl --user reset-failed {unit} && systemctl --user start {unit}\n"
    )
}

/// What could not be looked at, and why.
fn doubts(facts: &Facts, examination: &Examination, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut doubt = |what: &str, why: &str| {
        let words = format!("{what}: {}", plain(why));
        let words = wrap(&words, TITLE, TITLE, width);
        let _ = writeln!(text, "{} {:<8}{words}", sign(Sign::Unknown), "unknown");
    };
    // What is behind a door that is shut is told with the door.
    let mut reasons: Vec<(Vec<&str>, &str)> = Vec::new();
    for (what, why) in examination.unknown(facts) {
        match reasons.iter_mut().find(|(_, known)| *known == why) {
            Some((those, _)) => those.push(what),
            None => reasons.push((vec![what], why)),
        }
    }
    for (those, why) in reasons {
        doubt(&those.join(", "), why);
    }
    for failed in &examination.failed {
        let codes: Vec<_> = failed.codes.iter().map(ToString::to_string).collect();
        let why = format!("its rule failed, a fault of rootless6: {}", failed.why);
        doubt(&codes.join(", "), &why);
    }
    if text.is_empty() {
        return text;
    }
    format!("\n{text}")
}

/// Whoever reads the last line alone is not misled.
fn sum(facts: &Facts, examination: &Examination) -> String {
    let count = |severity| {
        let findings = examination.findings.iter();
        findings
            .filter(|finding| finding.severity == severity && finding.because_of.is_empty())
            .count()
    };
    let (broken, weak) = (count(Severity::Broken), count(Severity::Weak));
    let first = examination.findings.first();
    if let (true, Some(first)) = (broken + weak > 0, first) {
        let mark = sign(if broken > 0 { Sign::Bad } else { Sign::Weak });
        return format!(
            "{mark} {broken} broken, {weak} weak; `rootless6 explain {}` says more",
            first.code
        );
    }
    let all_seen = examination.unknown(facts).is_empty() && examination.failed.is_empty();
    let asked: Vec<&str> = examination.asked.iter().map(|code| code.name()).collect();
    let (mark, seen) = match (all_seen, asked.as_slice()) {
        (true, []) => (Sign::Good, "nothing speaks against IPv6".to_owned()),
        (false, []) => {
            let seen = "nothing that could be seen speaks against IPv6";
            (Sign::Unknown, seen.to_owned())
        }
        (true, _) => (Sign::Good, format!("not found: {}", asked.join(", "))),
        (false, _) => {
            let seen = format!("not found as far as could be seen: {}", asked.join(", "));
            (Sign::Unknown, seen)
        }
    };
    let next = if asked.is_empty() {
        "`rootless6 verify` proves it"
    } else {
        "`rootless6 doctor` looks for everything"
    };
    format!("{} {seen}; {next}", sign(mark))
}
