//! Whose something at the Engine is, and whether that run still goes on.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::process;

/// No run takes this long. What cannot be told by its process is told by its age.
const LONGEST_RUN: Duration = Duration::from_secs(600);

/// A run of this program: its process, when that started, and the namespace in which its number means
/// something. A number alone is given to another process some day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId {
    pid: u32,
    /// Hundredths of a second since boot.
    started: u64,
    /// Inode of the PID namespace (namespaces(7)); 0 where it cannot be read.
    namespace: u64,
}

impl RunId {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: process::started(pid).unwrap_or_default(),
            namespace: fs::metadata("/proc/self/ns/pid").map_or(0, |file| file.ino()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let id = Self {
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            namespace: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.pid, self.started, self.namespace)
    }
}

/// Whether the run that made something still goes on; `created` in seconds since 1970.
pub fn goes_on(label: &str, created: i64) -> bool {
    let Some(run) = RunId::parse(label) else {
        return is_young(created);
    };
    if run.namespace != RunId::own().namespace {
        return is_young(created);
    }
    process::started(run.pid) == Some(run.started)
}

fn is_young(created: i64) -> bool {
    let created = UNIX_EPOCH + Duration::from_secs(u64::try_from(created).unwrap_or_default());
    // The Engine's clock is this machine's; one that was set back makes nothing old.
    SystemTime::now()
        .duration_since(created)
        .map_or(true, |age| age < LONGEST_RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG_AGO: i64 = 1_000_000_000;

    fn now() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap()
    }

    #[test]
    fn a_run_goes_on_as_long_as_its_process() {
        let own = RunId::own();
        assert_eq!(RunId::parse(&own.to_string()), Some(own));
        assert!(goes_on(&own.to_string(), LONG_AGO));
    }

    #[test]
    fn another_process_of_the_same_number_is_another_run() {
        let recycled = RunId {
            started: RunId::own().started + 1,
            ..RunId::own()
        };
        assert!(!goes_on(&recycled.to_string(), now()));
        let nobody = RunId {
            pid: 0,
            ..RunId::own()
        };
        assert!(!goes_on(&nobody.to_string(), now()));
    }

    #[test]
    fn what_cannot_be_told_by_its_process_is_told_by_its_age() {
        let foreign = RunId {
            namespace: 1,
            ..RunId::own()
        };
        for label in [foreign.to_string(), "4711".to_owned(), "1-2-3-4".to_owned()] {
            assert!(goes_on(&label, now()), "{label} is young");
            assert!(goes_on(&label, now() + 3600), "{label} is of the future");
            assert!(!goes_on(&label, LONG_AGO), "{label} is old");
        }
    }
}
