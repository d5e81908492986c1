//! What comes after our drop-in, and so has the last word.
//!
//! systemd reads drop-ins by name, `UnsetEnvironment=` wherever it stands, and `EnvironmentFile=`
//! when the service starts. The merge is done here as systemd will do it, with our drop-in in its
//! place, before anything is written.

use std::path::PathBuf;

use super::files::Files;
use super::{dropin, uplink, wait_online};
use crate::facts::{EnvironmentFile, Facts, Seen, Unit};

/// A setting of somebody else's that undoes one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The file that it stands in.
    pub file: PathBuf,
    /// What it does.
    pub does: Does,
}

/// How ours is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// `Environment=` in a drop-in that sorts after ours, on this line.
    Sets {
        name: String,
        value: String,
        needed: String,
        line: usize,
    },
    /// An empty `Environment=`, `ExecStartPre=` or `ExecStartPost=` in a drop-in that sorts after
    /// ours.
    Empties { key: &'static str, line: usize },
    /// `UnsetEnvironment=`, which the place of the file does not matter to.
    Unsets { name: String, line: usize },
    /// A variable in a file of `EnvironmentFile=`.
    Overrides {
        name: String,
        value: String,
        needed: String,
    },
    /// A file of `EnvironmentFile=` that is not there, and the service does not start without.
    Missing,
    /// The same of one that cannot be read.
    Unreadable { why: String },
}

impl Shadow {
    /// Whether `EnvironmentFile=` does it rather than a drop-in.
    pub fn is_environment_file(&self) -> bool {
        matches!(self.does, Does::Overrides { .. }) || self.stops_the_start()
    }

    /// Whether the service does not start at all.
    pub fn stops_the_start(&self) -> bool {
        matches!(self.does, Does::Missing | Does::Unreadable { .. })
    }

    /// What was seen, in one line.
    pub fn seen(&self, facts: &Facts) -> String {
        let file = facts.short(&self.file);
        match &self.does {
            Does::Sets {
                name,
                value,
                needed,
                line,
            } => format!("{file}, line {line}: {name}={value}; needed is {needed}"),
            Does::Empties { key, line } => format!("{file}, line {line}: an empty {key}="),
            Does::Unsets { name, line } => format!("{file}, line {line}: UnsetEnvironment={name}"),
            Does::Overrides {
                name,
                value,
                needed,
            } => format!("{file}: {name}={value}; needed is {needed}"),
            Does::Missing => format!("there is no {file}"),
            Does::Unreadable { why } => why.clone(),
        }
    }

    /// What to do about it. A drop-in of the user's own is best renamed to come first.
    pub fn remedy(&self, facts: &Facts) -> String {
        let file = facts.short(&self.file);
        let renamed = || {
            let name = self.file.file_name()?.to_str()?;
            let own = facts.short(self.file.parent()?);
            let moved = format!("let ours come last with `mv {file} {own}/50-{name}`, or ");
            own.starts_with("~/").then_some(moved)
        };
        match &self.does {
            Does::Sets { name, .. } => {
                format!("{}take {name} out of {file}", renamed().unwrap_or_default())
            }
            Does::Empties { key, .. } => format!(
                "{}take the empty {key}= out of {file}",
                renamed().unwrap_or_default()
            ),
            Does::Unsets { name, .. } => {
                format!("take {name} out of UnsetEnvironment= in {file}")
            }
            Does::Overrides { name, .. } => format!("take {name} out of {file}"),
            Does::Missing => format!("make it with `touch {file}`"),
            Does::Unreadable { .. } => format!("see what it is with `ls -l {file}`"),
        }
    }
}

/// Everything that would undo these variables, the uplink's command or the wait's, once they are
/// written.
pub(super) fn shadows(
    facts: &Facts,
    unit: &Unit,
    variables: &[(String, String)],
    uplink: bool,
    wait: Option<u16>,
) -> Vec<Shadow> {
    let files = Files::of(facts, unit);
    let mut shadows: Vec<Shadow> = variables
        .iter()
        .filter_map(|(name, value)| {
            files
                .undone(unit, name, value)
                .or_else(|| overridden(unit, name, value))
        })
        .collect();
    shadows.dedup();
    let theirs = files.after();
    if wait.is_some() && wait_online::seconds_in(theirs) != wait {
        shadows.extend(files.empties("ExecStartPre"));
    }
    if uplink && !uplink::is_in(theirs) {
        shadows.extend(files.empties("ExecStartPost"));
    }
    shadows.extend(unit.environment_files.iter().find_map(missing));
    shadows
}

