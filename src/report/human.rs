//! Text for people: the verdict first, then what to do, then the evidence.

use std::fmt::Write;
use std::path::Path;

use similar::TextDiff;

use crate::apply::Restored;
use crate::diagnose::{Cure, Finding, Severity, Wanted, obstacle};
use crate::facts::{Container, Facts, Network, Seen, short};
use crate::hostile::plain;
use crate::plan::{FileChange, Plan};
use crate::ui::{BAD, FAINT, GOOD, STRONG, Sign, advice, sign, unicode};
use crate::verify::{Check, Outcome, Verification};

/// Lines of a file shown around a change.
const CONTEXT: usize = 2;

/// `status`: one screen.
pub fn status(facts: &Facts, findings: &[Finding]) -> String {
    let mut text = scene(facts);
    let _ = writeln!(text);
    if findings.is_empty() {
        let _ = writeln!(
            text,
            "{} nothing speaks against IPv6; `rootless6 verify` proves it",
            sign(Sign::Good)
        );
    }
    for finding in findings {
        let (mark, word) = match finding.severity {
            Severity::Broken => (sign(Sign::Bad), "broken"),
            Severity::Weak => (sign(Sign::Weak), "weak"),
            Severity::Note => (sign(Sign::Weak), "note"),
        };
        let _ = writeln!(
            text,
            "{mark} {word}  {} {FAINT}{}{FAINT:#}",
            finding.title, finding.code
        );
    }
    let curable = findings.iter().any(|finding| finding.cure == Cure::Setup);
    match obstacle(findings, Wanted::default()) {
        Ok(()) if curable => {
            let _ = writeln!(
                text,
                "\n{STRONG}hint{STRONG:#}: `rootless6 setup` makes IPv6 work"
            );
        }
        Ok(()) => {}
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
    line("engine", engine(facts));
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
            seen(&facts.tools.pasta, "not found", tool),
            seen(&facts.tools.slirp4netns, "not found", tool)
        ),
    );
    text
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
            format!(
                "{} {} ({})  {fragment}",
                unit.name, unit.active_state, unit.sub_state
            )
        },
    )
}

