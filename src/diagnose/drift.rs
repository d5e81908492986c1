//! What runs, what is written, and what setup has left there: where they part, the next start of
//! dockerd is not like this one.

use super::daemon_json::configured;
use super::{Code, Cure, Finding, Severity};
use crate::capability;
use crate::facts::Facts;
use crate::hostile::plain;
use crate::plan::drift::{Drift, Drifted, Part, drift};
use crate::plan::said::By;
use crate::plan::settings::{
    NAME_BRIDGE, NAME_IPV6, NAME_MTU, NAME_NET, NAME_PORT_DRIVER, NAME_UPLINK, Setting, settings,
};
use crate::request::Intent;

const OF_ROOTLESSKIT: &[Code] = &[
    Code::DriverWithoutIpv6,
    Code::DriverWithoutIcmp6,
    Code::Ipv6FlagMissing,
    Code::PortDriverMismatch,
    Code::PortDriverWithoutIpv6,
    Code::MtuTrap,
    Code::RootlesskitWithoutIpv6Config,
];
const OF_MTU: &[Code] = &[Code::MtuTrap];
const OF_TAP: &[Code] = &[Code::RootlesskitWithoutIpv6Config];
/// With a driver that has no IPv6 nobody misses pasta's MTU, nor the uplink.
const TELLING_OF_MTU: &[Code] = &[Code::MtuTrap, Code::DriverWithoutIpv6];
const TELLING_OF_TAP: &[Code] = &[
    Code::RootlesskitWithoutIpv6Config,
    Code::DriverWithoutIpv6,
    Code::Ipv6FlagMissing,
];
const OF_BRIDGE: &[Code] = &[
    Code::BridgeWithoutIpv6,
    Code::Ip6tablesOff,
    Code::SubnetCollides,
];
const OF_NEW_NETWORKS: &[Code] = &[Code::NewNetworksWithoutIpv6];

pub(super) fn settings_drifted(facts: &Facts, intent: &Intent) -> Option<Finding> {
    let drift = drift(facts, intent);
    let apart = apart(facts);
    let switches = switches_apart(facts);
    if !drift.edited.is_empty() {
        let title = if apart.iter().any(|(_, severity)| *severity < Severity::Note) {
            "settings that setup has put in place were taken away or changed; the next start of dockerd goes by that"
        } else {
            "settings that setup has put in place were taken away or changed"
        };
        return Some(of_drifted(title, &[&drift.edited, &drift.needed]));
    }
    if !drift.needed.is_empty() {
        let title = "what was enough at setup is not enough for the versions that are here now";
        return Some(of_drifted(title, &[&drift.needed]));
    }
    not_live(facts, &apart, &switches).or_else(|| idle(&drift))
}

fn of_drifted(title: &str, all: &[&Vec<Drifted>]) -> Finding {
    let all = || all.iter().copied().flatten();
    let severity = all().map(|drifted| severity_of(drifted.part)).min();
    let severity = severity.unwrap_or(Severity::Note);
    let mut finding = Finding::new(Code::SettingsDrifted, severity, title, Cure::Setup);
    // What is in force already has findings of its own, which say what comes of it.
    finding.explains = Some(Vec::new());
    finding.stands_behind = all()
        .map(|drifted| (severity_of(drifted.part), told_by(drifted.part)))
        .collect();
    all().fold(finding, |finding, drifted| finding.seen(&drifted.seen))
}

fn severity_of(part: Part) -> Severity {
    match part {
        Part::RootlessKit | Part::Tap | Part::Bridge => Severity::Broken,
        Part::Options | Part::Mtu | Part::Wait | Part::Subnet | Part::NewNetworks => Severity::Weak,
    }
}

fn told_by(part: Part) -> &'static [Code] {
    match part {
        Part::RootlessKit => OF_ROOTLESSKIT,
        Part::Mtu => TELLING_OF_MTU,
        Part::Tap => TELLING_OF_TAP,
        Part::Options | Part::Wait => &[],
        Part::Bridge => OF_BRIDGE,
        Part::Subnet => &[Code::SubnetCollides],
        Part::NewNetworks => OF_NEW_NETWORKS,
    }
}

fn idle(drift: &Drift) -> Option<Finding> {
    let idle = drift.idle.first()?;
    let mut finding = Finding::new(
        Code::SettingsDrifted,
        Severity::Note,
        "a step of setup is no longer needed with the versions that are here now",
        Cure::Setup,
    );
    finding.explains = Some(Vec::new());
    Some(finding.seen(&idle.seen))
}

