//! A user who edits daemon.json at any moment of a setup or an undo: what they wrote stands.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO, hand_over, ran};

const EDIT: &str = "{\"debug\": false, \"labels\": [\"of=mine\"]}\n";

struct Case {
    arguments: &'static [&'static str],
    /// How many checkpoints the program has passed by then.
    after: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, edited after {} checkpoints",
            self.arguments[0], self.after
        )
    }
}

fn setting(arguments: &[&str]) -> Setting {
    if arguments == UNDO {
        Setting::set_up()
    } else {
        Setting::new()
    }
}

/// As editors do it: a new file takes the name.
fn edit(setting: &Setting) {
    let path = setting.places.daemon_json();
    let new = setting.places.home.join("new");
    setting.write(&new, EDIT.as_bytes());
    fs::rename(new, path).unwrap();
}

#[test]
fn whatever_the_user_writes_meanwhile_stands() {
    let cases = [SETUP, UNDO].into_iter().flat_map(|arguments| {
        let setting = setting(arguments);
        let passed = setting.checkpoints(setting.command(arguments)).len();
        (1..=passed).map(move |after| Case { arguments, after })
    });
    each(&cases.collect::<Vec<_>>(), |case| {
        let setting = setting(case.arguments);
        // Whoever writes into a FIFO waits for a reader: the program goes from checkpoint to
        // checkpoint as this test lets it.
        let list = setting.places.run.join("list");
        mkfifo(&list, Mode::from_bits_truncate(0o600)).unwrap();
        hand_over(&list);
        let mut command = setting.command(case.arguments);
        command.env("ROOTLESS6_CHECKPOINTS", &list);
        let (tell, told) = mpsc::channel();
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| tell.send(ran(&mut command)));
            let mut passed = 0;
            let mut edited = false;
            loop {
                if passed >= case.after && !edited {
                    edit(&setting);
                    edited = true;
                }
                if let Ok(ran) = told.try_recv() {
                    // A busy machine may lose lines, and with them the moment.
                    if !edited {
                        edit(&setting);
                    }
                    break ran;
                }
                passed += read(&list);
            }
        });
        let context = format!("{:?} {}", ran.status, ran.said);
        assert!(matches!(ran.status, Some(0 | 3)), "{context}");
        let now = || fs::read_to_string(setting.places.daemon_json()).unwrap();
        assert_eq!(now(), EDIT, "{context}");
        let undone = setting.runs(UNDO);
        assert_eq!(now(), EDIT, "{context}\n{}", undone.said);
        let drop_ins = setting.places.units().join("docker.service.d");
        assert!(!drop_ins.exists(), "{context}\n{}", undone.said);
        setting.nothing_is_left(&context);
    });
}

/// How long nothing must come until it counts as the end: the program may be at work without passing
/// a checkpoint, and is looked at again then.
const QUIET: u16 = 300;

/// How many lines come next. A writer that waits for a reader is let in.
fn read(list: &Path) -> usize {
    let mut file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(list)
        .unwrap();
    poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], QUIET).unwrap();
    let mut text = String::new();
    // Cut off where a writer is just coming.
    let _ = file.read_to_string(&mut text);
    text.lines().count()
}
