//! Debian 12: a RootlessKit that knows no pasta.

use crate::harness::{Lab, outcome};

#[test]
fn bookworm_is_told_why_not_and_left_running_as_it_is() {
    let Some(lab) = Lab::up("bookworm") else {
        return;
    };
    let (before, invocation) = (lab.tree(), lab.invocation());

    let setup = lab.alice("rootless6 setup --yes --accept containers-restart");
    setup.exits(3).says(&["rootlesskit-without-pasta", "hint:"]);
    let json = lab.alice("rootless6 setup --yes --json").exits(3).json();
    assert_eq!(json["changed"], false);
    assert_eq!(json["rolled_back"], false);
    assert!(json["error"]["message"].is_string());

    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["verdict"], "fail");
    assert!(verify["cause"].is_string(), "a cause is named");
    assert_eq!(outcome(&verify, "host.internet.icmp6"), "pass");
    let status = lab.alice("rootless6 status").exits(0);
    status.says(&["rootlesskit-without-pasta", "20.10.24"]);

    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation, "nothing restarted");
    lab.runs_as_before();
}
