//! `doctor` and the list of codes, for scripts.

use serde_json::{Map, Value, json};

use crate::diagnose::{Code, Cure, Examination, Finding, for_root};
use crate::facts::Facts;

/// The body of `doctor --json`.
pub fn examination(facts: &Facts, examination: &Examination) -> Value {
    let findings: Vec<Value> = examination.findings.iter().map(finding).collect();
    let unknown: Map<String, Value> = examination
        .unknown(facts)
        .into_iter()
        .map(|(what, why)| (what.to_owned(), json!(why)))
        .collect();
    json!({
        "findings": findings,
        "needs_root": for_root(&examination.findings),
        "failed": examination.failed,
        "settings": super::settings::settings(facts),
        "since_setup": facts.since_setup(),
        "unknown": unknown,
    })
}

fn finding(finding: &Finding) -> Value {
    let (auto, root, text) = match &finding.cure {
        Cure::Setup => (true, &[][..], Some("`rootless6 setup`")),
        Cure::Root(lines) => (false, lines.as_slice(), None),
        Cure::Words(words) => (false, &[][..], Some(words.as_str())),
    };
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "title": finding.title,
        "evidence": finding.evidence,
        "because_of": finding.because_of,
        "cure": { "auto": auto, "root": root, "text": text },
    })
}

/// The body of `doctor --list --json`.
pub fn codes() -> Value {
    let code = |code: &Code| {
        json!({
            "code": code,
            "group": code.group(),
            "title": code.title(),
            "found_by": if code.is_found_by_packets() { "verify" } else { "doctor" },
        })
    };
    json!({ "codes": Code::ALL.iter().map(code).collect::<Vec<_>>() })
}
