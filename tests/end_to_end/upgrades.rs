//! What changes after setup: versions, and what others do to the settings.

use serde_json::Value;

use crate::harness::Lab;

const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/stand-in/");
const PLACE: &str = "/opt/lab/stand-in/";
const DROP_IN: &str = "~/.config/systemd/user/docker.service.d/zz-rootless6.conf";
const SETUP: &str = "rootless6 setup --yes --accept containers-restart --json";

fn doctor(lab: &Lab, status: i32) -> Value {
    lab.alice("rootless6 doctor >&2; true");
    lab.alice("rootless6 doctor --json").exits(status).json()
}

/// Severity by code, of what is not folded under something else.
fn causes(doctor: &Value) -> Vec<(String, String)> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = doctor["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["because_of"] == serde_json::json!([]))
        .map(|finding| (word(finding, "code"), word(finding, "severity")))
        .collect()
}

fn is_drifted(doctor: &Value, severity: &str) -> bool {
    causes(doctor).contains(&("settings-drifted".to_owned(), severity.to_owned()))
}

#[track_caller]
fn is_clean(lab: &Lab) {
    let doctor = doctor(lab, 0);
    let all = causes(&doctor);
    assert!(
        all.iter()
            .all(|(code, severity)| severity == "note" && code != "settings-drifted"),
        "nothing has drifted: {all:?}"
    );
    assert_eq!(doctor["since_setup"], serde_json::json!([]));
}

fn evidence(doctor: &Value, code: &str) -> String {
    let mut findings = doctor["findings"].as_array().unwrap().iter();
    let finding = findings.find(|finding| finding["code"] == code);
    finding.unwrap_or(&Value::Null)["evidence"].to_string()
}

fn restart(lab: &Lab) {
    lab.alice("systemctl --user reset-failed docker; systemctl --user daemon-reload; systemctl --user restart docker")
        .exits(0);
}

#[test]
fn a_newer_rootlesskit_needs_no_uplink_and_an_older_one_needs_it_again() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    is_clean(&lab);
    assert!(lab.read(DROP_IN).contains("ExecStartPost"));

    for name in ["rootlesskit", "install"] {
        lab.push(&format!("{STAND_IN}{name}"), &format!("{PLACE}{name}"));
    }
    lab.root("cp -a /usr/bin/rootlesskit /usr/bin/rootlesskit.debian")
        .exits(0);
    lab.root(&format!("{PLACE}install 2.3.6 attached")).exits(0);
    restart(&lab);
    let upgraded = doctor(&lab, 0);
    let since = upgraded["since_setup"].as_array().unwrap();
    assert_eq!(since.len(), 1);
    assert_eq!(since[0]["what"], "RootlessKit");
    assert_eq!(since[0]["then"], "2.0.2");
    assert_eq!(since[0]["now"], "2.3.6");
    assert!(is_drifted(&upgraded, "note"));
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    assert_eq!(verify["since_setup"], upgraded["since_setup"]);

    assert_eq!(lab.alice(SETUP).exits(0).json()["changed"], true);
    assert!(!lab.read(DROP_IN).contains("ExecStartPost"), "no uplink");
    is_clean(&lab);

    // And back.
    lab.root("ln -sfn /usr/bin/rootlesskit.debian /usr/bin/rootlesskit")
        .exits(0);
    restart(&lab);
    let downgraded = doctor(&lab, 1);
    assert_eq!(causes(&downgraded)[0].0, "rootlesskit-without-ipv6-config");
    assert!(!evidence(&downgraded, "settings-drifted").is_empty());
    assert_eq!(lab.alice(SETUP).exits(0).json()["changed"], true);
    assert!(lab.read(DROP_IN).contains("ExecStartPost"));
    is_clean(&lab);
}

#[test]
fn what_was_seen_again_is_old_news() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    let journal = "~/.local/state/rootless6/0001.json";
    lab.alice(&format!(
        "sed -i 's/\"rootlesskit\": \"2.0.2\"/\"rootlesskit\": \"2.0.1\"/' {journal}"
    ))
    .exits(0);
    let old = doctor(&lab, 0);
    assert_eq!(old["since_setup"][0]["then"], "2.0.1");
    assert_eq!(lab.alice(SETUP).exits(0).json()["changed"], false);
    is_clean(&lab);
    lab.alice(&format!(
        "ls ~/.local/state/rootless6 >&2; grep seen_again {journal}"
    ))
    .exits(0);
    let times = lab.alice(&format!("stat -c %y {journal}")).stdout;
    assert_eq!(lab.alice(SETUP).exits(0).json()["changed"], false);
    assert_eq!(
        lab.alice(&format!("stat -c %y {journal}")).stdout,
        times,
        "nothing new is not written again"
    );
}

