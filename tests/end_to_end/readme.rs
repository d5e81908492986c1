//! The transcript in README.md is what a person sees.

use crate::harness::Lab;

/// Times differ from run to run, and with them the width of columns.
fn normal(text: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_time = |place: usize| words.get(place + 1) == Some(&"ms");
        let words =
            (0..words.len()).map(|place| if is_time(place) { "TIME" } else { words[place] });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
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
