//! The pages of `explain`: each code has one, they are all of one form, and what they name is there.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed; it reads the repository's own files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use rootless6::diagnose::{Code, Group};
use serde_json::Value;

/// In this order, each once.
const HEADINGS: [&str; 5] = [
    "How it is seen",
    "Why it matters",
    "The fix",
    "How to check",
    "Sources",
];

/// The columns that the list of codes leaves for a title.
const TITLE: usize = 46;

/// A page is shown hanging by two columns on a screen of 80.
const WIDTH: usize = 78;

/// About two screens.
const LINES: std::ops::RangeInclusive<usize> = 20..=50;

/// What a code begins with, `host-` or `no-`: by that a word in backticks is taken for one.
fn first_words() -> BTreeSet<&'static str> {
    let words = Code::ALL.iter().map(|code| code.name());
    words.map(|name| name.split('-').next().unwrap()).collect()
}

/// Words in backticks that look like a code and are none of ours.
const OTHERS: [&str; 1] = ["container-restart"];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/explain")
}

/// The program in an environment of nothing.
fn rootless6(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("rootless6");
    command
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent");
    command
}

fn stdout(arguments: &[&str]) -> String {
    let output = rootless6(arguments).assert().success().stderr("");
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).unwrap()
}

/// The lines below each heading, the first ones below the title.
fn sections(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in page.lines() {
        match line.strip_prefix("## ").or(line.strip_prefix("# ")) {
            Some(heading) => sections.push((heading, Vec::new())),
            None => sections.last_mut().unwrap().1.push(line),
        }
    }
    sections
}

#[test]
fn every_page_has_the_same_sections_and_none_is_empty() {
    for code in Code::ALL {
        let sections = sections(code.page());
        let headings: Vec<_> = sections.iter().map(|(heading, _)| *heading).collect();
        assert_eq!(headings[0], code.title(), "{code}");
        assert_eq!(headings[1..], HEADINGS, "{code}");
        for (heading, lines) in &sections {
            let said = lines.iter().filter(|line| !line.is_empty()).count();
            assert!(said > 0, "{code}: nothing below {heading}");
        }
        let (_, sources) = sections.last().unwrap();
        for source in sources {
            let begins = source.starts_with("- ") || source.starts_with("  ");
            assert!(begins && !source.contains("://"), "{code}: {source}");
        }
    }
}

#[test]
fn a_title_fits_the_list_and_is_one_line_of_the_right_form() {
    for code in Code::ALL {
        let title = code.title();
        assert!(code.page().starts_with(&format!("# {title}\n\n")), "{code}");
        assert!(title.chars().count() <= TITLE, "{code}: {title}");
        assert!(!title.ends_with('.') && !title.contains('`'), "{code}");
        let first = title.split(' ').next().unwrap();
        let begins_small = first.starts_with(|letter: char| !letter.is_uppercase());
        let is_name = ["AppArmor", "IPv6", "RootlessKit", "TCP", "RootlessKit's"];
        assert!(begins_small || is_name.contains(&first), "{code}: {title}");
    }
}

#[test]
fn a_page_fits_a_terminal_as_it_is() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{code}");
        let lines = page.lines().count();
        assert!(LINES.contains(&lines), "{code} has {lines} lines");
        let mut last = "";
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{code}: {line}");
            assert_eq!(line, line.trim_end(), "{code}: {line}");
            assert!(!line.is_empty() || !last.is_empty(), "{code}: two blanks");
            let backticks = line.matches('`').count();
            assert!(backticks % 2 == 0, "{code}: a command is broken: {line}");
            let odd = |letter: char| !(' '..='~').contains(&letter) && !"…→".contains(letter);
            assert!(!line.contains(odd), "{code}: {line}");
            assert!(!line.starts_with('|'), "{code} has a table: {line}");
            last = line;
        }
    }
}

#[test]
fn there_is_no_page_without_a_code() {
    let there: BTreeSet<String> = fs::read_dir(pages())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let wanted: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(there, wanted);
}

/// `mtu-trap` rather than `mtu`, `mtu-trap CODE` or `--mtu`.
fn looks_like_a_code(word: &str) -> bool {
    let is_small =
        |letter: char| letter.is_ascii_lowercase() || letter == '-' || letter.is_ascii_digit();
    let first = word.split('-').next().unwrap();
    word.contains('-') && word.chars().all(is_small) && first_words().contains(first)
}

#[test]
fn a_code_that_is_named_exists() {
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let readme = fs::read_to_string(pages().join("../../README.md")).unwrap();
    let texts = Code::ALL.iter().map(|code| (code.name(), code.page()));
    for (place, text) in texts.chain([("README.md", readme.as_str())]) {
        for word in text.split('`').skip(1).step_by(2) {
            let fine = names.contains(word) || OTHERS.contains(&word) || !looks_like_a_code(word);
            assert!(fine, "{place} names `{word}`, which is no code");
            assert_ne!(word, place, "{place} sends its reader to itself");
        }
        let words: Vec<_> = text.split_whitespace().collect();
        for pair in words.windows(3) {
            if pair[0].ends_with("rootless6") && ["doctor", "explain"].contains(&pair[1]) {
                let word = pair[2].trim_matches(['`', ',', '.', ')', ':', ';']);
                let fine = names.contains(word) || !looks_like_a_code(word);
                assert!(fine, "{place} has `{} {} {word}`", pair[0], pair[1]);
            }
        }
    }
}

