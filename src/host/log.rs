//! What a unit has said in the journal, as far as it tells why it failed.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use super::process;
use crate::hostile::plain;

/// journalctl answers at once, or the journal is being rotated.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whoever fails says so at the end; dockerd-rootless.sh echoes some thirty commands before.
const LINES: &str = "--lines=60";

/// Those of [`Line`].
const FIELDS: &str = "--output-fields=MESSAGE,PRIORITY,_COMM";

/// More than this is a tale, and `journalctl` tells it better.
const MOST: usize = 3;

/// Words of a line that says why something failed.
const TELLING: &[&str] = &[
    "error", "fail", "fatal", "cannot", "denied", "refus", "unknown", "no such",
];

/// Whose words.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// One start of a unit, by its InvocationID.
    Invocation(&'a str),
    /// A unit since a moment.
    Since(&'a str, SystemTime),
}

/// The last lines that tell why it failed, oldest first; none where the user may not read them.
pub async fn last_words(of: Of<'_>) -> Vec<String> {
    let mut arguments = ["--user", "--quiet", "--no-pager", "--all"]
        .into_iter()
        .chain(["--output=json", FIELDS, LINES])
        .map(str::to_owned)
        .collect::<Vec<_>>();
    match of {
        // What its processes said, or systemd about it (systemd.journal-fields(7)).
        Of::Invocation(id) => arguments.extend([
            format!("_SYSTEMD_INVOCATION_ID={id}"),
            "+".to_owned(),
            format!("USER_INVOCATION_ID={id}"),
        ]),
        Of::Since(unit, when) => {
            let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
            arguments.extend([
                format!("--unit={unit}"),
                format!("--since=@{}", since.as_secs()),
            ]);
        }
    }
    let journalctl = Path::new("journalctl");
    match process::run(journalctl, &arguments, None, DEADLINE).await {
        Ok(ended) => telling(&ended.stdout),
        Err(_) => Vec::new(),
    }
}

/// Words of lines that say nothing: dockerd's small talk, and that of systemd and RootlessKit on
/// each process that ends.
const SMALL_TALK: &[&str] = &[
    "level=info",
    "level=debug",
    "level=warning",
    "Failed with result",
    "Failed to start ",
    "process exited, code=",
    "child exited",
    "] exited: ",
];

/// A line of the journal, as far as it is asked for (systemd.journal-fields(7)).
#[derive(Debug, Deserialize)]
struct Line {
    /// A text, or the numbers of its bytes where one of them cannot be printed
    /// (systemd:docs/JOURNAL_EXPORT_FORMATS.md).
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    /// 0 to 7, where 3 is an error (syslog(3)).
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    /// Who has sent it: the journal looks that up.
    #[serde(rename = "_COMM", default)]
    command: Value,
}

impl Line {
    fn message(&self) -> Option<String> {
        match &self.message {
            Value::String(text) => Some(text.clone()),
            Value::Array(bytes) => {
                let byte = |number: &Value| u8::try_from(number.as_u64()?).ok();
                let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
                Some(String::from_utf8_lossy(&bytes?).into_owned())
            }
            _ => None,
        }
    }

    /// What stops a unit is an error to systemd. All else that it tells it has gone on in spite of,
    /// such as an attribute of a cgroup that it could not read.
    fn is_systemd_going_on(&self) -> bool {
        let priority = self.priority.as_str().and_then(|text| text.parse().ok());
        self.command == "systemd" && priority.is_some_and(|priority: u8| priority > 3)
    }
}

/// `set -x` echoes commands.
fn says_nothing(line: &str) -> bool {
    line.starts_with("+ ") || SMALL_TALK.iter().any(|words| line.contains(words))
}

/// dockerd's lines begin with `time="…" `, and the moment explains nothing.
fn without_time(line: &str) -> &str {
    line.strip_prefix("time=\"")
        .and_then(|rest| rest.split_once("\" "))
        .map_or(line, |(_, rest)| rest)
}

fn telling(log: &str) -> Vec<String> {
    let mut telling: Vec<String> = Vec::new();
    let lines = log.lines().rev();
    let lines = lines
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .filter(|line| !line.is_systemd_going_on())
        .filter_map(|line| line.message());
    for line in lines.filter(|line| !says_nothing(line)) {
        let lower = line.to_lowercase();
        let tells = TELLING.iter().any(|word| lower.contains(word));
        let line = plain(without_time(&line));
        if tells && !telling.contains(&line) {
            telling.push(line);
        }
        if telling.len() == MOST {
            break;
        }
    }
    telling.reverse();
    telling
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn journal(lines: &[(&str, &str, &str)]) -> String {
        let line = |(command, priority, message): &(&str, &str, &str)| {
            json!({"_COMM": command, "PRIORITY": priority, "MESSAGE": message}).to_string()
        };
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_reason_is_told_from_the_small_talk() {
        let log = journal(&[
            (
                "dockerd-rootles",
                "6",
                "+ exec rootlesskit --net=pasta --port-driver=builtin /usr/bin/dockerd-rootless.sh --error",
            ),
            (
                "dockerd",
                "6",
                r#"time="2026-11-22T06:43:18.97Z" level=info msg="skip loading plugin" error="skip plugin""#,
            ),
            (
                "dockerd",
                "6",
                r#"time="2026-11-22T06:43:19.96Z" level=error msg="Failed to GetDriver graph" driver=nonsense"#,
            ),
            (
                "dockerd",
                "6",
                "failed to start daemon: error initializing graphdriver: driver not supported: nonsense",
            ),
            (
                "exe",
                "6",
                "[rootlesskit:child ] error: command [/usr/bin/dockerd-rootless.sh] exited: exit status 1",
            ),
            (
                "rootlesskit",
                "6",
                "[rootlesskit:parent] error: child exited: exit status 1",
            ),
            (
                "systemd",
                "5",
                "docker.service: Main process exited, code=exited, status=1/FAILURE",
            ),
            (
                "systemd",
                "4",
                "docker.service: Failed to read pids.max for control group /user.slice, ignoring: No data available",
            ),
            (
                "systemd",
                "4",
                "docker.service: Failed with result 'exit-code'.",
            ),
            (
                "systemd",
                "3",
                "Failed to start docker.service - Docker Application Container Engine (Rootless).",
            ),
        ]);
        assert_eq!(
            telling(&log),
            [
                "level=error msg=\"Failed to GetDriver graph\" driver=nonsense",
                "failed to start daemon: error initializing graphdriver: driver not supported: nonsense",
            ]
        );
    }

    #[test]
    fn what_keeps_systemd_from_starting_it_is_told() {
        let log = journal(&[
            (
                "systemd",
                "3",
                "docker.service: Failed to load environment files: No such file or directory",
            ),
            (
                "systemd",
                "4",
                "docker.service: Failed to spawn 'start' task: No such file or directory",
            ),
            (
                "systemd",
                "4",
                "docker.service: Failed with result 'resources'.",
            ),
        ]);
        assert_eq!(
            telling(&log),
            ["docker.service: Failed to load environment files: No such file or directory"]
        );
        let log = journal(&[
            (
                "(nonexist)",
                "5",
                "docker.service: Unable to locate executable '/nonexist': No such file or directory",
            ),
            (
                "(nonexist)",
                "3",
                "docker.service: Failed at step EXEC spawning /nonexist: No such file or directory",
            ),
        ]);
        assert_eq!(telling(&log).len(), 2);
    }

    #[test]
    fn a_line_in_colour_is_told_in_black_and_white() {
        let bytes = b"error \x1b[31mred";
        let log = json!({"MESSAGE": bytes, "PRIORITY": "6", "_COMM": "sh"}).to_string();
        assert_eq!(telling(&log).len(), 1);
        assert!(telling(&log)[0].contains("red"));
        assert_eq!(telling(r#"{"MESSAGE": null}"#), [] as [&str; 0]);
    }
}
