//! What is somebody else's stays, byte for byte.

use serde_json::Value;

use crate::harness::Lab;

const OVERRIDE: &str = r#"# written by hand
[Service]
Environment=FOO='a  b' "BAR=100 %% \"sure\"" \
    DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=false
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--debug"
"#;

/// Tabs, Windows line ends, no order, `\u` escapes, empty lists: dockerd takes it.
const DAEMON_JSON: &str = concat!(
    "{\r\n",
    "\t\"log-opts\" : {\"max-size\":\"10m\",   \"max-file\" : \"3\"},\r\n",
    "\t\"registry-mirrors\": [],\r\n",
    "\r\n",
    "\t\"labels\": [ \"\\u0061=caf\\u00e9\", \"z=/\\/\" ],\r\n",
    "\t\"shutdown-timeout\": 7, \"debug\": false,\r\n",
    "\t\"log-driver\":\"json-file\"\r\n",
    "}\r\n\r\n",
);

/// Debian's own hand-written style is the other extreme: one line, no end of line.
const MINIFIED: &str =
    r#"{"max-concurrent-downloads":2,"ipv6":false,"features":{"buildkit":true},"hosts":[]}"#;

#[test]
fn settings_of_ones_own_survive_setup_and_undo() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant("override.conf", OVERRIDE);
    lab.write("~/.config/docker/daemon.json", DAEMON_JSON);
    lab.alice("systemctl --user restart docker").exits(0);
    let before = lab.tree();
    let environment = lab.status()["unit"]["environment"].clone();

    lab.set_up();
    lab.ping_from("bridge").exits(0);

    let drop_ins = "~/.config/systemd/user/docker.service.d";
    assert_eq!(lab.read(&format!("{drop_ins}/override.conf")), OVERRIDE);
    let status = lab.status();
    let now = &status["unit"]["environment"];
    assert_eq!(now["FOO"], "a  b");
    assert_eq!(now["BAR"], "100 % \"sure\"");
    for (name, value) in environment.as_object().unwrap() {
        if name != "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS" {
            assert_eq!(&now[name], value, "{name}");
        }
    }
    assert_eq!(now["DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"], "--debug --ipv6");
    let command_line = "tr '\\0' '\\n' </proc/$(systemctl --user show -P MainPID docker)/cmdline";
    let command_line = lab.alice(command_line).exits(0).stdout;
    for word in ["--debug", "--ipv6", "--net=pasta", "--mtu=65520"] {
        assert!(command_line.lines().any(|line| line == word), "{word}");
    }
    stays_in(DAEMON_JSON, &lab.read("~/.config/docker/daemon.json"));

    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_minified_daemon_json_stays_one_line_and_a_readable_file_stays_readable_by_whom_it_was() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.write(
        "~/.config/docker/daemon.json",
        MINIFIED.replace(",\"hosts\":[]", "").as_str(),
    );
    lab.alice("chmod 640 ~/.config/docker/daemon.json && systemctl --user restart docker")
        .exits(0);
    let before = lab.tree();
    lab.set_up();
    lab.ping_from("bridge").exits(0);
    let after = lab.read("~/.config/docker/daemon.json");
    assert_eq!(after.lines().count(), 1, "still one line");
    assert!(!after.ends_with('\n'), "still without an end of line");
    let document: Value = serde_json::from_str(&after).unwrap();
    assert_eq!(document["ipv6"], true);
    assert_eq!(document["max-concurrent-downloads"], 2);
    assert_eq!(document["features"]["buildkit"], true);
    let keys: Vec<_> = document.as_object().unwrap().keys().take(3).collect();
    assert_eq!(keys, ["max-concurrent-downloads", "ipv6", "features"]);
    lab.alice("stat -c %a ~/.config/docker/daemon.json")
        .exits(0)
        .says(&["640"]);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
}

/// Every byte of the old text is in the new one, in the same order, and every value too.
fn stays_in(before: &str, after: &str) {
    let mut rest = after.bytes();
    for (offset, byte) in before.bytes().enumerate() {
        assert!(
            rest.any(|other| other == byte),
            "byte {offset} of daemon.json is lost"
        );
    }
    let [before, after] = [before, after].map(|text| serde_json::from_str::<Value>(text).unwrap());
    for (key, value) in before.as_object().unwrap() {
        assert_eq!(&after[key], value, "{key}");
    }
    let old_keys = before.as_object().unwrap().keys();
    let kept = after.as_object().unwrap().keys();
    let kept = kept.filter(|key| before.get(key.as_str()).is_some());
    assert!(kept.eq(old_keys), "the order of the keys");
}
