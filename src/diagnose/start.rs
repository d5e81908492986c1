//! Why RootlessKit, or the driver's program, does not start: from its own words and from what is in the
//! way.

use super::{Code, Cure, Finding, Severity, install, pasta};
use crate::facts::{AppArmor, Facts, InTheWay, TunUnusable, typed};

/// Of a node that nobody but root may open; devtmpfs has it right, so whoever has changed it may do so
/// again at the next boot (tmpfiles.d(5)).
const OPEN_TUN: &[&str] = &[
    "chmod 666 /dev/net/tun",
    "echo 'z /dev/net/tun 0666 - - -' > /etc/tmpfiles.d/rootless6.conf",
];

/// Of a kernel without the driver, or a system without the node.
const LOAD_TUN: &[&str] = &[
    "modprobe tun",
    "echo tun > /etc/modules-load.d/rootless6.conf",
    "test -e /dev/net/tun || { mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200; }",
];

/// A profile that confines nothing and lets pasta make its own user namespace (apparmor.d(5)).
fn let_pasta(facts: &Facts) -> Vec<String> {
    let tools = &facts.tools;
    let pasta = tools.pasta.is().or_else(|| tools.pasta_elsewhere.is());
    let path = pasta.map_or_else(
        || "/usr/bin/pasta".into(),
        |pasta| pasta.path.to_string_lossy(),
    );
    let path = typed(&path);
    vec![
        format!(
            r"printf 'abi <abi/4.0>,\nprofile rootless6-pasta %s{{,.avx2}} flags=(unconfined) {{\n  userns,\n}}\n' {path} > /etc/apparmor.d/rootless6-pasta"
        ),
        "apparmor_parser -r /etc/apparmor.d/rootless6-pasta".to_owned(),
    ]
}

/// What pasta says where it may not enter or make a namespace (passt:conf.c, passt:isolation.c).
const DENIED: &[&str] = &[
    "Couldn't open user namespace",
    "Couldn't open network namespace",
    "Couldn't switch to pasta namespaces",
    "Failed to clone process with detached namespaces",
    "netns dir open",
];

/// The cause, where RootlessKit's own words or what is in the way tell it.
pub fn of_start(said: &[String], in_the_way: &InTheWay, facts: &Facts) -> Option<Finding> {
    let says = |words: &str| said.iter().any(|line| line.contains(words));
    let denied = says("ermission denied") || says("peration not permitted");
    if says("unknown network mode: pasta") || says("unknown port driver: implicit") {
        return Some(without_pasta(facts));
    }
    if let Some(why) = in_the_way.tun {
        return Some(tun_unavailable(why));
    }
    if let Some(apparmor) = &in_the_way.apparmor
        && denied
        && DENIED.iter().any(|words| says(words))
    {
        return Some(denied_by_apparmor(apparmor, facts));
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
    old.then(|| pasta_too_old(facts))
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

fn tun_unavailable(why: TunUnusable) -> Finding {
    let (title, lines) = match why {
        TunUnusable::Absent => ("there is no tun device, /dev/net/tun", LOAD_TUN),
        TunUnusable::Denied => ("/dev/net/tun is not for this user to open", OPEN_TUN),
    };
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    Finding::new(
        Code::TunUnavailable,
        Severity::Broken,
        title,
        Cure::Root(lines),
    )
}

fn denied_by_apparmor(apparmor: &AppArmor, facts: &Facts) -> Finding {
    let lines = match &apparmor.profile {
        Some(profile) => {
            let profile = profile.display();
            vec![
                format!("ln -s {profile} /etc/apparmor.d/disable/"),
                format!("apparmor_parser -R {profile}"),
            ]
        }
        None => let_pasta(facts),
    };
    Finding::new(
        Code::PastaDeniedByApparmor,
        Severity::Broken,
        "AppArmor keeps pasta from the namespaces that it needs",
        Cure::Root(lines),
    )
    .seen("the kernel's log has more: `journalctl -k -g apparmor`, as root")
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

    fn code(said: &str, in_the_way: &InTheWay) -> Option<(Code, bool)> {
        let said: Vec<String> = said.lines().map(str::to_owned).collect();
        let finding = of_start(&said, in_the_way, &Facts::default())?;
        let by_root = matches!(finding.cure, Cure::Root(_));
        assert!(!finding.to_error(Exit::NotApplied).hints.is_empty());
        Some((finding.code, by_root))
    }

    /// As RootlessKit 1.1, 2.0 and 2.3, and pasta, say it.
    #[test]
    fn the_cause_is_told_from_what_was_said() {
        let free = InTheWay::default();
        let no_tun = InTheWay {
            tun: Some(TunUnusable::Absent),
            ..free.clone()
        };
        let apparmor = InTheWay {
            apparmor: Some(AppArmor::default()),
            ..free.clone()
        };
        let no_namespace = "pasta failed with exit code 1:\n\
            Couldn't open network namespace /proc/3026/ns/net: Permission denied";
        for (said, in_the_way, expected) in [
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
        ] {
            assert_eq!(code(said, in_the_way), expected, "{said}");
        }
    }
}
