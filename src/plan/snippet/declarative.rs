//! The Nix language: what NixOS and home-manager write files from.

use serde_json::Value;

use super::{Snippet, by_hand, changed_keys};
use crate::facts::Facts;
use crate::plan::environment::VARIABLES;
use crate::plan::{FileChange, Plan, uplink, wait_online};

/// For NixOS, whose module makes both the unit and daemon.json
/// (nixpkgs:nixos/modules/virtualisation/docker-rootless.nix).
pub(super) fn nixos(facts: &Facts, plan: &Plan) -> Snippet {
    let mut text = String::new();
    let changed = |path| plan.files.iter().find(|change| &change.path == path);
    if let Some(change) = changed(&facts.daemon_json.path) {
        let settings = value(&Value::Object(changed_keys(change)), "");
        text.push_str(&format!(
            "virtualisation.docker.rootless.daemon.settings = {settings};\n"
        ));
    }
    if let Some(change) = changed(&facts.our_drop_in.path) {
        let unit = facts.unit_name.trim_end_matches(".service");
        text.push_str(&format!("systemd.user.services.{} = {{\n", name(unit)));
        text.push_str("  environment = {\n");
        for (variable, set) in plan
            .environment
            .iter()
            .filter(|(variable, _)| VARIABLES.contains(&variable.as_str()))
        {
            text.push_str(&format!("    {variable} = {};\n", string(set)));
        }
        text.push_str("  };\n");
        for (directive, command) in [
            ("ExecStartPre", wait_online::command_in(&[&change.after])),
            ("ExecStartPost", uplink::command_in(&[&change.after])),
        ] {
            if let Some(command) = command {
                let command = string(&command);
                text.push_str(&format!("  serviceConfig.{directive} = {command};\n"));
            }
        }
        // A whole PATH would conflict with the one that is made of these packages.
        if plan.path().is_some() {
            text.push_str("  path = [ pkgs.passt ];\n");
        }
        text.push_str("};\n");
    }
    Snippet {
        belongs_in: "configuration.nix".to_owned(),
        text,
        then: format!(
            "sudo nixos-rebuild switch && systemctl --user restart {}",
            facts.typed_unit()
        ),
    }
}

/// For home-manager, which makes files below ~/.config links into the store.
pub(super) fn home_manager(facts: &Facts, changes: &[&FileChange]) -> Snippet {
    let mut text = String::new();
    for change in changes {
        let path = facts.short(&change.path);
        let path = path.strip_prefix("~/").unwrap_or(&path);
        let content = indented_string(&by_hand(&change.after));
        text.push_str(&format!("home.file.{}.text = {content};\n", string(path)));
    }
    Snippet {
        belongs_in: "home.nix".to_owned(),
        text,
        then: format!(
            "home-manager switch && systemctl --user daemon-reload && systemctl --user restart {}",
            facts.typed_unit()
        ),
    }
}

fn value(value_of: &Value, indent: &str) -> String {
    let deeper = format!("{indent}  ");
    match value_of {
        Value::Object(members) => {
            let lines: String = members
                .iter()
                .map(|(key, member)| {
                    format!("{deeper}{} = {};\n", name(key), value(member, &deeper))
                })
                .collect();
            format!("{{\n{lines}{indent}}}")
        }
        Value::Array(elements) => {
            let lines: String = elements
                .iter()
                .map(|element| format!("{deeper}{}\n", value(element, &deeper)))
                .collect();
            format!("[\n{lines}{indent}]")
        }
        Value::String(text) => string(text),
        plain => plain.to_string(),
    }
}

fn name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && key.chars().all(plain) {
        return key.to_owned();
    }
    string(key)
}

fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn indented_string(text: &str) -> String {
    let escaped = text.replace("''", "'''").replace("${", "''${");
    let lines: String = escaped.lines().map(|line| format!("  {line}\n")).collect();
    format!("''\n{lines}''")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_becomes_nix() {
        let written = value(
            &json!({"a": {"b.c": "x\"${y}"}, "l": [1, {"d": true}], "n": null}),
            "",
        );
        assert_eq!(
            written,
            "{\n  a = {\n    \"b.c\" = \"x\\\"\\${y}\";\n  };\n  l = [\n    1\n    {\n      d = true;\n    }\n  ];\n  n = null;\n}"
        );
    }

    #[test]
    fn texts_keep_what_nix_would_read_as_its_own() {
        assert_eq!(
            indented_string("a ${b}\n''c''\n"),
            "''\n  a ''${b}\n  '''c'''\n''"
        );
    }
}
