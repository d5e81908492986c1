//! AppArmor: whether it restricts user namespaces, and which programs have a profile.

use std::fs;
use std::path::{Path, PathBuf};

use super::{number, read};
use crate::facts::{AppArmor, Confined, Seen, Tools, profiles};

const ENABLED: &str = "module/apparmor/parameters/enabled";

const RESTRICTS: &str = "sys/kernel/apparmor_restrict_unprivileged_userns";

/// AppArmor, where the kernel runs with it.
pub(in crate::inspect) fn look(
    sys: &Path,
    proc: &Path,
    etc: &Path,
    tools: &Tools,
) -> Seen<AppArmor> {
    let enabled = read(&sys.join(ENABLED));
    enabled.and_then(|enabled| {
        if enabled.trim() != "Y" {
            return Seen::Absent;
        }
        let profiles = profiles(&etc.join("apparmor.d"));
        let confined = |path: &Path| Seen::Is(confined(&profiles, path));
        let of = |path: Option<&PathBuf>| path.map_or(Seen::Absent, |path| confined(path));
        let pasta = tools.pasta.is().or_else(|| tools.pasta_elsewhere.is());
        let restricts = number(&proc.join(RESTRICTS));
        match restricts {
            Seen::Unknown(why) => Seen::Unknown(why),
            restricts => Seen::Is(AppArmor {
                restricts_userns: restricts.is().is_some_and(|value| *value != 0),
                pasta: of(pasta.map(|tool| &tool.path)),
                rootlesskit: of(tools.rootlesskit.is().map(|tool| &tool.path)),
            }),
        }
    })
}

/// The files with profiles that are not switched off (aa-disable(8)), and their texts.
fn profiles(directory: &Path) -> Seen<Vec<(PathBuf, Seen<String>)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Seen::Is(Vec::new()),
        Err(error) => return Seen::Unknown(format!("list {}: {error}", directory.display())),
    };
    let is_on = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        path.is_file() && !directory.join("disable").join(name).exists()
    };
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_on)
        .collect();
    files.sort();
    let text = |path: PathBuf| {
        let text = read(&path);
        (path, text)
    };
    Seen::Is(files.into_iter().map(text).collect())
}

/// A file that cannot be read might be the one.
fn confined(profiles: &Seen<Vec<(PathBuf, Seen<String>)>>, called: &Path) -> Confined {
    let path = fs::canonicalize(called).unwrap_or_else(|_| called.to_owned());
    let mut confined = Confined {
        link: (path.file_name() != called.file_name()).then(|| called.to_owned()),
        path,
        ..Confined::default()
    };
    let profiles = match profiles {
        Seen::Is(profiles) => profiles,
        Seen::Absent => return confined,
        Seen::Unknown(why) => {
            confined.profile = Seen::Unknown(why.clone());
            return confined;
        }
    };
    let program = confined.path.to_string_lossy();
    let covering = |(file, text): &(PathBuf, Seen<String>)| {
        let covering = profiles::covering(text.is()?, &program)?;
        Some((file.clone(), covering))
    };
    // What is for it by name says more than what might be.
    let mut all: Vec<_> = profiles.iter().filter_map(covering).collect();
    all.sort_by_key(|(_, covering)| !covering.is_for_it_alone);
    let unknown = profiles.iter().find_map(|(_, text)| text.unknown());
    match all.first() {
        Some((file, first)) => {
            confined.confines = first.confines;
            confined.is_for_it_alone = first.is_for_it_alone && all.len() == 1;
            confined.profile = Seen::Is(file.clone());
        }
        None => {
            confined.profile = unknown.map_or(Seen::Absent, |why| Seen::Unknown(why.to_owned()));
        }
    }
    confined
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::facts::Tool;

    #[test]
    fn a_profile_is_looked_for_by_the_real_path_unless_it_is_switched_off() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let passt = write("bin/passt", "");
        symlink(&passt, root.join("bin/pasta")).unwrap();
        let tools = Tools {
            pasta: Seen::Is(Tool {
                path: root.join("bin/pasta"),
                version: String::new(),
            }),
            ..Tools::default()
        };
        let seen = || {
            look(
                &root.join("sys"),
                &root.join("proc"),
                &root.join("etc"),
                &tools,
            )
        };
        let pasta = || seen().is().unwrap().pasta.is().unwrap().clone();
        let profile = || pasta().profile;
        assert_eq!(seen(), Seen::Absent, "no AppArmor");
        write("sys/module/apparmor/parameters/enabled", "Y\n");
        assert!(!seen().is().unwrap().restricts_userns);
        write(
            "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1\n",
        );
        assert!(seen().is().unwrap().restricts_userns);
        assert_eq!(profile(), Seen::Absent);
        write(
            "etc/apparmor.d/a",
            &format!("profile a {}/bin/pasta {{\n", root.display()),
        );
        assert_eq!(profile(), Seen::Absent, "a link is not the program");
        let ours = write("etc/apparmor.d/b", &format!("{} {{\n", passt.display()));
        assert_eq!(profile(), Seen::Is(ours.clone()));
        assert_eq!(pasta().link, Some(root.join("bin/pasta")));
        assert!(pasta().confines && pasta().is_for_it_alone);
        let stranger = write("etc/apparmor.d/a", "profile a @{exec_path} {\n");
        assert_eq!(profile(), Seen::Is(ours), "by name before by chance");
        assert!(!pasta().is_for_it_alone);
        fs::remove_file(stranger).unwrap();
        write("etc/apparmor.d/disable/b", "");
        assert_eq!(profile(), Seen::Absent);
        write(
            "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "maybe",
        );
        assert!(seen().unknown().is_some());
        write("sys/module/apparmor/parameters/enabled", "N\n");
        assert_eq!(seen(), Seen::Absent);
    }
}
