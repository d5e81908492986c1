//! The journal's generations, for people.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::journal::State;
use crate::error::Error;
use crate::facts::{short, typed};
use crate::ui::{FAINT, STRONG, Sign, sign};

/// One generation as `undo --list` shows it.
#[derive(Debug, Clone)]
pub struct Generation {
    /// 1, 2, 3 …
    pub generation: u32,
    /// Where it stands.
    pub state: State,
    /// The unit that was restarted.
    pub unit: String,
    /// How long ago it was begun, as far as the clock tells.
    pub age: Option<Duration>,
    /// Whether a run is at it just now.
    pub at_work: bool,
    /// How long it waits for `rootless6 confirm` yet.
    pub left: Option<Duration>,
    /// Its files.
    pub files: Vec<PathBuf>,
}

impl Generation {
    fn standing(&self) -> String {
        let (mark, words) = match (self.state, self.left) {
            (State::Applied, _) => (Sign::Good, "in force".to_owned()),
            (State::Written, _) => (Sign::Good, "written, dockerd not restarted".to_owned()),
            (State::Partly, _) => (
                Sign::Weak,
                "taken back, but for files edited since".to_owned(),
            ),
            (State::Undone, _) => return format!("{FAINT}- taken back{FAINT:#}"),
            (State::Unconfirmed, Some(left)) => (
                Sign::Weak,
                format!("to be confirmed within {}", duration(left)),
            ),
            (State::Begun, _) if self.at_work => (Sign::Weak, "being set up just now".to_owned()),
            _ if self.at_work => (Sign::Weak, "being taken back just now".to_owned()),
            (State::Unconfirmed, None) => (Sign::Bad, "not confirmed in time".to_owned()),
            (State::Begun, _) => (Sign::Bad, "cut short".to_owned()),
            (State::Undoing, _) => (Sign::Bad, "half taken back".to_owned()),
        };
        format!("{} {words}", sign(mark))
    }
}

/// All generations, the newest first, those that cannot be read, and what takes them back.
pub fn generations(
    home: &Path,
    generations: &[Generation],
    unreadable: &[(PathBuf, Error)],
) -> String {
    let mut text = String::new();
    for (path, why) in unreadable {
        let bad = sign(Sign::Bad);
        let _ = writeln!(text, "{bad} unreadable  {}: {why}", short(path, home));
    }
    if generations.is_empty() && unreadable.is_empty() {
        text.push_str("There is nothing to undo: setup has changed nothing here.\n");
    }
    for generation in generations {
        let _ = writeln!(
            text,
            "{STRONG}{:>3}{STRONG:#}  {}  {}{}",
            generation.generation,
            generation.unit,
            ago(generation.age),
            generation.standing(),
        );
        for file in &generation.files {
            let _ = writeln!(text, "       {FAINT}{}{FAINT:#}", short(file, home));
        }
    }
    let stands = generations
        .iter()
        .filter(|generation| generation.state != State::Undone);
    if stands.count() > 1 {
        text.push_str("`rootless6 undo --to N` takes back all after N, 0 all of them.\n");
    }
    text
}

/// What was cut short, in one line that the files follow.
pub fn cut_short(generation: &Generation) -> String {
    let unit = &generation.unit;
    let when = match generation.age {
        Some(age) => format!(" {} ago", duration(age)),
        None => String::new(),
    };
    match generation.state {
        State::Undoing => format!("an undo of the setup of {unit}{when} was cut short, half done:"),
        State::Unconfirmed => format!("the setup of {unit}{when} was not confirmed in time:"),
        _ => format!("the setup of {unit}{when} was cut short and has left its work half done:"),
    }
}

/// What `confirm` has done.
pub fn confirmed(unit: &str) -> String {
    format!(
        "{} confirmed  the new settings of {unit} are kept\n\
         `rootless6 undo{}` takes them back at any time.\n",
        sign(Sign::Good),
        unit_flag(unit),
    )
}

/// There was nothing for `confirm` to do.
pub fn in_force_already(unit: &str) -> String {
    format!("There is nothing to confirm: the settings of {unit} are in force.\n")
}

/// The flag that names a unit, where it is not the usual one.
pub fn unit_flag(unit: &str) -> String {
    if unit == crate::cli::DEFAULT_UNIT {
        return String::new();
    }
    format!(" --unit {}", typed(unit))
}

fn ago(age: Option<Duration>) -> String {
    age.map(|age| format!("{} ago  ", duration(age)))
        .unwrap_or_default()
}

/// In the largest unit that fits.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "s"),
        120..7200 => (seconds / 60, "min"),
        7200..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(generation: u32, state: State, left: Option<u64>) -> Generation {
        Generation {
            generation,
            state,
            unit: "docker.service".to_owned(),
            age: Some(Duration::from_secs(u64::from(generation) * 3000)),
            left: left.map(Duration::from_secs),
            at_work: false,
            files: vec!["/home/alice/.config/docker/daemon.json".into()],
        }
    }

    #[test]
    fn each_generation_says_where_it_stands() {
        let list = [
            generation(5, State::Unconfirmed, Some(12)),
            generation(4, State::Undoing, None),
            generation(3, State::Applied, None),
            generation(2, State::Undone, None),
            generation(1, State::Partly, None),
            Generation {
                at_work: true,
                ..generation(6, State::Undoing, None)
            },
        ];
        let text = generations(Path::new("/home/alice"), &list, &[]);
        let text = anstream::adapter::strip_str(&text).to_string();
        for words in [
            "  5  docker.service  4 h ago  ",
            " to be confirmed within 12 s\n       ~/.config/docker/daemon.json\n",
            " half taken back\n",
            " being taken back just now\n",
            " in force\n",
            "  2  docker.service  100 min ago  - taken back\n",
            " taken back, but for files edited since\n",
            "`rootless6 undo --to N`",
        ] {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
        assert!(generations(Path::new("/"), &[], &[]).contains("nothing to undo"));
    }

    #[test]
    fn what_was_cut_short_is_said_with_what_it_was() {
        for (state, words) in [
            (
                State::Begun,
                "the setup of docker.service 50 min ago was cut short",
            ),
            (
                State::Undoing,
                "an undo of the setup of docker.service 50 min ago",
            ),
            (State::Unconfirmed, "was not confirmed in time:"),
        ] {
            let told = cut_short(&generation(1, state, None));
            assert!(told.contains(words), "{told}");
        }
    }
}
