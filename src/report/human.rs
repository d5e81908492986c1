//! Text for people: the verdict first, then what to do, then the evidence.

use std::fmt::Write;
use std::path::Path;

use crate::apply::{Restored, Skipped};
use crate::diagnose::{Cure, Finding, Wanted, obstacle};
use crate::facts::{ChosenBy, Engine, Facts, Network, Seen, short, typed};
use crate::hostile::plain;
use crate::plan::Restart;
use crate::ui::{FAINT, STRONG, Sign, advice, sign};
use crate::verify::Verification;

mod checks;
mod codes;
mod doctor;
mod generations;
mod ping;
mod preview;
mod settings;
mod snippets;
mod wrap;

pub use checks::{checks_in_words, verdict, verdict_in_words, verification, verification_within};
pub use codes::{code_page, codes};
pub use doctor::{examination, examination_in_short};
pub use generations::{Generation, confirmed, cut_short, generations, in_force_already, unit_flag};
pub use ping::{ping_event, pinged, vantage_point};
pub use preview::{explanation, notes, preview};
pub use snippets::snippets;

/// `status`: one screen.
pub fn status(facts: &Facts, findings: &[Finding]) -> String {
    let mut text = scene(facts);
    let _ = writeln!(text);
    if findings.is_empty() {
        let (mark, seen) = if facts.unknown().is_empty() {
            (sign(Sign::Good), "nothing speaks against IPv6")
        } else {
            (
                sign(Sign::Unknown),
                "nothing that could be seen speaks against IPv6",
            )
        };
        let _ = writeln!(text, "{mark} {seen}; `rootless6 verify` proves it");
    }
    for finding in findings {
        let _ = writeln!(
            text,
            "{}{} {FAINT}({}){FAINT:#}",
            doctor::marked(finding.severity),
            finding.title,
            finding.code
        );
    }
    text.push_str(&settings::beside(facts, &[], crate::ui::width()));
    let curable = findings.iter().any(|finding| finding.cure == Cure::Setup);
    match obstacle(findings, Wanted::best(findings)) {
        Ok(()) => {
            text.push_str(&doctor::root_block(findings));
            if curable {
                let does = if facts.is_locked() {
                    "makes IPv6 work, or shows what to paste where it cannot write"
                } else {
                    "makes IPv6 work"
                };
                let _ = writeln!(text, "\n{STRONG}hint{STRONG:#}: `rootless6 setup` {does}");
            }
        }
        Err(in_the_way) => {
            let _ = write!(text, "\n{}", advice(&in_the_way));
        }
    }
    text
}

/// What runs here, in a few lines.
pub fn scene(facts: &Facts) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{STRONG}{name:<12}{STRONG:#} {}", plain(&value));
    };
    line("unit", unit(facts));
    for drop_in in facts.unit.is().into_iter().flat_map(|unit| &unit.drop_ins) {
        line("  drop-in", facts.short(drop_in));
    }
    for said in facts
        .unit
        .is()
        .into_iter()
        .flat_map(|unit| &unit.last_words)
    {
        line("  log", said.clone());
    }
    line("engine", engine(facts));
    if let Some(docker) = docker(facts) {
        line("  docker", docker);
    }
    line("rootlesskit", rootlesskit(facts));
    line("  tap0", seen(&facts.tap, "not running", network));
    for network in facts
        .engine
        .is()
        .into_iter()
        .flat_map(|engine| &engine.networks)
    {
        if network.driver == "bridge" {
            let ipv6 = if network.ipv6 { "IPv6" } else { "no IPv6" };
            line(
                "  network",
                format!("{} {ipv6}  {}", network.name, network.subnets.join(" ")),
            );
        }
    }
    line("host", seen(&facts.host.network, "no network", network));
    let tool = |tool: &crate::facts::Tool| tool.version.clone();
    line(
        "tools",
        format!(
            "pasta {}, slirp4netns {}",
            pasta(facts),
            seen(&facts.tools.slirp4netns, "not found", tool)
        ),
    );
    text
}

fn pasta(facts: &Facts) -> String {
    match facts.tools.pasta_elsewhere.is() {
        Some(pasta) => format!(
            "{}, not on the unit's PATH ({})",
            pasta.version,
            facts.short(&pasta.path)
        ),
        None => seen(&facts.tools.pasta, "not found", |tool| tool.version.clone()),
    }
}

fn seen<T>(seen: &Seen<T>, absent: &str, show: impl Fn(&T) -> String) -> String {
    match seen {
        Seen::Is(value) => show(value),
        Seen::Absent => absent.to_owned(),
        Seen::Unknown(why) => format!("unknown: {why}"),
    }
}

fn unit(facts: &Facts) -> String {
    seen(
        &facts.unit,
        &format!("{} does not exist", facts.unit_name),
        |unit| {
            let fragment = unit
                .fragment
                .as_ref()
                .map(|path| facts.short(path))
                .unwrap_or_default();
            let boot = if unit.is_enabled() {
                ""
            } else {
                ", not started at boot"
            };
            format!(
                "{} {} ({}){boot}  {fragment}",
                unit.name, unit.active_state, unit.sub_state
            )
        },
    )
}

