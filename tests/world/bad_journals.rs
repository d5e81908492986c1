//! What is in the journal is believed only as far as it can be true.

use std::fmt;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use serde_json::{Value, json};

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO, hand_over};
use super::tree::Tree;

/// What has become of an entry.
struct Case {
    name: &'static str,
    spoil: fn(&Setting, &Path),
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn edit(entry: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(entry).unwrap()).unwrap();
    change(&mut value);
    fs::write(entry, value.to_string()).unwrap();
}

/// Says that a file of the user's was made by rootless6, which is to be removed by an undo.
fn lie_about(entry: &Path, path: &Path) {
    let text = fs::read_to_string(path).unwrap_or_default();
    edit(entry, |value| {
        let mut change = value["changes"][0].clone();
        change["path"] = json!(path);
        change["before"] = json!("absent");
        change["after"] = json!({"text": text});
        value["changes"].as_array_mut().unwrap().push(change);
    });
}

fn precious(setting: &Setting) -> PathBuf {
    setting.places.home.join("precious")
}

const CASES: &[Case] = &[
    Case {
        name: "empty",
        spoil: |_, entry| fs::write(entry, "").unwrap(),
    },
    Case {
        name: "truncated",
        spoil: |_, entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, &bytes[..bytes.len() / 2]).unwrap();
        },
    },
    Case {
        name: "no UTF-8",
        spoil: |_, entry| fs::write(entry, b"\xff\xfe{}").unwrap(),
    },
    Case {
        name: "no object",
        spoil: |_, entry| fs::write(entry, "[]").unwrap(),
    },
    Case {
        name: "nested without end",
        spoil: |_, entry| fs::write(entry, "[".repeat(1_000_000)).unwrap(),
    },
    Case {
        name: "from a newer version",
        spoil: |_, entry| {
            edit(entry, |value| {
                value["schema"] = json!(99);
                value["what_nobody_knows_yet"] = json!({"a": [1]});
            });
        },
    },
    Case {
        name: "another user's",
        spoil: |_, entry| chown(entry, Some(0), Some(0)).unwrap(),
    },
    Case {
        name: "a symlink",
        spoil: |setting, entry| {
            let elsewhere = setting.places.home.join("0001.json");
            fs::rename(entry, &elsewhere).unwrap();
            symlink(elsewhere, entry).unwrap();
        },
    },
    Case {
        name: "a FIFO",
        spoil: |_, entry| {
            fs::remove_file(entry).unwrap();
            nix::unistd::mkfifo(entry, Mode::from_bits_truncate(0o600)).unwrap();
            hand_over(entry);
        },
    },
    Case {
        name: "a directory",
        spoil: |_, entry| {
            fs::remove_file(entry).unwrap();
            fs::create_dir(entry).unwrap();
            hand_over(entry);
        },
    },
    Case {
        name: "a path outside of the config tree",
        spoil: |setting, entry| lie_about(entry, &precious(setting)),
    },
    Case {
        name: "a path that leads out of the config tree",
        spoil: |setting, entry| lie_about(entry, &setting.places.config.join("../precious")),
    },
    Case {
        name: "a relative path",
        spoil: |_, entry| lie_about(entry, Path::new("precious")),
    },
    Case {
        name: "a system's path",
        spoil: |_, entry| lie_about(entry, Path::new("/etc/hostname")),
    },
    Case {
        name: "a directory outside of the config tree",
        spoil: |setting, entry| {
            let directory = setting.places.home.join("empty");
            fs::create_dir(&directory).unwrap();
            hand_over(&directory);
            edit(entry, |value| {
                value["made_directories"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!(directory));
            });
        },
    },
    Case {
        name: "base64 that is none",
        spoil: |_, entry| {
            edit(entry, |value| {
                value["changes"][0]["after"] = json!({"base64": "%%%"})
            });
        },
    },
    Case {
        name: "the last generation there can be",
        spoil: |_, entry| edit(entry, |value| value["generation"] = json!(u32::MAX)),
    },
    Case {
        name: "a unit that is none",
        spoil: |_, entry| {
            edit(entry, |value| {
                value["unit"] = json!("../../x\n; rm -rf .service")
            })
        },
    },
];

#[test]
fn an_entry_that_cannot_be_true_is_named_and_nothing_is_changed() {
    each(CASES, |case| {
        for arguments in [UNDO, SETUP, &["status"]] {
            let setting = Setting::new();
            setting.write(&precious(&setting), b"precious\n");
            setting.runs_well(SETUP);
            let entry = setting.state().join("0001.json");
            (case.spoil)(&setting, &entry);
            let before = Tree::of(&setting.places.home, &[]);
            let starts = setting.bus.manager().starts;
            let ran = setting.runs(arguments);
            let context = format!("{arguments:?}: {:?} {}", ran.status, ran.said);
            let after = Tree::of(&setting.places.home, &[]);
            assert!(before == after, "{context}\n{}", before.difference(&after));
            assert_eq!(setting.bus.manager().starts, starts, "{context}");
            assert!(!ran.said.contains("panicked"), "{context}");
            if arguments == ["status"] {
                assert!(matches!(ran.status, Some(0 | 1)), "{context}");
                continue;
            }
            assert_eq!(ran.status, Some(3), "{context}");
            assert!(ran.said.contains("0001.json"), "{context}");
        }
    });
}
