//! The dockerd that runs: its unit, and the command line that it was started with.

use std::collections::VecDeque;
use std::path::Path;

use crate::facts::{RootlessKit, Seen};
use crate::host::process;

/// What dockerd is called: NixOS wraps it, and the kernel cuts names at 15 bytes.
const NAMES: [&str; 2] = ["dockerd", ".dockerd-wrappe"];

/// RootlessKit's child, a wrapper's shell or two, and what those have started beside dockerd. Behind
/// dockerd come the containers, which may run another one.
const MOST_LOOKED_AT: usize = 32;

/// The unit of the dockerd that runs, where it is another one than was asked about. The process that
/// its file names may be gone, and its number another's.
pub(super) fn unit(runtime: &Path) -> Seen<String> {
    let pid = process::pid_file(&runtime.join("docker.pid")).ok();
    let pid = pid.filter(|pid| is_dockerd(*pid) && process::is_ours(*pid));
    pid.and_then(process::service_of)
        .map_or(Seen::Absent, Seen::Is)
}

/// What it was told, whatever is written by now.
pub(super) fn command_line(running: &Seen<RootlessKit>) -> Seen<Vec<String>> {
    let kit = match running {
        Seen::Is(kit) => kit,
        Seen::Absent => return Seen::Absent,
        Seen::Unknown(why) => return Seen::Unknown(why.clone()),
    };
    match below(kit.child_pid, process::children, is_dockerd).map(process::command_line) {
        Some(line) if !line.is_empty() => Seen::Is(line),
        _ => Seen::Unknown("no dockerd was seen below RootlessKit".to_owned()),
    }
}

fn is_dockerd(pid: u32) -> bool {
    process::name(pid).is_some_and(|name| NAMES.contains(&name.as_str()))
}

/// The nearest descendant that it is.
fn below(pid: u32, children: impl Fn(u32) -> Vec<u32>, is_it: impl Fn(u32) -> bool) -> Option<u32> {
    let mut next = VecDeque::from(children(pid));
    for _ in 0..MOST_LOOKED_AT {
        let pid = next.pop_front()?;
        if is_it(pid) {
            return Some(pid);
        }
        next.extend(children(pid));
    }
    None
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_dockerd_is_the_one_that_rootlesskit_runs() {
        // 1 has started 2 and 3, 3 has started 4, whose containers run 5.
        let children = |pid| match pid {
            1 => vec![2, 3],
            3 => vec![4],
            4 => vec![5],
            _ => Vec::new(),
        };
        for (dockerds, found) in [(&[4, 5][..], Some(4)), (&[], None), (&[1], None)] {
            let is_it = |pid| dockerds.contains(&pid);
            assert_eq!(below(1, children, is_it), found, "{dockerds:?}");
        }
        let endless = |pid| vec![pid + 1];
        assert_eq!(below(1, endless, |pid| pid == 1000), None);
    }

    #[test]
    fn a_process_that_is_no_dockerd_has_no_unit_to_name() {
        let runtime = tempfile::tempdir().unwrap();
        let file = runtime.path().join("docker.pid");
        fs::write(file, std::process::id().to_string()).unwrap();
        assert_eq!(unit(runtime.path()), Seen::Absent);
    }
}
