//! The variables that dockerd-rootless.sh hands to RootlessKit.

use std::path::Path;

use super::dropin;
use crate::diagnose::{Cure, install};
use crate::error::{Error, Exit, Result};
use crate::facts::{Facts, NetDriver, Seen, Unit, Version, typed, value_of};
use crate::request::{Intent, Mtu, Net, PortDriver};

/// RootlessKit's `--net`.
pub(super) const NET: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET";
/// RootlessKit's `--port-driver`.
pub(super) const PORT_DRIVER: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER";
/// RootlessKit's `--mtu`.
pub(super) const MTU: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU";
/// Further options for RootlessKit, split at blanks.
pub(super) const FLAGS: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS";

/// Whether RootlessKit detaches its netns.
pub(super) const DETACH_NETNS: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_DETACH_NETNS";
/// From here on it does unless it is told not to (moby:contrib/dockerd-rootless.sh).
pub(super) const SCRIPT_DETACHES: Version = Version::new(29, 5, 0);

/// Where the unit finds pasta and everything else.
pub(super) const PATH: &str = "PATH";
/// The PATH of a service whose unit and whose manager name none (systemd.exec(5)).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// RootlessKit's variables that our drop-in may set.
pub const VARIABLES: &[&str] = &[NET, PORT_DRIVER, MTU, FLAGS];

/// Drivers that pasta leaves port forwarding to (rootlesskit:cmd/rootlesskit/main.go).
const PASTAS_PORT_DRIVERS: &[&str] = &["implicit", "none", "pesto"];

/// The options that the script passes in every version (moby:contrib/dockerd-rootless.sh).
const FIXED: &[&str] = &[
    "--disable-host-loopback",
    "--copy-up=/etc",
    "--copy-up=/run",
    "--propagation=rslave",
];

/// Names and values.
pub(super) type Variables = Vec<(String, String)>;

/// What others have written, without our own drop-in.
fn others(facts: &Facts, unit: &Unit) -> dropin::Environment {
    let texts: Vec<&str> = unit
        .files
        .iter()
        .filter(|file| file.path != facts.our_drop_in.path)
        .map(|file| file.text.as_str())
        .collect();
    dropin::environment(&texts)
}

