//! AppArmor: a program without a profile may get no user namespace, and a profile may forbid too much.

use super::{Code, Cure, Finding, Severity, etc, rootlesskit, start};
use crate::facts::{AppArmor, Confined, Facts, NetDriver, Seen, typed};

const RESTRICTS: &str = "kernel.apparmor_restrict_unprivileged_userns = 1";

const PASTA: &str = include_str!("../../templates/apparmor/pasta");
const ROOTLESSKIT: &str = include_str!("../../templates/apparmor/rootlesskit");

/// What AppArmor 4 keeps from user namespaces; it has come with the setting.
fn restricting(facts: &Facts) -> Option<&AppArmor> {
    let apparmor = facts.start.apparmor.is();
    apparmor.filter(|apparmor| apparmor.restricts_userns)
}

/// pasta isolates itself in a user namespace of its own. What runs shows more than what is on disk.
pub(super) fn pasta_denied(facts: &Facts) -> Option<Finding> {
    let pasta = restricting(facts)?.pasta.is()?;
    let runs = facts
        .rootlesskit
        .is()
        .is_some_and(|kit| kit.net == NetDriver::Pasta)
        && facts.tap.is().is_some_and(|tap| !tap.addresses.is_empty());
    if pasta.profile != Seen::Absent || runs || !rootlesskit::has_pasta(facts) {
        return None;
    }
    Some(
        Finding::new(
            Code::PastaDeniedByApparmor,
            rootlesskit::without_pasta_is(facts),
            "AppArmor keeps pasta from the namespaces that it needs",
            profile("pasta", PASTA, &pasta.path.to_string_lossy()),
        )
        .seen(without_profile(pasta))
        .seen(RESTRICTS),
    )
}

/// RootlessKit makes the user namespace that dockerd lives in. One that runs has got one, as things
/// were then.
pub(super) fn rootlesskit_denied(facts: &Facts) -> Option<Finding> {
    let kit = restricting(facts)?.rootlesskit.is()?;
    if kit.profile != Seen::Absent {
        return None;
    }
    let (severity, title) = if facts.rootlesskit.is().is_some() {
        let title = "AppArmor lets RootlessKit make no user namespace: the dockerd that runs may not start again";
        (Severity::Weak, title.to_owned())
    } else {
        let what = "AppArmor lets RootlessKit make no user namespace";
        (Severity::Broken, start::no_start(facts, what))
    };
    let cure = profile("rootlesskit", ROOTLESSKIT, &kit.path.to_string_lossy());
    let finding = Finding::new(Code::UsernsRestricted, severity, title, cure);
    Some(finding.seen(without_profile(kit)).seen(RESTRICTS))
}

fn without_profile(program: &Confined) -> String {
    format!(
        "no profile in /etc/apparmor.d is for {}",
        program.path.display()
    )
}

/// pasta has said that it was denied something.
pub(super) fn pasta_was_denied(apparmor: &AppArmor) -> Finding {
    let confined = apparmor.pasta.is();
    let path = confined.map_or("/usr/bin/pasta".into(), |pasta| {
        pasta.path.to_string_lossy()
    });
    let cure = match confined.and_then(|pasta| pasta.profile.is()) {
        Some(profile) => switch_off(&profile.to_string_lossy(), apparmor, &path),
        None => profile("pasta", PASTA, &path),
    };
    Finding::new(
        Code::PastaDeniedByApparmor,
        Severity::Broken,
        "AppArmor keeps pasta from the namespaces that it needs",
        cure,
    )
    .seen("the kernel's log has more: `journalctl -k -g apparmor`, as root")
}

/// The profile that forbids too much (aa-disable(8)); where none at all forbids as much, ours instead.
fn switch_off(file: &str, apparmor: &AppArmor, path: &str) -> Cure {
    let name = file.rsplit('/').next().unwrap_or(file);
    let link = typed(&format!("/etc/apparmor.d/disable/{name}"));
    let file = typed(file);
    let off = format!(
        "test -e {link} || {{ apparmor_parser -R {file}; mkdir -p /etc/apparmor.d/disable; ln -s {file} {link}; }}"
    );
    match profile("pasta", PASTA, path) {
        Cure::Root(ours) if apparmor.restricts_userns => {
            Cure::Root(std::iter::once(off).chain(ours).collect())
        }
        _ => Cure::Root(vec![off]),
    }
}

/// Makes and loads a profile (apparmor.d(5)).
fn profile(program: &str, template: &str, path: &str) -> Cure {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    let file = format!("/etc/apparmor.d/rootless6-{program}");
    if !path.chars().all(is_plain) {
        return Cure::Words(format!(
            "root writes a profile for it into {file}, `flags=(unconfined) {{ userns, }}`, and loads that with `apparmor_parser -r {file}`"
        ));
    }
    let text = template.replace("PATH", path);
    Cure::Root(vec![
        etc::file(&file, text.lines()),
        format!("apparmor_parser -r {file}"),
    ])
}
