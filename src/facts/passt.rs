use std::fmt;

use serde::{Deserialize, Serialize};

/// The day of a passt release, which is its version: `2024_08_21.1d6142f`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PasstDate {
    year: u16,
    month: u8,
    day: u8,
}

/// passt was first released in 2021; digits that would be earlier are a hash or something else.
const FIRST_YEAR: u16 = 2020;

impl PasstDate {
    /// A release from its day.
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// Finds the day in what upstream, Debian and Fedora call the version: `2024_08_21.1d6142f`,
    /// `0.0~git20250503.587980c-2`, `0^20240806.gee36266-2.fc40.x86_64`; none in `unknown version`.
    pub fn find(text: &str) -> Option<Self> {
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '_');
        words
            .map(|word| word.replace('_', ""))
            .find_map(|digits| Self::of_digits(&digits))
    }

    fn of_digits(digits: &str) -> Option<Self> {
        if digits.len() != 8 {
            return None;
        }
        let date = Self {
            year: digits[..4].parse().ok()?,
            month: digits[4..6].parse().ok()?,
            day: digits[6..].parse().ok()?,
        };
        let is_day = date.year >= FIRST_YEAR
            && (1..=12).contains(&date.month)
            && (1..=31).contains(&date.day);
        is_day.then_some(date)
    }
}

impl fmt::Display for PasstDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}_{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_day_is_found_in_every_format_in_use() {
        for (text, day) in [
            ("2024_08_21.1d6142f", (2024, 8, 21)),
            ("pasta 2024_08_21.1d6142f", (2024, 8, 21)),
            ("2023_12_04.b86afe3-dirty", (2023, 12, 4)),
            ("0.0~git20250503.587980c-2", (2025, 5, 3)),
            ("0.0~git20220309.12345678-1", (2022, 3, 9)),
            ("0.0~git20240220.1e6f92b-1ubuntu0.24.04.1", (2024, 2, 20)),
            ("0^20240806.gee36266-2.fc40.x86_64", (2024, 8, 6)),
            ("0^20260507.g1afd4ed-1.el10", (2026, 5, 7)),
            ("20260526.038c51e-r0", (2026, 5, 26)),
        ] {
            let day = PasstDate::new(day.0, day.1, day.2);
            assert_eq!(PasstDate::find(text), Some(day), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_day_is_unknown_rather_than_old() {
        for text in [
            "",
            "unknown",
            "unknown version",
            "1.2.1",
            "2024_13_01.abcdef0",
            "2024_00_10",
            "2024_01_32",
            "12345678.abc",
            "202408211",
            "2024_08",
            "\u{662}\u{660}\u{662}\u{664}_08_21",
        ] {
            assert_eq!(PasstDate::find(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_day_is_found_again_whatever_follows(
            year in 2021u16..=9999, month in 1u8..=12, day in 1u8..=31, rest in "([.+-][a-z0-9.+~-]*)?",
        ) {
            let date = PasstDate::new(year, month, day);
            prop_assert_eq!(PasstDate::find(&format!("{date}{rest}")), Some(date));
            let debian = format!("0.0~git{year:04}{month:02}{day:02}{rest}");
            prop_assert_eq!(PasstDate::find(&debian), Some(date));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = PasstDate::find(&text);
        }
    }
}