fn engine(facts: &Facts) -> String {
    seen(&facts.engine, "nobody answers", |engine| {
        let kind = match engine {
            Engine { podman: true, .. } => "of Podman's",
            Engine { rootless: true, .. } => "rootless",
            _ => "not rootless",
        };
        format!("{} {kind}, {}", engine.version, engine.operating_system)
    })
}

/// Where `docker` leads, if that is not the unit's own socket.
fn docker(facts: &Facts) -> Option<String> {
    let there = match &facts.platform.elsewhere {
        Seen::Is(there) => there,
        Seen::Absent => return None,
        Seen::Unknown(why) => return Some(format!("where it leads is unknown: {why}")),
    };
    let by = match &there.chosen_by {
        ChosenBy::DockerHost => " (DOCKER_HOST)".to_owned(),
        ChosenBy::Context(name) => format!(" (context {name})"),
        ChosenBy::Nobody => String::new(),
    };
    Some(format!("leads to {}{by}", there.address))
}

fn rootlesskit(facts: &Facts) -> String {
    seen(&facts.rootlesskit, "not running", |kit| {
        let version = kit
            .version
            .is()
            .map_or_else(|| "?".to_owned(), ToString::to_string);
        let ipv6 = if kit.ipv6 { "--ipv6" } else { "no --ipv6" };
        let mtu = kit
            .mtu
            .map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
        let detached = if kit.detached { ", detached netns" } else { "" };
        format!(
            "{version}  {}, {ipv6}, port driver {}, mtu {mtu}{detached}",
            kit.net.name(),
            kit.port_driver
        )
    })
}

fn network(network: &Network) -> String {
    let addresses: Vec<_> = network
        .global()
        .map(|address| {
            format!(
                "{}/{} {}",
                address.address, address.prefix, address.interface
            )
        })
        .collect();
    let addresses = if addresses.is_empty() {
        "no global IPv6 address".to_owned()
    } else {
        addresses.join(", ")
    };
    let route = match network.default_routes.first() {
        Some(route) => match route.gateway {
            Some(gateway) => format!("default via {gateway} {}", route.interface),
            None => format!("default {}", route.interface),
        },
        None => "no default route".to_owned(),
    };
    format!("{addresses}; {route}")
}

/// `setup`, when there was something to do; `confirm_within` seconds it is to be confirmed.
pub fn set_up(
    verified: Option<&Verification>,
    equivalent: Option<&str>,
    confirm_within: Option<u32>,
) -> String {
    let mut text = match verified {
        Some(verified) => verification(verified),
        None => "The settings are written; `rootless6 verify` proves them.\n".to_owned(),
    };
    if let Some(equivalent) = equivalent {
        let _ = writeln!(text, "\nThe same without questions:\n  {equivalent}");
    }
    let _ = writeln!(text, "Put everything back:\n  rootless6 undo");
    if let Some(seconds) = confirm_within {
        let _ = writeln!(
            text,
            "\n{} The old settings come back in {seconds} s, unless you type, best in a new shell:\n  rootless6 confirm",
            sign(Sign::Weak)
        );
    }
    text
}

/// `setup`, when everything was in place; `due` is why a restart that nobody wanted is due.
pub fn nothing_to_do(due: Option<Restart>, verified: Option<&Verification>) -> String {
    let mut text = match due {
        None => "Everything is set up already; nothing was changed.\n".to_owned(),
        Some(why) => format!(
            "Everything is written already, and dockerd has to be restarted: {why}. Nothing was changed.\n"
        ),
    };
    if let Some(verified) = verified {
        text.push_str(&verification(verified));
    }
    text
}

/// `undo`; `earlier` says whether an earlier setup still stands.
pub fn restored(home: &Path, restored: &Restored, earlier: Option<&str>) -> String {
    let mut text = String::new();
    if restored.restored.is_empty() && restored.skipped.is_empty() {
        text.push_str("There is nothing to undo.\n");
    }
    for path in &restored.restored {
        let _ = writeln!(text, "{} put back  {}", sign(Sign::Good), short(path, home));
    }
    for Skipped { path, why, edit } in &restored.skipped {
        let path = short(path, home);
        let _ = writeln!(text, "{} left alone  {path}: {why}", sign(Sign::Weak));
        if let Some(edit) = edit {
            text.push_str(&preview::difference(&edit.ours, &edit.now));
            text.push_str("  `rootless6 undo` puts it back too, once your change is out of it.\n");
        }
    }
    if let Some(unit) = earlier {
        let flag = unit_flag(unit);
        let of = if flag.is_empty() {
            String::new()
        } else {
            format!(" of {unit}")
        };
        let _ = writeln!(
            text,
            "An earlier setup{of} still stands; `rootless6 undo{flag}` takes that back too."
        );
    }
    text
}

/// Words as a shell takes them.
pub fn command_line(words: &[String]) -> String {
    let typed: Vec<String> = words.iter().map(|word| typed(word)).collect();
    typed.join(" ")
}
