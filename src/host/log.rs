//! What a unit has said in the journal, as far as it tells why it failed.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::process;
use crate::hostile::plain;

/// journalctl answers at once, or the journal is being rotated.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whoever fails says so at the end; dockerd-rootless.sh echoes some thirty commands before.
const LINES: &str = "--lines=60";

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
    let mut arguments = ["--user", "--quiet", "--no-pager", "--output=cat", LINES]
        .map(str::to_owned)
        .to_vec();
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
    for line in log.lines().rev().filter(|line| !says_nothing(line)) {
        let lower = line.to_lowercase();
        let tells = TELLING.iter().any(|word| lower.contains(word));
        let line = plain(without_time(line));
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
    use super::*;

    #[test]
    fn the_reason_is_told_from_the_small_talk() {
        let log = r#"
+ exec rootlesskit --net=pasta --port-driver=builtin /usr/bin/dockerd-rootless.sh --error
time="2026-11-22T06:43:18.97Z" level=info msg="skip loading plugin" error="skip plugin"
time="2026-11-22T06:43:19.96Z" level=error msg="Failed to GetDriver graph" driver=nonsense
failed to start daemon: error initializing graphdriver: driver not supported: nonsense
[rootlesskit:child ] error: command [/usr/bin/dockerd-rootless.sh] exited: exit status 1
[rootlesskit:parent] error: child exited: exit status 1
docker.service: Main process exited, code=exited, status=1/FAILURE
docker.service: Failed with result 'exit-code'.
Failed to start docker.service - Docker Application Container Engine (Rootless)."#;
        assert_eq!(
            telling(log),
            [
                "level=error msg=\"Failed to GetDriver graph\" driver=nonsense",
                "failed to start daemon: error initializing graphdriver: driver not supported: nonsense",
            ]
        );
    }
}
