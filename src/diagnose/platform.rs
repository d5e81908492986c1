//! Places where no drop-in helps: what they are, and what to do instead.

use std::path::Path;

use super::{Code, Cure, Finding, Severity};
use crate::facts::{ChosenBy, Elsewhere, Engine, Facts, Seen, Version};
use crate::hostile::plain;
use product::Product;

mod product;

/// From here on dockerd-rootless.sh refuses to start beside containerd-rootless.sh (moby#52171).
const REFUSES_CONTAINERD: Version = Version::new(29, 4, 0);

/// The key of a section that may be there already, with others in it (wsl.conf).
const WITH_SYSTEMD: &[&str] = &[
    "touch /etc/wsl.conf",
    r"sed -i 's/^[[:space:]]*systemd[[:space:]]*=.*/systemd=true/' /etc/wsl.conf",
    r"grep -q '^[[]boot[]]' /etc/wsl.conf || printf '\n[boot]\n' >> /etc/wsl.conf",
    r"grep -qx 'systemd=true' /etc/wsl.conf || sed -i '/^[[]boot[]]/a systemd=true' /etc/wsl.conf",
];

/// The Engine is no rootless dockerd of this machine, or `docker` leads to another one.
pub(super) fn elsewhere(facts: &Facts) -> Option<Finding> {
    let there = facts.platform.elsewhere.is();
    let is_looked_at = |there: &Elsewhere| there.socket().map(Path::new) == Some(&facts.socket);
    let answering = || match there {
        Some(there) if is_looked_at(there) => None,
        _ => answering(facts),
    };
    match facts.unit.is_loaded() {
        Some(true) => answering().or_else(|| beside(facts, there?)),
        known => there
            .and_then(|there| instead(facts, there, known == Some(false)))
            .or_else(answering),
    }
}

/// The Engine on the socket that is looked at.
fn answering(facts: &Facts) -> Option<Finding> {
    let engine = facts.engine.is()?;
    let socket = facts.socket.to_string_lossy();
    let product = Product::of(engine, &socket, &facts.platform.host_name)?;
    let (why, instead) = product.words();
    let finding = Finding::new(
        product.code(),
        Severity::Broken,
        title(product),
        Cure::Words(instead.to_owned()),
    );
    Some(finding.seen(says(engine)).seen(why))
}

/// Where there is no unit, or nobody knows of one, that other Engine is what the user has.
fn instead(facts: &Facts, there: &Elsewhere, no_unit: bool) -> Option<Finding> {
    let product = product(facts, there)?;
    // In a shell without a bus the user's own unit may well run beside a root's dockerd.
    if there.chosen_by == ChosenBy::Nobody && product == Product::Rootful && !no_unit {
        return None;
    }
    let (why, instead) = product.words();
    let mut hints = instead.to_owned();
    if there.chosen_by != ChosenBy::Nobody && !no_unit {
        hints = format!("{hints}\n{}", for_the_unit(facts, &there.chosen_by));
    }
    let mut finding = Finding::new(
        product.code(),
        Severity::Broken,
        match product {
            Product::Remote => format!("{}, not to a socket of this machine", leads(there)),
            _ => title(product),
        },
        Cure::Words(hints),
    );
    if product != Product::Remote {
        finding = finding.seen(leads(there)).seen(answer(there));
    }
    Some(finding.seen(why))
}

/// The unit is what rootless6 is for, but whoever types `docker` gets to another Engine.
fn beside(facts: &Facts, there: &Elsewhere) -> Option<Finding> {
    let product = product(facts, there);
    let chosen = there.chosen_by != ChosenBy::Nobody;
    if !chosen && (product.is_none() || there.engine.is().is_none()) {
        return None;
    }
    let unit = &facts.unit.is()?.name;
    let socket = facts.socket.display();
    let context = match there.chosen_by {
        ChosenBy::DockerHost => "",
        _ => "`docker context use rootless`, or ",
    };
    let mut hints =
        format!("to have `docker` lead to {unit}: {context}`export DOCKER_HOST=unix://{socket}`");
    let mut severity = Severity::Note;
    if chosen {
        severity = Severity::Weak;
        let instead = product.and_then(|product| product.words().1.lines().next());
        let meant = for_the_unit(facts, &there.chosen_by);
        hints = format!("{meant}\n{hints}\n{}", instead.unwrap_or_default());
    }
    let title = format!(
        "{} leads to {}, not to this user's {unit}",
        by(&there.chosen_by),
        product.map_or("another socket", Product::name)
    );
    let finding = Finding::new(Code::ContextElsewhere, severity, title, Cure::Words(hints));
    let mut finding = finding.seen(leads(there));
    if there.socket().is_some() {
        finding = finding.seen(answer(there));
    }
    Some(finding.seen(format!("{unit} listens on {socket}")))
}

