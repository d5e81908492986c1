//! Whether each start of dockerd waits for the host's IPv6 first, and how long.

use crate::diagnose::{Code, diagnose};
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, Unit};
use crate::request::Intent;

use super::dropin;

/// The hidden command that waits.
pub(super) const COMMAND: &str = "wait-online";

/// Seconds: a router is asked three times within the first ten, and a DHCP server may take its time.
const LONG_ENOUGH: u16 = 60;

/// The seconds to wait, and a note where nobody has asked for that: without it the next boot would
/// end like the last one.
///
/// # Errors
/// When systemd would give dockerd up before.
pub(super) fn planned(
    facts: &Facts,
    unit: &Unit,
    intent: &Intent,
) -> Result<(Option<u16>, Option<String>)> {
    // systemd gives each command of a start this long (systemd.service(5), `TimeoutStartSec=`).
    let limit = unit.start_timeout;
    match intent.wait_online {
        Some(0) => Ok((None, None)),
        Some(seconds) => match limit {
            Some(limit) if u64::from(seconds) >= limit => Err(too_long(seconds, limit)),
            _ => Ok((Some(seconds), None)),
        },
        None => match written(facts) {
            Some(seconds) => Ok((Some(seconds), None)),
            None if started_too_early(facts) => {
                let seconds = within(limit);
                Ok((seconds, seconds.map(note)))
            }
            None => Ok((None, None)),
        },
    }
}

/// As long as is sensible; none where there is hardly time for anything.
fn within(limit: Option<u64>) -> Option<u16> {
    let half = limit.map_or(LONG_ENOUGH.into(), |limit| limit / 2);
    u16::try_from(half.min(LONG_ENOUGH.into()))
        .ok()
        .filter(|seconds| *seconds > 0)
}

/// The command with which a unit file waits, if it has one.
pub(super) fn command_in(text: &str) -> Option<String> {
    dropin::own_command(text, "ExecStartPre", COMMAND)
}

/// The seconds that a unit file waits at each start, if it does.
pub fn seconds_in(text: &str) -> Option<u16> {
    command_in(text)?.split_whitespace().last()?.parse().ok()
}

/// What our drop-in says now.
fn written(facts: &Facts) -> Option<u16> {
    seconds_in(facts.our_drop_in.text.is()?)
}

fn started_too_early(facts: &Facts) -> bool {
    diagnose(facts)
        .iter()
        .any(|finding| finding.code == Code::StartedBeforeIpv6)
}

fn note(seconds: u16) -> String {
    format!(
        "dockerd was started before the host had IPv6, so each start waits up to {seconds} s for it from now on; `--wait-online 0` leaves that out"
    )
}

fn too_long(seconds: u16, limit: u64) -> Error {
    Error::new(
        Exit::Usage,
        format!("systemd gives dockerd up after {limit} s, before {seconds} s of waiting are over"),
    )
    .caused_by("TimeoutStartSec= of the unit")
    .hint(format!("wait less: `--wait-online {}`", limit / 2))
}
