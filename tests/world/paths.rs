//! Nothing is written through what is not plainly the user's own.

use std::fmt;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::manager::UNIT;
use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO, hand_over};
use super::tree::Tree;

/// What stands in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    /// To a file or directory of the user's own.
    Symlink,
    /// To nothing.
    Dangling,
    /// A second name of a file of the user's own.
    HardLink,
    Fifo,
    Socket,
    Device,
    /// It belongs to root, and everybody may write there.
    Foreign,
    /// Everybody may write there.
    Open,
}

/// Where it stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    DropIn,
    DaemonJson,
    /// The directory of the drop-in.
    DropIns,
    Units,
    /// The directory of daemon.json.
    Docker,
    /// rootless6's own state.
    State,
}

const FILES: &[Place] = &[Place::DropIn, Place::DaemonJson];

const DIRECTORIES: &[Place] = &[Place::DropIns, Place::Units, Place::Docker, Place::State];

impl Place {
    fn path(self, setting: &Setting) -> PathBuf {
        let places = &setting.places;
        let drop_ins = places.units().join(format!("{UNIT}.d"));
        match self {
            Self::DropIn => drop_ins.join("zz-rootless6.conf"),
            Self::DaemonJson => places.daemon_json(),
            Self::DropIns => drop_ins,
            Self::Units => places.units(),
            Self::Docker => places.config.join("docker"),
            Self::State => setting.state(),
        }
    }
}

struct Case {
    trap: Trap,
    place: Place,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} as {:?}", self.trap, self.place)
    }
}

fn cases(places: &[Place], traps: &[Trap]) -> Vec<Case> {
    let each = |place: &Place| {
        let place = *place;
        traps.iter().map(move |trap| Case { trap: *trap, place })
    };
    places.iter().flat_map(each).collect()
}

impl Case {
    /// Puts the trap in its place; what was there goes elsewhere in the home.
    fn sets(&self, setting: &Setting, is_directory: bool) {
        let path = self.place.path(setting);
        let elsewhere = setting.places.home.join("elsewhere");
        if is_directory && !path.exists() {
            setting.write(&path.join("something"), b"");
            fs::remove_file(path.join("something")).unwrap();
        } else if !is_directory && !path.exists() {
            setting.write(&path, b"# something\n");
        }
        match self.trap {
            Trap::Symlink => {
                fs::rename(&path, &elsewhere).unwrap();
                symlink(&elsewhere, &path).unwrap();
            }
            Trap::Dangling => {
                fs::rename(&path, &elsewhere).unwrap();
                symlink(setting.places.home.join("nowhere"), &path).unwrap();
            }
            Trap::HardLink => fs::hard_link(&path, &elsewhere).unwrap(),
            Trap::Fifo => {
                fs::remove_file(&path).unwrap();
                nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o644)).unwrap();
            }
            Trap::Socket => {
                fs::remove_file(&path).unwrap();
                drop(UnixListener::bind(&path).unwrap());
            }
            Trap::Device => {
                fs::remove_file(&path).unwrap();
                // As /dev/null, where this may be made.
                let made = mknod(
                    &path,
                    SFlag::S_IFCHR,
                    Mode::from_bits_truncate(0o666),
                    makedev(1, 3),
                );
                if made.is_err() {
                    symlink("/dev/null", &path).unwrap();
                }
            }
            Trap::Foreign => {
                chown(&path, Some(0), Some(0)).unwrap();
                allow_everybody(&path);
                return;
            }
            Trap::Open => allow_everybody(&path),
        }
        hand_over(&path);
    }

    /// What must not change in the slightest.
    fn all(setting: &Setting) -> Tree {
        Tree::of(&setting.places.home, &[])
    }
}

fn allow_everybody(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// Where the tests are not root's, nothing can be another user's.
fn traps(all: &[Trap]) -> Vec<Trap> {
    let root = nix::unistd::geteuid().is_root();
    assert!(
        root || std::env::var_os("CI").is_none(),
        "CI's tests are root's"
    );
    all.iter()
        .copied()
        .filter(|trap| root || *trap != Trap::Foreign)
        .collect()
}

#[test]
fn a_setup_refuses_what_is_not_plainly_the_users_own_and_writes_nowhere() {
    let files = traps(&[
        Trap::Symlink,
        Trap::Dangling,
        Trap::HardLink,
        Trap::Fifo,
        Trap::Socket,
        Trap::Device,
        Trap::Foreign,
    ]);
    let directories = traps(&[Trap::Symlink, Trap::Dangling, Trap::Foreign, Trap::Open]);
    // rootless6 closes its own one to others.
    let is_closed = |case: &Case| matches!((case.trap, case.place), (Trap::Open, Place::State));
    let mut all: Vec<(Case, bool)> = Vec::new();
    all.extend(cases(FILES, &files).into_iter().map(|case| (case, false)));
    all.extend(
        cases(DIRECTORIES, &directories)
            .into_iter()
            .filter(|case| !is_closed(case))
            .map(|case| (case, true)),
    );
    let all: Vec<Labelled> = all.into_iter().map(Labelled).collect();
    each(&all, |Labelled((case, is_directory))| {
        let setting = Setting::new();
        case.sets(&setting, *is_directory);
        let before = Case::all(&setting);
        let ran = setting.runs(SETUP);
        assert!(
            matches!(ran.status, Some(3 | 5)),
            "{:?}: {}",
            ran.status,
            ran.said
        );
        let path = case.place.path(&setting);
        let short = path
            .strip_prefix(&setting.places.home)
            .unwrap()
            .display()
            .to_string();
        assert!(ran.said.contains(&short), "it is not named: {}", ran.said);
        let after = Case::all(&setting);
        // The lock is no effect: it is how one run tells another.
        let difference = before.difference(&after);
        let only_the_lock = difference
            .lines()
            .filter(|line| !line.starts_with(' '))
            .all(|line| {
                line == ".local/state/rootless6:" || line == ".local/state/rootless6/lock:"
            });
        assert!(only_the_lock, "{difference}\n{}", ran.said);
        let starts = setting.bus.manager().starts;
        assert_eq!(starts, 1, "dockerd was restarted: {}", ran.said);
    });
}

struct Labelled((Case, bool));

impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

#[test]
fn an_undo_writes_through_nothing_that_was_put_there_since() {
    let files = traps(&[
        Trap::Symlink,
        Trap::Dangling,
        Trap::Fifo,
        Trap::Socket,
        Trap::Device,
    ]);
    each(&cases(FILES, &files), |case| {
        let setting = Setting::new();
        setting.runs_well(SETUP);
        case.sets(&setting, false);
        let path = case.place.path(&setting);
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        let elsewhere = fs::read(setting.places.home.join("elsewhere")).ok();
        let ran = setting.runs(UNDO);
        assert!(
            matches!(ran.status, Some(3 | 4)),
            "{:?}: {}",
            ran.status,
            ran.said
        );
        assert_eq!(
            fs::symlink_metadata(&path).unwrap().file_type(),
            kind,
            "{}",
            ran.said
        );
        let now = fs::read(setting.places.home.join("elsewhere")).ok();
        assert_eq!(now, elsewhere, "{}", ran.said);
        assert!(!setting.places.home.join("nowhere").exists());
    });
}
