//! pasta itself: which releases serve RootlessKit, and how far.

use super::{Code, Cure, Finding, Severity, rootlesskit};
use crate::capability::{self, GOOD_PASTA, PASTA_WITHOUT_DUAL_STACK_BUG};
use crate::facts::{Facts, NetDriver, Network, RootlessKit};
use crate::plan::next_start::next_start;

/// What to do about an old one.
pub(super) fn newer() -> Cure {
    Cure::Words(format!("install a newer passt, of {GOOD_PASTA} or later"))
}

pub(super) fn too_old(facts: &Facts) -> Option<Finding> {
    let released = facts.passt().filter(|_| rootlesskit::has_pasta(facts))?;
    let does = capability::pasta(released);
    let starts = starts(facts);
    // Whether it has copied IPv6 too, tap0 shows, if it can be looked at.
    let reaches_out = facts.tap.is().is_some_and(Network::reaches_out);
    let works = starts && (reaches_out || facts.tap.unknown().is_some());
    let configures = facts
        .rootlesskit_version()
        .is_some_and(|version| capability::rootlesskit(version).ipv6_config);
    let (severity, title) = if !does.starts {
        let severity = if starts {
            Severity::Weak
        } else {
            rootlesskit::without_pasta_is(facts)
        };
        (
            severity,
            "is older than RootlessKit can use, which is 2023_06_25",
        )
    } else if configures && !does.copies_ipv6 {
        let severity = if works {
            Severity::Note
        } else {
            Severity::Weak
        };
        (
            severity,
            "may fail to copy the host's IPv6 (\"Couldn't set IPv6 route(s)\")",
        )
    } else if !does.is_quick {
        (
            Severity::Note,
            "waits a second or two for its IPv6 address at each start",
        )
    } else {
        return None;
    };
    let pasta = facts.pasta()?;
    let finding = Finding::new(
        Code::PastaTooOld,
        severity,
        format!("pasta {released} {title}"),
        newer(),
    )
    .seen(format!("{} is {}", facts.short(&pasta.path), pasta.version));
    Some(match (starts, reaches_out) {
        (true, true) => finding.seen("the one that runs works all the same"),
        (true, false) => finding.seen("the one that runs has started all the same"),
        (false, _) => finding,
    })
}

/// What is seen counts for more than a version: RootlessKit runs its child once its driver is up.
fn starts(facts: &Facts) -> bool {
    let with_pasta = |kit: &RootlessKit| kit.net == NetDriver::Pasta && kit.ipv6;
    facts.rootlesskit.is().is_some_and(with_pasta)
}

pub(super) fn dual_stack_bug(facts: &Facts) -> Option<Finding> {
    let released = facts.passt()?;
    if !capability::pasta(released).needs_ipv6 {
        return None;
    }
    let next = next_start(facts)?;
    if next.driver()? != NetDriver::Pasta || next.port_driver.value()? != "implicit" {
        return None;
    }
    let is_on = next.ipv6.is_on()?;
    let newer = format!("passt {PASTA_WITHOUT_DUAL_STACK_BUG} mends it");
    let pasta = facts.pasta()?;
    let version = format!("{} is {}", facts.short(&pasta.path), pasta.version);
    let finding = if is_on {
        Finding::new(
            Code::PastaDualStackBug,
            Severity::Note,
            format!("pasta {released} does not start without --ipv6: do not turn it off"),
            Cure::Words(newer),
        )
        .seen(version)
        .seen(next.ipv6.from(facts))
    } else {
        Finding::new(
            Code::PastaDualStackBug,
            Severity::Broken,
            format!(
                "pasta {released} does not start without --ipv6, so dockerd will not start again"
            ),
            Cure::Setup,
        )
        .seen(format!("{version}; {newer}"))
        .seen(next.net.from(facts))
        .seen(rootlesskit::without_ipv6(facts, &next.ipv6))
    };
    Some(finding)
}
