//! Subordinate users and groups: /etc/subuid and /etc/subgid (subuid(5)).

use serde::{Deserialize, Serialize};

/// What containers expect: an id for each number of 16 bits (Docker's documentation, rootless mode).
pub const ENOUGH: u64 = 65_536;

/// Where useradd(8) takes ranges from, unless login.defs(5) says otherwise (`SUB_UID_MIN`,
/// `SUB_UID_MAX`).
const FIRST: u64 = 100_000;
const LAST: u64 = 600_100_000;

/// A user has one range, or a few; each is held against all of the other file.
const MOST_TWINS: usize = 16;

/// Fewer ids than containers expect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TooFew {
    /// How many there are.
    pub has: u64,
    /// The first of a range of 65536 that nobody has, if there is one.
    pub free: Option<u64>,
}

/// A line of such a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<'a> {
    owner: &'a str,
    first: u64,
    count: u64,
}

impl Range<'_> {
    fn end(self) -> u64 {
        self.first + self.count
    }

    /// Whether a range of 65536 from here on has nothing of this one.
    fn is_apart(self, first: u64) -> bool {
        self.end() <= first || self.first >= first + ENOUGH
    }
}

/// What this user, who is named or numbered in the file, lacks. `other` is the other one of the two
/// files: a range that is the user's own there, or free in both, keeps them alike.
pub fn lacking(text: &str, other: &str, user: &str, uid: u32) -> Option<TooFew> {
    let number = uid.to_string();
    let is_own = |range: &Range<'_>| range.owner == user || range.owner == number;
    let has = ranges(text)
        .filter(is_own)
        .fold(0, |sum: u64, range| sum.saturating_add(range.count));
    // What the user's images have been unpacked with, most likely.
    let twin = ranges(other)
        .filter(is_own)
        .filter(|twin| twin.count >= ENOUGH)
        .take(MOST_TWINS)
        .find(|twin| ranges(text).all(|range| range.is_apart(twin.first)));
    (has < ENOUGH).then(|| TooFew {
        has,
        free: twin.map_or_else(|| free(text, other, uid), |twin| Some(twin.first)),
    })
}

/// Lines that are none are passed over, as shadow does.
fn ranges(text: &str) -> impl Iterator<Item = Range<'_>> {
    text.lines().filter_map(|line| {
        let mut words = line.trim().split(':');
        let (owner, first, count) = (words.next()?, words.next()?, words.next()?);
        let id = |word: &str| word.parse::<u32>().ok().map(u64::from);
        let is_one = words.next().is_none() && !owner.is_empty() && !owner.starts_with('#');
        Some(Range {
            owner,
            first: id(first)?,
            count: id(count)?,
        })
        .filter(|_| is_one)
    })
}

fn free(text: &str, other: &str, uid: u32) -> Option<u64> {
    let own = Range {
        owner: "",
        first: uid.into(),
        count: 1,
    };
    let mut taken: Vec<Range<'_>> = ranges(text).chain(ranges(other)).chain([own]).collect();
    taken.sort_by_key(|range| range.first);
    let free = taken.iter().fold(FIRST, |free, range| {
        if range.is_apart(free) {
            free
        } else {
            range.end()
        }
    });
    (free + ENOUGH <= LAST).then_some(free)
}

/// Who else gives out such ids, by the word in nsswitch.conf(5); none where it is the files.
pub fn other_source(nsswitch: &str) -> Option<&str> {
    let mut lines = nsswitch.lines();
    let sources = lines.find_map(|line| line.trim_start().strip_prefix("subid:"))?;
    let sources = sources.split('#').next().unwrap_or_default();
    // Of several, shadow takes the first.
    let first = sources.split_whitespace().next()?;
    (first != "files").then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_count_by_name_and_by_number_and_nonsense_counts_for_nothing() {
        for (text, has) in [
            ("alice:100000:65536\n", None),
            ("1000:100000:65536", None),
            ("alice:100000:32768\n1000:200000:32768\n", None),
            ("", Some(0)),
            ("# alice:100000:65536\n", Some(0)),
            ("bob:100000:65536\nalice2:165536:65536\n", Some(0)),
            ("alice:100000\nalice::65536\nalice:x:65536\n", Some(0)),
            ("alice:100000:65536:1\n", Some(0)),
            (
                "alice:-1:65536\nalice:100000:99999999999999999999\n",
                Some(0),
            ),
            ("\u{0}alice:1:1\n::\n:::\n\n:100000:65536\n", Some(0)),
            ("alice:100000:1000\n", Some(1000)),
            ("alice:100000:0\n", Some(0)),
        ] {
            let lack = lacking(text, "", "alice", 1000);
            assert_eq!(lack.map(|few| few.has), has, "{text:?}");
        }
    }

    #[test]
    fn a_free_range_is_free_in_both_files() {
        for (text, other, uid, free) in [
            ("", "", 1000, Some(100_000)),
            ("bob:100000:65536\n", "", 1000, Some(165_536)),
            (
                "",
                "bob:100000:65536\ncarol:165536:65536",
                1000,
                Some(231_072),
            ),
            ("bob:150000:10\nbob:300000:65536", "", 1000, Some(150_010)),
            ("", "", 120_000, Some(120_001)),
            ("bob:1:1\n", "alice:100000:65536\n", 1000, Some(100_000)),
            (
                "bob:100000:65536",
                "alice:100000:65536",
                1000,
                Some(165_536),
            ),
            ("", "alice:100000:1000", 1000, Some(101_000)),
            ("bob:100000:600000000\n", "", 1000, None),
            ("bob:0:4294967295\n", "", 1000, None),
        ] {
            let lack = lacking(text, other, "alice", uid).unwrap();
            assert_eq!(lack.free, free, "{text:?}, {other:?}");
        }
    }

    #[test]
    fn only_another_source_than_the_files_is_told() {
        for (text, source) in [
            ("passwd: files systemd\n", None),
            ("subid: files\n", None),
            ("subid:\n", None),
            ("# subid: sss\n", None),
            ("passwd: files\n subid:\tsss files # SSSD\n", Some("sss")),
            ("subid: # nothing", None),
        ] {
            assert_eq!(other_source(text), source, "{text:?}");
        }
    }

    /// Whoever looks at each line of one file for each of the other does not come to an end here.
    #[test]
    fn files_as_long_as_are_read_are_got_through() {
        let long = |line: &str| line.repeat((1 << 20) / line.len());
        for line in ["alice:1:1\n", "bob:100000:65536\n", ":", "a:1:1\n", "\n"] {
            lacking(&long(line), &long(line), "alice", 1000);
        }
        let text = format!("{}bob:100000:65536\n", long("bob:1:1\n"));
        let lack = lacking(&text, &long("alice:100000:65536\n"), "alice", 1000);
        assert_eq!(lack.unwrap().free, Some(165_536));
    }

    proptest! {
        #[test]
        fn whatever_the_files_hold_makes_a_range_that_nobody_has(
            text in r"((alice|bob|1000|#|\PC)?:?[0-9]{0,7}:[0-9]{0,7}(:|\n|\r\n|\PC)?){0,60}",
            other: String,
        ) {
            other_source(&text);
            if let Some(few) = lacking(&text, &other, "alice", 1000) {
                prop_assert!(few.has < ENOUGH);
                let apart = |range: Range<'_>| few.free.is_none_or(|free| range.is_apart(free));
                prop_assert!(ranges(&text).all(apart));
            }
        }
    }
}
