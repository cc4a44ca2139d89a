//! `Dispatch`: turns time into jobs for the other members of a cluster, shard by shard.
//!
//! It knows of targets only what a job is made of, and of jobs only how many there were: its memory
//! grows with the targets and with nothing else. A shard has a cursor, which moves in small steps
//! and stands still while jobs find no room, so that no slot is left out; and a time until which
//! all its jobs are kept for sure, at which whoever has the shard next begins.

mod locations;
mod shard;
mod targets;

use std::collections::BTreeMap;

use crate::queue::{Full, JobSink};

pub use locations::Locations;
use shard::Shard;
pub use targets::{Change, JobTarget, ShardTargets};

/// How long a shard may have been nobody's and all its slots are still made up for, in milliseconds.
pub const LONGEST_GAP_MS: i64 = 600_000;

/// A shard that is ours from now on.
#[derive(Debug)]
pub struct Taken {
    /// The shard.
    pub shard: u32,
    /// The epoch of its lease.
    pub epoch: i64,
    /// Until when all jobs were made that fell due, in Unix milliseconds.
    pub until_ms: i64,
    /// Its targets.
    pub targets: ShardTargets,
}

/// What a look at the time has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// When there will be something to do, in Unix milliseconds; none: nothing is seated.
    pub next_ms: Option<i64>,
    /// Whether there is more to do at once, for which there is room.
    pub is_behind: bool,
    /// Whether something found no room.
    pub is_full: bool,
    /// By how many milliseconds the shard lies behind that lies furthest behind.
    pub lag_ms: i64,
    /// Jobs that were made.
    pub jobs: u64,
    /// Slots that had passed.
    pub missed: u64,
}

/// Turns time into jobs.
#[derive(Debug, Default)]
pub struct Dispatch {
    shards: BTreeMap<u32, Shard>,
    locations: Locations,
    /// Shards in the order in which they get their turn, to use its memory again.
    order: Vec<(i64, u32)>,
}

impl Dispatch {
    /// Makes jobs of a shard from now on.
    pub fn take(&mut self, taken: Taken, sink: &mut impl JobSink) {
        sink.restart(taken.shard);
        self.shards.insert(taken.shard, Shard::new(taken));
    }

    /// Makes no more jobs of `shard`.
    pub fn give_up(&mut self, shard: u32) {
        self.shards.remove(&shard);
    }

    /// Takes `changes` of the targets of `shard` over.
    pub fn change(&mut self, shard: u32, changes: Vec<Change>) {
        if let Some(shard) = self.shards.get_mut(&shard) {
            shard.change(changes);
        }
    }

    /// Chooses among `locations` from now on.
    pub fn locate(&mut self, locations: Locations) {
        self.locations = locations;
    }

    /// Looks at the time, `now_ms` in Unix milliseconds, and offers what is due to `sink`: of every
    /// shard one step, the one first that lies furthest behind. `is_ours` tells whether a shard is
    /// ours with an epoch; one that is not stands still.
    pub fn turn(
        &mut self,
        now_ms: i64,
        is_ours: impl Fn(u32, i64) -> bool,
        sink: &mut impl JobSink,
    ) -> Turn {
        let (mut turn, mut is_over) = (Turn::default(), false);
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(self.shards.iter().map(|(number, shard)| (shard.reached_ms(), *number)));
        order.sort_unstable();
        for (_, number) in &order {
            let Some(shard) = self.shards.get_mut(number) else { continue };
            if shard.is_resting(now_ms) || !is_ours(*number, shard.epoch()) {
                continue;
            }
            // Once there is no room for any the others need not ask.
            if !is_over {
                match shard.step(now_ms, &self.locations, sink, &mut turn) {
                    Ok(()) => turn.is_behind |= shard.reached_ms() < now_ms,
                    Err(full) => {
                        turn.is_full = true;
                        is_over = full == Full::All;
                    }
                }
            }
            turn.lag_ms = turn.lag_ms.max(now_ms - shard.reached_ms());
            turn.next_ms = [turn.next_ms, shard.next_ms()].into_iter().flatten().min();
        }
        self.order = order;
        turn.is_behind &= !is_over;
        turn
    }

    /// Looks what became of what was offered, and hands to `told` the shard, the epoch and until
    /// when all its jobs are kept, of every shard for which that has moved. A shard of which
    /// something may be lost begins there again, a second later.
    pub fn settle(
        &mut self,
        now_ms: i64,
        sink: &mut impl JobSink,
        mut told: impl FnMut(u32, i64, i64),
    ) -> u32 {
        let mut failed = 0;
        for (number, shard) in &mut self.shards {
            match shard.settle(now_ms, sink) {
                shard::Moved::To(until_ms) => told(*number, shard.epoch(), until_ms),
                shard::Moved::Not => {}
                shard::Moved::Back => failed += 1,
            }
        }
        failed
    }

    /// How many targets there are.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.shards.values().map(Shard::targets).sum()
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }
}
