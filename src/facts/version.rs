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
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || c == ',')
            .find_map(|word| Self::parse(word.trim_start_matches('v')))
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = leading_number(numbers.next()?)?;
        let patch = numbers.next().and_then(leading_number).unwrap_or(0);
        Some(Self::new(major, minor, patch))
    }
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
        Self::find(&text).ok_or_else(|| format!("{text:?} is not a version"))
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
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("26.1.5+dfsg1", Some(Version::new(26, 1, 5))),
            ("20.10.24+dfsg1", Some(Version::new(20, 10, 24))),
            ("rootlesskit version 2.0.2", Some(Version::new(2, 0, 2))),
            (
                "rootlesskit version v3.1.0-rc.1+dev",
                Some(Version::new(3, 1, 0)),
            ),
            ("28.5", Some(Version::new(28, 5, 0))),
            ("library-import", None),
            ("", None),
            ("99999999999.1.1", None),
        ] {
            assert_eq!(Version::find(text), version, "{text:?}");
        }
    }
}
