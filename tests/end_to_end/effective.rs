//! What systemd makes of unit files and what this program computes for the same texts: on each
//! suite a thousand sets at random, in one lab, read again once.

mod generate;
mod rendered;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rootless6::facts::{Seen, Unit};
use rootless6::plan::dropin::{self, BrokenWhy, SkipReason};

use crate::harness::{Lab, PROGRAM};
use generate::{Content, Nature, UnitSet};

const SETS: usize = 1_250;
/// Of them, so many must be loaded by systemd and have nothing in them that only systemd can resolve.
const COMPARED: usize = 1_000;
/// Those whose services are started, to see the environment of a process.
const STARTED: usize = 150;

#[test]
fn bookworms_systemd_and_this_program_read_unit_files_alike() {
    alike("bookworm", 252);
}

#[test]
fn trixies_systemd_and_this_program_read_unit_files_alike() {
    alike("trixie", 257);
}

#[test]
fn forkys_systemd_and_this_program_read_unit_files_alike() {
    alike("forky", 262);
}

fn alike(suite: &str, systemd: u32) {
    let Some(lab) = Lab::up(suite) else { return };
    let nature = |starts| Nature { starts, systemd };
    let mut sets = generate::sets(SETS, nature(false));
    sets.extend(generate::sets(STARTED, nature(true)));
    let rendered = rendered::drop_ins();
    sets.extend(rendered.iter().map(|rendered| rendered.set.clone()));
    let said = said(&lab, &sets);
    let printed = start(&lab, &sets[SETS..]);
    let mut differences = Differences::default();
    let mut told = 0;
    for (number, (set, unit)) in said.iter().enumerate() {
        let written = as_written(set, unit);
        told += usize::from(written == Ok(Comparison::Whole));
        let mut compared = written.map(drop);
        if number >= SETS {
            compared = compared.and_then(|()| as_started(unit, printed.get(&set.name)));
        }
        if let Some(number) = number.checked_sub(SETS + STARTED) {
            compared = compared.and_then(|()| rendered[number].as_meant(unit, &printed));
        }
        differences.note(set, unit, compared);
    }
    differences.none();
    println!("{told} sets compared whole");
    assert!(told >= COMPARED, "{told} sets say little");
}

/// How much of a set there was to compare.
#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    /// Every variable, by name and value.
    Whole,
    /// Not all: systemd does not load the unit, or only systemd knows a value.
    Partial,
}

/// Both sides of a set that differs, as lines.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn note(&mut self, set: &UnitSet, unit: &Unit, compared: Result<(), String>) {
        let Err(difference) = compared else { return };
        let files = unit.files.iter();
        let texts = files.map(|file| format!("  {}\n    {:?}\n", file.path.display(), file.text));
        self.0.push(format!(
            "{}: {difference}\n{}  systemd: {:?} {:?}\n",
            set.name,
            texts.collect::<String>(),
            unit.environment,
            unit.drop_ins,
        ));
    }

    fn none(self) {
        let Self(differences) = self;
        let some: Vec<_> = differences.iter().take(20).map(String::as_str).collect();
        assert!(
            differences.is_empty(),
            "{} sets differ:\n{}",
            differences.len(),
            some.join("\n")
        );
    }
}

/// What systemd says of the units over D-Bus, with what is read of them.
fn said<'a>(lab: &Lab, sets: &'a [UnitSet]) -> Vec<(&'a UnitSet, Unit)> {
    unpack(lab, sets);
    let units = Path::new(PROGRAM).with_file_name("examples/units");
    lab.push(units.to_str().unwrap(), "/home/alice/units");
    // systemd loads all of them once, for a target that names them, and not for each question anew.
    let names = names(sets);
    let target = format!("[Unit]\nAfter={}\n", names.join("\nAfter="));
    lab.write("~/.config/systemd/user/sets.target", &target);
    let ask = "cd && systemctl --user daemon-reload && systemctl --user restart sets.target &&
        sed -n s/After=//p .config/systemd/user/sets.target | ./units";
    let said = lab.quietly(ask);
    let said = said.lines().map(|line| serde_json::from_str(line).unwrap());
    let said: Vec<_> = sets.iter().zip(said).collect();
    assert_eq!(said.len(), sets.len());
    said
}

fn names(sets: &[UnitSet]) -> Vec<&str> {
    sets.iter().map(|set| set.name.as_str()).collect()
}

/// What was printed into a file of that name, cut at its NULs.
type Printed = HashMap<String, Vec<String>>;

/// Starts them, and tells what those that have run have printed.
fn start(lab: &Lab, sets: &[UnitSet]) -> Printed {
    // Some cannot start, and shall not.
    let start = format!(
        "mkdir $XDG_RUNTIME_DIR/values && cd $XDG_RUNTIME_DIR/values
        systemctl --user start {} 2>/dev/null
        for file in *; do echo \"$file $(base64 --wrap 0 <\"$file\")\"; done",
        names(sets).join(" ")
    );
    let printed = lab.quietly(&start);
    let file = printed.lines().map(|line| {
        let (name, printed) = line.split_once(' ').unwrap();
        let printed = String::from_utf8(STANDARD.decode(printed).unwrap()).unwrap();
        let strings = printed.split_terminator('\0').map(str::to_owned);
        (name.to_owned(), strings.collect())
    });
    file.collect()
}

