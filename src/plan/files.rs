//! The unit's files as systemd reads them, with our drop-in at its place among them.

use std::path::Path;

use super::dropin::{self, Assignment};
use super::said::By;
use crate::facts::{Facts, Unit};

/// Fragment and drop-ins in systemd's order. Of one name there is one drop-in: whoever has put one
/// of our name elsewhere, such as root, has put ours there.
pub(super) struct Files<'a> {
    /// All but ours.
    pub(super) paths: Vec<&'a Path>,
    /// What they say.
    pub(super) texts: Vec<&'a str>,
    /// How many of them come before ours.
    pub(super) before: usize,
    /// Where ours is and what it says now, if it is there.
    ours: Option<(&'a Path, &'a str)>,
}

impl<'a> Files<'a> {
    pub(super) fn of(facts: &Facts, unit: &'a Unit) -> Self {
        let name = facts.our_drop_in.path.file_name();
        let is_fragment = |path: &Path| Some(path) == unit.fragment.as_deref();
        let (ours, others): (Vec<_>, Vec<_>) = unit
            .files
            .iter()
            .partition(|file| file.path.file_name() == name);
        let before = others
            .iter()
            .take_while(|file| is_fragment(&file.path) || file.path.file_name() < name)
            .count();
        Self {
            paths: others.iter().map(|file| file.path.as_path()).collect(),
            texts: others.iter().map(|file| file.text.as_str()).collect(),
            before,
            ours: ours
                .first()
                .map(|file| (file.path.as_path(), file.text.as_str())),
        }
    }

    /// All that there is.
    pub(super) fn now(&self) -> Vec<&'a str> {
        self.all().into_iter().map(|(_, text)| text).collect()
    }

    /// All, with where they are.
    pub(super) fn all(&self) -> Vec<(&'a Path, &'a str)> {
        let mut others = self.paths.iter().copied().zip(self.texts.iter().copied());
        let mut all: Vec<_> = others.by_ref().take(self.before).collect();
        all.extend(self.ours);
        all.extend(others);
        all
    }

    /// Where the last assignment of `[Service]` is that is like this.
    pub(super) fn last(&self, is_it: impl Fn(&Assignment) -> bool) -> Option<By> {
        self.all().into_iter().rev().find_map(|(path, text)| {
            let lines = dropin::parse(text).assignments;
            let mut lines = lines.iter().rev();
            let line = lines.find(|line| line.section == "Service" && is_it(line))?;
            Some(By::line(path, line.line))
        })
    }

    /// As if nothing came after ours.
    pub(super) fn up_to_ours(&self) -> Vec<&'a str> {
        let ours = self.ours.map(|(_, text)| text);
        [&self.texts[..self.before], ours.as_slice()].concat()
    }

    /// What comes after ours, and so has the last word.
    pub(super) fn after(&self) -> &[&'a str] {
        &self.texts[self.before..]
    }

    /// All, once ours says this.
    pub(super) fn with<'b>(&self, ours: &'b str) -> Vec<&'b str>
    where
        'a: 'b,
    {
        [&self.texts[..self.before], &[ours], self.after()].concat()
    }
}
