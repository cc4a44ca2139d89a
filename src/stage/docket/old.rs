//! `Old`: what came so late that only the store knows whether it has it.

use std::collections::BTreeMap;

use crate::health::votes::Slot;
use crate::store::ShardSample;

/// What waits until the store was asked, with the offset at which it came.
#[derive(Debug, Default)]
pub(super) struct Old(Vec<(i64, ShardSample)>);

impl Old {
    pub(super) fn push(&mut self, offset: i64, sample: ShardSample) {
        self.0.push((offset, sample));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (u32, Slot)> + '_ {
        self.0.iter().map(|(_, sample)| sample.key())
    }

    /// What of it is new, each once, and whether it takes the place of the word that there was no
    /// poll; `stored` is what the store has of it, and whether that is only that word.
    pub(super) fn resolve(
        &mut self,
        stored: &BTreeMap<(u32, Slot), bool>,
    ) -> Vec<(i64, ShardSample, bool)> {
        let mut waiting = std::mem::take(&mut self.0);
        // Of what came twice a poll is worth more than the word that there was none.
        waiting.sort_by_key(|(offset, sample)| (sample.missed.is_some(), *offset));
        let mut seen = std::collections::BTreeSet::new();
        let mut new = Vec::with_capacity(waiting.len());
        for (offset, sample) in waiting {
            let is_new = match (stored.get(&sample.key()), sample.missed) {
                (None, _) => true,
                (Some(&was_missed), None) => was_missed,
                (Some(_), Some(_)) => false,
            };
            if is_new && seen.insert(sample.key()) {
                new.push((offset, sample, stored.contains_key(&sample.key())));
            }
        }
        new
    }
}