fn unpack(lab: &Lab, sets: &[UnitSet]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut archive = tar::Builder::new(file);
    for (path, content) in sets.iter().flat_map(|set| &set.files) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match content {
            Content::Bytes(bytes) => {
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
            Content::Program(text) => {
                header.set_mode(0o755);
                header.set_size(text.len() as u64);
                archive.append_data(&mut header, path, text.as_bytes())
            }
            Content::Masked => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, path, "/dev/null")
            }
            Content::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, path, [].as_slice())
            }
        }
        .unwrap();
    }
    let file = archive.into_inner().unwrap();
    lab.push(file.path().to_str().unwrap(), "/home/alice/sets.tar");
    // A later file takes the place of an earlier one of the same name, whatever that was.
    let unpack = "tar --extract --recursive-unlink --unlink-first --no-same-owner --file /home/alice/sets.tar --directory / &&
        chown --recursive --no-dereference alice: /home/alice/.config /home/alice/.local /run/user/1000/systemd/user";
    lab.root(unpack).exits(0);
}

/// Debian links /etc/xdg/systemd/user to /etc/systemd/user, and both are in the search path.
fn canonical(path: &Path) -> PathBuf {
    path.strip_prefix("/etc/xdg")
        .map_or(path.to_owned(), |rest| Path::new("/etc").join(rest))
}

/// systemd 252 lists one among the drop-ins, and reads nothing of it.
fn is_directory(set: &UnitSet, path: &Path) -> bool {
    let mut written = set.files.iter().rev();
    let last = written.find(|(name, _)| Path::new("/").join(name) == path);
    matches!(last, Some((_, Content::Directory)))
}

/// The properties that unit files alone decide.
fn as_written(set: &UnitSet, unit: &Unit) -> Result<Comparison, String> {
    let texts: Vec<_> = unit.files.iter().map(|file| file.text.as_str()).collect();
    let stops = |text: &str| {
        let ends = [BrokenWhy::BadSectionHeader, BrokenWhy::NotUtf8];
        let broken = dropin::parse(text).broken;
        broken.iter().any(|broken| ends.contains(&broken.why))
    };
    if unit.is_loaded() == stops(texts[0]) {
        return Err(format!("{} {}", unit.load_state, unit.load_error));
    }
    if !unit.is_loaded() {
        return Ok(Comparison::Partial);
    }
    let drop_ins: Vec<_> = unit.files[1..]
        .iter()
        .map(|file| canonical(&file.path))
        .collect();
    let theirs = unit.drop_ins.iter().filter(|path| !is_directory(set, path));
    if !theirs
        .map(|path| canonical(path))
        .eq(drop_ins.iter().cloned())
    {
        return Err(format!("drop-ins {drop_ins:?}"));
    }
    let ours = dropin::environment(&texts);
    let unknowable = ours
        .skipped
        .iter()
        .any(|it| it.why == SkipReason::SpecifierInName);
    if unknowable {
        return Ok(Comparison::Partial);
    }
    let names = ours.variables.iter().map(|it| &it.name);
    let same_names = names.eq(unit.environment.iter().map(|(name, _)| name));
    let same = ours.variables.iter().zip(&unit.environment);
    let same_values = same
        .clone()
        .all(|(ours, (_, value))| ours.uncertain || ours.value == *value);
    if !same_names || !same_values {
        return Err(format!("Environment= {:?}", ours.variables));
    }
    if !ours.unset.iter().map(|it| &it.text).eq(&unit.unset) {
        return Err(format!(
            "UnsetEnvironment= {:?}, systemd {:?}",
            ours.unset, unit.unset
        ));
    }
    let is_certain = ours.variables.iter().all(|ours| !ours.uncertain);
    Ok(if is_certain {
        Comparison::Whole
    } else {
        Comparison::Partial
    })
}

/// The environment of the process, where systemd adds that of `EnvironmentFile=`.
fn as_started(unit: &Unit, process: Option<&Vec<String>>) -> Result<(), String> {
    let readable = unit
        .environment_files
        .iter()
        .all(|file| file.optional || matches!(file.variables, Seen::Is(_)));
    let Some(process) = process else {
        let expected = !unit.is_loaded() || !readable;
        return expected.then_some(()).ok_or("it did not start".to_owned());
    };
    if !readable {
        return Err("it started without a file that it needs".to_owned());
    }
    let names = [
        "A",
        "B",
        "C",
        "_x",
        "PATH",
        "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS",
    ];
    let value = |name: &str| {
        let mut values = process
            .iter()
            .filter_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        values.next()
    };
    let differs = |name: &&str| unit.effective(name) != value(name);
    match names.into_iter().find(differs) {
        Some(name) => Err(format!(
            "{name} is {:?}, in the process {:?}; {:?}",
            unit.effective(name),
            value(name),
            unit.environment_files,
        )),
        None => Ok(()),
    }
}
