//! `Texts`: what the targets are called, in lower case, one behind the other.

use std::fmt::Write as _;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::marks::Marks;
use crate::target::Target;

/// Stands between the names of a target, and behind the last one; no address holds it.
const END: char = '\0';
/// A part of the text that is of no target any more.
const GONE: u32 = u32::MAX;
/// Parts that may be of no target any more.
const CLUTTER: usize = 4_096;
/// Where fewer than one target in so many is left to be looked at, each is looked at by itself.
const FEW: usize = 8;

/// Address, name, id and group of every target, in lower case: parts of one text, so that a million
/// targets are searched as fast as memory is read.
pub(super) struct Texts {
    text: String,
    /// Where each part begins.
    starts: Vec<usize>,
    /// The number of the target that each part is of.
    owners: Vec<u32>,
    /// The part of each target, by number.
    parts: Vec<u32>,
}

impl Texts {
    /// The texts of `targets`, which stand in the places of their numbers.
    pub(super) fn of(targets: &[Option<Arc<Target>>]) -> Self {
        let (text, starts, owners) = (String::new(), Vec::new(), Vec::new());
        let mut texts = Self { text, starts, owners, parts: Vec::new() };
        for target in targets.iter().flatten() {
            texts.seat(target.number, Some(target));
        }
        texts
    }

    /// Has `target` in the place of whatever had this number.
    pub(super) fn seat(&mut self, number: u32, target: Option<&Target>) {
        let index = number as usize;
        if index >= self.parts.len() {
            self.parts.resize(index + 1, GONE);
        }
        let Some(part) = self.parts.get_mut(index) else { return };
        if let Some(owner) = self.owners.get_mut(*part as usize) {
            *owner = GONE;
        }
        *part = GONE;
        let Some(target) = target else { return };
        *part = u32::try_from(self.owners.len()).unwrap_or(GONE);
        self.starts.push(self.text.len());
        self.owners.push(number);
        append(&mut self.text, target);
    }

    /// Whether much of it is of no target any more.
    pub(super) fn is_cluttered(&self) -> bool {
        self.owners.len() > self.parts.len() + CLUTTER
    }

    /// Leaves the marks of targets that are called by `wanted`, in whatever case.
    pub(super) fn keep(&self, marks: &mut Marks, wanted: &str) {
        let wanted = wanted.to_lowercase();
        if wanted.is_empty() {
            return;
        }
        if wanted.contains(END) {
            return marks.keep(|_| false);
        }
        let finder = Finder::new(&wanted);
        if marks.count() < self.owners.len() / FEW {
            return marks.keep(|number| {
                self.part_of(number).is_some_and(|part| finder.find(part).is_some())
            });
        }
        let mut found = Marks::none(self.parts.len());
        let mut part = 0;
        let mut from = 0;
        while let Some(at) = self.text.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            part = self.part_at(from + at, part);
            if let Some(&owner) = self.owners.get(part).filter(|owner| **owner != GONE) {
                found.mark(owner as usize);
            }
            part += 1;
            from = self.starts.get(part).copied().unwrap_or(self.text.len());
        }
        marks.keep_marked(&found);
    }

    /// The part that holds the place `at`, which lies in no part before `first`.
    fn part_at(&self, at: usize, first: usize) -> usize {
        let starts = self.starts.get(first..).unwrap_or_default();
        // Mostly it is near: look further and further before looking everywhere.
        let mut reach = 1;
        while starts.get(reach).is_some_and(|&start| start <= at) {
            reach *= 2;
        }
        let near = starts.get(reach / 2..starts.len().min(reach)).unwrap_or_default();
        first + reach / 2 + near.partition_point(|&start| start <= at).saturating_sub(1)
    }

    fn part_of(&self, number: usize) -> Option<&[u8]> {
        let part = *self.parts.get(number)? as usize;
        let start = *self.starts.get(part)?;
        let end = self.starts.get(part + 1).copied().unwrap_or(self.text.len());
        self.text.as_bytes().get(start..end)
    }
}

/// Appends what `target` is called.
fn append(text: &mut String, target: &Target) {
    let start = text.len();
    // Writing to a string cannot fail.
    let _ = match &target.given_id {
        Some(id) => write!(text, "{}{END}{id}", target.address),
        None => write!(text, "{}{END}{}", target.address, target.id),
    };
    for name in [&target.name, &target.labels.group].into_iter().flatten() {
        text.push(END);
        text.push_str(name);
    }
    text.push(END);
    match text.get_mut(start..) {
        Some(own) if own.is_ascii() => own.make_ascii_lowercase(),
        own => {
            let lower = own.map(|own| own.to_lowercase()).unwrap_or_default();
            text.truncate(start);
            text.push_str(&lower);
        }
    }
}
