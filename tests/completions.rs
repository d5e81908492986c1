//! What packages carry besides the program: completions and the manual page.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use clap::CommandFactory;
use rootless6::cli::Cli;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rootless6");

#[test]
fn bash_completions_are_those_of_the_program() {
    assert_is_what_the_program_prints("bash", "rootless6.bash");
}

#[test]
fn zsh_completions_are_those_of_the_program() {
    assert_is_what_the_program_prints("zsh", "_rootless6");
}

#[test]
fn fish_completions_are_those_of_the_program() {
    assert_is_what_the_program_prints("fish", "rootless6.fish");
}

#[test]
fn the_manual_page_has_every_command_and_every_flag() {
    let page = manual_page().replace("\\-", "-");
    let mut program = Cli::command();
    program.build();
    let commands = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help");
    for command in commands.chain([&program]) {
        let name = command.get_name();
        assert!(page.contains(name), "the page lacks `{name}`");
        let flags = command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
            .filter_map(|argument| argument.get_long());
        for flag in flags {
            assert!(
                page.contains(&format!("\\fB--{flag}\\fR")),
                "the page lacks `--{flag}` of `{name}`"
            );
        }
    }
}

#[test]
fn the_manual_page_names_no_page_that_is_not_installed() {
    let page = manual_page();
    for command in Cli::command().get_subcommands() {
        let other = format!("rootless6\\-{}(1)", command.get_name());
        assert!(!page.contains(&other), "the page refers to {other}");
    }
}

#[test]
fn the_manual_page_is_formatted_without_complaint() {
    let formatters: [&[&str]; 2] = [
        &["groff", "-man", "-ww", "-z", "-Tutf8", "-Kutf8"],
        &["mandoc", "-T", "lint", "-W", "error"],
    ];
    let here: Vec<_> = formatters
        .into_iter()
        .filter(|words| which::which(words[0]).is_ok())
        .collect();
    if here.is_empty() {
        not_run("neither groff nor mandoc is installed");
    }
    for words in here {
        let complaint = Command::new(words[0])
            .args(&words[1..])
            .write_stdin(manual_page())
            .assert()
            .success()
            .get_output()
            .clone();
        let said = [complaint.stdout, complaint.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "", "{}", words.join(" "));
    }
}

#[track_caller]
fn assert_is_what_the_program_prints(shell: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("completions")
        .join(file);
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == output_of(&["completions", shell]),
        "completions/{file} is not what the program prints; this updates it:\n\
         cargo run --quiet -- completions {shell} >completions/{file}"
    );
}

fn manual_page() -> String {
    output_of(&["man"])
}

fn output_of(arguments: &[&str]) -> String {
    let run = Command::new(PROGRAM).args(arguments).assert().success();
    String::from_utf8_lossy(&run.get_output().stdout).into_owned()
}

#[expect(
    clippy::print_stderr,
    reason = "whoever reads the tests' output must know"
)]
fn not_run(why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "not run: {why}"
    );
    eprintln!("NOT RUN: {why}");
}
