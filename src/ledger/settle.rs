//! Settling: when what is known of a target is written down, so that little has to be taken in
//! again after a crash, and samples may be dropped without their counts.

use std::collections::VecDeque;
use std::time::Duration;

use super::Ledger;
use crate::store::{Batch, SampleKey};

/// Milliseconds after which a changed record is written at the latest, unless told otherwise.
const LATEST_MS: i64 = 300_000;
/// Milliseconds after which it is written when few wait.
const SOON_MS: i64 = 30_000;
/// Records that one batch writes at most, beside those of hours that closed.
const AT_ONCE: usize = 5_000;
/// Of these, those that could wait longer: so few that polls cost no more for it.
const SOON_AT_ONCE: usize = 20;
/// Records that one batch writes before their time when the store is short of room.
const HURRIED_AT_ONCE: usize = 2_000;

/// Records that changed since they were written, by the first sample that they lack there; among
/// them some that have been written meanwhile.
#[derive(Debug)]
pub(super) struct Unsettled {
    waiting: VecDeque<Dirty>,
    /// Milliseconds after which they are written at the latest.
    latest_ms: i64,
}

impl Default for Unsettled {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), latest_ms: LATEST_MS }
    }
}

impl Unsettled {
    /// The key up to which all samples are in written records; `None` when that is all of them.
    pub(super) fn settled(&self) -> Option<SampleKey> {
        self.waiting.front().map(|first| SampleKey(first.key.0 - 1))
    }
}

/// A record that changed.
#[derive(Clone, Copy, Debug)]
struct Dirty {
    /// The key of the first sample that changed it.
    key: SampleKey,
    /// When that was, in Unix milliseconds.
    at_ms: i64,
    target: u32,
}

impl Ledger {
    /// Writes what changed early enough for samples that are kept for `keep`: none is to be dropped
    /// before it is in a record.
    pub fn settle_for(&mut self, keep: Duration) {
        let half_ms = i64::try_from(keep.as_millis() / 2).unwrap_or(LATEST_MS);
        self.unsettled.latest_ms = half_ms.min(LATEST_MS);
    }

    /// Closes the batch that was being filled and begins the next one.
    pub fn take_batch(&mut self, now_ms: i64) -> Batch {
        self.take_batch_of(now_ms, AT_ONCE)
    }

    /// Closes the batch as [`Ledger::take_batch`] does, with `most` records at most beside those that
    /// are written for what happened: for one of many ledgers whose batches are written together.
    pub fn take_batch_of(&mut self, now_ms: i64, most: usize) -> Batch {
        // What lies ahead was taken in before the clock was set back.
        let is_older = |age_ms: i64| {
            let young = now_ms - age_ms..=now_ms + age_ms;
            move |at_ms: i64| !young.contains(&at_ms)
        };
        let latest_ms = self.unsettled.latest_ms;
        self.write_records(most, is_older(latest_ms));
        self.write_records(SOON_AT_ONCE.min(most), is_older(SOON_MS.min(latest_ms)));
        self.take_lean_batch(now_ms)
    }

    /// Closes the batch as [`Ledger::take_batch`] does, and writes records before their time: for a
    /// store that has to drop samples which are in none yet.
    pub fn take_hurried_batch(&mut self, now_ms: i64) -> Batch {
        self.write_records(HURRIED_AT_ONCE, |_| true);
        self.take_batch(now_ms)
    }

    /// Closes the batch with `most` records before their time.
    pub fn take_early_batch(&mut self, now_ms: i64, most: usize) -> Batch {
        self.write_records(most, |_| true);
        self.close_batch(now_ms)
    }

    /// Closes the batch as [`Ledger::take_batch`] does, without the records that can wait: for a
    /// store that stands still.
    pub fn take_lean_batch(&mut self, now_ms: i64) -> Batch {
        self.recent.expire(now_ms.div_euclid(1_000));
        self.close_batch(now_ms)
    }

    /// Closes the last batch, which leaves nothing to be taken in again.
    pub fn take_last_batch(&mut self, now_ms: i64) -> Batch {
        self.write_records(usize::MAX, |_| true);
        self.close_batch(now_ms)
    }

    /// Notes that the record of `target` lacks, where it is written, what happened at `at_ms` under
    /// `key`.
    pub(super) fn mark_dirty(&mut self, target: u32, key: SampleKey, at_ms: i64) {
        let Some(entry) = self.records.get_mut(target) else { return };
        if !entry.is_dirty {
            entry.is_dirty = true;
            self.unsettled.waiting.push_back(Dirty { key, at_ms, target });
        }
    }

    pub(super) fn write_record(&mut self, number: u32) {
        let Some(entry) = self.records.get_mut(number) else { return };
        if std::mem::take(&mut entry.is_dirty) {
            self.batch.records.push(entry.record.clone());
        }
    }

    /// Writes the records whose first unwritten sample finished when `is_time` says, in their
    /// order and `most` of them.
    fn write_records(&mut self, most: usize, is_time: impl Fn(i64) -> bool) {
        for _ in 0..most {
            let Some(&Dirty { at_ms, target, .. }) = self.unsettled.waiting.front() else { return };
            let is_clean = self.records.get(target).is_none_or(|entry| !entry.is_dirty);
            if !is_clean && !is_time(at_ms) {
                return;
            }
            self.unsettled.waiting.pop_front();
            self.write_record(target);
        }
    }
}
