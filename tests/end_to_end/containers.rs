//! Running containers stop only when somebody has agreed to it.

use crate::harness::Lab;

#[test]
fn containers_are_not_stopped_unasked_and_come_back_as_their_policy_says() {
    let Some(lab) = Lab::up("trixie") else { return };
    // pid 1 does not heed SIGTERM, and each stop would take ten seconds.
    let sleep = "--stop-signal KILL busybox sleep 600";
    lab.alice(&format!(
        "docker run -d --restart=always --name keeper {sleep} && docker run -d --name loner {sleep}"
    ))
    .exits(0);
    let (before, invocation) = (lab.tree(), lab.invocation());

    let refused = lab.alice("rootless6 setup --yes").exits(2);
    refused.says(&["--accept containers-restart", "keeper", "loner"]);
    assert!(refused.stderr.contains("keeper"), "named in the error");
    let dry = lab.alice("rootless6 setup --dry-run").exits(0);
    dry.says(&[
        "keeper: comes back",
        "loner: stays down",
        "zz-rootless6.conf",
    ]);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation);
    let running = "docker ps --format '{{.Names}}' | sort | tr '\\n' ' '";
    assert_eq!(lab.alice(running).stdout, "keeper loner ");

    lab.set_up();
    assert_eq!(lab.alice(running).stdout, "keeper ");
    // It was running before and has IPv6 now, without being made anew.
    lab.alice("docker exec keeper ping6 -c2 -W3 2001:db8:53::53")
        .exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.alice(running).stdout, "keeper ");
    assert_eq!(lab.tree(), before);
}
