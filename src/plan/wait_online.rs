//! Whether each start of dockerd waits for the host's IPv6 first, and how long.

use super::files::Files;
use super::{dropin, environment, uplink};
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, NetDriver, Unit};
use crate::request::Intent;

/// The hidden command that waits.
pub(super) const COMMAND: &str = "wait-online";

/// Seconds: a router is asked three times within the first ten, and a DHCP server may take its time.
const LONG_ENOUGH: u16 = 60;

/// The seconds to wait with this driver, and a note where nobody has asked for that: without it the
/// next boot would end like the last one.
///
/// # Errors
/// When systemd would give dockerd up before.
pub(super) fn planned(
    facts: &Facts,
    unit: &Unit,
    intent: &Intent,
    net: Option<&NetDriver>,
) -> Result<(Option<u16>, Option<String>)> {
    // systemd gives each command of a start this long (systemd.service(5), `TimeoutStartSec=`).
    let limit = unit.start_timeout;
    if let Some(seconds) = intent.wait_online {
        return match limit {
            Some(limit) if seconds > 0 && u64::from(seconds) >= limit => {
                Err(too_long(seconds, limit))
            }
            _ => Ok((Some(seconds).filter(|seconds| *seconds > 0), None)),
        };
    }
    // slirp4netns does not look at the host's network, so nobody but the user lets it wait for that.
    let slirp4netns = net == Some(&NetDriver::Slirp4netns);
    if let Some(seconds) = written(facts, unit).filter(|_| !slirp4netns || !is_pasta(facts, unit)) {
        return Ok((Some(seconds), None));
    }
    if slirp4netns || uplink::started_before_ipv6(facts).is_none() {
        return Ok((None, None));
    }
    let seconds = within(limit);
    Ok((seconds, seconds.map(note)))
}

/// As long as is sensible; none where there is hardly time for anything.
fn within(limit: Option<u64>) -> Option<u16> {
    let half = limit.map_or(LONG_ENOUGH.into(), |limit| limit / 2);
    u16::try_from(half.min(LONG_ENOUGH.into()))
        .ok()
        .filter(|seconds| *seconds > 0)
}

/// The command with which a unit of these files waits, if it does.
pub(super) fn command_in(texts: &[&str]) -> Option<String> {
    dropin::own_command(texts, "ExecStartPre", COMMAND)
}

/// The seconds that a unit of these files waits, if it does.
pub fn seconds_in(texts: &[&str]) -> Option<u16> {
    let command = command_in(texts)?;
    command.split_whitespace().last()?.parse().ok()
}

/// What the unit says now. What comes after ours and takes it back is a [`super::Shadow`], and no
/// reason to forget it.
fn written(facts: &Facts, unit: &Unit) -> Option<u16> {
    let files = Files::of(facts, unit);
    seconds_in(&files.up_to_ours()).or_else(|| seconds_in(files.after()))
}

/// What our drop-in is to say of it: nothing where others say the same, unless that is to be
/// pasted, which is printed as a whole.
pub(super) fn of_ours(facts: &Facts, unit: &Unit, wait: Option<u16>) -> Option<u16> {
    let theirs = seconds_in(&Files::of(facts, unit).texts);
    wait.filter(|_| facts.is_locked() || theirs != wait)
}

/// Whether the driver is pasta as things stand.
fn is_pasta(facts: &Facts, unit: &Unit) -> bool {
    environment::net(facts, &unit.environment, &[]) == Some(NetDriver::Pasta)
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
