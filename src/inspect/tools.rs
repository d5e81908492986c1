use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::facts::{Seen, Tool, Tools};
use crate::host::{Host, process};

/// Finds the programs with the unit's PATH, which is frozen when the unit is made: what the shell
/// finds may be another one.
pub(super) async fn gather(path: &OsStr, host: &Host) -> Tools {
    let (pasta, slirp4netns, rootlesskit) = tokio::join!(
        tool(path, &["pasta"]),
        tool(path, &["slirp4netns"]),
        tool(path, &["docker-rootlesskit", "rootlesskit"])
    );
    let pasta_elsewhere = match pasta {
        Seen::Absent => tool(&other_places(host), &["pasta"]).await,
        _ => Seen::Absent,
    };
    Tools {
        pasta,
        pasta_elsewhere,
        slirp4netns,
        rootlesskit,
        dockerd: Seen::Absent,
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
pub(super) async fn dockerd(path: &OsStr) -> Seen<Tool> {
    tool(path, &["dockerd"]).await
}

async fn tool(path: &OsStr, names: &[&str]) -> Seen<Tool> {
    let Some(program) = names.iter().find_map(|name| find(name, path)) else {
        return Seen::Absent;
    };
    match process::version_of(&program).await {
        Ok(printed) => Seen::Is(Tool {
            version: version_word(&printed),
            path: program,
        }),
        Err(error) => Seen::Unknown(error.to_string()),
    }
}

fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    which::which_in(name, Some(path), Path::new("/")).ok()
}

/// The version in the first line: the first word that begins with a digit, so that
/// `pasta 0.0~git20250503.587980c-2` and `rootlesskit version 2.0.2` both give it.
fn version_word(printed: &str) -> String {
    printed
        .lines()
        .next()
        .unwrap_or_default()
        .split(|c: char| c.is_whitespace() || c == ',')
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("rootlesskit version 2.0.2", "2.0.2"),
            ("Docker version 26.1.5+dfsg1, build a72d7cd", "26.1.5+dfsg1"),
            ("", "unknown"),
        ] {
            assert_eq!(version_word(printed), version, "{printed:?}");
        }
    }
}
