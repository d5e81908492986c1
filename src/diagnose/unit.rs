//! The unit that runs dockerd.

use super::{Code, Cure, Finding, Severity};
use crate::facts::{Facts, Seen};
use crate::plan::VARIABLES;

pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    match &facts.unit {
        Seen::Absent => {}
        Seen::Is(unit) if !unit.is_loaded() => {
            return Some(
                Finding::new(
                    Code::UnitMissing,
                    Severity::Broken,
                    format!("systemd cannot load {}", unit.name),
                    Cure::Words(format!("see `systemctl --user status {}`", unit.name)),
                )
                .seen(format!("LoadState={}", unit.load_state)),
            );
        }
        Seen::Is(_) | Seen::Unknown(_) => return None,
    }
    let finding = Finding::new(
        Code::UnitMissing,
        Severity::Broken,
        format!("there is no user unit {}", facts.unit_name),
        Cure::Words(
            "install rootless Docker first: `dockerd-rootless-setuptool.sh install`".to_owned(),
        ),
    );
    Some(match facts.platform.elsewhere.unknown() {
        Some(why) => finding.seen(format!("where docker leads is unknown: {why}")),
        None => finding,
    })
}

pub(super) fn start_limit(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    (unit.result == "start-limit-hit").then(|| {
        Finding::new(
            Code::UnitStartLimit,
            Severity::Broken,
            format!("{} crashed so often that systemd gave up", unit.name),
            Cure::Words(format!("see `journalctl --user -u {} -n 50`", unit.name)),
        )
        .seen("Result=start-limit-hit")
    })
}

pub(super) fn not_running(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    if unit.is_active() || !unit.is_loaded() || unit.result == "start-limit-hit" {
        return None;
    }
    Some(
        Finding::new(
            Code::UnitNotRunning,
            Severity::Broken,
            format!("{} is not running", unit.name),
            Cure::Words(format!(
                "start it with `systemctl --user start {0}`, or see why not with `journalctl --user -u {0} -n 50`",
                unit.name
            )),
        )
        .seen(format!(
            "ActiveState={} SubState={} Result={}",
            unit.active_state, unit.sub_state, unit.result
        )),
    )
}

pub(super) fn needs_reload(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    unit.needs_reload.then(|| {
        Finding::new(
            Code::NeedsDaemonReload,
            Severity::Weak,
            format!("files of {} changed since systemd read them", unit.name),
            Cure::Words("read them with `systemctl --user daemon-reload`".to_owned()),
        )
        .seen("NeedDaemonReload=true")
    })
}

pub(super) fn environment_file_wins(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    let ours: Vec<_> = unit
        .environment_file_variables
        .iter()
        .filter(|name| VARIABLES.contains(&name.as_str()))
        .cloned()
        .collect();
    let files: Vec<_> = unit
        .environment_files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    (!ours.is_empty()).then(|| {
        Finding::new(
            Code::EnvironmentFileWins,
            Severity::Broken,
            "an EnvironmentFile= sets RootlessKit's variables, and beats every drop-in",
            Cure::Words(format!(
                "take {} out of {}",
                ours.join(", "),
                files.join(", ")
            )),
        )
        .seen(files.join(", "))
    })
}
