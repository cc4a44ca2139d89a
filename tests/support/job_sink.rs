//! A sink of jobs that keeps them, has as much room as it is given and acknowledges when it is told.

use std::collections::{BTreeMap, BTreeSet};

use poller::queue::{Full, JobSink, Mark, Settled, Slot};
use poller::stage::dispatch::JobTarget;
use poller::target::TargetId;

/// A job or a missed slot that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) number: u32,
    pub(crate) due_ms: i64,
    pub(crate) valid_until_ms: i64,
    pub(crate) epoch: i64,
    pub(crate) locations: Vec<String>,
    pub(crate) fixed: Box<[u8]>,
    /// When it was taken.
    pub(crate) at_ms: i64,
    shard: u32,
}

#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) made: Vec<Made>,
    pub(crate) missed: Vec<Made>,
    pub(crate) now_ms: i64,
    pub(crate) room: usize,
    /// Shards of which nothing is taken.
    pub(crate) is_stuck: BTreeSet<u32>,
    pub(crate) has_failed: BTreeSet<u32>,
    marks: BTreeMap<u32, Mark>,
    acknowledged: BTreeMap<u32, usize>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            made: Vec::new(),
            missed: Vec::new(),
            now_ms: 0,
            room: usize::MAX,
            is_stuck: BTreeSet::new(),
            has_failed: BTreeSet::new(),
            marks: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }
}

impl Jobs {
    /// Acknowledges `more` jobs of `shard`, and all that was missed.
    pub(crate) fn acknowledge(&mut self, shard: u32, more: usize) {
        let count = self.acknowledged.entry(shard).or_default();
        *count = count.saturating_add(more);
    }

    /// The jobs of `shard` that were acknowledged.
    pub(crate) fn acknowledged(&self, shard: u32) -> Vec<Made> {
        let count = self.acknowledged.get(&shard).copied().unwrap_or(0);
        self.made.iter().filter(|made| made.shard == shard).take(count).cloned().collect()
    }

    fn keep(&mut self, shard: u32, slot: &Slot<'_>) -> Result<Made, Full> {
        if self.is_stuck.contains(&shard) {
            return Err(Full::Shard);
        }
        self.room = self.room.checked_sub(1).ok_or(Full::All)?;
        Ok(Made {
            number: slot.number,
            due_ms: slot.due_ms,
            valid_until_ms: slot.valid_until_ms,
            epoch: slot.epoch,
            locations: slot.locations.iter().map(|name| (*name).to_owned()).collect(),
            fixed: slot.fixed.into(),
            at_ms: self.now_ms,
            shard,
        })
    }
}

impl JobSink for Jobs {
    fn offer(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        let made = self.keep(shard, slot)?;
        self.marks.entry(shard).or_default().jobs += 1;
        self.made.push(made);
        Ok(())
    }

    fn miss(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        let made = self.keep(shard, slot)?;
        self.marks.entry(shard).or_default().missed += 1;
        self.missed.push(made);
        Ok(())
    }

    fn mark(&self, shard: u32) -> Mark {
        self.marks.get(&shard).copied().unwrap_or_default()
    }

    fn settled(&self, shard: u32, mark: Mark) -> Settled {
        if self.has_failed.contains(&shard) {
            return Settled::Failed;
        }
        let known = self.acknowledged.get(&shard).copied().unwrap_or(0);
        if mark.jobs <= known as u64 { Settled::Yes } else { Settled::NotYet }
    }

    fn restart(&mut self, shard: u32) {
        self.has_failed.remove(&shard);
        self.marks.remove(&shard);
        self.acknowledged.remove(&shard);
    }
}

/// A target of `number` that is due every `every_ms`.
pub(crate) fn target(number: u32, every_ms: u32) -> JobTarget {
    let id = TargetId(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    JobTarget { id, fixed: Box::new([7]), number, every_ms, since_s: 0, locations: 0 }
}
