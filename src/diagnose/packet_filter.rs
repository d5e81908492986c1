//! The packet filter that dockerd sets up, and what it needs for that.

use serde_json::Value;

use super::daemon_json::{configured, seen};
use super::{Code, Cure, Finding, Severity, install};
use crate::capability;
use crate::facts::{Facts, Unit, UnitFile, WithoutModule, typed};
use crate::hostile::plain;
use crate::plan::dropin::parse;
use crate::request::{Intent, SubnetChoice};

/// What the legacy ip6tables needs of the kernel.
const MODULES: &str = "ip6_tables ip6table_nat ip6table_filter";

/// Read at each boot (modules-load.d(5)).
const MODULES_FILE: &str = "/etc/modules-load.d/rootless6-ip6tables.conf";

/// What the legacy ip6tables says of a kernel without them.
const NO_TABLE: &str = "can't initialize ip6tables table";

/// What dockerd says that is to leave iptables alone and to use ip6tables, and then ends.
const ONE_ALONE: &str = "EnableIPTable is disabled";

/// A switch in ExecStart= that is off, as it is written, and what to type to be rid of it.
pub(super) fn switched_off(facts: &Facts, name: &str) -> Option<(String, Cure)> {
    let unit = facts.unit.is()?;
    let options = unit.options();
    let word = &options
        .given(name)
        .filter(|given| given.on() == Some(false))?
        .word;
    let holds = |file: &&UnitFile| {
        let assignments = parse(&file.text).assignments.into_iter().rev();
        assignments
            .take_while(|line| line.key != "ExecStart" || !line.value.is_empty())
            .any(|line| line.key == "ExecStart" && line.value.contains(word.as_str()))
    };
    let edit = |file: &UnitFile| {
        let path = facts.short(&file.path);
        let command = format!("sed -i 's/ {word}//' {path}");
        if path.starts_with("~/") {
            return Some(format!(
                "take it out with `{command} && systemctl --user daemon-reload`"
            ));
        }
        let fragment = unit.fragment.as_ref() == Some(&file.path);
        (!fragment).then(|| {
            format!("take it out as root with `{command}`, then `systemctl --user daemon-reload`")
        })
    };
    // Somebody else's unit is best copied, and systemctl knows how.
    let file = unit.files.iter().rev().find(holds);
    let cure = file.and_then(edit).unwrap_or_else(|| {
        format!(
            "take it out of ExecStart= with `systemctl --user edit --full {}`",
            facts.typed_unit()
        )
    });
    Some((word.clone(), Cure::Words(cure)))
}

pub(super) fn iptables_off(facts: &Facts) -> Option<Finding> {
    let unit = facts.unit.is();
    let mut words = unit.into_iter().flat_map(|unit| &unit.last_words);
    let end = words.find(|line| line.contains(ONE_ALONE));
    let finding = |cure| {
        let title = match end {
            Some(_) => {
                "dockerd is to set up no packet filter but that for IPv6, and does not start"
            }
            None => "dockerd sets up no packet filter, so containers are not masqueraded",
        };
        let mut finding = Finding::new(Code::IptablesOff, Severity::Broken, title, cure);
        if end.is_none() {
            // It starts all the same.
            finding.explains = Some(vec![Code::Ip6tablesOff]);
        }
        end.map(|line| plain(line))
            .into_iter()
            .fold(finding, Finding::seen)
    };
    if let Some((word, cure)) = switched_off(facts, "iptables") {
        let whose = if word == "--iptables=false" {
            ", which `dockerd-rootless-setuptool.sh install --skip-iptables` leaves there"
        } else {
            ""
        };
        return Some(finding(cure).seen(format!("ExecStart= has {word}{whose}")));
    }
    if configured(facts, &["iptables"]) == Some(Value::Bool(false)) {
        let path = facts.short(&facts.daemon_json.path);
        let cure = Cure::Words(format!("take \"iptables\" out of {path}"));
        return Some(finding(cure).seen(seen(facts, &["iptables"])));
    }
    iptables_missing(facts)
}

