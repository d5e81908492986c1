//! The unit that runs dockerd.

use std::collections::HashSet;

use super::{Code, Cure, Finding, Severity, drift, rootlesskit};
use crate::facts::{self, Facts, Seen, Unit};
use crate::hostile::plain;
use crate::plan;
use crate::plan::Shadow;
use crate::request::Intent;

pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    let typed = facts.typed_unit();
    let (title, cure) = match &facts.unit {
        Seen::Absent => (
            format!("there is no user unit {}", facts.unit_name),
            match &facts.dockerd_unit {
                Seen::Is(other) => format!(
                    "dockerd runs in another one, which `--unit {}` chooses",
                    facts::typed(other)
                ),
                _ => "install rootless Docker first: `dockerd-rootless-setuptool.sh install`"
                    .to_owned(),
            },
        ),
        Seen::Is(unit) if unit.is_loaded() => return None,
        Seen::Is(unit) if unit.load_state == "masked" => (
            format!("{} is masked, so that nothing starts it", unit.name),
            format!("`systemctl --user unmask {typed}` takes that back"),
        ),
        Seen::Is(unit) => (
            format!("systemd cannot load {}", unit.name),
            format!("see `systemctl --user status {typed}`"),
        ),
        Seen::Unknown(_) => return None,
    };
    let finding = Finding::new(
        Code::UnitMissing,
        Severity::Broken,
        title,
        Cure::Words(cure),
    );
    let Some(unit) = facts.unit.is() else {
        return Some(match facts.platform.elsewhere.unknown() {
            Some(why) => finding.seen(format!("where docker leads is unknown: {why}")),
            None => finding,
        });
    };
    let finding = finding.seen(format!("LoadState={}", unit.load_state));
    let error = Some(&unit.load_error).filter(|error| !error.is_empty());
    Some(error.into_iter().fold(finding, Finding::seen))
}

pub(super) fn start_limit(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    let typed = facts.typed_unit();
    // systemd counts what people start just as what it starts by itself after a crash.
    let anew = format!("`systemctl --user reset-failed {typed} && systemctl --user start {typed}`");
    unit.is_given_up().then(|| {
        let finding = Finding::new(
            Code::UnitStartLimit,
            Severity::Broken,
            format!(
                "{} was started so often within a short time that systemd refuses to start it",
                unit.name
            ),
            mend(
                unit,
                format!("see why with `journalctl --user -u {typed} -n 50`, then {anew}"),
            ),
        )
        .seen(format!(
            "ActiveState={} Result={} NRestarts={}",
            unit.active_state, unit.result, unit.restarts
        ));
        with_last_words(finding, unit, &anew)
    })
}

pub(super) fn not_running(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    if unit.is_active() || !unit.is_loaded() || unit.is_given_up() {
        return None;
    }
    let typed = facts.typed_unit();
    let start = if unit.is_enabled() {
        format!("`systemctl --user start {typed}`")
    } else {
        format!("`systemctl --user enable --now {typed}`, which starts it at boot too")
    };
    let finding = Finding::new(
        Code::UnitNotRunning,
        Severity::Broken,
        format!("{} is not running", unit.name),
        mend(
            unit,
            format!(
                "start it with {start}, or see why not with `journalctl --user -u {typed} -n 50`"
            ),
        ),
    )
    .seen(format!(
        "ActiveState={} SubState={} Result={}{}",
        unit.active_state,
        unit.sub_state,
        unit.result,
        if unit.is_enabled() {
            ""
        } else {
            ", and not enabled"
        }
    ));
    Some(with_last_words(finding, unit, &start))
}

/// What Docker's own tool tells of the lock (moby:contrib/dockerd-rootless-setuptool.sh).
const LOCK_DENIED: &str = "/run/xtables.lock: Permission denied";

/// What it advises then.
const LET_IPTABLES: &[&str] = &[
    "dnf install -y policycoreutils-python-utils",
    "semanage permissive -a iptables_t",
];

/// Whether SELinux keeps iptables from its lock, as far as the unit's last words tell (moby#41230).
fn is_locked_out(unit: &Unit) -> bool {
    unit.last_words
        .iter()
        .any(|line| line.contains(LOCK_DENIED))
}

fn mend(unit: &Unit, otherwise: String) -> Cure {
    if is_locked_out(unit) {
        return Cure::Root(LET_IPTABLES.iter().map(|&line| line.to_owned()).collect());
    }
    Cure::Words(otherwise)
}

