//! A setting, and who has the last word on it.

use std::path::{Path, PathBuf};

use super::dropin;
use super::files::Files;
use crate::facts::{Facts, Seen, Unit, value_of};

/// What is said, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Absent where nobody says anything.
    pub value: Seen<String>,
    /// Who says so.
    pub by: By,
}

/// Who has the last word on a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A file, and the line in it where that is known.
    File {
        /// Where it is.
        file: PathBuf,
        /// From 1 on.
        line: Option<usize>,
    },
    /// Nobody, so that it is the default of this.
    Default(String),
    /// The environment of the user's systemd.
    Manager,
    /// That could not be told.
    Unknown,
}

impl By {
    /// A line of a file.
    pub(super) fn line(file: &Path, line: usize) -> Self {
        Self::File {
            file: file.to_owned(),
            line: Some(line),
        }
    }

    /// dockerd's release says so, or its start script's.
    pub(super) fn default_of(facts: &Facts) -> Self {
        Self::Default(facts.engine_version().map_or_else(
            || "dockerd-rootless.sh".to_owned(),
            |version| format!("Engine {version}"),
        ))
    }

    /// In words: `~/override.conf, line 3`; none where nothing but a default says so, or nobody knows
    /// who does.
    pub fn place(&self, facts: &Facts) -> Option<String> {
        match self {
            Self::File { file, line } => {
                let line = line.map(|line| format!(", line {line}"));
                Some(format!("{}{}", facts.short(file), line.unwrap_or_default()))
            }
            Self::Manager => Some("the environment of the user's systemd".to_owned()),
            Self::Default(_) | Self::Unknown => None,
        }
    }
}

/// A variable as the unit's next start has it.
pub(super) fn variable(unit: &Unit, files: &Files<'_>, name: &str) -> Said {
    if let Some((file, value)) = unit.from_files(name) {
        return Said {
            value: Seen::Is(value.to_owned()),
            by: By::File {
                file: file.path.clone(),
                line: None,
            },
        };
    }
    let all = files.all();
    let texts: Vec<&str> = all.iter().map(|(_, text)| *text).collect();
    let written = dropin::environment(&texts);
    let set = written.variable(name);
    let by = set
        .and_then(|set| Some(By::line(all.get(set.file)?.0, set.line)))
        .unwrap_or(By::Unknown);
    if unit.needs_reload {
        let (value, by) = once_read(unit, &written, name, by);
        return Said { value, by };
    }
    let Some(value) = unit.effective(name) else {
        return Said {
            value: Seen::Absent,
            by,
        };
    };
    let says_so = |set: &dropin::Variable| set.uncertain || set.value == value;
    let by = match set {
        Some(set) if says_so(set) => by,
        Some(_) => By::Unknown,
        None if unit.variable(name).is_none() => By::Manager,
        None => By::Unknown,
    };
    Said {
        value: Seen::Is(value.to_owned()),
        by,
    }
}

/// What systemd has not read yet is what it will have read by then.
fn once_read(unit: &Unit, written: &dropin::Environment, name: &str, by: By) -> (Seen<String>, By) {
    let set = written.variable(name);
    let is_unset = written.unset.iter().any(|unset| {
        unset.text == name || set.is_some_and(|set| unset.text == format!("{name}={}", set.value))
    });
    match set {
        _ if is_unset => (Seen::Absent, by),
        Some(set) if set.uncertain => {
            let why = format!("only systemd knows what {:?} stands for", set.value);
            (Seen::Unknown(why), by)
        }
        Some(set) => (Seen::Is(set.value.clone()), by),
        None => match value_of(&unit.manager_environment, name) {
            Some(value) => (Seen::Is(value.to_owned()), By::Manager),
            None => (Seen::Absent, By::Unknown),
        },
    }
}
