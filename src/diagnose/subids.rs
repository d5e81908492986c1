//! Subordinate ids, and the programs that map them.

use std::path::Path;

use super::{Code, Cure, Finding, Severity, etc, packages, start};
use crate::facts::{Facts, MapperUnfit, Seen, TooFew, subids::ENOUGH, typed};

/// Where only root writes.
const SYSTEMS_OWN: [&str; 3] = ["/usr/bin", "/bin", "/usr/sbin"];

pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    let files = [
        ("/etc/subuid", &facts.start.subuids),
        ("/etc/subgid", &facts.start.subgids),
    ];
    let lacking: Vec<(&str, &TooFew)> = files
        .into_iter()
        .filter_map(|(file, seen)| Some((file, seen.is()?)))
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let user = &facts.session.user;
    let none = |(file, few): &(&str, &TooFew)| (few.has == 0).then(|| kind(file));
    let none: Vec<&str> = lacking.iter().filter_map(none).collect();
    let (severity, title) = if none.is_empty() {
        let title = format!("{user} has fewer subordinate ids than images need: pulls may fail");
        (Severity::Weak, title)
    } else {
        let what = format!("{user} has no subordinate {} to map", none.join(" and "));
        (Severity::Broken, start::no_start(facts, &what))
    };
    let finding = Finding::new(Code::SubidsMissing, severity, title, add(facts, &lacking));
    let seen = |finding: Finding, (file, few): &(&str, &TooFew)| {
        finding.seen(match few.has {
            0 => format!("{file} has no line for {user} or {}", facts.session.uid),
            has => format!("{file} gives {user} {has} ids; {ENOUGH} are needed"),
        })
    };
    Some(lacking.iter().fold(finding, seen))
}

fn kind(file: &str) -> &'static str {
    if file.ends_with("subuid") {
        "users"
    } else {
        "groups"
    }
}

/// A range more is as good as a longer one. Whether it is free still is asked of the file when root
/// gets to it, under the lock that useradd(8) and usermod(8) take: of two with the same range, each could
/// change the other's containers. usermod itself would take any range, and no user of another source.
fn add(facts: &Facts, lacking: &[(&str, &TooFew)]) -> Cure {
    let mut lines = Vec::new();
    for (file, few) in lacking {
        let Some(free) = few.free else {
            return Cure::Words(format!(
                "there is no free range of {ENOUGH} in {file}: root takes one from somebody"
            ));
        };
        let line = typed(&format!("{}:{free}:{ENOUGH}", facts.session.user));
        let end = free + ENOUGH;
        lines.push(etc::existing(file));
        lines.push(format!(
            "grep -qxF -e {line} {file} || (set -C; printf %s $$ > {file}.lock && trap 'rm {file}.lock' EXIT && awk -F: '!/^[[:space:]]*#/ && $2 < {end} && $2 + $3 > {free} {{ exit 1 }}' {file} && {{ {}; }} && printf '%s\\n' {line} >> {file}) || {{ echo '{file} is in use, or {free} is taken by now: run rootless6 doctor again' >&2; false; }}",
            etc::ended(file)
        ));
    }
    Cure::Root(lines)
}

pub(super) fn mapper_missing(facts: &Facts) -> Option<Finding> {
    let mappers = [
        ("newuidmap", &facts.start.newuidmap),
        ("newgidmap", &facts.start.newgidmap),
    ];
    let unfit: Vec<(&str, &MapperUnfit)> = mappers
        .into_iter()
        .filter_map(|(name, seen)| Some((name, seen.is()?)))
        .collect();
    let (_, worst) = unfit.iter().max_by_key(|(_, why)| rank(why))?;
    let names: Vec<&str> = unfit.iter().map(|(name, _)| *name).collect();
    let names = names.join(" and ");
    let (what, cure) = match worst {
        MapperUnfit::Missing => (
            format!("no {names} on the PATH of the unit"),
            packages::install_mappers(facts),
        ),
        MapperUnfit::NotOnPath(path) => (
            format!("{names} installed, but not on the PATH of the unit"),
            Cure::Words(format!(
                "`systemctl --user edit {}` takes a line `Environment=PATH=…` with {} in it, below `[Service]`",
                facts.typed_unit(),
                path.parent().unwrap_or(path).display()
            )),
        ),
        MapperUnfit::Unprivileged(_) => (
            format!("{names} without the right to map ids"),
            privilege(&unfit, facts),
        ),
        MapperUnfit::NoSuid(path) => (
            format!("{names} without the right to map ids"),
            Cure::Words(format!(
                "root mounts the file system of {} without nosuid",
                path.display()
            )),
        ),
    };
    let title = start::no_start(facts, &what);
    let finding = Finding::new(Code::NewuidmapMissing, Severity::Broken, title, cure);
    let finding = unfit.iter().fold(finding, |finding, (name, why)| {
        finding.seen(match why {
            MapperUnfit::Missing => format!("{name} was not found"),
            MapperUnfit::NotOnPath(path) => format!("{name} is {}", path.display()),
            MapperUnfit::Unprivileged(path) => format!(
                "{} is not setuid root, and has no capability to do it",
                path.display()
            ),
            MapperUnfit::NoSuid(path) => {
                format!("{} is on a file system with nosuid", path.display())
            }
        })
    });
    let path = facts.unit.is().and_then(|unit| unit.effective("PATH"));
    let is_found = matches!(worst, MapperUnfit::Unprivileged(_) | MapperUnfit::NoSuid(_));
    Some(match path.filter(|_| !is_found) {
        Some(path) => finding.seen(format!("PATH={path}")),
        None => finding,
    })
}

/// A package brings both, and with the right to do it.
fn rank(why: &MapperUnfit) -> u8 {
    match why {
        MapperUnfit::Missing => 3,
        MapperUnfit::NoSuid(_) => 2,
        MapperUnfit::Unprivileged(_) => 1,
        MapperUnfit::NotOnPath(_) => 0,
    }
}

/// Only what nobody but root can put there is given the right, as the distribution would.
fn privilege(unfit: &[(&str, &MapperUnfit)], facts: &Facts) -> Cure {
    let mut lines = Vec::new();
    for (name, why) in unfit {
        let MapperUnfit::Unprivileged(path) = why else {
            continue;
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        if !SYSTEMS_OWN.iter().any(|own| directory == Path::new(own)) {
            return Cure::Words(format!(
                "take {} off the PATH of {}: the {name} of the distribution has that right",
                path.display(),
                facts.unit_name
            ));
        }
        let path = path.display();
        if packages::gives_capabilities(facts) {
            let capability = name.replace("newuidmap", "cap_setuid");
            let capability = capability.replace("newgidmap", "cap_setgid");
            lines.push(format!("setcap {capability}=ep {path}"));
        } else {
            lines.push(format!("chown root {path}"));
            lines.push(format!("chmod u+s {path}"));
        }
    }
    Cure::Root(lines)
}

/// The cause of a start that failed, if it is one of these.
pub(super) fn in_the_way(facts: &Facts) -> Option<Finding> {
    let is_none = |seen: &Seen<TooFew>| seen.is().is_some_and(|few| few.has == 0);
    let start = &facts.start;
    if is_none(&start.subuids) || is_none(&start.subgids) {
        return missing(facts);
    }
    mapper_missing(facts)
}