/// dockerd does not start without either of them (seen with Engine 26.1 and 28.5).
fn iptables_missing(facts: &Facts) -> Option<Finding> {
    let missing = &facts.packet_filter.missing;
    if missing.is_empty() || uses_nftables(facts) {
        return None;
    }
    let path = facts.unit.is()?.effective("PATH").unwrap_or("not set");
    Some(
        Finding::new(
            Code::IptablesOff,
            Severity::Broken,
            format!(
                "the unit's PATH does not lead to {}, without which dockerd does not start",
                missing.join(" and ")
            ),
            install("iptables", facts),
        )
        .seen(format!("PATH={path}")),
    )
}

/// Engine 29 can do without iptables.
fn uses_nftables(facts: &Facts) -> bool {
    let options = facts.unit.is().map(Unit::options).unwrap_or_default();
    let option = options.given("firewall-backend");
    let is_nftables = |value: &str| value == "nftables";
    match option.and_then(|given| given.value.as_deref()) {
        Some(value) => is_nftables(value),
        None => configured(facts, &["firewall-backend"])
            .is_some_and(|value| value.as_str().is_some_and(is_nftables)),
    }
}

pub(super) fn module_missing(facts: &Facts) -> Option<Finding> {
    if uses_nftables(facts) || switched_off(facts, "iptables").is_some() {
        return None;
    }
    let without = facts.packet_filter.without_module.as_ref();
    let unit = facts.unit.is()?;
    let said = unit.last_words.iter().find(|line| line.contains(NO_TABLE));
    if without.is_none() && said.is_none() {
        return None;
    }
    let finding = Finding::new(
        Code::Ip6tablesModuleMissing,
        Severity::Broken,
        "the legacy ip6tables finds no tables in the kernel, and a rootless dockerd cannot load them",
        Cure::Root(for_tables(without)),
    );
    let finding = match without {
        Some(WithoutModule {
            program, leads_to, ..
        }) => finding.seen(format!(
            "{} is {}; the kernel has no ip6_tables: there is no /proc/net/ip6_tables_names",
            program.display(),
            leads_to.display()
        )),
        None => finding,
    };
    Some(
        said.map(|line| plain(line))
            .into_iter()
            .fold(finding, Finding::seen),
    )
}

/// Where the one that needs no module is at hand, that one.
fn for_tables(without: Option<&WithoutModule>) -> Vec<String> {
    if let Some(nft) = without.and_then(|without| without.nft.as_ref()) {
        let nft = nft.to_string_lossy();
        return vec![format!(
            "update-alternatives --set ip6tables {}",
            typed(&nft)
        )];
    }
    vec![
        format!("modprobe -a {MODULES}"),
        format!("printf '%s\\n' {MODULES} > {MODULES_FILE}"),
    ]
}

pub(super) fn ip6tables_off(facts: &Facts, intent: &Intent) -> Option<Finding> {
    if intent.subnet == SubnetChoice::None {
        return None;
    }
    let finding = |cure| {
        Finding::new(
            Code::Ip6tablesOff,
            Severity::Broken,
            "dockerd does not masquerade IPv6, so containers' packets cannot return",
            cure,
        )
    };
    if let Some((word, cure)) = switched_off(facts, "ip6tables") {
        return Some(finding(cure).seen(format!("ExecStart= has {word}")));
    }
    let version = facts.engine_version()?;
    let needs = capability::engine(version);
    let option = facts.unit.is().map(Unit::options).unwrap_or_default();
    let on = match configured(facts, &["ip6tables"]) {
        Some(value) => value == Value::Bool(true),
        None => !needs.ip6tables || option.given("ip6tables").is_some(),
    };
    if on {
        return None;
    }
    let finding = finding(Cure::Setup).seen(seen(facts, &["ip6tables"]));
    Some(if needs.ip6tables {
        finding.seen(format!(
            "Engine {version} has it off by default, and needs \"ip6tables\": true and \"experimental\": true"
        ))
    } else {
        finding.seen(format!("Engine {version} has it on by default"))
    })
}
