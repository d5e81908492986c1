//! The packet filter that dockerd sets up, and what it needs for that.

use serde_json::Value;

use super::daemon_json::{configured, seen};
use super::start::no_start;
use super::{Code, Cure, Finding, Severity, install};
use crate::capability;
use crate::facts::{Engine, Facts, Given, Unit, UnitFile, WithoutModule, typed};
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
    let file = unit.files.iter().rev().find(holds);
    let cure = file.and_then(|file| taken_out(facts, unit, file, word));
    // Somebody else's unit is best copied, and systemctl knows how.
    let cure = cure.unwrap_or_else(|| {
        let name = facts.typed_unit();
        format!("take it out of ExecStart= with `systemctl --user edit --full {name}`")
    });
    let restart = format!("`systemctl --user restart {}`", facts.typed_unit());
    Some((
        word.clone(),
        Cure::Words(format!("{cure}, then {restart}, which stops containers")),
    ))
}

/// What takes a word out of the file that has it, as far as a line to paste can.
fn taken_out(facts: &Facts, unit: &Unit, file: &UnitFile, word: &str) -> Option<String> {
    let path = facts.typed_path(&file.path);
    let reload = "systemctl --user daemon-reload";
    if unit.links.contains(&file.path) {
        // sed and systemctl would put a file of their own in its place.
        return Some(format!(
            "{path} is a symbolic link: take {word} out of ExecStart= where that is kept, and `{reload}`"
        ));
    }
    let is_literal = |c: char| c.is_ascii_alphanumeric() || "-=_".contains(c);
    if !word.chars().all(is_literal) {
        return None;
    }
    let command = format!("sed -i 's/ {word}//' {path}");
    if path.starts_with("~/") {
        return Some(format!("take it out with `{command} && {reload}`"));
    }
    let is_fragment = unit.fragment.as_ref() == Some(&file.path);
    (!is_fragment).then(|| format!("take it out as root with `{command}`, then `{reload}`"))
}

/// Of a switch that is written off while dockerd runs with it on.
fn not_in_force(facts: &Facts, name: &str) -> Option<&'static str> {
    let running = facts.running_options()?;
    let is_on = running.given(name).and_then(Given::on) != Some(false);
    is_on.then_some("dockerd has not been started with it yet")
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
        let finding = finding(cure).seen(format!("ExecStart= has {word}{whose}"));
        return Some(
            not_in_force(facts, "iptables")
                .into_iter()
                .fold(finding, Finding::seen),
        );
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
    facts.unit.is()?;
    let path = facts.path().unwrap_or("not set");
    let missing = missing.join(" and ");
    let what = format!("{} does not lead to {missing}", facts.path_in_words());
    let cure = install("iptables", facts);
    let finding = Finding::new(
        Code::IptablesOff,
        Severity::Broken,
        no_start(facts, &what),
        cure,
    );
    Some(finding.seen(format!("PATH={path}")))
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
    let is_off = switched_off(facts, "iptables").is_some()
        || configured(facts, &["iptables"]) == Some(Value::Bool(false));
    if is_off || uses_nftables(facts) {
        return None;
    }
    let without = facts.packet_filter.without_module.as_ref();
    let unit = facts.unit.is()?;
    let said = unit.last_words.iter().find(|line| line.contains(NO_TABLE));
    if without.is_none() && said.is_none() {
        return None;
    }
    let what = "the legacy ip6tables finds no tables in the kernel";
    // What runs with IPv6 has found some when it was started.
    let title = if facts
        .engine
        .is()
        .and_then(Engine::docker0)
        .is_some_and(|it| it.ipv6)
    {
        no_start(facts, what)
    } else {
        format!("{what}, and a rootless dockerd cannot load them")
    };
    let cure = for_tables(without);
    let finding = Finding::new(Code::Ip6tablesModuleMissing, Severity::Broken, title, cure);
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
fn for_tables(without: Option<&WithoutModule>) -> Cure {
    if let Some(nft) = without.and_then(|without| without.nft.as_ref()) {
        let nft = nft.to_string_lossy();
        let choose = format!("update-alternatives --set ip6tables {}", typed(&nft));
        return Cure::Root(vec![choose]);
    }
    if without.is_some_and(|without| without.not_built) {
        let words = "install an iptables that uses nf_tables (Arch: iptables-nft) in place of the legacy one: this kernel has no module for that";
        return Cure::Words(words.to_owned());
    }
    Cure::Root(vec![
        format!("modprobe -a {MODULES}"),
        format!("printf '%s\\n' {MODULES} > {MODULES_FILE}"),
    ])
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
        let finding = finding(cure).seen(format!("ExecStart= has {word}"));
        return Some(
            not_in_force(facts, "ip6tables")
                .into_iter()
                .fold(finding, Finding::seen),
        );
    }
    // Which options and which file count is the unit's to say.
    let option = facts.unit.is()?.options();
    if facts.daemon_json.text.unknown().is_some() {
        return None;
    }
    let version = facts.engine_version()?;
    let needs = capability::engine(version);
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