impl Files<'_> {
    fn undone(&self, unit: &Unit, name: &str, value: &str) -> Option<Shadow> {
        let all = dropin::environment(&self.texts);
        let unset = all
            .unset
            .iter()
            .find(|unset| unset.text == name || unset.text == format!("{name}={value}"));
        if let Some(unset) = unset {
            return Some(Shadow {
                file: self.paths[unset.file].to_owned(),
                does: Does::Unsets {
                    name: name.to_owned(),
                    line: unset.line,
                },
            });
        }
        let after = dropin::environment(self.after());
        match after.variable(name) {
            Some(set) => says_otherwise(unit, set, value).then(|| Shadow {
                file: self.paths[self.before + set.file].to_owned(),
                does: Does::Sets {
                    name: name.to_owned(),
                    value: set.value.clone(),
                    needed: value.to_owned(),
                    line: set.line,
                },
            }),
            None => self.empties("Environment"),
        }
    }

    /// The last file after ours that takes back all that was set with that key.
    fn empties(&self, key: &'static str) -> Option<Shadow> {
        let files = self.paths.iter().zip(&self.texts).skip(self.before);
        files.rev().find_map(|(path, text)| {
            let assignments = dropin::parse(text).assignments;
            let empty = assignments.iter().rev().find(|assignment| {
                assignment.section == "Service"
                    && assignment.key == key
                    && assignment.value.is_empty()
            })?;
            Some(Shadow {
                file: (*path).to_owned(),
                does: Does::Empties {
                    key,
                    line: empty.line,
                },
            })
        })
    }
}

/// What a specifier stands for is known once systemd has read it; until then nothing is claimed.
fn says_otherwise(unit: &Unit, set: &dropin::Variable, value: &str) -> bool {
    if !set.uncertain {
        return set.value != value;
    }
    let resolved = unit.variable(&set.name).filter(|_| !unit.needs_reload);
    resolved.is_some_and(|resolved| resolved != value)
}

fn overridden(unit: &Unit, name: &str, value: &str) -> Option<Shadow> {
    let (file, theirs) = unit.from_files(name)?;
    (theirs != value).then(|| Shadow {
        file: file.path.clone(),
        does: Does::Overrides {
            name: name.to_owned(),
            value: theirs.to_owned(),
            needed: value.to_owned(),
        },
    })
}

fn missing(file: &EnvironmentFile) -> Option<Shadow> {
    let does = match &file.variables {
        Seen::Absent => Does::Missing,
        Seen::Unknown(why) if !file.is_pattern() => Does::Unreadable { why: why.clone() },
        Seen::Is(_) | Seen::Unknown(_) => return None,
    };
    (!file.optional).then(|| Shadow {
        file: file.path.clone(),
        does,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::UnitFile;

    fn shadows_of(files: &[(&str, &str)]) -> Vec<String> {
        let mut facts = Facts::default();
        facts.our_drop_in.path = "/d/zz-rootless6.conf".into();
        let files = files.iter().map(|(path, text)| UnitFile {
            path: path.into(),
            text: (*text).to_owned(),
        });
        let unit = Unit {
            fragment: Some("/zzz.service".into()),
            files: files.collect(),
            ..Unit::default()
        };
        let wanted = [("A".to_owned(), "1".to_owned())];
        let found = shadows(&facts, &unit, &wanted, true, Some(60));
        found.iter().map(|shadow| shadow.seen(&facts)).collect()
    }

    #[test]
    fn what_sorts_after_ours_and_says_otherwise_is_found_before_it_is_written() {
        let fragment = ("/zzz.service", "[Service]\nEnvironment=A=0\n");
        for (path, text, found) in [
            ("/d/override.conf", "[Service]\nEnvironment=A=2", &[][..]),
            (
                "/d/override.conf",
                "[Service]\nEnvironment=\nExecStartPost=",
                &[],
            ),
            ("/d/zzz.conf", "[Service]\nEnvironment=A=1", &[]),
            ("/d/zzz.conf", "[Service]\nEnvironment=B=2", &[]),
            ("/d/zzz.conf", "[Unit]\nEnvironment=A=2", &[]),
            (
                "/d/zzz.conf",
                "[Service]\nEnvironment=\nEnvironment=A=1",
                &[],
            ),
            (
                "/d/zzz.conf",
                "[Service]\n\nEnvironment=B=1 'A=2 3'",
                &["/d/zzz.conf, line 3: A=2 3; needed is 1"],
            ),
            (
                "/d/zzz.conf",
                "[Service]\nEnvironment=B=1\nEnvironment=",
                &["/d/zzz.conf, line 3: an empty Environment="],
            ),
            (
                "/d/a.conf",
                "[Service]\nUnsetEnvironment=B A",
                &["/d/a.conf, line 2: UnsetEnvironment=A"],
            ),
            ("/d/a.conf", "[Service]\nUnsetEnvironment=A=2", &[]),
            (
                "/d/zzz.conf",
                "[Service]\nExecStartPost=\nExecStartPost=/bin/true",
                &["/d/zzz.conf, line 2: an empty ExecStartPost="],
            ),
            (
                "/d/zzz.conf",
                "[Service]\nExecStartPre=\nExecStartPre=/r/rootless6 wait-online --for 30",
                &["/d/zzz.conf, line 2: an empty ExecStartPre="],
            ),
            (
                "/d/zzz.conf",
                "[Service]\nExecStartPre=\nExecStartPre=/r/rootless6 wait-online --for 60
                ExecStartPost=\nExecStartPost=/r/rootless6 uplink",
                &[],
            ),
            // Of one name there is one.
            ("/etc/zz-rootless6.conf", "[Service]\nEnvironment=A=2", &[]),
        ] {
            assert_eq!(
                shadows_of(&[fragment, (path, text)]),
                found,
                "{path} {text:?}"
            );
        }
    }
}