fn with_last_words(finding: Finding, unit: &Unit, start: &str) -> Finding {
    let finding = unit
        .last_words
        .iter()
        .map(|line| plain(line))
        .fold(finding, Finding::seen);
    if is_locked_out(unit) {
        finding.seen(format!(
            "where SELinux is on, it keeps rootless iptables from its lock (moby#41230); once root has let it, start dockerd with {start}"
        ))
    } else {
        finding
    }
}

/// What systemd has not read is what setup wants, or nobody has asked for: whether that is what
/// counts is [`drift`]'s to say.
pub(super) fn needs_reload(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let unit = facts.unit.is().filter(|unit| unit.needs_reload)?;
    let reload = "`systemctl --user daemon-reload`";
    let (severity, cure) = if drift::is_due(facts, intent) {
        let restart = format!("`systemctl --user restart {}`", facts.typed_unit());
        (
            Severity::Broken,
            format!("read them with {reload}, then start dockerd with them: {restart}"),
        )
    } else {
        (Severity::Weak, format!("read them with {reload}"))
    };
    let finding = Finding::new(
        Code::NeedsDaemonReload,
        severity,
        format!("files of {} changed since systemd read them", unit.name),
        Cure::Words(cure),
    );
    let seen = unit.not_read();
    if seen.is_empty() {
        return Some(finding.seen("NeedDaemonReload=true"));
    }
    let words = |(path, how): (&std::path::Path, &str)| format!("{} {how}", facts.short(path));
    Some(seen.into_iter().map(words).fold(finding, Finding::seen))
}

/// What comes after our drop-in among the unit's files.
pub(super) fn shadowed(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let shadows = plan::shadows(facts, intent);
    let drop_ins: Vec<&Shadow> = shadows
        .iter()
        .filter(|shadow| !shadow.is_environment_file())
        .collect();
    let title = "another file of the unit has the last word, and undoes our settings";
    last_word(facts, Code::DropinShadowed, title, &drop_ins)
}

/// What beats all of them.
pub(super) fn environment_file_wins(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let shadows = plan::shadows(facts, intent);
    let files: Vec<&Shadow> = shadows
        .iter()
        .filter(|shadow| shadow.is_environment_file())
        .collect();
    let title = if files.iter().all(|shadow| shadow.stops_the_start()) {
        "dockerd does not start without an EnvironmentFile= that cannot be read"
    } else {
        "an EnvironmentFile= sets RootlessKit's variables, and beats every drop-in"
    };
    last_word(facts, Code::EnvironmentFileWins, title, &files)
}

/// One remedy for each file is enough: the evidence has all that it says.
fn last_word(facts: &Facts, code: Code, title: &str, shadows: &[&Shadow]) -> Option<Finding> {
    let mut files = HashSet::new();
    let remedies: Vec<String> = shadows
        .iter()
        .filter(|shadow| files.insert(&shadow.file))
        .map(|shadow| shadow.remedy(facts))
        .collect();
    if remedies.is_empty() {
        return None;
    }
    let cure = Cure::Words(remedies.join("; "));
    let finding = Finding::new(code, Severity::Broken, title, cure);
    let seen = shadows.iter().map(|shadow| shadow.seen(facts));
    Some(seen.fold(finding, Finding::seen))
}

/// Whether such a file sets anything of ours is not known: that is worth a word, and no obstacle,
/// since systemd most likely passes over what cannot be read here.
pub(super) fn environment_file_unknown(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is()?;
    let why = unit
        .environment_files
        .iter()
        .filter(|file| file.optional || file.is_pattern())
        .find_map(|file| file.variables.unknown())?;
    Some(
        Finding::new(
            Code::EnvironmentFileWins,
            Severity::Note,
            "what an EnvironmentFile= sets is not known; it would beat every drop-in",
            Cure::Words("see that it sets no DOCKERD_ROOTLESS_ROOTLESSKIT_ variable".to_owned()),
        )
        .seen(why),
    )
}

pub(super) fn path_lacks_pasta(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let pasta = facts.tools.pasta_elsewhere.is()?;
    if !rootlesskit::has_pasta(facts) || rootlesskit::is_chosen_instead(facts, intent) {
        return None;
    }
    facts.unit.is()?;
    let path = facts.path().unwrap_or("not set");
    Some(
        Finding::new(
            Code::UnitPathLacksPasta,
            rootlesskit::without_pasta_is(facts),
            match facts.tools.path_of_a_wrapper {
                Some(_) => format!("pasta is installed, but not on {}", facts.path_in_words()),
                None => format!(
                    "pasta is installed, but not on the PATH of {}",
                    facts.unit_name
                ),
            },
            Cure::Setup,
        )
        .seen(format!("pasta is {}", facts.short(&pasta.path)))
        .seen(format!("PATH={path}")),
    )
}
