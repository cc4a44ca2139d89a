//! `Records`: what is known of targets by their numbers, dense.

use std::num::NonZeroU32;

use crate::store::{Record, SampleKey};

/// A lag that is not known.
pub(super) const NO_LAG: u32 = u32::MAX;

/// What is known of a target.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    /// The key of the sample before the last one: that one may not be stored yet.
    pub(super) before: SampleKey,
    pub(super) is_dirty: bool,
    /// Lag of the last poll that had a slot, in microseconds; [`NO_LAG`] when there was none since
    /// start.
    pub(super) lag_us: u32,
    /// Days for which its certificate has to be valid.
    pub(super) days: u16,
}

/// Records by number; `None` where no target of this run has that number.
#[derive(Debug)]
pub(super) struct Records {
    entries: Vec<Option<Entry>>,
    /// Of how many numbers one is in here: those of a shard of a cluster lie that far apart.
    stride: NonZeroU32,
}

impl Default for Records {
    fn default() -> Self {
        Self::every(NonZeroU32::MIN)
    }
}

impl Records {
    /// None yet, of one number in `stride`.
    pub(super) const fn every(stride: NonZeroU32) -> Self {
        Self { entries: Vec::new(), stride }
    }

    fn place(&self, number: u32) -> usize {
        (number / self.stride) as usize
    }

    pub(super) fn get(&self, number: u32) -> Option<&Entry> {
        self.entries.get(self.place(number))?.as_ref().filter(|entry| entry.record.target == number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        let place = self.place(number);
        self.entries.get_mut(place)?.as_mut().filter(|entry| entry.record.target == number)
    }

    /// Puts `entry` where its number says.
    pub(super) fn put(&mut self, entry: Entry) {
        let place = self.place(entry.record.target);
        if place >= self.entries.len() {
            self.entries.resize_with(place + 1, || None);
        }
        if let Some(room) = self.entries.get_mut(place) {
            *room = Some(entry);
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        let place = self.place(number);
        if let Some(room) = self.entries.get_mut(place) {
            *room = None;
        }
    }
}
