use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::facts::{Seen, Tool, Tools, Version};
use crate::host::Host;
use crate::host::versions::Versions;
use crate::hostile::plain;

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The PATH that dockerd is started with: the unit's, or a wrapper's.
    pub(super) unit: OsString,
    /// PATHs of others.
    pub(super) elsewhere: OsString,
}

impl Places {
    /// All places, for a unit with this PATH.
    pub(super) fn new(path: OsString, host: &Host) -> Self {
        let elsewhere = other_places(host);
        Self {
            unit: path,
            elsewhere,
        }
    }
}

/// Finds the programs with the unit's PATH, which is frozen when the unit is made: what the shell
/// finds may be another one.
pub(super) async fn gather(places: &Places, versions: &Versions) -> Tools {
    let path = &places.unit;
    let (pasta, slirp4netns, rootlesskit) = tokio::join!(
        ask(path, &["pasta"], versions),
        ask(path, &["slirp4netns"], versions),
        ask(path, &["docker-rootlesskit", "rootlesskit"], versions)
    );
    let pasta_elsewhere = match pasta {
        Seen::Absent => ask(&places.elsewhere, &["pasta"], versions).await,
        _ => Seen::Absent,
    };
    Tools {
        pasta: pasta.map(Tool::from),
        pasta_elsewhere: pasta_elsewhere.map(Tool::from),
        libslirp: slirp4netns
            .clone()
            .and_then(|asked| libslirp(&asked.printed)),
        slirp4netns: slirp4netns.map(Tool::from),
        rootlesskit: rootlesskit.map(Tool::from),
        dockerd: Seen::Absent,
        path_of_a_wrapper: None,
    }
}

/// Where people's shells find programs that a unit with a PATH of its own does not: the PATH of this
/// process, then where distributions and package managers put them.
fn other_places(host: &Host) -> OsString {
    let home = host.home.display();
    let known = [
        format!("{home}/.local/bin"),
        format!("{home}/bin"),
        format!("{home}/.nix-profile/bin"),
        "/run/current-system/sw/bin".to_owned(),
        "/home/linuxbrew/.linuxbrew/bin".to_owned(),
        "/usr/local/bin".to_owned(),
        "/usr/bin".to_owned(),
        "/snap/bin".to_owned(),
    ];
    let mut places = host.path.clone();
    for place in known {
        places.push(":");
        places.push(place);
    }
    places
}

/// dockerd's own word on its version, where the Engine does not answer.
pub(super) async fn dockerd(path: &OsStr, versions: &Versions) -> Seen<Tool> {
    ask(path, &["dockerd"], versions).await.map(Tool::from)
}

/// A program, and what it prints when asked for its version.
#[derive(Debug, Clone)]
struct Asked {
    program: PathBuf,
    printed: String,
}

impl From<Asked> for Tool {
    fn from(asked: Asked) -> Self {
        Self {
            version: version_word(&asked.printed),
            path: asked.program,
        }
    }
}

async fn ask(path: &OsStr, names: &[&str], versions: &Versions) -> Seen<Asked> {
    let Some(program) = names.iter().find_map(|name| find(name, path)) else {
        return Seen::Absent;
    };
    match versions.of(&program).await {
        Ok(printed) => Seen::Is(Asked { program, printed }),
        Err(error) => Seen::Unknown(error.to_string()),
    }
}

pub(super) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    which::which_in(name, Some(path), Path::new("/")).ok()
}

/// slirp4netns names the library that does its work in a line of its own, `libslirp: 4.8.0`.
fn libslirp(printed: &str) -> Seen<Version> {
    printed
        .lines()
        .find_map(|line| Version::find(line.strip_prefix("libslirp:")?))
        .map_or_else(
            || Seen::Unknown("slirp4netns names no version of libslirp".to_owned()),
            Seen::Is,
        )
}

/// The version in the first line: the first word that begins with a digit, so that
/// `pasta 0.0~git20250503.587980c-2` and `rootlesskit version 2.0.2` both give it.
fn version_word(printed: &str) -> String {
    printed
        .lines()
        .next()
        .unwrap_or_default()
        .split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| word.strip_prefix('v').unwrap_or(word))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map_or_else(|| "unknown".to_owned(), plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_library_in_slirp4netns_is_read_from_its_own_line() {
        let printed = "slirp4netns version 1.2.1\ncommit: 09e31e92\nlibslirp: 4.8.0\n";
        assert_eq!(libslirp(printed), Seen::Is(Version::new(4, 8, 0)));
        for printed in ["slirp4netns version 1.2.1", "libslirp: new", ""] {
            assert!(libslirp(printed).unknown().is_some(), "{printed:?}");
        }
    }

    #[test]
    fn versions_are_read_in_every_format_in_use() {
        for (printed, version) in [
            (
                "pasta 0.0~git20250503.587980c-2\nCopyright",
                "0.0~git20250503.587980c-2",
            ),
            ("pasta 2024_08_21.1d6142f", "2024_08_21.1d6142f"),
            (
                "pasta 0^20240806.gee36266-2.fc40.x86_64",
                "0^20240806.gee36266-2.fc40.x86_64",
            ),
            ("pasta unknown version", "unknown"),
            (
                "pasta 0.0~git20230309.7c7625d-1",
                "0.0~git20230309.7c7625d-1",
            ),
            ("slirp4netns version 1.2.1\ncommit: 09e31e92", "1.2.1"),
            ("rootlesskit version v3.1.0-rc.1+dev", "3.1.0-rc.1+dev"),
            ("rootlesskit version 2.0.2", "2.0.2"),
            ("Docker version 26.1.5+dfsg1, build a72d7cd", "26.1.5+dfsg1"),
            ("", "unknown"),
            ("\n2.0.2", "unknown"),
            ("pasta 2024\x1b[2J_08_21", "2024[2J_08_21"),
        ] {
            assert_eq!(version_word(printed), version, "{printed:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_program_prints_makes_one_word(printed: String) {
            let word = version_word(&printed);
            prop_assert!(!word.is_empty() && !word.contains(char::is_control), "{word:?}");
        }
    }
}
