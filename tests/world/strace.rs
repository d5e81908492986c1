//! Faults at system calls: strace(1) counts those that change a file of the user's, and makes any one
//! of them fail, or be the program's last.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use super::setting::{Ran, Setting, program, ran};

/// What makes, changes or removes a file or a name, or puts it on disk. A file that is opened to be
/// read only is none of these.
const CALLS: &str = "openat,openat2,mkdir,mkdirat,write,pwrite64,writev,ftruncate,fallocate,fchmod,fchmodat,fchown,fchownat,utimensat,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlinkat,unlink,unlinkat,rmdir";

/// How often a point that was missed is tried again: how often a socket is written to on the way
/// there depends on how fast others answer.
const TRIES: usize = 100;

/// One system call of a run, as the N-th of its name.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    call: String,
    nth: u32,
    /// How many such points are before it.
    before: usize,
    /// What it was in the run that was counted.
    line: String,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number {}: {}", self.call, self.nth, self.line)
    }
}

impl Point {
    /// Whether it is a call whose name begins like this, of something with this in its name.
    pub(crate) fn is(&self, call: &str, named: &str) -> bool {
        self.call.starts_with(call) && self.line.contains(named)
    }
}

/// What strikes there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// SIGKILL, before the call does anything.
    Killed,
    /// The call fails with an error of this name.
    Fails(&'static str),
}

/// The points of an undisturbed run, which must end well.
#[track_caller]
pub(crate) fn points(setting: &Setting, arguments: &[&str]) -> Vec<Point> {
    let (ran, log) = traced(setting, arguments, None);
    assert_eq!(ran.status, Some(0), "{arguments:?}: {}", ran.said);
    points_in(&log, &setting.places.home)
}

fn points_in(log: &str, home: &Path) -> Vec<Point> {
    let home = home.display().to_string();
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let mut points = Vec::new();
    for line in log.lines() {
        let Some((call, rest)) = line.split_once('(') else {
            continue;
        };
        let nth = seen.entry(call).or_default();
        *nth += 1;
        if is_change(call, rest) && rest.contains(&home) {
            points.push(Point {
                call: call.to_owned(),
                nth: *nth,
                before: points.len(),
                line: rest.replace(&home, "~"),
            });
        }
    }
    points
}

fn is_change(call: &str, rest: &str) -> bool {
    let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"];
    !call.starts_with("openat") || writes.iter().any(|flag| rest.contains(flag))
}

/// Runs the program in a fresh setting with a fault at this point.
#[track_caller]
pub(crate) fn strike(
    point: &Point,
    fault: Fault,
    arguments: &[&str],
    make: impl Fn() -> Setting,
) -> (Setting, Ran) {
    let (what, mark) = match fault {
        Fault::Killed => ("signal=KILL".to_owned(), "= ?"),
        Fault::Fails(error) => (format!("error={error}"), "(INJECTED)"),
    };
    let mut nth = point.nth;
    for _ in 0..TRIES {
        let inject = format!("inject={}:{what}:when={nth}", point.call);
        let setting = make();
        let (ran, log) = traced(&setting, arguments, Some(&inject));
        // What was struck is the last line until then.
        let end = log.find(mark).map_or(log.len(), |at| at + mark.len());
        let until_then = points_in(&log[..end], &setting.places.home);
        let passed = until_then.len();
        let hit = until_then
            .last()
            .is_some_and(|last| last.line.ends_with(mark));
        if hit && passed == point.before + 1 {
            return (setting, ran);
        }
        nth = if passed > point.before {
            nth - 1
        } else {
            nth + 1
        };
    }
    panic!("{point}: never hit in {TRIES} tries");
}

fn traced(setting: &Setting, arguments: &[&str], inject: Option<&str>) -> (Ran, String) {
    let log = setting.places.run.join("strace");
    let program = program().display().to_string();
    let trace = format!("trace={CALLS}");
    let log_name = log.display().to_string();
    // The program's first thread does all of this: others, and other programs, are not followed.
    let mut words = vec!["-y", "-s", "0", "-o", &log_name, "-e", &trace];
    words.extend(inject.iter().flat_map(|inject| ["-e", inject]));
    words.extend(["--", &program]);
    words.extend(arguments);
    let mut command = setting.command_of(Path::new("strace"), &words);
    command.env("PATH", "/usr/bin:/bin");
    let ran = ran(&mut command);
    (ran, fs::read_to_string(log).unwrap())
}
