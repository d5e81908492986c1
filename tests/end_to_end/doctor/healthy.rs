//! A system that is well: nothing to say, and nothing touched.

use super::{Lab, Said, State, lab};

#[test]
fn on_trixie_nothing_is_wrong_after_setup() {
    healthy("trixie");
}

#[test]
fn on_forky_nothing_is_wrong_after_setup() {
    healthy("forky");
}

fn healthy(suite: &str) {
    let Some(lab) = lab(suite, State::SetUp) else {
        return;
    };
    nothing_is_wrong(&lab);
    let (tree, times, invocation) = (lab.tree(), lab.times(), lab.invocation());
    lab.alice("rootless6 doctor").exits(0);
    nothing_is_wrong(&lab);
    assert_eq!(lab.tree(), tree);
    assert_eq!(lab.times(), times, "no file was written");
    assert_eq!(lab.invocation(), invocation, "dockerd was not restarted");

    // What a subid file may look like.
    for lines in [
        "1000:100000:65536",
        "# of people\\n\\nbob:300000:65536\\nalice:100000:65536 \\nnonsense:::\\n\\377\\376",
        "alice:100000:1\\nalice:100001:65535",
    ] {
        lab.root(&format!(
            "printf '{lines}\\n' | tee /etc/subuid >/etc/subgid"
        ))
        .exits(0);
        nothing_is_wrong(&lab);
    }
}

fn nothing_is_wrong(lab: &Lab) {
    let said = Said::by(lab, "");
    assert_eq!(said.exit, 0);
    assert_eq!(said.objection(), None);
    let findings = said.findings();
    assert!(
        findings.iter().all(|found| found.severity == "note"),
        "{:?}",
        said.codes()
    );
}