fn engine(facts: &Facts) -> String {
    seen(&facts.engine, "nobody answers", |engine| {
        let kind = if engine.rootless {
            "rootless"
        } else {
            "not rootless"
        };
        format!("{} {kind}, {}", engine.version, engine.operating_system)
    })
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

/// The plan before the yes: files with their differences, then what the restart does.
pub fn preview(facts: &Facts, plan: &Plan, stopping: &[Container], restarts: bool) -> String {
    let mut text = String::new();
    for change in &plan.files {
        let new = if change.before.is_none() {
            " (new)"
        } else {
            ""
        };
        let _ = writeln!(text, "{STRONG}{}{STRONG:#}{new}", facts.short(&change.path));
        text.push_str(&difference(change));
        text.push('\n');
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let unit = &facts.unit_name;
    if !restarts {
        let _ = writeln!(text, "{unit} is not restarted.");
        return text;
    }
    let why = plan.restart.as_deref().unwrap_or_default();
    let _ = writeln!(text, "{unit} is restarted: {why}.");
    text.push_str(&blast_radius(stopping));
    text
}

fn difference(change: &FileChange) -> String {
    let before = change.before.as_deref().unwrap_or_default();
    let diff = TextDiff::from_lines(before, &change.after);
    let mut text = String::new();
    for group in diff.grouped_ops(CONTEXT) {
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let content = line.value().trim_end_matches(['\n', '\r']);
            let _ = match line.tag() {
                similar::ChangeTag::Delete => writeln!(text, "  {BAD}- {content}{BAD:#}"),
                similar::ChangeTag::Insert => writeln!(text, "  {GOOD}+ {content}{GOOD:#}"),
                similar::ChangeTag::Equal => writeln!(text, "    {content}"),
            };
        }
    }
    text
}

fn blast_radius(stopping: &[Container]) -> String {
    let mut text = String::new();
    if stopping.is_empty() {
        text.push_str("No container is running.\n");
        return text;
    }
    let _ = writeln!(text, "{}", containers_stop(stopping.len()));
    for container in stopping {
        let after = if container.comes_back() {
            "comes back by itself"
        } else {
            "stays down"
        };
        let ports = if container.ports.is_empty() {
            String::new()
        } else {
            format!(", ports {}", container.ports.join(" "))
        };
        let _ = writeln!(
            text,
            "  {}: {after} (restart policy {}{ports})",
            plain(&container.name),
            container.restart
        );
    }
    text
}

fn containers_stop(count: usize) -> String {
    match count {
        1 => "1 running container stops:".to_owned(),
        count => format!("{count} running containers stop:"),
    }
}

/// What an `e` at the last question shows.
pub fn explanation(plan: &Plan) -> String {
    let mut text = String::from(
        "
RootlessKit connects containers to the network. With slirp4netns it carries no ICMPv6, so ping6
cannot work. pasta carries TCP, UDP and echo requests of both families; --ipv6 lets it, and the
implicit port driver is the only one that it accepts. The MTU of 65520 keeps pasta fast.
",
    );
    if plan
        .files
        .iter()
        .any(|change| change.after.contains("ExecStartPost="))
    {
        text.push_str(
            "
This RootlessKit (before 2.3.0) lets pasta forward IPv6 but gives its interface no address. So each
start of dockerd runs `rootless6 uplink`, which adds the address and a default route. If the program
is gone one day, dockerd starts all the same.
",
        );
    }
    if plan
        .files
        .iter()
        .any(|change| change.path.ends_with("daemon.json"))
    {
        text.push_str(
            "
daemon.json tells dockerd to give containers IPv6 addresses of their own, from a unique local
prefix, and to masquerade them behind the host's address.
",
        );
    }
    text.push_str(
        "
The old files are kept in ~/.local/state/rootless6. If dockerd does not come back, or a container
cannot ping6 afterwards, everything is put back by itself; `rootless6 undo` does it any time later.
",
    );
    text
}

/// `verify`: verdict, cause, checks.
pub fn verification(verification: &Verification) -> String {
    let mut text = match verification.verdict {
        Outcome::Pass => format!("{} IPv6 works\n", sign(Sign::Good)),
        Outcome::Fail => format!("{} IPv6 does not work\n", sign(Sign::Bad)),
        Outcome::Skip | Outcome::Unknown => {
            format!(
                "{} it is not clear whether IPv6 works\n",
                sign(Sign::Unknown)
            )
        }
    };
    if let (Some(cause), Some(explanation)) = (verification.cause, &verification.explanation) {
        let _ = writeln!(text, "  {STRONG}{cause}{STRONG:#}: {explanation}");
    }
    let _ = writeln!(text);
    for check in &verification.checks {
        let _ = writeln!(text, "  {}", check_line(check));
    }
    text
}

fn check_line(check: &Check) -> String {
    let mark = sign(match check.outcome {
        Outcome::Pass => Sign::Good,
        Outcome::Fail => Sign::Bad,
        Outcome::Skip => Sign::Weak,
        Outcome::Unknown => Sign::Unknown,
    });
    let word = match check.outcome {
        Outcome::Pass => "ok",
        Outcome::Fail => "failed",
        Outcome::Skip => "skipped",
        Outcome::Unknown => "unknown",
    };
    let arrow = if unicode() { "→" } else { "->" };
    let to = check
        .to
        .map(|to| format!(" {arrow} {to}"))
        .unwrap_or_default();
    let time = check
        .rtt_ms
        .map(|rtt| format!("  {}", milliseconds(rtt.median)))
        .unwrap_or_default();
    let why = check
        .why
        .as_ref()
        .map(|why| format!("  {FAINT}{why}{FAINT:#}"))
        .unwrap_or_default();
    format!(
        "{mark} {word:<7} {:<10} {:<5}{to}{time}{why}",
        check.from, check.proto
    )
}

/// Below 10 µs the clock readings themselves are most of it.
fn milliseconds(value: f64) -> String {
    if value < 0.01 {
        return "<0.01 ms".to_owned();
    }
    format!("{value:.2} ms")
}

/// What did not pass, in one line.
pub fn checks_in_words(verification: &Verification) -> String {
    let bad: Vec<_> = verification
        .checks
        .iter()
        .filter(|check| matches!(check.outcome, Outcome::Fail | Outcome::Unknown))
        .map(|check| {
            let why = check.why.as_deref().unwrap_or("failed");
            format!("{}: {why}", check.id)
        })
        .collect();
    bad.join("; ")
}

/// `setup`, when there was something to do.
pub fn set_up(verified: Option<&Verification>, equivalent: Option<&str>) -> String {
    let mut text = match verified {
        Some(verified) => verification(verified),
        None => "The settings are written; `rootless6 verify` proves them.\n".to_owned(),
    };
    if let Some(equivalent) = equivalent {
        let _ = writeln!(text, "\nThe same without questions:\n  {equivalent}");
    }
    let _ = writeln!(text, "Put everything back:\n  rootless6 undo");
    text
}

/// `setup`, when everything was in place.
pub fn nothing_to_do(verified: Option<&Verification>) -> String {
    let mut text = "Everything is set up already; nothing was changed.\n".to_owned();
    if let Some(verified) = verified {
        text.push_str(&verification(verified));
    }
    text
}

/// `undo`; `earlier` says whether an earlier setup still stands.
pub fn restored(home: &Path, restored: &Restored, earlier: bool) -> String {
    let mut text = String::new();
    if restored.restored.is_empty() && restored.skipped.is_empty() {
        text.push_str("There is nothing to undo.\n");
    }
    for path in &restored.restored {
        let _ = writeln!(text, "{} put back  {}", sign(Sign::Good), short(path, home));
    }
    for (path, why) in &restored.skipped {
        let path = short(path, home);
        let _ = writeln!(text, "{} left alone  {path}: {why}", sign(Sign::Weak));
    }
    if earlier {
        let _ = writeln!(
            text,
            "An earlier setup still stands; `rootless6 undo` takes that back too."
        );
    }
    text
}

/// Words as a shell takes them.
pub fn command_line(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c))
    };
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            if plain(word) {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect();
    quoted.join(" ")
}
