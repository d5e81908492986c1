//! Odd paths and odd files: what we write is read back as it was meant, or not written at all.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rootless6::plan::daemon_json::{Change, edit};
use serde_json::{Map, Value, json};

use crate::harness::Lab;

const FILES: usize = 60;

#[test]
fn a_program_is_run_from_any_path_that_systemd_takes_and_from_others_nothing_is_written() {
    let Some(lab) = Lab::up("trixie") else { return };
    let (tree, invocation) = (lab.tree(), lab.invocation());
    for directory in [
        "it's",
        "new\\nline",
        "caf\\351",
        "back\\\\slash",
        "st*r",
        "blank ",
    ] {
        let file = if directory.ends_with(' ') {
            "rootless6 "
        } else {
            "rootless6"
        };
        let refused = lab.alice(&format!(
            r#"odd=$(printf '/home/alice/{}.'); odd=${{odd%.}}; mkdir "$odd" && cp .local/bin/rootless6 "$odd/{file}" &&
            exec "$odd/{file}" setup --yes --accept containers-restart"#,
            directory.replace('\'', r"\047"),
        ));
        refused.exits(3).says(&[
            "cannot write our drop-in",
            "systemd cannot run",
            "hint: move this program",
        ]);
        assert_eq!(lab.tree(), tree);
    }
    assert_eq!(lab.invocation(), invocation);

    // Here RootlessKit gives no IPv6 to pasta: without our command at each start there is none.
    let odd = "/home/alice/it is 100%h $HOME; é#{A}";
    lab.alice(&format!("mkdir '{odd}' && cp .local/bin/rootless6 '{odd}'"))
        .exits(0);
    lab.alice(&format!(
        "'{odd}/rootless6' setup --yes --accept containers-restart"
    ))
    .exits(0);
    lab.alice("systemctl --user restart docker").exits(0);
    lab.connect_from("bridge").exits(0);
    lab.alice(&format!("'{odd}/rootless6' undo --yes")).exits(0);
    assert_eq!(lab.tree(), tree);
    lab.runs_as_before();
}

/// Its own check of its own file; Debian 12's has none.
#[test]
fn dockerd_takes_each_daemon_json_that_we_have_changed() {
    let Some(lab) = Lab::up("forky") else { return };
    let mut runner = TestRunner::deterministic();
    let mut script = "mkdir files && cd files\n".to_owned();
    for number in 0..FILES {
        let before = daemon_json().new_tree(&mut runner).unwrap().current();
        let after = edit(Some(&before), &changes()).unwrap();
        for (when, text) in [("before", before), ("after", after)] {
            let quoted = text.replace('\'', r"'\''");
            writeln!(script, "printf %s '{quoted}' >{number}.{when}").unwrap();
        }
    }
    script +=
        "echo '{\"nonsense\": 1}' >../bad && ! dockerd --validate --config-file ../bad || exit
        for file in *; do dockerd --validate --config-file $file >said 2>&1 ||
        { echo \"$file: $(cat $file) $(cat said)\"; exit 1; }; done; rm said; ls | wc -l";
    let counted = lab.quietly(&script);
    assert_eq!(counted.trim(), (2 * FILES).to_string());
}

fn changes() -> Vec<Change> {
    let enable = [
        "default-network-opts",
        "bridge",
        "com.docker.network.enable_ipv6",
    ];
    vec![
        Change::set(["ipv6"], true),
        Change::set(["fixed-cidr-v6"], "fd12:3456:789a:1::/64"),
        Change::set(["ip6tables"], true),
        Change::set(enable, "true"),
        Change::append(
            ["default-address-pools"],
            json!({"base": "fd12:3456:789a:100::/56", "size": 64}),
        ),
    ]
}

/// Settings that dockerd knows, in any order, spelled in any way that JSON allows.
fn daemon_json() -> impl Strategy<Value = String> {
    let label = "[a-z]{1,4}=[ -~é😀\n\t]{0,8}".prop_map(Value::from);
    let value = prop_oneof![
        any::<bool>().prop_map(|it| ("debug", json!(it))),
        any::<bool>().prop_map(|it| ("ipv6", json!(it))),
        (1..9_u8).prop_map(|it| ("max-concurrent-downloads", json!(it))),
        vec(label, 0..3).prop_map(|it| ("labels", Value::from(it))),
        Just((
            "log-opts",
            json!({"max-size": "10m", "tag": "{{.Name}}/\\\"'"})
        )),
        Just(("features", json!({"buildkit": true}))),
        Just((
            "default-network-opts",
            json!({"bridge": {}, "ipvlan": {"a": "b"}})
        )),
        Just((
            "default-address-pools",
            json!([{"base": "10.200.0.0/16", "size": 24}])
        )),
        Just(("default-address-pools", json!([]))),
    ];
    let members = vec(value, 0..6).prop_map(|members| {
        let members = members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        Value::from(Map::from_iter(members))
    });
    let ends = select(vec!["", "\n", "\r\n\r\n", " \t\n"]);
    (members, ends, 0..4_u8).prop_map(|(value, end, style)| {
        let text = match style {
            0 => value.to_string(),
            1 => format!("{value:#}"),
            2 => format!("{value:#}")
                .replace("\n  ", "\r\n\t")
                .replace('\n', "\r\n")
                .replace("\r\r", "\r"),
            // `\u` for letters of keys and values, blanks around all that is not in a string.
            _ => value
                .to_string()
                .replace("debug", "d\\u0065bug")
                .replace("ipv6", "\\u0069pv6"),
        };
        format!("{text}{end}")
    })
}
