use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of Docker Engine or RootlessKit; what follows the third number does not count.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// A version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Finds the first `N.N` or `N.N.N` in a text such as `rootlesskit version 2.0.2` or
    /// `26.1.5+dfsg1`; none if there is no such thing.
    ///
    /// A 0.0 is none either: so snapshots are called (`0.0.0-20260105…`, `0.0~git20260105…`), and
    /// those are anything but the oldest.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || c == ',')
            .find_map(|word| Self::parse(word.strip_prefix('v').unwrap_or(word)))
            .filter(|version| (version.major, version.minor) != (0, 0))
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.splitn(3, '.');
        let major = numbers
            .next()
            .filter(|word| is_number(word))?
            .parse()
            .ok()?;
        let minor = leading_number(numbers.next()?)?;
        let patch = numbers.next().and_then(leading_number).unwrap_or(0);
        Some(Self::new(major, minor, patch))
    }
}

/// Digits alone: `u32::from_str` would take a plus sign as well.
fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..digits].parse().ok()
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not a version"))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("26.1.5+dfsg1", (26, 1, 5)),
            ("20.10.24+dfsg1", (20, 10, 24)),
            ("28.5.2-ce", (28, 5, 2)),
            ("rootlesskit version 2.0.2", (2, 0, 2)),
            ("rootlesskit version v3.1.0-rc.1+dev", (3, 1, 0)),
            ("Docker version 29.7.2, build 1a2b3c4", (29, 7, 2)),
            ("1.1.0+ds1-2+deb12u1", (1, 1, 0)),
            ("0.14.4", (0, 14, 4)),
            ("28.5", (28, 5, 0)),
        ] {
            let (major, minor, patch) = version;
            let version = Version::new(major, minor, patch);
            assert_eq!(Version::find(text), Some(version), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_version_is_none_rather_than_an_old_one() {
        for text in [
            "",
            "dev",
            "library-import",
            "rootlesskit version unknown",
            "99999999999.1.1",
            "2.",
            ".2",
            "+2.3",
            "-2.3",
            "2,3",
            "\u{662}.\u{663}",
            // Snapshots: of Docker, of Debian.
            "0.0.0-20260105084512-7a6f1c2",
            "0.0~git20240220.1e6f92b-1",
            // passt's own formats, should they ever come here.
            "2024_08_21.1d6142f",
            "0^20240806.gee36266-2.fc40.x86_64",
            "pasta unknown version",
        ] {
            assert_eq!(Version::find(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_version_is_found_again_in_its_text_whatever_follows(
            major in 1u32.., minor: u32, patch: u32, rest in "([+~-][a-z0-9.+~-]*)?( .*)?",
        ) {
            let version = Version::new(major, minor, patch);
            let text = format!("rootlesskit version {version}{rest}");
            prop_assert_eq!(Version::find(&text), Some(version));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = Version::find(&text);
        }
    }
}
