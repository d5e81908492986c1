//! Packages, by the commands of the distribution at hand.

use super::Cure;
use crate::facts::{Facts, Fixed};

/// What installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Apt,
    Dnf,
    Zypper,
    Pacman,
    Apk,
}

/// The families that os-release(5) names.
const FAMILIES: &[(&str, Manager)] = &[
    ("debian", Manager::Apt),
    ("ubuntu", Manager::Apt),
    ("fedora", Manager::Dnf),
    ("rhel", Manager::Dnf),
    ("suse", Manager::Zypper),
    ("opensuse", Manager::Zypper),
    ("arch", Manager::Pacman),
    ("alpine", Manager::Apk),
];

impl Manager {
    const ALL: [Self; 5] = [Self::Apt, Self::Dnf, Self::Zypper, Self::Pacman, Self::Apk];

    fn of(facts: &Facts) -> Option<Self> {
        let distribution = facts.host.distribution.is()?;
        let is = |family: &str| {
            let mut ids = distribution.split(' ');
            ids.any(|id| id == family || id.starts_with(&format!("{family}-")))
        };
        let found = FAMILIES.iter().find(|(family, _)| is(family));
        found.map(|(_, manager)| *manager)
    }

    fn command(self) -> &'static str {
        match self {
            Self::Apt => "apt-get install -y",
            Self::Dnf => "dnf install -y",
            Self::Zypper => "zypper --non-interactive install",
            Self::Pacman => "pacman -S --needed --noconfirm",
            Self::Apk => "apk add -U",
        }
    }

    /// The input of such a shell is the rest of the block, which nobody else may read. apt alone
    /// relies on lists that somebody has to fetch first; that they are there already is usual, and
    /// to fetch them may fail for reasons that have nothing to do with these packages.
    pub(super) fn install(self, packages: &[&str]) -> String {
        let install = format!("{} {} </dev/null", self.command(), packages.join(" "));
        match self {
            Self::Apt => format!("{install} || {{ apt-get update; {install}; }}"),
            Self::Dnf | Self::Zypper | Self::Pacman | Self::Apk => install,
        }
    }

    /// What such a line installs.
    pub(super) fn packages_in(line: &str) -> Option<(Self, Vec<&str>)> {
        Self::ALL.into_iter().find_map(|manager| {
            let rest = line.strip_prefix(manager.command())?;
            let packages: Vec<&str> = rest
                .split(" </dev/null")
                .next()?
                .split(' ')
                .skip(1)
                .collect();
            (manager.install(&packages) == line).then_some((manager, packages))
        })
    }
}

/// Every distribution calls these packages alike.
pub(crate) fn install(package: &str, facts: &Facts) -> Cure {
    by(Manager::of(facts), package, facts)
}

fn by(manager: Option<Manager>, package: &str, facts: &Facts) -> Cure {
    let words = match (facts.host.fixed.is(), manager) {
        (None, Some(manager)) => return Cure::Root(vec![manager.install(&[package])]),
        (None, None) => format!("install the package {package}"),
        (Some(Fixed::Ostree), _) => format!(
            "`rpm-ostree install {package}` as root (bootc: in the image), then restart the machine"
        ),
        (Some(Fixed::Transactional), _) => format!(
            "`transactional-update pkg install {package}` as root, then restart the machine"
        ),
        (Some(Fixed::ReadOnly), _) => {
            format!("add the package {package} the way of this system, whose /usr is read-only")
        }
    };
    Cure::Words(words)
}

/// Whether newuidmap and newgidmap get a file capability each from their package, and not root's uid.
pub(super) fn gives_capabilities(facts: &Facts) -> bool {
    matches!(Manager::of(facts), Some(Manager::Dnf | Manager::Pacman))
}

/// newuidmap and newgidmap: a part of shadow, which some have in a package of its own.
pub(super) fn install_mappers(facts: &Facts) -> Cure {
    let Some(manager) = Manager::of(facts) else {
        return Cure::Words(
            "install the package with newuidmap and newgidmap: uidmap, shadow or shadow-utils"
                .to_owned(),
        );
    };
    let package = match manager {
        Manager::Apt => "uidmap",
        Manager::Dnf => "shadow-utils",
        Manager::Zypper | Manager::Pacman => "shadow",
        // What newer ones call shadow-subids goes by this name too.
        Manager::Apk => "shadow-uidmap",
    };
    by(Some(manager), package, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_installs_is_read_from_it_and_from_no_other_line() {
        for manager in Manager::ALL {
            for packages in [&["passt"][..], &["passt", "uidmap"]] {
                let line = manager.install(packages);
                assert_eq!(
                    Manager::packages_in(&line),
                    Some((manager, packages.to_vec()))
                );
            }
        }
        for line in [
            "",
            "apt-get install -y",
            "apt-get install -y passt",
            "sysctl -w a=b",
        ] {
            assert_eq!(Manager::packages_in(line), None, "{line}");
        }
    }
}