fn product(facts: &Facts, there: &Elsewhere) -> Option<Product> {
    let Some(socket) = there.socket() else {
        return Some(Product::Remote);
    };
    match there.engine.is() {
        Some(engine) => Product::of(engine, socket, &facts.platform.host_name),
        None => Product::at(socket),
    }
}

fn title(product: Product) -> String {
    match product {
        Product::Podman => "this is Podman, not Docker".to_owned(),
        Product::Rootful => "the Engine that answers is not rootless".to_owned(),
        Product::Lima => "this Docker runs in a virtual machine of Lima's".to_owned(),
        product => format!(
            "this is {}: its network is not RootlessKit's",
            product.name()
        ),
    }
}

fn by(chosen_by: &ChosenBy) -> String {
    match chosen_by {
        ChosenBy::DockerHost => "DOCKER_HOST".to_owned(),
        ChosenBy::Context(name) => format!("docker's context {}", plain(name)),
        ChosenBy::Nobody => "`docker`".to_owned(),
    }
}

fn leads(there: &Elsewhere) -> String {
    format!(
        "{} leads to {}",
        by(&there.chosen_by),
        plain(&there.address)
    )
}

fn answer(there: &Elsewhere) -> String {
    match &there.engine {
        Seen::Is(engine) => says(engine),
        Seen::Absent => "nobody answers there".to_owned(),
        Seen::Unknown(why) => format!("who answers there is unknown: {why}"),
    }
}

/// What an Engine says of itself, as far as it tells products apart.
fn says(engine: &Engine) -> String {
    let kind = match engine {
        Engine { podman: true, .. } => "Podman",
        Engine { rootless: true, .. } => "a rootless Engine",
        _ => "an Engine that is not rootless",
    };
    let on = match plain(&engine.name) {
        name if name.is_empty() => name,
        name => format!(", on {name}"),
    };
    let system = plain(&engine.operating_system);
    format!("{kind} answers: {}, {system}{on}", engine.version)
}

/// How to say that the unit is meant all the same.
fn for_the_unit(facts: &Facts, chosen_by: &ChosenBy) -> String {
    let way = match chosen_by {
        ChosenBy::DockerHost => "env -u DOCKER_HOST DOCKER_CONTEXT=default",
        _ => "DOCKER_CONTEXT=default",
    };
    format!(
        "if this user's {} is meant: `{way} rootless6 setup`",
        facts.unit_name
    )
}

/// WSL2 runs its own init unless the distribution asks for systemd.
pub(super) fn wsl_without_systemd(facts: &Facts) -> Option<Finding> {
    let bus = facts.unit.unknown()?;
    if !facts.platform.is_wsl() || facts.platform.systemd != Some(false) {
        return None;
    }
    Some(
        Finding::new(
            Code::NoUserBus,
            Severity::Broken,
            "this distribution in WSL2 runs without systemd, so there is no user unit",
            Cure::Root(WITH_SYSTEMD.iter().map(|&line| line.to_owned()).collect()),
        )
        .seen(bus)
        .seen("systemd needs WSL 0.67.6 or later: `wsl.exe --version`")
        .seen("what root sets holds from the next `wsl.exe --shutdown` on, once the distribution is open again"),
    )
}

/// The usual reason for a host without IPv6 where the host is a distribution in WSL2.
pub(super) fn wsl_nat(facts: &Facts) -> Option<Finding> {
    let network = facts.host.network.is()?;
    let is_on = facts.host.ipv6_off == Seen::Absent;
    if !facts.platform.is_wsl() || !is_on || !network.default_routes.is_empty() {
        return None;
    }
    let (why, instead) = paragraph(include_str!("../../templates/platform/wsl-nat.txt"));
    Some(
        Finding::new(
            Code::HostNoIpv6Route,
            Severity::Broken,
            "this distribution in WSL2 has no IPv6 default route",
            Cure::Words(instead.to_owned()),
        )
        .seen(why),
    )
}

pub(super) fn containerd_rootless(facts: &Facts) -> Option<Finding> {
    let directory = facts.platform.containerd_rootless.as_ref()?;
    let version = facts.engine_version()?;
    (version >= REFUSES_CONTAINERD).then(|| {
        Finding::new(
            Code::ContainerdRootlessConflict,
            Severity::Broken,
            "dockerd does not start beside a rootless containerd of the same user",
            Cure::Words(
                "choose one; nerdctl's containers stop by both: `systemctl --user disable --now containerd.service` stops containerd and keeps its unit, `containerd-rootless-setuptool.sh uninstall` takes that away too"
                    .to_owned(),
            ),
        )
        .seen(format!("{} is there", directory.display()))
        .seen(format!(
            "from Engine 29.4 on dockerd-rootless.sh refuses to start then; this is {version}"
        ))
    })
}

/// What is so, in the first line, and what to do instead, in the others.
fn paragraph(text: &str) -> (&str, &str) {
    text.trim_end().split_once('\n').unwrap_or((text, ""))
}
