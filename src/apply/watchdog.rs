//! The way back that does not need this process: a timer of the user's systemd.
//!
//! Every few seconds it runs `rootless6 recover`, which does nothing while a transaction is under
//! way or waits for `rootless6 confirm` in time, and takes back one that was cut short. It is in no
//! file and dies with the user's systemd, as dockerd does.

use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Exit, Result};
use crate::host::systemd::{Systemd, Timer};
use crate::host::{Host, process};

/// Between two looks. What was cut short is taken back that late at most.
const PAUSE: Duration = Duration::from_secs(5);

/// A rollback has deadlines of its own, which a host that waits ten minutes for its IPv6 stretches
/// most, and what a restart may take. One that is not over by then hangs, and is ended and begun again.
const LONGEST: Duration = Duration::from_secs(1200);

/// Two, so that an older timer is replaced without a moment in which there is none.
const NAMES: [&str; 2] = ["rootless6-recover", "rootless6-recovery"];

/// Arms the watchdog of a unit's transaction: a transient timer that runs `rootless6 recover` every
/// few seconds from outside of this process, until the transaction is over. It has as much patience
/// with dockerd's restart as this run.
///
/// # Errors
/// When systemd refuses the timer, or a path cannot be told to systemd.
pub async fn arm(systemd: &Systemd, host: &Host, patience: Duration) -> Result<()> {
    let program = process::own_file()?;
    let timer = Timer {
        description: format!("rootless6's way back for {}", host.unit),
        pause: PAUSE,
        longest: LONGEST + patience,
        program: text(&program)?,
        arguments: arguments(&host.unit, patience),
        environment: environment(host)?,
        without: without(host),
    };
    systemd.start_timer(&names(&host.unit), &timer).await
}

fn arguments(unit: &str, patience: Duration) -> Vec<String> {
    let seconds = patience.as_secs().to_string();
    ["recover", "--unit", unit, "--timeout", &seconds]
        .map(str::to_owned)
        .to_vec()
}

/// Disarms it; one that stays armed finds nothing to do, and disarms itself.
pub async fn disarm(systemd: &Systemd, host: &Host) {
    for name in names(&host.unit) {
        systemd.stop_timer(&name).await;
    }
}

/// A unit of another name has another watchdog. An at sign would make it an instance of a template.
fn names(unit: &str) -> Vec<String> {
    let of = unit
        .strip_suffix(".service")
        .unwrap_or(unit)
        .replace('@', "\\x40");
    NAMES.map(|name| format!("{name}-{of}")).to_vec()
}

/// What leads to the same files, the same systemd and the same Engine as this run was led to.
fn environment(host: &Host) -> Result<Vec<(&'static str, String)>> {
    let mut environment = vec![
        ("HOME", text(&host.home)?),
        ("XDG_CONFIG_HOME", text(&host.config)?),
        ("XDG_STATE_HOME", text(&host.state)?),
        ("XDG_RUNTIME_DIR", text(&host.runtime)?),
        ("DOCKER_CONFIG", text(&host.docker.config)?),
    ];
    let bus = host.bus.iter().find_map(|address| address.of_bus());
    let others = [
        ("DBUS_SESSION_BUS_ADDRESS", bus),
        ("DOCKER_HOST", host.docker.host.as_deref()),
        ("DOCKER_CONTEXT", host.docker.context.as_deref()),
        ("PATH", host.path.to_str()),
    ];
    for (name, value) in others {
        environment.extend(value.map(|value| (name, value.to_owned())));
    }
    Ok(environment)
}

/// What systemd may give to every unit, and this run was not given.
fn without(host: &Host) -> Vec<String> {
    [
        ("DOCKER_HOST", &host.docker.host),
        ("DOCKER_CONTEXT", &host.docker.context),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_none())
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// D-Bus carries nothing but UTF-8.
fn text(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.contains('\n'));
    text.map(str::to_owned).ok_or_else(|| {
        Error::new(
            Exit::NotApplied,
            format!("systemd cannot be told of {}", path.display()),
        )
        .caused_by("its name is not UTF-8, or has more than one line")
        .hint("give it another name, and run `rootless6 setup` again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_a_watchdog_of_its_own() {
        for (unit, name) in [
            ("docker.service", "rootless6-recover-docker"),
            ("docker@x.service", "rootless6-recover-docker\\x40x"),
        ] {
            assert_eq!(names(unit)[0], name);
        }
    }
}
