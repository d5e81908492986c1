//! A moment that a clock which is set, a suspend or a reboot cannot move.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment of one boot; another boot is after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The kernel's id of that boot (random(4)).
    boot: String,
    /// Seconds since that boot, time asleep included (`CLOCK_BOOTTIME`, clock_gettime(2)).
    seconds: u64,
}

impl Deadline {
    /// So long from now.
    pub fn after(duration: Duration) -> Self {
        Self {
            boot: boot(),
            seconds: since_boot() + duration.as_secs(),
        }
    }

    /// How long until then; none once it is over.
    pub fn left(&self) -> Option<Duration> {
        let left = self.seconds.checked_sub(since_boot())?;
        (left > 0 && self.boot == boot()).then(|| Duration::from_secs(left))
    }
}

pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn since_boot() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .ok()
        .and_then(|time| u64::try_from(time.tv_sec()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_over_in_time_and_with_the_boot() {
        let later = Deadline::after(Duration::from_secs(100));
        let left = later.left().unwrap();
        assert!(left > Duration::from_secs(90) && left <= Duration::from_secs(100));
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
        let other_boot = Deadline {
            boot: "another".to_owned(),
            ..later
        };
        assert_eq!(other_boot.left(), None);
    }
}
