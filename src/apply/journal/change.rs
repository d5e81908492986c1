//! One file of a generation, and its way back from wherever a run was ended.

use std::path::PathBuf;

use rustix::fs::{AtFlags, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::named;
use crate::apply::checkpoint;
use crate::apply::file::{Content, Image, Swapped};
use crate::apply::place::{Place, Tree};
use crate::apply::refusal::Why;
use crate::apply::{Edit, Restored};
use crate::error::{Doing, Result};
use crate::facts::Written;
use crate::plan::FileChange;

/// What temporary files are called, a number of their own after it.
const TEMPORARY: &str = ".rootless6-";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The file itself.
    #[serde(with = "named")]
    pub(super) path: PathBuf,
    /// The name that leads there through symlinks that the user wants followed.
    #[serde(
        default,
        with = "named::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) through: Option<PathBuf>,
    pub(super) before: Image,
    pub(super) after: Content,
    /// Beginning of the names of its temporary files; entries of schema 1 have none.
    #[serde(default)]
    pub(super) temporary: String,
    /// Whether it has been written.
    #[serde(default)]
    pub(super) written: bool,
}

impl Change {
    pub(super) fn begin(change: &FileChange, before: Image) -> Result<Self> {
        let mut number = [0; 4];
        getrandom::fill(&mut number).doing(|| "ask the kernel for random bits")?;
        Ok(Self {
            path: change.place().to_owned(),
            through: change.target.is_some().then(|| change.path.clone()),
            before,
            after: Content::new(change.after.clone().into_bytes()),
            temporary: format!("{TEMPORARY}{:08x}", u32::from_ne_bytes(number)),
            written: false,
        })
    }

    /// The temporary file on one of its two ways, `new` and `old`.
    pub(super) fn temporary(&self, way: &str) -> String {
        format!("{}.{way}", self.temporary)
    }

    /// Whether its temporary files are called as we call them.
    pub(super) fn names_a_temporary(&self) -> bool {
        self.temporary.is_empty()
            || self
                .temporary
                .strip_prefix(TEMPORARY)
                .is_some_and(|number| {
                    number.len() == 8 && number.chars().all(|c| c.is_ascii_hexdigit())
                })
    }

    pub(super) fn look(&self, tree: &Tree) -> Result<Image> {
        match tree.place(&self.path)? {
            Some(place) => place.look(),
            None => Ok(Image::Absent),
        }
    }

    pub(super) fn restore(&self, tree: &Tree, done: &mut Restored) {
        match self.put_back(tree) {
            Ok(Back::Stands) => done.restored.push(self.path.clone()),
            Ok(Back::Edited(now)) => {
                let edit = self.edit(&now);
                done.skip(&self.path, "edited since rootless6 wrote it", edit);
            }
            Ok(Back::SetAside(name)) => {
                let why = format!("it was edited at the same moment; what was there is in {name}");
                done.skip(&self.path, why, None);
            }
            Err(error) if self.is_refused(tree) => done.skip(&self.path, error.to_string(), None),
            Err(error) => done.failed.push(error),
        }
    }

    /// Whether something is there now that is never written to. What the kernel refuses may be
    /// another matter in a moment.
    fn is_refused(&self, tree: &Tree) -> bool {
        match tree.refusal(&self.path).map(|refusal| refusal.why) {
            None => false,
            Some(Why::Errno(errno)) => errno == Errno::NOTDIR,
            Some(_) => true,
        }
    }

    /// What it has left in the file, where that is text.
    pub(super) fn left(&self) -> Option<Written> {
        Some(Written {
            path: self.path.clone(),
            through: self.through.clone(),
            text: String::from_utf8(self.after.bytes().ok()?).ok()?,
        })
    }

    fn edit(&self, now: &Image) -> Option<Edit> {
        Some(Edit {
            ours: String::from_utf8(self.after.bytes().ok()?).ok()?,
            now: now.text()?,
        })
    }

    fn put_back(&self, tree: &Tree) -> Result<Back> {
        let Some(place) = tree.place(&self.path)? else {
            return Ok(match self.before {
                Image::Absent => Back::Stands,
                Image::File { .. } => Back::Edited(Image::Absent),
            });
        };
        let after = self.after_image();
        let temporary = match self.temporary.is_empty() {
            true => Self::begin_of_old_schema()?,
            false => self.temporary("old"),
        };
        if !self.temporary.is_empty() {
            for (way, from, to) in [("new", &self.before, &after), ("old", &after, &self.before)] {
                if let Some(name) = clear_away(&place, &self.temporary(way), from, to)? {
                    return Ok(Back::SetAside(name));
                }
            }
        }
        let now = place.look()?;
        if now.bytes()? == self.before.bytes()? {
            return Ok(Back::Stands);
        }
        if now.bytes()? != after.bytes()? {
            return Ok(Back::Edited(now));
        }
        checkpoint::pass("file-found");
        match place.swap(&temporary, &after, &self.before.with_mode_of(&now))? {
            Swapped::Done => Ok(Back::Stands),
            Swapped::Edited => Ok(Back::Edited(place.look()?)),
        }
    }

    fn begin_of_old_schema() -> Result<String> {
        let mut number = [0; 4];
        getrandom::fill(&mut number).doing(|| "ask the kernel for random bits")?;
        Ok(format!("{TEMPORARY}{:08x}.old", u32::from_ne_bytes(number)))
    }

    /// Only its bytes count.
    fn after_image(&self) -> Image {
        Image::File {
            mode: 0,
            owner: None,
            modified: (0, 0),
            content: self.after.clone(),
        }
    }
}

/// How a file came back.
enum Back {
    /// It is as it was.
    Stands,
    /// It is this, which is neither ours nor what was there.
    Edited(Image),
    /// Two others have written it, and one of these texts has this name.
    SetAside(String),
}

/// Removes a temporary file that a swap from one image to another has left when it was killed: what
/// it was writing, or what it took out. If it took out what somebody had just edited, that goes back.
/// The name is returned where it can be neither.
fn clear_away(place: &Place, name: &str, from: &Image, to: &Image) -> Result<Option<String>> {
    let left = place.look_at(name.as_ref())?;
    let Some(left) = left.bytes()? else {
        return Ok(None);
    };
    let (from, to) = (from.bytes()?, to.bytes()?);
    let now = place.look()?.bytes()?;
    let doing = || format!("clear {name} away, beside {}", place.path.display());
    let directory = &place.directory;
    let swapped = now == to;
    let is_ours = match &to {
        // Not yet swapped, it is what was being written, perhaps in part.
        Some(to) if !swapped => to.starts_with(&left),
        _ => false,
    };
    if is_ours || Some(&left) == from.as_ref() {
        unlinkat(directory, name, AtFlags::empty()).doing(doing)?;
    } else if swapped {
        let flags = match to {
            None => RenameFlags::NOREPLACE,
            Some(_) => RenameFlags::EXCHANGE,
        };
        renameat_with(directory, name, directory, &place.name, flags).doing(doing)?;
        if to.is_some() {
            unlinkat(directory, name, AtFlags::empty()).doing(doing)?;
        }
    } else {
        return Ok(Some(name.to_owned()));
    }
    checkpoint::pass("temporary-cleared");
    place.sync()?;
    Ok(None)
}