#[test]
fn a_drop_in_that_is_edited_or_gone_is_told_before_the_next_start_and_after_it() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    is_clean(&lab);

    // Edited, and not read by systemd yet.
    lab.alice(&format!(
        "cp {DROP_IN} ~/ours; sed -i 's/NET=pasta/NET=slirp4netns/' {DROP_IN}"
    ))
    .exits(0);
    let edited = doctor(&lab, 1);
    // pasta's port driver is still there, and dockerd would not start with both.
    assert_eq!(
        causes(&edited)[0],
        ("port-driver-mismatch".to_owned(), "broken".to_owned())
    );
    let seen = evidence(&edited, "settings-drifted");
    assert!(seen.contains("NET=slirp4netns; needed is pasta"), "{seen}");
    let seen = evidence(&edited, "needs-daemon-reload");
    assert!(seen.contains("zz-rootless6.conf was edited"), "{seen}");
    let settings = edited["settings"].as_array().unwrap();
    let net = settings.iter().find(|it| it["name"] == "net").unwrap();
    assert_eq!(net["configured"], "slirp4netns");
    assert_eq!(net["running"], "pasta");
    assert_eq!(net["differs"], true);
    assert!(net["set_by"]["line"].is_u64());

    lab.alice(&format!("rm {DROP_IN}; systemctl --user daemon-reload"))
        .exits(0);
    let gone = doctor(&lab, 1);
    assert!(is_drifted(&gone, "broken"));
    assert!(evidence(&gone, "settings-drifted").contains("is gone"));
    let verify = lab.alice("rootless6 verify --json").exits(0).json();
    assert!(verify["findings"].to_string().contains("settings-drifted"));

    restart(&lab);
    // What comes of it has a name of its own, and drift stands behind that.
    let live = doctor(&lab, 1);
    assert_eq!(causes(&live)[0].0, "driver-without-ipv6");
    assert!(!evidence(&live, "settings-drifted").is_empty());

    // Put back, but not live.
    lab.alice(&format!("cp ~/ours {DROP_IN}")).exits(0);
    let unread = doctor(&lab, 1);
    assert_eq!(
        causes(&unread)[0],
        ("needs-daemon-reload".to_owned(), "broken".to_owned())
    );
    assert!(evidence(&unread, "needs-daemon-reload").contains("zz-rootless6.conf is new"));
    lab.alice("systemctl --user daemon-reload").exits(0);
    let not_live = doctor(&lab, 1);
    assert_eq!(causes(&not_live)[0].0, "settings-drifted");
    lab.alice(SETUP).exits(0);
    is_clean(&lab);

    lab.alice("sed -i 's/\"ipv6\": true/\"ipv6\": false/' ~/.config/docker/daemon.json")
        .exits(0);
    let bridge = doctor(&lab, 1);
    assert!(evidence(&bridge, "settings-drifted").contains("ipv6 is false; needed is true"));
}

#[test]
fn a_drop_in_that_wins_is_named_with_the_line_and_the_value_needed() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    lab.plant(
        "zzz.conf",
        "[Service]\n\nEnvironment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns\n",
    );
    let shadowed = doctor(&lab, 1);
    assert_eq!(causes(&shadowed)[0].0, "dropin-shadowed");
    let seen = evidence(&shadowed, "dropin-shadowed");
    assert!(seen.contains("zzz.conf, line 3: "), "{seen}");
    assert!(seen.contains("=slirp4netns; needed is pasta"), "{seen}");
    assert!(
        !causes(&shadowed)
            .iter()
            .any(|(code, _)| code == "settings-drifted"),
        "its consequence"
    );
}

#[test]
fn what_was_chosen_at_setup_is_no_finding() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice(&format!("{SETUP} --subnet none --new-networks keep"))
        .exits(0);
    is_clean(&lab);
    let chosen = "--net slirp4netns --subnet auto --new-networks ipv6 --no-verify";
    lab.alice(&format!("{SETUP} {chosen}")).exits(0);
    let doctor = doctor(&lab, 0);
    let severe = causes(&doctor)
        .into_iter()
        .filter(|(_, severity)| severity != "note");
    assert_eq!(severe.collect::<Vec<_>>(), []);
}
