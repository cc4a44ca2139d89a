//! Closing batches of a shard: what is written of it in one transaction.

use std::collections::BTreeMap;

use super::Docket;
use crate::store::{Batch, Record, ShardBatch};
use crate::target::State;

impl Docket {
    /// Closes the batch that was being filled and begins the next one. What is in doubt has to be
    /// resolved before.
    pub fn close(&mut self, now_ms: i64) -> ShardBatch {
        let batch = self.ledger.take_batch(now_ms);
        self.batch(batch)
    }

    /// Closes the batch as [`Docket::close`] does, with `most` records at most that are written because
    /// it is time.
    pub fn close_some(&mut self, now_ms: i64, most: usize) -> ShardBatch {
        let batch = self.ledger.take_batch_of(now_ms, most);
        self.batch(batch)
    }

    /// Closes the batch with `most` records that would have had time: when it is called often enough,
    /// nothing is left to be taken in again.
    pub fn close_more(&mut self, now_ms: i64, most: usize) -> ShardBatch {
        let batch = self.ledger.take_early_batch(now_ms, most);
        self.batch(batch)
    }

    /// Closes the last batch, which leaves nothing to be taken in again.
    pub fn close_last(&mut self, now_ms: i64) -> ShardBatch {
        let batch = self.ledger.take_last_batch(now_ms);
        self.batch(batch)
    }

    fn batch(&mut self, mut batch: Batch) -> ShardBatch {
        batch.samples = Vec::new();
        let is_settled = batch.settled == self.ledger.newest();
        let settled_offset = if is_settled { self.next_offset } else { batch.settled.0 };
        self.step += 1;
        self.written_offset = self.next_offset;
        let votes = self.bring_up_to_date(&mut batch.records);
        let mut states = [0; 6];
        for (count, &state) in states.iter_mut().zip(State::ALL) {
            *count = self.ledger.count_in_state(state);
        }
        ShardBatch {
            shard: self.shard,
            epoch: self.epoch,
            step: self.step,
            next_offset: self.next_offset,
            settled_offset,
            samples: std::mem::take(&mut self.samples),
            batch,
            votes,
            missed: self.missed,
            states,
            newest_us: self.newest_us,
            delay_ms: self.delay_ms,
        }
    }

    /// Makes `records` what they are by now, each once, and tells their votes: both have to be of the
    /// same moment, or what lies between would be taken in again by one of them alone.
    fn bring_up_to_date(&self, records: &mut Vec<Record>) -> Vec<Vec<u8>> {
        let mut newest = BTreeMap::new();
        for record in records.drain(..) {
            newest.insert(record.target, record);
        }
        records.extend(
            newest
                .into_iter()
                .map(|(number, record)| self.ledger.record(number).cloned().unwrap_or(record)),
        );
        let votes = |number| {
            let place = self.shards.place(number) as usize;
            let seat = self.seats.get(place).and_then(Option::as_ref);
            seat.map(|seat| seat.votes.encode()).unwrap_or_default()
        };
        records.iter().map(|record| votes(record.target)).collect()
    }
}
