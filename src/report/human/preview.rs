//! What a person sees before the yes.

use std::fmt::Write;

use similar::TextDiff;

use crate::facts::{Container, Facts};
use crate::hostile::plain;
use crate::plan::Plan;
use crate::request::Proof;
use crate::ui::{BAD, GOOD, STRONG};

/// Lines of a file shown around a change.
const CONTEXT: usize = 2;

/// The plan before the yes: files with their differences, then what the restart does.
pub fn preview(facts: &Facts, plan: &Plan, stopping: &[Container], restarts: bool) -> String {
    let mut text = String::new();
    for change in &plan.files {
        let new = if change.before.is_none() {
            " (new)"
        } else {
            ""
        };
        let _ = writeln!(text, "{STRONG}{}{STRONG:#}{new}", facts.short(&change.path));
        if let Some(target) = &change.target {
            let _ = writeln!(text, "  through a symlink: {}", facts.short(target));
        }
        let before = change.before.as_deref().unwrap_or_default();
        text.push_str(&difference(before, &change.after));
        text.push('\n');
    }
    text.push_str(&notes(plan));
    let unit = &facts.unit_name;
    if !restarts {
        let _ = writeln!(text, "{unit} is not restarted.");
        return text;
    }
    let why = plan.restart.map(|why| why.to_string()).unwrap_or_default();
    let _ = writeln!(text, "{unit} is restarted: {why}.");
    text.push_str(&blast_radius(stopping));
    text
}

/// What the person should know besides, a line for each thing.
pub fn notes(plan: &Plan) -> String {
    let notes = plan.notes.iter().map(|note| format!("note: {note}\n"));
    notes.collect()
}

/// Lines that differ, and a few around them.
pub(super) fn difference(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = String::new();
    for group in diff.grouped_ops(CONTEXT) {
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let visible = |c: &char| *c == '\t' || !c.is_control();
            let content: String = line.value().chars().filter(visible).collect();
            let _ = match line.tag() {
                similar::ChangeTag::Delete => writeln!(text, "  {BAD}- {content}{BAD:#}"),
                similar::ChangeTag::Insert => writeln!(text, "  {GOOD}+ {content}{GOOD:#}"),
                similar::ChangeTag::Equal => writeln!(text, "    {content}"),
            };
        }
    }
    text
}

fn blast_radius(stopping: &[Container]) -> String {
    let mut text = String::new();
    if stopping.is_empty() {
        text.push_str("No container is running.\n");
        return text;
    }
    let _ = writeln!(text, "{}", containers_stop(stopping.len()));
    for container in stopping {
        let after = if container.comes_back() {
            "comes back by itself"
        } else {
            "stays down"
        };
        let ports = if container.ports.is_empty() {
            String::new()
        } else {
            format!(", ports {}", container.ports.join(" "))
        };
        let _ = writeln!(
            text,
            "  {}: {after} (restart policy {}{ports})",
            plain(&container.name),
            container.restart
        );
    }
    text
}

fn containers_stop(count: usize) -> String {
    match count {
        1 => "1 running container stops:".to_owned(),
        count => format!("{count} running containers stop:"),
    }
}

/// What an `e` at the last question shows: a paragraph for each thing that the plan has in it.
pub fn explanation(plan: &Plan) -> String {
    let says = |text: &str| plan.files.iter().any(|change| change.after.contains(text));
    let daemon_json = plan
        .files
        .iter()
        .any(|change| change.path.ends_with("daemon.json"));
    let slirp4netns = says("ROOTLESSKIT_NET=slirp4netns");
    let pasta = says("ROOTLESSKIT_NET=pasta");
    let paragraphs = [
        (
            pasta,
            include_str!("../../../templates/explanation/pasta.txt"),
        ),
        (
            plan.loses_loopback,
            include_str!("../../../templates/explanation/loopback.txt"),
        ),
        (
            plan.proof == Proof::WithoutEcho,
            include_str!("../../../templates/explanation/without-echo.txt"),
        ),
        (
            slirp4netns && says("ExecStartPost="),
            include_str!("../../../templates/explanation/slirp4netns.txt"),
        ),
        (
            pasta && says("ExecStartPost="),
            include_str!("../../../templates/explanation/uplink.txt"),
        ),
        (
            says("wait-online"),
            include_str!("../../../templates/explanation/wait-online.txt"),
        ),
        (
            daemon_json,
            include_str!("../../../templates/explanation/daemon-json.txt"),
        ),
        (
            true,
            include_str!("../../../templates/explanation/way-back.txt"),
        ),
    ];
    let mut text = String::new();
    for (_, paragraph) in paragraphs.iter().filter(|(wanted, _)| *wanted) {
        let _ = write!(text, "\n{paragraph}");
    }
    text
}
