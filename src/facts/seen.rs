//! What one look has come to.

use serde::{Deserialize, Serialize};

/// The outcome of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen<T> {
    /// Looked, and this is it.
    Is(T),
    /// Looked, and there is none.
    #[default]
    Absent,
    /// Could not look, and why.
    Unknown(String),
}

impl<T> Seen<T> {
    /// The value, if there is one.
    pub fn is(&self) -> Option<&T> {
        match self {
            Seen::Is(value) => Some(value),
            Seen::Absent | Seen::Unknown(_) => None,
        }
    }

    /// Why nothing is known, if that is the answer.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Seen::Unknown(why) => Some(why),
            Seen::Is(_) | Seen::Absent => None,
        }
    }

    /// The same of what it refers to.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Is(value) => Seen::Is(value),
            Self::Absent => Seen::Absent,
            Self::Unknown(why) => Seen::Unknown(why.clone()),
        }
    }

    /// Looks further with the value.
    pub fn and_then<U>(self, further: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Is(value) => further(value),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why),
        }
    }

    /// The same look at a part of the value.
    pub fn map<U>(self, part: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Seen::Is(value) => Seen::Is(part(value)),
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why),
        }
    }
}
