//! Every command of ours that somebody is told to type is one that the program takes: on the pages of
//! `explain`, in README.md, and in the words of findings and errors.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed; it reads the repository's own files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rootless6::commands::grammar;
use rootless6::diagnose::{Code, Cure, diagnose};
use rootless6::facts::Facts;

/// What stands for something of the reader's own, and a sample of it.
const SAMPLES: &[(&str, &str)] = &[
    ("ADDRESS", "2001:db8::1"),
    ("OTHER-ADDRESS", "2001:db8::2"),
    ("TARGET…", "2001:db8::1"),
    ("NAME", "name"),
    ("NETWORK", "name"),
    ("container:NAME", "container:name"),
    ("CODE", "mtu-trap"),
    ("CODE…", "mtu-trap"),
    ("CIDR", "fd12:3456:789a:1::/64"),
    ("fdXX:XXXX:XXXX:1::/64", "fd12:3456:789a:1::/64"),
    ("N", "1500"),
];

/// A process of ours, for nobody to type: the program knows it before the grammar is built.
const NOT_TYPED: &str = "follow";

/// Before the program's name on a line: a prompt, variables, and what runs a command.
fn may_come_before(word: &str) -> bool {
    let is_variable = || {
        let (name, _) = word.split_once('=').unwrap_or(("", ""));
        let is_of_a_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        !name.is_empty() && name.chars().all(is_of_a_name)
    };
    let of_env = ["env", "-u", "DOCKER_HOST", "XDG_RUNTIME_DIR"];
    word == "$" || of_env.contains(&word) || is_variable()
}

/// The program's arguments, if this is a command of ours and not a sentence about it.
fn arguments(command: &str) -> Option<Vec<&str>> {
    let mut words = command.split_whitespace();
    loop {
        match words.next()? {
            word if word == "rootless6" || word.ends_with("/rootless6") => break,
            word if may_come_before(word) => {}
            _ => return None,
        }
    }
    Some(words.collect())
}

/// Of a line of a shell: each command, without comments.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let line = line.split_once(" #").map_or(line, |(command, _)| command);
    line.split("&&").flat_map(|commands| commands.split(';'))
}

/// What is in backticks and the lines that stand by themselves, without what the program puts together.
fn told(text: &str) -> Vec<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    let lines = text.lines().filter(|line| line.starts_with("    "));
    spans
        .chain(lines)
        .filter(|told| !told.contains(['{', '"']))
        .collect()
}

/// How many commands of ours this has, all of which must be taken.
fn check(place: &str, text: &str) -> usize {
    let found: Vec<Vec<&str>> = told(text)
        .into_iter()
        .flat_map(commands)
        .filter_map(arguments)
        .filter(|words| words.first() != Some(&NOT_TYPED))
        .collect();
    for words in &found {
        let words: Vec<&str> = words.iter().map(|word| sample(word)).collect();
        if let Err(why) = taken(&words) {
            panic!("{place}: rootless6 {}: {why}", words.join(" "));
        }
    }
    found.len()
}

fn sample(word: &str) -> &str {
    let known = SAMPLES.iter().find(|(stands, _)| *stands == word);
    known.map_or(word, |(_, sample)| sample)
}

fn taken(words: &[&str]) -> Result<(), String> {
    // What any command takes stands before the one that the reader chooses.
    let chosen = words.last() == Some(&"…");
    let words = words.iter().copied().filter(|word| *word != "…");
    let line = ["rootless6"].into_iter().chain(words);
    let line: Vec<&str> = line.chain(chosen.then_some("status")).collect();
    let placeholder = |word: &&&str| {
        let is_of_one = |c: char| c.is_ascii_uppercase() || "-…".contains(c);
        word.contains(|c: char| c.is_ascii_uppercase()) && word.chars().all(is_of_one)
    };
    if let Some(unknown) = line.iter().find(placeholder) {
        return Err(format!("nothing is known to stand for {unknown}"));
    }
    match grammar().try_get_matches_from(&line) {
        Err(error) if error.use_stderr() && line.len() > 1 => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[test]
fn a_page_names_only_commands_that_the_program_takes() {
    let pages = Code::ALL.iter();
    let found: usize = pages.map(|code| check(code.name(), code.page())).sum();
    assert!(found > 100, "{found} commands alone");
}

#[test]
fn the_readme_names_only_commands_that_the_program_takes() {
    let found = check("README.md", &fs::read_to_string("README.md").unwrap());
    assert!(found > 20, "{found} commands alone");
}

/// As every system on record gets them, and as they stand in the sources.
#[test]
fn a_hint_names_only_commands_that_the_program_takes() {
    let mut found = 0;
    for entry in fs::read_dir("tests/facts").unwrap() {
        let path = entry.unwrap().path();
        let facts: Facts = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for finding in diagnose(&facts) {
            let place = format!("{}, {}", path.display(), finding.code);
            let mut texts = finding.evidence;
            match finding.cure {
                Cure::Words(words) => texts.push(words),
                Cure::Root(lines) => texts.push(format!("`{}`", lines.join("`\n`"))),
                Cure::Setup => {}
            }
            found += check(&place, &texts.join("\n"));
        }
    }
    assert!(found > 20, "{found} commands alone");
    let found: usize = sources(Path::new("src"))
        .into_iter()
        .chain(sources(Path::new("templates/platform")))
        .map(|path| in_strings(&path))
        .sum();
    assert!(found > 40, "{found} commands alone");
}

/// The texts of a source file: what is in backticks on its lines, comments apart.
fn in_strings(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(str::trim_start).enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with("//"));
    let place = |number: usize| format!("{}:{}", path.display(), number + 1);
    lines
        .map(|(number, line)| check(&place(number), line))
        .sum()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn what_the_program_does_not_take_is_noticed() {
    for (text, found) in [
        ("`rootless6 setup`", 1),
        (
            "    DOCKER_CONTEXT=default rootless6 setup     # a remark",
            1,
        ),
        (
            "    ./install.sh && rootless6 setup\n    rootless6 undo; true",
            2,
        ),
        ("`env -u XDG_RUNTIME_DIR rootless6 …`", 1),
        ("`/home/alice/.local/bin/rootless6 uplink`", 1),
        ("`docker run rootless6-probe` is not ours", 0),
        ("rootless6 sets up, says a sentence", 0),
    ] {
        assert_eq!(check("here", text), found, "{text}");
    }
    for words in [
        "setup --wait-on-line 60",
        "doctor mtu-tarp",
        "verify --from elsewhere",
        "undo --to N-1",
        "mend",
        "verify --network NETWORKS",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(taken(&words).is_err(), "{words:?}");
    }
}