/// Whoever has mended something asks the command that found it.
#[test]
fn a_page_says_how_to_check_with_the_command_that_finds_the_code() {
    for code in Code::ALL {
        let sections = sections(code.page());
        let whole = sections[0].1.join(" ") + &sections[1].1.join(" ");
        let check = sections[4].1.join("\n");
        if code.is_found_by_packets() {
            assert!(
                whole.contains("`verify`"),
                "{code} does not say who finds it"
            );
            let by_hand = *code == Code::PrefersIpv4;
            assert!(by_hand || check.contains("rootless6 verify"), "{code}");
        } else if *code == Code::NetworkWithoutIpv6 {
            assert!(check.contains("rootless6 verify --network"), "{code}");
        } else {
            assert!(check.contains("rootless6 doctor"), "{code}");
        }
    }
}

/// Documentation addresses, placeholders and this machine's own: never somebody's.
#[test]
fn no_page_sends_anything_to_an_address_that_somebody_has() {
    for code in Code::ALL {
        for word in code
            .page()
            .split(|letter: char| letter.is_whitespace() || "'\"`()[],/".contains(letter))
        {
            if let Ok(address) = word.parse::<std::net::Ipv6Addr>() {
                let first = address.segments()[0];
                let fine = address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
                    || address.to_ipv4_mapped().is_some()
                    || (first == 0x2001 && address.segments()[1] == 0xdb8)
                    || first == 0x2002;
                assert!(fine, "{code}: {address}");
            }
            if let Ok(address) = word.parse::<std::net::Ipv4Addr>() {
                let fine = address.is_loopback()
                    || address.is_unspecified()
                    || address.is_private()
                    || address.is_documentation();
                assert!(fine, "{code}: {address}");
            }
        }
    }
}

#[test]
fn explain_alone_lists_every_code_with_its_title() {
    let list = stdout(&["explain"]);
    assert_eq!(list, stdout(&["doctor", "--list"]));
    for code in Code::ALL {
        let line = format!("  {:<32}{}", code.name(), code.title());
        assert!(list.lines().any(|other| other == line), "{code} in\n{list}");
    }
    for line in list.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let blocks: Vec<&str> = list.split("\n\n").collect();
    let (last, groups) = blocks.split_last().unwrap();
    let headings = groups.iter().filter_map(|block| block.lines().next());
    assert_eq!(
        headings.collect::<Vec<_>>(),
        [
            "host",
            "unit",
            "RootlessKit",
            "Engine",
            "path (found by verify)"
        ]
    );
    assert!(last.contains("rootless6 explain CODE"), "{last}");
    assert!(!list.contains('\x1b'), "no colour in a pipe");
}

#[test]
fn explain_prints_the_page_of_a_code() {
    for code in Code::ALL {
        let printed = stdout(&["explain", code.name()]);
        let title = format!("{}  ({code})\n\n", code.title());
        assert!(printed.starts_with(&title), "{printed}");
        let words = |text: &str| -> Vec<String> {
            let lines = text.lines().skip(1);
            let lines = lines.map(|line| line.trim_start_matches("## ").trim().to_owned());
            lines.collect()
        };
        assert_eq!(words(&printed), words(code.page()), "{code}");
        for line in printed.lines() {
            assert!(line.chars().count() <= 80, "{code}: {line}");
        }
    }
}

#[test]
fn scripts_get_the_page_as_it_is() {
    let body = json(&["explain", "mtu-trap", "--json"]);
    assert_eq!(body["code"], "mtu-trap");
    assert_eq!(body["title"], Code::MtuTrap.title());
    assert_eq!(body["page"], Code::MtuTrap.page());
    assert_eq!(
        (&body["command"], &body["exit"]),
        (&"explain".into(), &0.into())
    );

    let list = json(&["explain", "--json"]);
    let codes = list["codes"].as_array().unwrap();
    assert_eq!(codes.len(), Code::ALL.len());
    for (code, told) in Code::ALL.iter().zip(codes) {
        assert_eq!(told["code"], code.name());
        assert_eq!(told["title"], code.title());
        let by_packets = code.group() == Group::Path || *code == Code::HostIpv6Unreachable;
        assert_eq!(
            told["found_by"],
            if by_packets { "verify" } else { "doctor" }
        );
    }
}

#[test]
fn a_code_that_does_not_exist_exits_2_with_one_that_does() {
    let output = rootless6(&["explain", "mtu-tarp"])
        .assert()
        .code(2)
        .stdout("");
    let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(said.contains("mtu-trap"), "{said}");

    let output = rootless6(&["explain", "mtu-tarp", "--json"])
        .assert()
        .code(2);
    let body: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(body["exit"], 2);
    assert!(
        body["error"]["hints"].to_string().contains("mtu-trap"),
        "{body}"
    );
}
