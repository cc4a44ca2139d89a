//! `Backlog`: the batches that wait for the store, and where the samples of each are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::stats::SPAN_S;
use crate::store::{Batch, SampleKey};

/// Batches that wait behind the first one become one, up to so many samples.
const CHUNK: usize = 20_000;

/// The batches that wait for the store, the oldest first.
///
/// The first one may be in the writer's hands and is left as it is; the others are joined, lightened
/// and, when nothing else helps, robbed of their samples.
#[derive(Debug)]
pub(super) struct Backlog {
    batches: VecDeque<Held>,
    /// Samples that are held in memory at most.
    most_held: usize,
    /// The number of the next batch.
    next: u64,
}

/// A batch that waits. The samples of `batch` are those in memory: the newest of `count`. What is
/// not in memory is in the journal.
#[derive(Debug)]
struct Held {
    number: u64,
    batch: Arc<Batch>,
    /// The key before that of its first sample.
    after: SampleKey,
    /// The key of its newest sample that is in the journal.
    noted_until: SampleKey,
    count: usize,
    /// How many of its samples, the oldest, are in the journal.
    noted: usize,
    since: Instant,
}

/// The first batch, for the writer.
#[derive(Clone, Debug)]
pub(super) struct Front {
    /// What is in memory of it.
    pub(super) batch: Arc<Batch>,
    /// How many samples are in the journal alone, and the key behind which they begin.
    pub(super) missing: (SampleKey, usize),
    /// The key of the last sample that may be among those.
    pub(super) last: SampleKey,
}

/// Samples that are in memory alone: those of `batch` from index `from` on.
#[derive(Debug)]
pub(super) struct Unnoted {
    pub(super) number: u64,
    pub(super) batch: Arc<Batch>,
    pub(super) from: usize,
}

impl Backlog {
    /// An empty one that holds `most_held` samples in memory at most.
    pub(super) const fn new(most_held: usize) -> Self {
        Self { batches: VecDeque::new(), most_held, next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Samples in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.batches.iter().map(|held| held.batch.samples.len()).sum()
    }

    /// Whether the first batch has waited since before `since`.
    pub(super) fn is_stalled(&self, since: Option<Instant>) -> bool {
        let oldest = self.batches.front();
        oldest.is_some_and(|held| since.is_some_and(|since| held.since <= since))
    }

    /// Adds a batch, which came at `now`.
    pub(super) fn push(&mut self, batch: Batch, now: Instant) {
        let added = batch.samples.len();
        let after = batch.samples.first().map(|first| SampleKey(first.key.0 - 1));
        if self.batches.len() > 1
            && let Some(held) = self.batches.back_mut()
            && held.count + added <= CHUNK
            && held.batch.watched_since_ms == batch.watched_since_ms
            && let Some(older) = Arc::get_mut(&mut held.batch)
        {
            absorb(older, batch);
            if held.count == 0 {
                held.after = after.unwrap_or_default();
            }
            held.count += added;
            return;
        }
        self.batches.push_back(Held {
            number: self.next,
            batch: Arc::new(batch),
            after: after.unwrap_or_default(),
            noted_until: SampleKey::default(),
            count: added,
            noted: 0,
            since: now,
        });
        self.next += 1;
    }

    /// The first batch.
    pub(super) fn front(&self) -> Option<Front> {
        self.batches.front().map(|held| Front {
            batch: Arc::clone(&held.batch),
            missing: (held.after, held.missing()),
            last: held.noted_until,
        })
    }

    /// Removes the first batch, which has been stored, and tells how many samples it had.
    pub(super) fn pop(&mut self) -> usize {
        self.batches.pop_front().map_or(0, |held| held.count)
    }

    /// All samples that are in memory alone, the oldest first.
    pub(super) fn unnoted(&self) -> Vec<Unnoted> {
        let waiting = self.batches.iter().filter(|held| held.noted < held.count);
        waiting
            .map(|held| Unnoted {
                number: held.number,
                batch: Arc::clone(&held.batch),
                from: held.noted - held.missing(),
            })
            .collect()
    }

    /// Remembers that all samples of the batch `number` are in the journal.
    pub(super) fn note(&mut self, number: u64) {
        if let Some(held) = self.batches.iter_mut().find(|held| held.number == number) {
            held.noted = held.count;
            held.noted_until = held.batch.samples.last().map_or(held.noted_until, |last| last.key);
        }
    }

    /// Brings the samples in memory under their bound: lets go of those that are in the journal
    /// as well, the newest batch first, since the writer needs it last; then loses the oldest.
    /// Tells how many were lost.
    pub(super) fn lighten(&mut self) -> u64 {
        self.forget_passed();
        let mut excess = self.in_memory().saturating_sub(self.most_held);
        for held in self.batches.iter_mut().skip(1).rev() {
            if excess == 0 {
                return 0;
            }
            let spare = held.noted - held.missing();
            excess = excess.saturating_sub(held.forget(spare));
        }
        let mut lost = 0;
        for held in self.batches.iter_mut().skip(1) {
            if held.noted > held.missing() {
                continue;
            }
            let gone = held.forget(excess.min(held.batch.samples.len()));
            excess -= gone;
            held.count -= gone;
            lost += gone as u64;
        }
        self.join_emptied();
        lost
    }

    /// Lets go of windows that nobody will ask for and of summaries that a later one replaces.
    fn forget_passed(&mut self) {
        let Some(last) = self.batches.len().checked_sub(1) else { return };
        let windows = self.batches.iter().rev().find_map(|held| held.batch.seconds.last());
        let newest = windows.map_or(0, |&(second, _)| second);
        let is_summarised = self.batches.back().is_some_and(|held| held.batch.summary.is_some());
        for (index, held) in self.batches.iter_mut().enumerate().skip(1) {
            let is_passed = held.batch.seconds.first().is_some_and(|at| at.0 <= newest - SPAN_S);
            let is_replaced = index < last && is_summarised && held.batch.summary.is_some();
            if !is_passed && !is_replaced {
                continue;
            }
            if let Some(batch) = Arc::get_mut(&mut held.batch) {
                batch.seconds.retain(|&(second, _)| second > newest - SPAN_S);
                batch.seconds.shrink_to_fit();
                batch.summary.take_if(|_| is_replaced);
            }
        }
    }

    /// Joins batches that have lost all their samples with what follows them.
    fn join_emptied(&mut self) {
        let mut index = 1;
        while index + 1 < self.batches.len() {
            let is_emptied = self.batches.get(index).is_some_and(|held| held.count == 0);
            let is_free = self
                .batches
                .get_mut(index + 1)
                .is_some_and(|next| Arc::get_mut(&mut next.batch).is_some());
            if !is_emptied || !is_free {
                index += 1;
                continue;
            }
            let older = self.batches.remove(index).map(|held| Arc::unwrap_or_clone(held.batch));
            let newer = self.batches.get_mut(index).and_then(|held| Arc::get_mut(&mut held.batch));
            if let (Some(mut older), Some(newer)) = (older, newer) {
                absorb(&mut older, std::mem::take(newer));
                *newer = older;
            }
        }
    }
}

impl Held {
    /// How many of its samples, the oldest, are not in memory.
    fn missing(&self) -> usize {
        self.count - self.batch.samples.len()
    }

