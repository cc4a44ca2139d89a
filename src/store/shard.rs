//! What a recorder of a cluster writes of a shard, and what it begins with.

use std::collections::BTreeSet;

use super::{Batch, IncidentChange, Record, Restored};
use crate::health::votes::Slot;
use crate::outcome::Outcome;

/// A poll of a cluster, or a slot that passed without one, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSample {
    /// Which poll it is.
    pub slot: Slot,
    /// What was found; of a slot without a poll only its target and its times.
    pub outcome: Outcome,
    /// Why there was no poll, as the number of the reason, when there was none.
    pub missed: Option<u8>,
}

impl ShardSample {
    /// What names it for ever: its target and its slot.
    #[must_use]
    pub const fn key(&self) -> (u32, Slot) {
        (self.outcome.target, self.slot)
    }
}

/// What is written of a shard in one transaction: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct ShardBatch {
    /// The shard.
    pub shard: u32,
    /// The epoch of the lease under which it is written.
    pub epoch: i64,
    /// Its place in the life of the shard, each by 1 above the one before.
    pub step: i64,
    /// All records of the shard's partition before this offset are in it, or were in one before.
    pub next_offset: i64,
    /// All before this offset are in the records of targets that are written.
    pub settled_offset: i64,
    /// What is new.
    pub samples: Vec<ShardSample>,
    /// What follows from that; its own samples are not looked at.
    pub batch: Batch,
    /// What the locations said of the target of each record of `batch`, as bytes.
    pub votes: Vec<Vec<u8>>,
    /// Slots without a poll so far.
    pub missed: u64,
    /// Targets by state, in the order of the states' numbers.
    pub states: [u64; 6],
    /// The newest time at which a poll finished, in Unix microseconds; 0: never.
    pub newest_us: i64,
    /// Milliseconds from due to recorded, lately: p50, p99 and the most.
    pub delay_ms: [i64; 3],
}

impl IncidentChange {
    /// Number of the target.
    #[must_use]
    pub const fn target(&self) -> u32 {
        let (Self::Began { target, .. }
        | Self::Ended { target, .. }
        | Self::Withdrawn { target, .. }) = self;
        *target
    }
}

impl ShardBatch {
    /// The targets of which it says more than samples do.
    #[must_use]
    pub fn targets(&self) -> BTreeSet<u32> {
        let Batch { records, incidents, transitions, hours, .. } = &self.batch;
        let records = records.iter().map(|record| record.target);
        let transitions = transitions.iter().map(|change| change.target);
        let hours = hours.iter().map(|closed| closed.target);
        let incidents = incidents.iter().map(IncidentChange::target);
        records.chain(transitions).chain(hours).chain(incidents).collect()
    }

    /// What it says, beside samples, of the targets that `is_wanted` names, and nothing else.
    #[must_use]
    pub fn of_targets(&self, is_wanted: impl Fn(u32) -> bool) -> Self {
        let Batch { records, incidents, transitions, hours, .. } = &self.batch;
        let own = records.iter().zip(&self.votes).filter(|(record, _)| is_wanted(record.target));
        let (records, votes) = own.map(|(record, votes)| (record.clone(), votes.clone())).unzip();
        let incidents = incidents.iter().filter(|change| is_wanted(change.target()));
        let transitions = transitions.iter().filter(|change| is_wanted(change.target));
        let hours = hours.iter().filter(|closed| is_wanted(closed.target));
        let batch = Batch {
            records,
            incidents: incidents.copied().collect(),
            transitions: transitions.copied().collect(),
            hours: hours.cloned().collect(),
            ..Batch::default()
        };
        Self {
            shard: self.shard,
            epoch: self.epoch,
            step: self.step,
            batch,
            votes,
            ..Self::default()
        }
    }

    /// Leaves out what it says of `targets` beside samples.
    pub fn leave_out(&mut self, targets: &[u32]) {
        let rest = self.of_targets(|target| !targets.contains(&target));
        self.votes = rest.votes;
        let Batch { records, incidents, transitions, hours, .. } = rest.batch;
        let own = &mut self.batch;
        (own.records, own.incidents, own.transitions, own.hours) =
            (records, incidents, transitions, hours);
    }
}

/// What of a batch the store refuses to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blamed {
    /// Polls, by target and slot. Where there are some, nothing else was looked at.
    pub slots: Vec<(u32, Slot)>,
    /// Targets whose records, hours, outages or changes of state it is.
    pub targets: Vec<u32>,
}

/// What is kept of a shard when a recorder takes it over.
#[derive(Clone, Debug, Default)]
pub struct RestoredShard {
    /// The step of its last batch.
    pub step: i64,
    /// All before this offset is recorded.
    pub next_offset: i64,
    /// All before this offset is in records; what lies between has to be taken in again.
    pub settled_offset: i64,
    /// Slots without a poll so far.
    pub missed: u64,
    /// The newest time at which a poll finished, in Unix microseconds; 0: never.
    pub newest_us: i64,
    /// When this was written, by the clock of the database, in Unix milliseconds.
    pub written_ms: i64,
    /// Counts, windows and the hour of the fleet; no records.
    pub ledger: Restored,
}

/// What is kept of a target of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// Its record.
    pub record: Record,
    /// What the locations said of it, as bytes.
    pub votes: Vec<u8>,
}
