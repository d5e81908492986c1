//! The environment and a file say what flags say.

use crate::harness::Lab;

#[test]
fn variables_and_a_file_work_like_flags() {
    let Some(lab) = Lab::up("forky") else { return };
    let before = lab.tree();

    lab.write("/tmp/unknown.toml", "nett = 'pasta'\n");
    lab.write("/tmp/broken.toml", "net = \n");
    for (file, word) in [
        ("/tmp/unknown.toml", "nett"),
        ("/tmp/broken.toml", "broken.toml"),
        ("/tmp/nothere.toml", "nothere.toml"),
    ] {
        let refused = lab.alice(&format!("rootless6 setup --yes --config {file}"));
        refused.exits(2).says(&["error:", word]);
    }
    let refused = lab.alice("ROOTLESS6_MTU=9 rootless6 setup --yes").exits(2);
    refused.says(&["1280"]);
    assert_eq!(lab.tree(), before);

    lab.alice("docker run -d --name loner --stop-signal KILL busybox sleep 600")
        .exits(0);
    lab.write(
        "/tmp/settings.toml",
        "mtu = 1500\nsubnet = 'fd12:3456:789a:1::/64'\nnew-networks = 'keep'\n",
    );
    let setup = lab.alice(
        "export ROOTLESS6_YES=1 ROOTLESS6_ACCEPT=containers-restart ROOTLESS6_JSON=1
        export ROOTLESS6_CONFIG=/tmp/settings.toml ROOTLESS6_MTU=9000
        rootless6 setup",
    );
    let setup = setup.exits(0).json();
    assert_eq!(setup["changed"], true);
    let equivalent = setup["equivalent"].as_str().unwrap();
    for words in [
        "--mtu 9000",
        "--subnet fd12:3456:789a:1::/64",
        "--new-networks keep",
    ] {
        assert!(equivalent.contains(words), "{words} in {equivalent}");
    }
    let status = lab.status();
    assert_eq!(
        status["rootlesskit"]["mtu"], 9000,
        "a variable beats the file"
    );
    let networks = status["networks"].to_string();
    assert!(networks.contains("fd12:3456:789a:1::/64"), "{networks}");
    let again = lab.alice(&format!("{equivalent} --json")).exits(0).json();
    assert_eq!(again["changed"], false, "the equivalent is equivalent");

    lab.alice("ROOTLESS6_YES=1 rootless6 undo").exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_dry_run_shows_and_does_nothing() {
    let Some(lab) = Lab::up("trixie") else { return };
    let (before, invocation) = (lab.tree(), lab.invocation());
    let dry = lab.alice("rootless6 setup --dry-run").exits(0);
    dry.says(&["zz-rootless6.conf", "daemon.json", "+ ", "is restarted"]);
    let json = lab
        .alice("rootless6 setup --dry-run --json")
        .exits(0)
        .json();
    assert_eq!(json["changed"], false);
    let steps = json["steps"].as_array().unwrap();
    assert!(steps.len() >= 3, "two files and a restart");
    assert!(steps.iter().all(|step| step["done"] == false));
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.invocation(), invocation);

    // Files only: dockerd runs on, and a later setup has only the restart left to do.
    let files = lab.alice("rootless6 setup --yes --no-restart").exits(0);
    files.says(&["rootless6 verify"]);
    assert_eq!(lab.invocation(), invocation);
    lab.runs_as_before();
    let written = lab.times();
    lab.set_up();
    assert_eq!(lab.times(), written, "nothing was written again");
    lab.ping_from("bridge").exits(0);
}
