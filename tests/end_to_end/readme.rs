//! The transcript in README.md is what a person sees.

use crate::harness::Lab;

/// Times and the port that answered first differ from run to run.
fn normal(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once(" → ") {
            Some((check, result)) => {
                let target = result.split_whitespace().next().unwrap_or_default();
                format!("{check} → {target}\n")
            }
            None => format!("{}\n", line.trim_end()),
        })
        .collect()
}

#[test]
fn the_transcript_in_the_readme_is_what_setup_says_on_a_fresh_forky() {
    let Some(lab) = Lab::up("forky") else { return };
    let readme = include_str!("../../README.md");
    let (_, from) = readme.split_once("```text\n").expect("a transcript");
    let (transcript, _) = from.split_once("```").expect("the transcript's end");
    let said = lab.alice("rootless6 setup --yes 2>&1").exits(0);
    assert_eq!(normal(&said.stdout), normal(transcript));
}