/// Our variables as they would be without our own drop-in.
///
/// # Errors
/// When a value can be told only by systemd.
pub(super) fn base(facts: &Facts, unit: &Unit) -> Result<Variables> {
    let written = others(facts, unit);
    // What systemd itself has resolved is best, as long as it does not include ours; and ours will
    // do where nothing else tells what a specifier stands for, since merging twice changes nothing.
    let resolved = !unit.needs_reload && !unit.drop_ins.contains(&facts.our_drop_in.path);
    let mut base = Variables::new();
    for &name in VARIABLES {
        if let Some((_, value)) = unit.from_files(name) {
            base.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let value = match written.variable(name) {
            Some(variable) if resolved || (variable.uncertain && !unit.needs_reload) => {
                unit.variable(name).unwrap_or(&variable.value)
            }
            Some(variable) if variable.uncertain => {
                let why = format!("only systemd knows what {:?} stands for", variable.value);
                return Err(unusable(unit, name, &why));
            }
            Some(variable) => &variable.value,
            None => match value_of(&unit.manager_environment, name) {
                Some(value) => value,
                None => continue,
            },
        };
        base.push((name.to_owned(), value.to_owned()));
    }
    Ok(base)
}

fn unusable(unit: &Unit, name: &str, why: &str) -> Error {
    let unit = typed(&unit.name);
    Error::cannot(Exit::NotApplied, format!("merge into {name}"))
        .caused_by(why)
        .hint(format!(
            "see `systemctl --user cat {unit}`, and write the value out there"
        ))
}

/// Our variables as they are to be.
///
/// # Errors
/// When the drivers do not go together, or a flag cannot be passed on.
pub(super) fn planned(
    facts: &Facts,
    base: &[(String, String)],
    intent: &Intent,
) -> Result<Variables> {
    can_be_had(facts, intent.net)?;
    let ours = ours(facts);
    let kept = |name| value_of(&ours, name).map(str::to_owned);
    let net = match intent.net {
        Net::Pasta => Some("pasta".to_owned()),
        Net::Slirp4netns => Some("slirp4netns".to_owned()),
        Net::Keep => kept(NET),
    };
    let port_driver = match intent.port_driver {
        PortDriver::FitForPasta => Some(fit_for_pasta(base)),
        PortDriver::Implicit => Some("implicit".to_owned()),
        PortDriver::Builtin => Some("builtin".to_owned()),
        PortDriver::Slirp4netns => Some("slirp4netns".to_owned()),
        PortDriver::Keep => kept(PORT_DRIVER),
    };
    let mtu = match intent.mtu {
        Mtu::Bytes(mtu) => Some(mtu.to_string()),
        Mtu::Keep => kept(MTU),
    };
    let flags = Some(merged_flags(base, intent)?);
    let path = match intent.net {
        Net::Pasta => path_with_pasta(facts),
        Net::Slirp4netns | Net::Keep => kept(PATH),
    };
    let variables: Variables = VARIABLES
        .iter()
        .chain([&PATH])
        .zip([net, port_driver, mtu, flags, path])
        .filter_map(|(&name, value)| Some((name.to_owned(), value?)))
        .collect();
    let (net, port_driver) = drivers(facts, base, &variables);
    go_together(net, port_driver)?;
    Ok(variables)
}

/// What the tools that are there cannot do is not worth a restart.
fn can_be_had(facts: &Facts, net: Net) -> Result<()> {
    if net != Net::Slirp4netns || facts.tools.slirp4netns != Seen::Absent {
        return Ok(());
    }
    let mut error = Error::new(Exit::Blocked, "slirp4netns is not on the PATH of the unit");
    match install("slirp4netns", facts) {
        Cure::Root(lines) => error.needs_root = lines,
        Cure::Words(words) => error = error.hint(words),
        Cure::Setup => {}
    }
    Err(error.hint("then run `rootless6 setup` again"))
}

/// Whoever has configured one of pasta's own, such as pesto, keeps it.
fn fit_for_pasta(base: &[(String, String)]) -> String {
    value_of(base, PORT_DRIVER)
        .filter(|theirs| PASTAS_PORT_DRIVERS.contains(theirs))
        .unwrap_or("implicit")
        .to_owned()
}

/// What our own drop-in sets now: to keep a setting is to keep ours too.
fn ours(facts: &Facts) -> Variables {
    let text = facts.our_drop_in.text.is().map_or("", String::as_str);
    dropin::environment(&[text])
        .variables
        .into_iter()
        .map(|variable| (variable.name, variable.value))
        .collect()
}

/// The unit's PATH with pasta's directory at its end; none where pasta is on it anyway.
fn path_with_pasta(facts: &Facts) -> Option<String> {
    let unit = facts.unit.is()?;
    let tools = &facts.tools;
    let pasta = tools.pasta.is().or_else(|| tools.pasta_elsewhere.is())?;
    let directory = pasta.path.parent()?;
    let ours = value_of(&ours(facts), PATH).map(str::to_owned);
    let written = others(facts, unit);
    let theirs = match (unit.from_files(PATH), written.variable(PATH)) {
        (Some((_, path)), _) => path,
        // Only systemd knows what the specifier stands for, and it says ours by now.
        (None, Some(path)) if path.uncertain && ours.is_some() => return ours,
        (None, Some(path)) if path.uncertain => unit.variable(PATH)?,
        (None, Some(path)) => &path.value,
        (None, None) => value_of(&unit.manager_environment, PATH).unwrap_or(DEFAULT_PATH),
    };
    let on_it = theirs.split(':').any(|known| Path::new(known) == directory);
    let directory = directory.to_str().filter(|text| !text.contains(':'))?;
    (!on_it).then(|| format!("{theirs}:{directory}"))
}

fn merged_flags(base: &[(String, String)], intent: &Intent) -> Result<String> {
    let theirs = value_of(base, FLAGS).unwrap_or_default();
    let wanted: Vec<&str> = std::iter::once("--ipv6")
        .chain(intent.flags.iter().map(String::as_str))
        .collect();
    dropin::merge_flags(theirs, &wanted).map_err(|error| {
        Error::cannot(Exit::Usage, format!("merge --ipv6 into {FLAGS}"))
            .caused_by(error)
            .hint("give each option of RootlessKit's as one `--flag TOKEN` without blanks or globs")
    })
}

/// The drivers that RootlessKit would start with: planned, else configured, else running now.
/// None where the script would choose.
pub(super) fn drivers<'a>(
    facts: &'a Facts,
    base: &'a [(String, String)],
    planned: &'a [(String, String)],
) -> (Option<&'a str>, Option<&'a str>) {
    let live = facts.rootlesskit.is();
    let configured = |name| value_of(planned, name).or_else(|| value_of(base, name));
    (
        configured(NET).or_else(|| live.map(|kit| kit.net.name())),
        configured(PORT_DRIVER).or_else(|| live.map(|kit| kit.port_driver.as_str())),
    )
}

/// A pair that RootlessKit refuses stops dockerd, and so does `--ipv6` with a driver that has none.
fn go_together(net: Option<&str>, port_driver: Option<&str>) -> Result<()> {
    let (Some(net), Some(port_driver)) = (net, port_driver) else {
        return Ok(());
    };
    let pastas_own = PASTAS_PORT_DRIVERS.contains(&port_driver);
    let fits = match NetDriver::named(net) {
        NetDriver::Pasta => pastas_own,
        NetDriver::Slirp4netns => !pastas_own || port_driver == "none",
        NetDriver::GvisorTapVsock | NetDriver::Other(_) => {
            return Err(Error::new(
                Exit::Usage,
                format!("RootlessKit's driver {net} has no IPv6"),
            )
            .hint("choose pasta: `rootless6 setup --net pasta`"));
        }
    };
    if fits {
        return Ok(());
    }
    Err(Error::new(
        Exit::Usage,
        format!("RootlessKit does not start with --net={net} and --port-driver={port_driver}"),
    )
    .hint("leave both out, or keep both: `--net keep --port-driver keep`"))
}