    /// Lets go of the `many` oldest samples that are in memory, unless somebody reads them now, and
    /// tells how many it has let go of.
    fn forget(&mut self, many: usize) -> usize {
        let Some(batch) = Arc::get_mut(&mut self.batch) else { return 0 };
        let many = many.min(batch.samples.len());
        batch.samples.drain(..many);
        batch.samples.shrink_to_fit();
        many
    }
}

/// Adds `newer`, which comes right after `older`, so that the two are written as one.
fn absorb(older: &mut Batch, newer: Batch) {
    let Batch { samples, seconds, transitions, incidents, records, hours, fleet_hours, .. } = newer;
    older.samples.extend(samples);
    older.seconds = replaced(&mut older.seconds, seconds);
    // Nobody asks for windows that lie further back.
    let newest = older.seconds.last().map_or(0, |&(second, _)| second);
    older.seconds.retain(|&(second, _)| second > newest - SPAN_S);
    older.transitions.extend(transitions);
    older.incidents.extend(incidents);
    let by_target = |record: crate::store::Record| (record.target, record);
    let mut before = std::mem::take(&mut older.records).into_iter().map(by_target).collect();
    let after = records.into_iter().map(by_target).collect();
    older.records = replaced(&mut before, after).into_iter().map(|(_, record)| record).collect();
    older.hours.extend(hours);
    older.fleet_hours = replaced(&mut older.fleet_hours, fleet_hours);
    older.number = newer.number;
    older.totals = newer.totals;
    older.settled = newer.settled;
    older.summary = newer.summary.or_else(|| older.summary.take());
    older.watched_since_ms = newer.watched_since_ms;
    older.watched_until_ms = newer.watched_until_ms;
}

/// `before` with what is in `after` in its place, in the order of their names.
fn replaced<K: Ord, V>(before: &mut Vec<(K, V)>, after: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut joined: BTreeMap<K, V> = std::mem::take(before).into_iter().collect();
    joined.extend(after);
    joined.into_iter().collect()
}

#[cfg(test)]
mod tests;
