//! The user's systemd, and what it lives in.

use super::{Code, Cure, Finding, Severity};
use crate::facts::{Facts, Seen, Session, typed};

/// Behind the command, for a line of its own would make nothing of what it is joined with by `&&`.
const ENDS_ALL: &str = "ends all that this user runs in it, containers too";

/// Nobody keeps the user's systemd running: then there is nothing else to say of it.
pub(super) fn not_running(facts: &Facts) -> Option<Finding> {
    let session = &facts.session;
    if !is_down(facts) || !session.is_systemds_own() || session.linger != Seen::Is(false) {
        return None;
    }
    let title = format!(
        "{0} is not logged in and does not linger, so no systemd runs for {0}",
        session.user
    );
    let evidence = what_is_missing(session);
    Some(linger(session, Severity::Broken, title, evidence))
}

pub(super) fn no_linger(facts: &Facts) -> Option<Finding> {
    let session = &facts.session;
    facts.unit.is()?;
    let title = format!(
        "dockerd ends with {}'s last logout and does not start at boot",
        session.user
    );
    let evidence = format!("/var/lib/systemd/linger/{} does not exist", session.user);
    (session.linger == Seen::Is(false)).then(|| linger(session, Severity::Weak, title, evidence))
}

/// logind asks polkit, whose rules let everybody linger; only where no polkit runs it takes root.
fn linger(session: &Session, severity: Severity, title: String, evidence: String) -> Finding {
    let command = format!("loginctl enable-linger {}", typed(&session.user));
    let without_root = format!(
        "polkit, where it runs, lets {} do that without root: `{command}`",
        session.user
    );
    let cure = Cure::Root(vec![command]);
    Finding::new(Code::NoLinger, severity, title, cure)
        .seen(evidence)
        .seen(without_root)
}

pub(super) fn no_user_bus(facts: &Facts) -> Option<Finding> {
    let why = facts.unit.unknown()?;
    if not_running(facts).is_some() {
        return None;
    }
    let session = &facts.session;
    let evidence = if is_down(facts) {
        what_is_missing(session)
    } else {
        why.to_owned()
    };
    Some(
        Finding::new(
            Code::NoUserBus,
            Severity::Broken,
            "the user's systemd cannot be reached",
            way_to_systemd(facts),
        )
        .seen(evidence),
    )
}

fn way_to_systemd(facts: &Facts) -> Cure {
    let session = &facts.session;
    let uid = session.uid;
    if !is_down(facts) {
        return Cure::Words(format!(
            "see `systemctl --user status`, and as root `systemctl status user@{uid}.service`"
        ));
    }
    if !session.is_systemds_own() {
        return Cure::Words(format!(
            "look in /run/user/{uid} instead: `env -u XDG_RUNTIME_DIR rootless6 …`"
        ));
    }
    if session.linger == Seen::Absent {
        return Cure::Words(
            "there is no systemd-logind here, which starts a user's systemd: boot with systemd, or set RootlessKit's options where dockerd is started"
                .to_owned(),
        );
    }
    Cure::Root(vec![format!(
        "systemctl restart user-runtime-dir@{uid}.service user@{uid}.service  # {ENDS_ALL}"
    )])
}

/// Whether no systemd runs for the user, as opposed to one that does not answer.
fn is_down(facts: &Facts) -> bool {
    let session = &facts.session;
    let theirs = session
        .runtime_owner
        .is()
        .is_some_and(|owner| *owner != session.uid);
    facts.unit.unknown().is_some() && (theirs || !session.systemd_listens)
}

fn what_is_missing(session: &Session) -> String {
    let directory = session.runtime.display();
    match &session.runtime_owner {
        Seen::Absent => format!("{directory} does not exist"),
        Seen::Is(owner) if *owner != session.uid => {
            format!("{directory} belongs to user {owner}, not {}", session.uid)
        }
        Seen::Is(_) => format!("no systemd listens in {directory}"),
        Seen::Unknown(why) => why.clone(),
    }
}
