//! Why RootlessKit, or the driver's program, does not start: from its own words and from what is in the
//! way.

use super::{Code, Cure, Finding, Severity, apparmor, etc, install, pasta, subids};
use crate::facts::{Facts, TunUnusable, UsernsSwitch};

/// Sorts after what else is there (sysctl.d(5)), which has switched them off.
const USERNS_FILE: &str = "/etc/sysctl.d/zz-rootless6-userns.conf";

/// As many as Docker's documentation gives.
const USER_NAMESPACES: &str = "28633";

/// Of a node that nobody but root may open; devtmpfs has it right, so whoever has changed it may do so
/// again at the next boot (tmpfiles.d(5)).
const OPEN_TUN: &[&str] = &[
    "chmod a+rx /dev/net",
    "chmod 666 /dev/net/tun",
    "printf '%s\\n' 'z /dev/net/tun 0666 - - -' > /etc/tmpfiles.d/rootless6-tun.conf",
];

/// Of a kernel without the driver, or a system without the node.
const LOAD_TUN: &[&str] = &[
    "test -e /sys/class/misc/tun || modprobe tun",
    "printf '%s\\n' tun > /etc/modules-load.d/rootless6-tun.conf",
    "test -e /dev/net/tun || { mkdir -p /dev/net; mknod -m 666 /dev/net/tun c 10 200; }",
];

/// What pasta says where it may not enter or make a namespace (passt:conf.c, passt:isolation.c).
const DENIED: &[&str] = &[
    "Couldn't open user namespace",
    "Couldn't open network namespace",
    "Couldn't switch to pasta namespaces",
    "Failed to clone process with detached namespaces",
    "netns dir open",
];

/// The cause, where RootlessKit's own words or what is in the way tell it.
pub fn of_start(said: &[String], facts: &Facts) -> Option<Finding> {
    let says = |words: &str| said.iter().any(|line| line.contains(words));
    let denied = says("ermission denied") || says("peration not permitted");
    if says("unknown network mode: pasta") || says("unknown port driver: implicit") {
        return Some(without_pasta(facts));
    }
    if let Some(finding) = tun_unavailable(facts) {
        return Some(finding);
    }
    if let Some(apparmor) = facts.start.apparmor.is()
        && denied
        && DENIED.iter().any(|words| says(words))
        && let Some(finding) = apparmor::pasta_was_denied(apparmor)
    {
        return Some(finding);
    }
    if says("\"pasta\": executable file not found") || says("pasta binary") && says("not installed")
    {
        let cure = install("passt", facts);
        let title = "pasta is not on the PATH of the unit";
        return Some(Finding::new(
            Code::PastaMissing,
            Severity::Broken,
            title,
            cure,
        ));
    }
    let old = says("pasta: unrecognized option") || says("pasta: invalid option");
    if old {
        return Some(pasta_too_old(facts));
    }
    // What RootlessKit needs before it has a driver's program to start.
    userns_restricted(facts).or_else(|| subids::in_the_way(facts))
}

/// A title that says what it means for dockerd: what it has been given already stays with it.
pub(super) fn no_start(facts: &Facts, what: &str) -> String {
    if facts.rootlesskit.is().is_some() {
        format!("{what}: the dockerd that runs will not start again")
    } else {
        format!("{what}: dockerd does not start")
    }
}

fn version(facts: &Facts) -> String {
    facts
        .rootlesskit_version()
        .map_or_else(String::new, |version| format!(" {version}"))
}

fn without_pasta(facts: &Facts) -> Finding {
    Finding::new(
        Code::RootlesskitWithoutPasta,
        Severity::Broken,
        format!("RootlessKit{} has no pasta driver", version(facts)),
        Cure::Words("`rootless6 setup --net slirp4netns` does without".to_owned()),
    )
}

pub(super) fn tun_unavailable(facts: &Facts) -> Option<Finding> {
    let root = |lines: &[&str]| Cure::Root(lines.iter().map(|&line| line.to_owned()).collect());
    let words = |words: &str| Cure::Words(words.to_owned());
    let none = "there is no tun device";
    let (what, seen, cure) = match facts.start.tun.is()? {
        TunUnusable::Absent => (
            none,
            "/dev/net/tun does not exist, or has no driver",
            root(LOAD_TUN),
        ),
        TunUnusable::Denied => (
            "the tun device is not for this user to open",
            "open /dev/net/tun: permission denied",
            root(OPEN_TUN),
        ),
        TunUnusable::Forbidden => (
            "the tun device may not be opened in here",
            "open /dev/net/tun: operation not permitted, though its mode is for everybody",
            words(
                "whoever runs the machine beneath permits this container the device: `lxc.cgroup2.devices.allow = c 10:200 rwm`, `DeviceAllow=/dev/net/tun rwm`",
            ),
        ),
        TunUnusable::Replaced => (
            none,
            "the tun driver is not loaded, and the kernel that runs has no modules any more: it has been replaced",
            words("restart the machine"),
        ),
        TunUnusable::Foreign => (
            none,
            "the tun driver is not loaded, and there are no modules here for the kernel that runs",
            words(
                "whoever runs the machine beneath loads it there (`modprobe tun`) and gives this system /dev/net/tun",
            ),
        ),
    };
    let title = no_start(facts, what);
    Some(Finding::new(Code::TunUnavailable, Severity::Broken, title, cure).seen(seen))
}

