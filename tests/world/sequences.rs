//! Setups of every kind, edits of the user's and undos, in any order: once all is undone, there is
//! what was there in the beginning, and the user's edits.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::manager::UNIT;
use super::parallel::each;
use super::random::Random;
use super::setting::{SETUP, Setting, UNDO};
use super::tree::Tree;

/// Each is a run of its own, so that a failure can be tried again alone.
const SEQUENCES: u64 = 300;

const LONGEST: usize = 7;

#[derive(Debug, Clone)]
enum Step {
    /// With these options besides the usual ones.
    Setup(Vec<&'static str>),
    Undo,
    Edit(Edit),
    /// `systemctl --user restart docker`
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Edit {
    /// A key is put into daemon.json.
    Settings(usize),
    SettingsRemoved,
    SettingsMode(u32),
    /// A drop-in of the user's own.
    Override(usize),
    /// A comment at the end of ours.
    DropIn(usize),
    DropInRemoved,
    /// A file that is nobody's business.
    Elsewhere(usize),
}

const OPTIONS: &[&str] = &[
    "--no-restart",
    "--net=slirp4netns",
    "--mtu=1500",
    "--mtu=9000",
    "--uplink=never",
    "--subnet=none",
    "--subnet=fd6b:6b6b:6b6b:1::/64",
    "--new-networks=ipv6",
    "--wait-online=30",
    "--flag=--debug",
];

struct Sequence {
    seed: u64,
    steps: Vec<Step>,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}", self.seed, self.steps)
    }
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let length = 2 + random.below(LONGEST - 1);
        let steps = (0..length).map(|_| step(&mut random)).collect();
        Self { seed, steps }
    }
}

fn step(random: &mut Random) -> Step {
    match random.below(10) {
        0..4 => {
            let options = (0..random.below(3)).map(|_| random.one_of(OPTIONS));
            let mut options: Vec<_> = options.collect();
            options.sort_unstable();
            options.dedup_by_key(|option| option.split('=').next());
            Step::Setup(options)
        }
        4..6 => Step::Undo,
        6..9 => Step::Edit(edit(random)),
        _ => Step::Restart,
    }
}

fn edit(random: &mut Random) -> Edit {
    let number = random.below(1000);
    match random.below(8) {
        0 | 1 => Edit::Settings(number),
        2 => Edit::SettingsRemoved,
        3 => Edit::SettingsMode([0o600, 0o640, 0o664][random.below(3)]),
        4 => Edit::Override(number),
        5 => Edit::DropIn(number),
        6 => Edit::DropInRemoved,
        _ => Edit::Elsewhere(number),
    }
}

#[test]
fn after_any_sequence_everything_comes_back_but_the_users_edits_1() {
    sequences(1);
}

#[test]
fn after_any_sequence_everything_comes_back_but_the_users_edits_2() {
    sequences(2);
}

#[test]
fn after_any_sequence_everything_comes_back_but_the_users_edits_3() {
    sequences(3);
}

#[test]
fn after_any_sequence_everything_comes_back_but_the_users_edits_4() {
    sequences(4);
}

/// A quarter of them: one test would take longer than a test may.
fn sequences(quarter: u64) {
    let seeds = (quarter - 1) * SEQUENCES / 4..quarter * SEQUENCES / 4;
    let sequences: Vec<_> = seeds.map(Sequence::new).collect();
    each(&sequences, |sequence| {
        let setting = Setting::new();
        let mut expected = setting.beginning().clone();
        for step in &sequence.steps {
            take(&setting, step, &mut expected);
        }
        all_undone(&setting);
        let now = setting.tree();
        assert!(now == expected, "{}", expected.difference(&now));
    });
}

fn take(setting: &Setting, step: &Step, expected: &mut Tree) {
    match step {
        Step::Setup(options) => {
            let ran = setting.runs(&with(options));
            assert!(matches!(ran.status, Some(0 | 3)), "{step:?}: {}", ran.said);
        }
        Step::Undo => {
            let ran = setting.runs(UNDO);
            assert!(matches!(ran.status, Some(0 | 3)), "{step:?}: {}", ran.said);
        }
        Step::Edit(edit) => edit.takes_place(setting, expected),
        Step::Restart => {
            setting.bus.manager().reload();
            assert!(setting.restart(), "dockerd does not start");
        }
    }
}

/// An option that is given replaces the usual one of its name.
fn with<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let is = |option: &str, usual: &str| option.split('=').next() == usual.split('=').next();
    let given = |usual: &&&str| options.iter().any(|option| is(option, usual));
    let usual = SETUP.iter().filter(|usual| !given(usual));
    usual.chain(options).copied().collect()
}

fn all_undone(setting: &Setting) {
    let ran = setting.runs(&["undo", "--to", "0", "--yes"]);
    assert!(matches!(ran.status, Some(0 | 3)), "{}", ran.said);
}

impl Edit {
    fn takes_place(self, setting: &Setting, expected: &mut Tree) {
        let places = &setting.places;
        let drop_ins = places.units().join(format!("{UNIT}.d"));
        let ours = drop_ins.join("zz-rootless6.conf");
        let daemon_json = places.daemon_json();
        let path = match self {
            Self::Settings(number) => {
                let text = fs::read_to_string(&daemon_json).unwrap_or_else(|_| "{\n}\n".to_owned());
                let comma = if text.contains(':') { "," } else { "" };
                let key = format!("{{\n\t\"labels\": [\"edit={number}\"]{comma}");
                let line = |line: &&str| !line.contains("\"labels\"");
                let rest = text.split_inclusive('\n').filter(line).collect::<String>();
                setting.write(&daemon_json, rest.replacen('{', &key, 1).as_bytes());
                daemon_json
            }
            Self::SettingsRemoved => {
                let _ = fs::remove_file(&daemon_json);
                daemon_json
            }
            Self::SettingsMode(mode) => {
                let path = daemon_json;
                if path.exists() {
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                    expected.change_mode(&setting.below_home(&path), mode);
                }
                return;
            }
            Self::Override(number) => {
                let path = drop_ins.join("override.conf");
                let text = format!("[Service]\nEnvironment=EDIT={number}\n");
                setting.write(&path, text.as_bytes());
                path
            }
            Self::DropIn(number) => {
                let Ok(text) = fs::read_to_string(&ours) else {
                    return;
                };
                setting.write(&ours, format!("{text}# edit {number}\n").as_bytes());
                ours
            }
            Self::DropInRemoved => {
                let _ = fs::remove_file(&ours);
                ours
            }
            Self::Elsewhere(number) => {
                let path = places.config.join("elsewhere");
                setting.write(&path, format!("{number}\n").as_bytes());
                path
            }
        };
        expected.takes_over(
            &setting.tree(),
            &setting.below_home(&path),
            setting.beginning(),
        );
    }
}