/// RootlessKit's network driver with these variables; none where its script would choose.
pub(super) fn net(
    facts: &Facts,
    base: &[(String, String)],
    planned: &[(String, String)],
) -> Option<NetDriver> {
    drivers(facts, base, planned).0.map(NetDriver::named)
}

/// RootlessKit's options, as the script would build them; none where the script would choose the
/// driver.
pub(super) fn options(
    facts: &Facts,
    base: &[(String, String)],
    planned: &[(String, String)],
) -> Option<Vec<String>> {
    let (net, port_driver) = drivers(facts, base, planned);
    let mut options = vec![
        format!("--net={}", net?),
        format!("--port-driver={}", port_driver?),
    ];
    let configured = |name| value_of(planned, name).or_else(|| value_of(base, name));
    options.extend(configured(MTU).map(|mtu| format!("--mtu={mtu}")));
    options.extend(FIXED.iter().map(|&option| option.to_owned()));
    if detaches(facts) {
        options.push("--detach-netns".to_owned());
    }
    let flags = configured(FLAGS).unwrap_or_default();
    options.extend(flags.split_whitespace().map(str::to_owned));
    Some(options)
}

/// Whether dockerd's script has RootlessKit detach its netns: as it does now, else by default.
fn detaches(facts: &Facts) -> bool {
    if let Some(kit) = facts.rootlesskit.is() {
        return kit.detached;
    }
    let variable = facts
        .unit
        .is()
        .and_then(|unit| unit.effective(DETACH_NETNS));
    let is_refused = matches!(variable, Some("false" | "0"));
    let version = facts.engine_version();
    version.is_some_and(|version| version >= SCRIPT_DETACHES) && !is_refused
}

/// Settings of others that ours replace; the flags are merged, so they are not among them.
pub(super) fn overruled(base: &[(String, String)], planned: &[(String, String)]) -> Vec<String> {
    planned
        .iter()
        .filter(|(name, _)| name != FLAGS)
        .filter_map(|(name, value)| {
            let theirs = value_of(base, name)?;
            (theirs != value).then(|| format!("{name}={theirs} is overruled by {value}"))
        })
        .collect()
}

/// Whether dockerd must be restarted for these variables, though they are written already.
pub(super) fn not_live(facts: &Facts, unit: &Unit, planned: &[(String, String)]) -> bool {
    if planned
        .iter()
        .any(|(name, value)| unit.variable(name) != Some(value))
    {
        return true;
    }
    let Some(kit) = facts.rootlesskit.is() else {
        return false;
    };
    let wants = |name, now: &str| value_of(planned, name).is_some_and(|value| value != now);
    let mtu = kit.mtu.map(|mtu| mtu.to_string()).unwrap_or_default();
    wants(NET, kit.net.name())
        || wants(PORT_DRIVER, &kit.port_driver)
        || wants(MTU, &mtu)
        || !kit.ipv6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{RootlessKit, Tool};

    #[test]
    fn a_stopped_rootlesskit_detaches_as_its_script_would_have_it() {
        for (version, variable, running, expected) in [
            ("29.5.0", None, None, true),
            ("29.4.3", None, None, false),
            ("29.5.0", Some("false"), None, false),
            ("29.5.0", Some("true"), None, true),
            ("29.5.0", None, Some(false), false),
            ("28.5.2", None, Some(true), true),
        ] {
            let mut facts = Facts::default();
            facts.tools.dockerd = Seen::Is(Tool {
                version: version.to_owned(),
                ..Tool::default()
            });
            let set = |value: &str| (DETACH_NETNS.to_owned(), value.to_owned());
            facts.unit = Seen::Is(Unit {
                environment: variable.map(set).into_iter().collect(),
                ..Unit::default()
            });
            if let Some(detached) = running {
                facts.rootlesskit = Seen::Is(RootlessKit {
                    detached,
                    ..RootlessKit::default()
                });
            }
            assert_eq!(
                detaches(&facts),
                expected,
                "{version} {variable:?} {running:?}"
            );
        }
    }

    #[test]
    fn drivers_that_rootlesskit_refuses_are_refused_before_it_is_asked() {
        for (net, port_driver, fits) in [
            (Some("pasta"), Some("implicit"), true),
            (Some("pasta"), Some("pesto"), true),
            (Some("pasta"), Some("builtin"), false),
            (Some("slirp4netns"), Some("builtin"), true),
            (Some("slirp4netns"), Some("implicit"), false),
            (Some("gvisor-tap-vsock"), Some("gvisor-tap-vsock"), false),
            (None, Some("implicit"), true),
            (Some("pasta"), None, true),
        ] {
            assert_eq!(
                go_together(net, port_driver).is_ok(),
                fits,
                "{net:?} {port_driver:?}"
            );
        }
    }
}