/// Settings that do not run as they are written, and how much that matters.
fn apart(facts: &Facts) -> Vec<(Setting, Severity)> {
    let relied_on = facts.relied_on.is();
    let is_relied_on = |name: &str| {
        let mut variables = relied_on.into_iter().flat_map(|it| &it.environment);
        let suffix = format!("_{}", name.to_ascii_uppercase());
        variables.any(|(variable, _)| variable.ends_with(&suffix))
    };
    let differing = settings(facts)
        .into_iter()
        .filter(|it| it.differs() == Some(true));
    differing
        .map(|setting| {
            let is_default = matches!(setting.configured.by, By::Default(_));
            let severity = match setting.name {
                // Without a record nobody knows whether a script of one's own says so.
                NAME_NET | NAME_IPV6 if is_default && relied_on.is_none() => Severity::Note,
                NAME_NET | NAME_IPV6 | NAME_BRIDGE | NAME_UPLINK => Severity::Broken,
                NAME_PORT_DRIVER if is_relied_on(setting.name) => Severity::Broken,
                NAME_MTU if is_relied_on(setting.name) => Severity::Weak,
                _ => Severity::Note,
            };
            (setting, severity)
        })
        // A default is only what the table has; a running RootlessKit knows better.
        .filter(|(setting, severity)| {
            let is_major = matches!(setting.name, NAME_NET | NAME_IPV6);
            *severity != Severity::Note
                || is_major
                || !matches!(setting.configured.by, By::Default(_))
        })
        .collect()
}

/// Whether what waits for the next start of dockerd changes anything for IPv6.
pub(super) fn is_due(facts: &Facts, intent: &Intent) -> bool {
    let is_broken = |(_, severity): &(Setting, Severity)| *severity == Severity::Broken;
    apart(facts).iter().any(is_broken) && drift(facts, intent).edited.is_empty()
}

/// Switches of dockerd's packet filter that its command line shows to be otherwise than what is
/// written now, a line for each.
fn switches_apart(facts: &Facts) -> Vec<String> {
    let unit = facts.unit.is().filter(|unit| {
        // A wrapper may add options of its own.
        let is_the_script = |program: &String| program.contains("dockerd-rootless");
        facts.tools.path_of_a_wrapper.is_none()
            && unit.exec_start.first().is_some_and(is_the_script)
    });
    let (Some(unit), Some(running)) = (unit, facts.running_options()) else {
        return Vec::new();
    };
    let written = unit.options();
    let of_ipv6 = facts
        .engine_version()
        .map(|it| !capability::engine(it).ip6tables);
    let apart = [("iptables", Some(true)), ("ip6tables", of_ipv6)].map(|(name, default)| {
        let otherwise = match configured(facts, &[name]) {
            Some(value) => value.as_bool(),
            None if facts.daemon_json.text.unknown().is_some() => None,
            None => default,
        };
        match (running.given(name), written.given(name)) {
            (Some(now), Some(next)) if now.on() != next.on() => Some(format!(
                "dockerd runs with {}, and ExecStart= has {} by now",
                now.word, next.word
            )),
            (Some(now), None) if otherwise.is_some_and(|next| now.on() != Some(next)) => {
                Some(format!(
                    "dockerd runs with {}, which ExecStart= has no more",
                    now.word
                ))
            }
            // What is switched off is told as that.
            (None, Some(next)) if next.on() == Some(true) && default == Some(false) => {
                Some(format!(
                    "ExecStart= has {}, with which dockerd has not been started",
                    next.word
                ))
            }
            _ => None,
        }
    });
    apart
        .into_iter()
        .flatten()
        .map(|line| plain(&line))
        .collect()
}

fn not_live(facts: &Facts, apart: &[(Setting, Severity)], switches: &[String]) -> Option<Finding> {
    let of_switches = (!switches.is_empty()).then_some(Severity::Broken);
    let severities = apart.iter().map(|(_, severity)| *severity);
    let severity = severities.chain(of_switches).min()?;
    let restart = format!("`systemctl --user restart {}`", facts.typed_unit());
    // setup does not look at what dockerd is told beside its own settings.
    let cure = match facts.relied_on.is() {
        _ if !switches.is_empty() => Cure::Words(format!(
            "{restart} takes up what is written, and stops containers"
        )),
        Some(_) => Cure::Setup,
        None => Cure::Words(format!(
            "{restart} takes up what is written, `rootless6 setup` what IPv6 needs"
        )),
    };
    let title = "dockerd runs with other settings than those it will start with next time";
    let mut finding = Finding::new(Code::SettingsDrifted, severity, title, cure);
    let explained = apart.iter().filter(|(_, each)| *each != Severity::Note);
    let explained = explained.flat_map(|(setting, _)| match setting.name {
        NAME_BRIDGE => OF_BRIDGE,
        NAME_UPLINK => OF_TAP,
        NAME_MTU => OF_MTU,
        _ => OF_ROOTLESSKIT,
    });
    finding.explains = Some(explained.copied().collect());
    let seen = apart.iter().map(|(setting, _)| in_words(facts, setting));
    Some(
        seen.chain(switches.iter().cloned())
            .fold(finding, Finding::seen),
    )
}

/// A setting that differs, in one line.
fn in_words(facts: &Facts, setting: &Setting) -> String {
    let value = |seen: &crate::facts::Seen<String>| seen.is().cloned().unwrap_or_default();
    let by = match &setting.configured.by {
        By::Default(of) => format!(", the default of {of}"),
        by => by
            .place(facts)
            .map_or_else(String::new, |place| format!(" by {place}")),
    };
    format!(
        "{} is {} now, and will be {}{by}",
        setting.name.replace('_', " "),
        value(&setting.running),
        value(&setting.configured.value)
    )
}
