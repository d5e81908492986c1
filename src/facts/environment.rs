use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Seen, Unit};

/// A file of `EnvironmentFile=` and what it sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether the unit starts without it (`EnvironmentFile=-…`).
    pub optional: bool,
    /// Its variables.
    pub variables: Seen<Vec<(String, String)>>,
}

impl EnvironmentFile {
    /// Whether the path stands for any number of files, which only systemd expands.
    pub fn is_pattern(&self) -> bool {
        self.path.to_string_lossy().contains(['*', '?', '['])
    }
}

impl Unit {
    /// A variable as the service starts with it (systemd.exec(5)): `EnvironmentFile=` beats
    /// `Environment=`, which beats the manager's own environment; `UnsetEnvironment=` beats all.
    pub fn effective(&self, name: &str) -> Option<&str> {
        let value = self
            .from_files(name)
            .map(|(_, value)| value)
            .or_else(|| self.variable(name))
            .or_else(|| value_of(&self.manager_environment, name))?;
        let unset = |it: &String| match it.split_once('=') {
            Some((unset, only)) => unset == name && only == value,
            None => it == name,
        };
        (!self.unset.iter().any(unset)).then_some(value)
    }

    /// The environment file that has the last word on a variable, and its value there.
    pub fn from_files(&self, name: &str) -> Option<(&EnvironmentFile, &str)> {
        self.environment_files
            .iter()
            .rev()
            .find_map(|file| Some((file, value_of(file.variables.is()?, name)?)))
    }
}

/// The value of a variable; of several the last one counts.
pub(crate) fn value_of<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables
        .iter()
        .rev()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}
