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

/// Where pasta is a symlink, AppArmor takes it for passt, as packages before 2024-07 had it: passt's
/// profile keeps pasta from the namespaces of others, and where there is none, Ubuntu 24.04's pasta has
/// been denied as well (LP#2077158). That one may as well have the freedom of the RootlessKit that
/// starts it (linux:security/apparmor/domain.c `profile_transition`), so a rehearsal has the last word.
pub(super) fn pasta_denied(facts: &Facts) -> Option<Finding> {
    let apparmor = facts.start.apparmor.is()?;
    let pasta = apparmor.pasta.is()?;
    let link = pasta.link.as_ref()?;
    // One that runs was not denied.
    let kit = facts.rootlesskit.is();
    if kit.is_some_and(|kit| kit.net == NetDriver::Pasta) || !rootlesskit::has_pasta(facts) {
        return None;
    }
    let profile = match &pasta.profile {
        Seen::Is(file) if pasta.confines && pasta.is_for_it_alone => {
            format!("{} is for that, not for pasta", file.display())
        }
        Seen::Absent if apparmor.restricts_userns => {
            format!("{}; {RESTRICTS}", without_profile(pasta))
        }
        _ => return None,
    };
    let cure = Cure::Words(
        "a newer package of passt, with a profile for pasta; `rootless6 setup` tries pasta out before it changes anything, and says what root can do if it is denied"
            .to_owned(),
    );
    let title = "AppArmor may keep pasta from the namespaces that it needs";
    let mut is = Finding::new(Code::PastaDeniedByApparmor, Severity::Weak, title, cure);
    // What may be explains nothing.
    is.explains = Some(Vec::new());
    let (link, path) = (link.display(), pasta.path.display());
    Some(
        is.seen(format!("{link} is a symlink to {path}"))
            .seen(profile),
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

/// pasta has said that it was denied something; none of AppArmor's doing where it has nothing to say
/// about pasta.
pub(super) fn pasta_was_denied(apparmor: &AppArmor) -> Option<Finding> {
    let pasta = apparmor.pasta.is()?;
    let path = pasta.path.to_string_lossy();
    let cure = match &pasta.profile {
        Seen::Is(file) if pasta.confines && pasta.is_for_it_alone => {
            switch_off(&file.to_string_lossy(), apparmor, &path)
        }
        Seen::Is(_) if !pasta.confines => return None,
        // Whose else would be switched off is not known.
        Seen::Is(_) | Seen::Unknown(_) => Cure::Words(
            "root allows it in the profile that the kernel's log names (profile=…), or lets that one only complain: `aa-complain PROFILE`"
                .to_owned(),
        ),
        Seen::Absent if apparmor.restricts_userns => profile("pasta", PASTA, &path),
        Seen::Absent => return None,
    };
    let title = "AppArmor keeps pasta from the namespaces that it needs";
    let is = Finding::new(Code::PastaDeniedByApparmor, Severity::Broken, title, cure);
    Some(is.seen("the kernel's log has more: `journalctl -k -g apparmor`, as root"))
}

/// The profile that forbids too much (aa-disable(8)); where none at all forbids as much, ours instead.
fn switch_off(file: &str, apparmor: &AppArmor, path: &str) -> Cure {
    let name = file.rsplit('/').next().unwrap_or(file);
    let link = typed(&format!("/etc/apparmor.d/disable/{name}"));
    let file = typed(file);
    let off = [
        "mkdir -p /etc/apparmor.d/disable".to_owned(),
        format!("ln -sfn {file} {link}"),
        // It may not be loaded.
        format!("apparmor_parser -R {file} || true"),
    ];
    match profile("pasta", PASTA, path) {
        Cure::Root(ours) if apparmor.restricts_userns => {
            Cure::Root(off.into_iter().chain(ours).collect())
        }
        _ => Cure::Root(off.to_vec()),
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