/// The kernel's own switches decide before AppArmor does.
pub(super) fn userns_restricted(facts: &Facts) -> Option<Finding> {
    let Some(switches) = facts.start.userns.is() else {
        return apparmor::rootlesskit_denied(facts);
    };
    let settings = switches.iter().map(|switch| match switch {
        UsernsSwitch::UnprivilegedClone => ("kernel.unprivileged_userns_clone", "1"),
        UsernsSwitch::MaxNumber => ("user.max_user_namespaces", USER_NAMESPACES),
    });
    let lines = settings
        .clone()
        .flat_map(|(key, value)| etc::setting(key, value, USERNS_FILE));
    let mut lines: Vec<String> = lines.collect();
    let too = apparmor::rootlesskit_denied(facts);
    if let Some(Cure::Root(more)) = too.as_ref().map(|finding| &finding.cure) {
        lines.extend(more.iter().cloned());
    }
    let finding = Finding::new(
        Code::UsernsRestricted,
        Severity::Broken,
        no_start(facts, "the kernel gives this user no user namespaces"),
        Cure::Root(lines),
    );
    let seen = settings.map(|(key, _)| format!("{key} = 0"));
    let seen = seen.chain(too.into_iter().flat_map(|finding| finding.evidence));
    Some(seen.fold(finding, Finding::seen))
}

fn pasta_too_old(facts: &Facts) -> Finding {
    let version = facts
        .pasta()
        .map_or_else(String::new, |pasta| format!(" {}", pasta.version));
    Finding::new(
        Code::PastaTooOld,
        Severity::Broken,
        format!("pasta{version} lacks an option that RootlessKit gives it"),
        pasta::newer(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use crate::facts::{AppArmor, Confined, InTheWay, MapperUnfit, Seen, TooFew};

    fn code(said: &str, facts: &Facts) -> Option<(Code, bool)> {
        let said: Vec<String> = said.lines().map(str::to_owned).collect();
        let finding = of_start(&said, facts)?;
        let by_root = matches!(finding.cure, Cure::Root(_));
        assert!(!finding.to_error(Exit::NotApplied).hints.is_empty());
        Some((finding.code, by_root))
    }

    fn with(change: impl FnOnce(&mut InTheWay)) -> Facts {
        let mut facts = Facts::default();
        change(&mut facts.start);
        facts
    }

    /// As RootlessKit 1.1, 2.0 and 2.3, and pasta, say it.
    #[test]
    fn the_cause_is_told_from_what_was_said() {
        let free = Facts::default();
        let no_tun = with(|start| start.tun = Seen::Is(TunUnusable::Absent));
        let pasta = |pasta: Confined, restricts_userns| {
            let apparmor = AppArmor {
                restricts_userns,
                pasta: Seen::Is(pasta),
                ..AppArmor::default()
            };
            with(|start| start.apparmor = Seen::Is(apparmor))
        };
        let without = || Confined {
            path: "/usr/bin/pasta".into(),
            ..Confined::default()
        };
        let apparmor = pasta(without(), true);
        let powerless = pasta(without(), false);
        let under = |is_for_it_alone, confines| {
            let profile = Seen::Is("/etc/apparmor.d/usr.bin.passt".into());
            let confined = Confined {
                profile,
                is_for_it_alone,
                confines,
                ..without()
            };
            pasta(confined, false)
        };
        let (passt, strangers, unconfined) =
            (under(true, true), under(false, true), under(true, false));
        let no_ids = with(|start| start.subgids = Seen::Is(TooFew::default()));
        let no_mapper = with(|start| start.newuidmap = Seen::Is(MapperUnfit::Missing));
        let no_userns = with(|start| start.userns = Seen::Is(vec![UsernsSwitch::MaxNumber]));
        let no_namespace = "pasta failed with exit code 1:\n\
            Couldn't open network namespace /proc/3026/ns/net: Permission denied";
        for (said, facts, expected) in [
            (
                "[rootlesskit:parent] error: unknown network mode: pasta",
                &free,
                Some((Code::RootlesskitWithoutPasta, false)),
            ),
            (
                "open: No such file or directory",
                &no_tun,
                Some((Code::TunUnavailable, true)),
            ),
            (
                no_namespace,
                &apparmor,
                Some((Code::PastaDeniedByApparmor, true)),
            ),
            (no_namespace, &powerless, None),
            (
                no_namespace,
                &passt,
                Some((Code::PastaDeniedByApparmor, true)),
            ),
            (
                no_namespace,
                &strangers,
                Some((Code::PastaDeniedByApparmor, false)),
            ),
            (no_namespace, &unconfined, None),
            (no_namespace, &free, None),
            ("open: Permission denied", &apparmor, None),
            (
                "executing [pasta …]: exec: \"pasta\": executable file not found in $PATH",
                &free,
                Some((Code::PastaMissing, false)),
            ),
            (
                "pasta: unrecognized option '--ns-ifname=tap0'",
                &free,
                Some((Code::PastaTooOld, false)),
            ),
            ("something else", &free, None),
            (
                "[rootlesskit:parent] error: failed to setup UID/GID map",
                &no_ids,
                Some((Code::SubidsMissing, false)),
            ),
            (
                "exec: \"newuidmap\": executable file not found in $PATH",
                &no_mapper,
                Some((Code::NewuidmapMissing, false)),
            ),
            (
                "fork/exec /proc/self/exe: no space left on device",
                &no_userns,
                Some((Code::UsernsRestricted, true)),
            ),
        ] {
            assert_eq!(code(said, facts), expected, "{said}");
        }
    }
}
