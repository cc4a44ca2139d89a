//! What a ledger takes in of a shard of a cluster: from a stream whose places are the keys of samples.
//!
//! There the same may come twice, and late. What is made of that is told with each sample; here it is
//! only done.

use super::{Ledger, Records};
use crate::health::Transition;
use crate::health::votes::{Rest, Standing};
use crate::shards::Shards;
use crate::store::{Restored, Sample, SampleKey};

impl Ledger {
    /// The ledger of a shard as it was when `restored` was written.
    #[must_use]
    pub fn of_shard(shards: Shards, restored: &Restored, now_ms: i64) -> Self {
        let stride = std::num::NonZeroU32::new(shards.count()).unwrap_or(std::num::NonZeroU32::MIN);
        Self { records: Records::every(stride), ..Self::restore(restored, now_ms) }
    }

    /// Takes in `sample` at `now_ms` (Unix milliseconds), as far as `standing` lets it, and tells the
    /// change of state that it brought about.
    pub fn observe_as(
        &mut self,
        sample: &Sample,
        standing: Standing,
        now_ms: i64,
    ) -> Option<Transition> {
        self.take_in(sample.key, &sample.outcome, standing, now_ms)
    }

    /// Takes in a sample that came so late that only the store knew whether it has it. Its record is
    /// written together with it, so that nobody has to ask again.
    pub fn observe_old(&mut self, sample: &Sample, now_ms: i64) {
        self.take_in(sample.key, &sample.outcome, Standing::Late, now_ms);
        self.write_record(sample.outcome.target);
    }

    /// Takes in again what was stored after its record was.
    ///
    /// A change of state was written together with its record, so one that comes about now is new: other
    /// locations count than did then. It is told, and so is what becomes of an outage.
    pub fn settle_again(&mut self, sample: &Sample, standing: Standing, now_ms: i64) {
        let Some((transition, outage)) = self.settle_as(sample, standing, now_ms) else { return };
        self.changes.note(transition.target);
        self.batch.incidents.extend(outage);
        self.batch.transitions.push(transition);
        self.write_record(transition.target);
    }

    /// Whether the target is known here, and its record older than what `key` stands for.
    #[must_use]
    pub fn lacks(&self, number: u32, key: SampleKey) -> bool {
        self.records.get(number).is_some_and(|entry| entry.record.last < key)
    }

    /// Notes that something of the target was kept beside its record at `now_ms` (Unix milliseconds),
    /// under `key`: that record has to be written.
    pub fn touch(&mut self, number: u32, key: SampleKey, now_ms: i64) {
        self.newest = self.newest.max(key);
        let Some(entry) = self.records.get_mut(number) else { return };
        entry.record.last = entry.record.last.max(key);
        self.mark_dirty(number, key, now_ms);
    }

    /// Takes back what was said of the target `number`, so that `rest` is left, as is told under `key` at
    /// `now_ms` (Unix milliseconds); tells the change of state that this is.
    pub fn take_back_as(
        &mut self,
        key: SampleKey,
        (number, rest): (u32, Rest),
        now_ms: i64,
    ) -> Option<Transition> {
        self.touch(number, key, now_ms);
        self.withdraw(number, rest)
    }

    /// Whether every record is written as it is.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled.settled().is_none()
    }
}
