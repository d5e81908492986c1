//! Paths in JSON: text where they are UTF-8, base64 where they are not. A home may have any name.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::apply::file::Content;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Named {
    Text(String),
    Bytes(Content),
}

impl Named {
    fn of(path: &Path) -> Self {
        match Content::new(path.as_os_str().as_bytes().to_vec()) {
            Content::Text(text) => Self::Text(text),
            bytes @ Content::Base64(_) => Self::Bytes(bytes),
        }
    }

    fn path<E: serde::de::Error>(self) -> Result<PathBuf, E> {
        match self {
            Self::Text(text) => Ok(text.into()),
            Self::Bytes(bytes) => {
                let bytes = bytes.bytes().map_err(E::custom)?;
                Ok(OsString::from_vec(bytes).into())
            }
        }
    }
}

pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    Named::of(path).serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    Named::deserialize(from)?.path()
}

/// One that may be missing.
pub(super) mod option {
    use super::{Deserialize, Deserializer, Named, PathBuf, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(in super::super) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Named::of).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Option::<Named>::deserialize(from)?
            .map(Named::path)
            .transpose()
    }
}

/// Several.
pub(super) mod list {
    use super::{Deserialize, Deserializer, Named, PathBuf, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        paths: &[PathBuf],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|path| Named::of(path)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let named = Vec::<Named>::deserialize(from)?;
        named.into_iter().map(Named::path).collect()
    }
}
