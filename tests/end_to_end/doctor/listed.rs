//! Every code is brought about somewhere: by a seeded fault, by Facts on record, or by verify's tests.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::Fault;
use crate::harness::PROGRAM;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

#[test]
fn every_code_is_brought_about_somewhere() {
    let faults = Fault::all();
    let facts = texts("snapshots", |name| name.starts_with("tables__"));
    let judged = texts("snapshots", |name| name.starts_with("judge__"));
    let rows = texts("end_to_end", |name| name.ends_with(".rs"));
    let mut nowhere = Vec::new();
    for (code, found_by) in codes() {
        let seeded = faults.iter().filter(|fault| fault.code == code);
        let seeded: Vec<_> = seeded.map(|fault| fault.name.clone()).collect();
        let facts = naming(&facts, &format!(" {code}:"));
        let rows = naming(&rows, &format!("\"{code}\""));
        let judged = naming(&judged, &code);
        println!("{code}\n  faults: {seeded:?}\n  facts: {facts:?}");
        if found_by == "verify" {
            println!("  verify: {rows:?} {judged:?}");
        }
        let by_verify = found_by == "verify" && !(rows.is_empty() && judged.is_empty());
        if seeded.is_empty() && facts.is_empty() && !by_verify {
            nowhere.push(code);
        }
    }
    assert!(nowhere.is_empty(), "brought about nowhere: {nowhere:?}");
    let known: Vec<_> = codes().into_iter().map(|(code, _)| code).collect();
    for fault in faults {
        assert!(
            known.contains(&fault.code),
            "{}: {}",
            fault.name,
            fault.code
        );
    }
}

/// Each with what finds it.
fn codes() -> Vec<(String, String)> {
    let output = Command::new(PROGRAM)
        .args(["doctor", "--list", "--json"])
        .output();
    let document: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let text = |code: &Value, key: &str| code[key].as_str().unwrap().to_owned();
    let codes = document["codes"].as_array().unwrap().iter();
    let codes: Vec<_> = codes
        .map(|code| (text(code, "code"), text(code, "found_by")))
        .collect();
    assert!(codes.len() > 50, "the list has been lost");
    codes
}

fn texts(folder: &str, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    fs::read_dir(format!("{TESTS}/{folder}"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| is_meant(entry.file_name().to_str().unwrap()))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect()
}

fn naming(texts: &[(String, String)], word: &str) -> Vec<String> {
    let naming = texts.iter().filter(|(_, text)| text.contains(word));
    naming.map(|(name, _)| name.clone()).collect()
}
