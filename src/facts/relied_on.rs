use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Facts, Seen, Tool};
use crate::request::Request;

/// What `setup` found, asked for and put in place, as the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReliedOn {
    /// The newest generation of the unit that stands.
    pub generation: u32,
    /// What was asked for; none where an older rootless6 has kept no record of it.
    pub request: Option<Request>,
    /// The versions at that time, as far as they are on record.
    pub versions: Versions,
    /// The variables that the unit was to have.
    pub environment: Vec<(String, String)>,
    /// The files of all generations that stand, as they were left.
    pub files: Vec<Written>,
}

impl ReliedOn {
    /// What setup has left in a file, if it has written there.
    pub fn written(&self, path: &Path) -> Option<&str> {
        let mut files = self.files.iter();
        let file = files.find(|file| file.path == path || file.through.as_deref() == Some(path))?;
        Some(&file.text)
    }
}

/// A file that setup has written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// The name that leads there, if symlinks do.
    pub through: Option<PathBuf>,
    /// What setup has left there.
    pub text: String,
}

/// The versions of what IPv6 in containers depends on, as each says itself; none where it is not
/// known or not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// Docker Engine.
    pub engine: Option<String>,
    /// RootlessKit.
    pub rootlesskit: Option<String>,
    /// passt, by its pasta.
    pub passt: Option<String>,
    /// slirp4netns.
    pub slirp4netns: Option<String>,
    /// The kernel.
    pub kernel: Option<String>,
    /// The user's systemd.
    pub systemd: Option<String>,
}

/// Something that has another version than `setup` has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// `Engine`, `RootlessKit`, `passt`, `slirp4netns`, `kernel` or `systemd`.
    pub what: &'static str,
    /// Its version at the time of setup.
    pub then: String,
    /// Its version now; none where it is not there any more.
    pub now: Option<String>,
}

impl Facts {
    /// The versions that are here now.
    pub fn versions(&self) -> Versions {
        let tool = |tool: &Seen<Tool>| tool.is().map(|tool| tool.version.clone());
        Versions {
            engine: self.engine_version().map(|version| version.to_string()),
            rootlesskit: self
                .rootlesskit_version()
                .map(|version| version.to_string()),
            passt: tool(&self.tools.pasta).or_else(|| tool(&self.tools.pasta_elsewhere)),
            slirp4netns: tool(&self.tools.slirp4netns),
            kernel: self.host.kernel.is().cloned(),
            systemd: self.host.systemd.is().cloned(),
        }
    }

    /// What has changed since setup; none where there was none, or no version of it is on record.
    pub fn since_setup(&self) -> Option<Vec<Changed>> {
        let then = &self.relied_on.is()?.versions;
        if *then == Versions::default() {
            return None;
        }
        let now = self.versions();
        let gone = |tool: &Seen<Tool>| *tool == Seen::Absent;
        let changed = |(what, then, now, is_gone): (_, &Option<String>, Option<String>, bool)| {
            let then = then.clone()?;
            let is_new = now.as_ref().is_some_and(|now| *now != then);
            let is_gone = now.is_none() && is_gone;
            (is_new || is_gone).then_some(Changed { what, then, now })
        };
        let all = [
            ("Engine", &then.engine, now.engine, false),
            ("RootlessKit", &then.rootlesskit, now.rootlesskit, false),
            (
                "passt",
                &then.passt,
                now.passt,
                gone(&self.tools.pasta) && gone(&self.tools.pasta_elsewhere),
            ),
            (
                "slirp4netns",
                &then.slirp4netns,
                now.slirp4netns,
                gone(&self.tools.slirp4netns),
            ),
            ("kernel", &then.kernel, now.kernel, false),
            ("systemd", &then.systemd, now.systemd, false),
        ];
        Some(all.into_iter().filter_map(changed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(version: &str) -> Seen<Tool> {
        Seen::Is(Tool {
            version: version.to_owned(),
            ..Tool::default()
        })
    }

    fn since(then: Versions, now: &Facts) -> Option<String> {
        let facts = Facts {
            relied_on: Seen::Is(ReliedOn {
                versions: then,
                ..ReliedOn::default()
            }),
            ..now.clone()
        };
        let words = |changed: Changed| {
            let now = changed.now.unwrap_or_else(|| "gone".to_owned());
            format!("{} {} {now}", changed.what, changed.then)
        };
        let changed = facts.since_setup()?.into_iter().map(words);
        Some(changed.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn only_what_is_known_of_both_times_has_changed() {
        let mut facts = Facts::default();
        facts.tools.rootlesskit = tool("2.3.6");
        facts.tools.pasta = Seen::Absent;
        facts.tools.slirp4netns = Seen::Unknown("killed".to_owned());
        facts.host.kernel = Seen::Is("6.18".to_owned());
        let then = |rootlesskit: &str, kernel: &str| Versions {
            rootlesskit: Some(rootlesskit.to_owned()),
            kernel: Some(kernel.to_owned()),
            passt: Some("2025_05_03".to_owned()),
            slirp4netns: Some("1.2.1".to_owned()),
            systemd: Some("257".to_owned()),
            engine: None,
        };
        for (then, changed) in [
            (
                then("2.0.2", "6.18"),
                Some("RootlessKit 2.0.2 2.3.6, passt 2025_05_03 gone"),
            ),
            (
                then("2.3.6", "6.12"),
                Some("passt 2025_05_03 gone, kernel 6.12 6.18"),
            ),
            (Versions::default(), None),
        ] {
            assert_eq!(since(then, &facts).as_deref(), changed);
        }
        assert_eq!(facts.since_setup(), None, "never set up");
    }
}
