//! `Holding`: which shards are ours, are being taken over, or cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::desk::{Desk, Parts};
use super::gain::{Gained, Kept, gain};
use super::troubles::Work;
use super::writer::{Refusal, Written};
use crate::health::votes::Slot;
use crate::store::ShardBatch;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::leases::Tended;

/// Shards that are taken over at a time.
const GAINS: usize = 3;
/// How long a shard that cannot be written is left alone, at first and at most.
const REST: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// Polls of a shard that are remembered at most because the database refuses them.
const MOST_REFUSED: usize = 10_000;

/// Which shards are ours.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// The epochs of the shards that are ours.
    epochs: BTreeMap<u32, i64>,
    /// Shards that are to be taken over.
    wanted: BTreeMap<u32, Wanted>,
    pub(super) gains: JoinSet<Gained>,
    /// The shards that are being taken over.
    running: BTreeMap<Id, u32>,
    /// Shards that could not be written, and how often in a row.
    stuck: BTreeMap<u32, u32>,
    /// Polls that the database refuses to hold, by shard.
    refused: BTreeMap<u32, BTreeSet<(u32, Slot)>>,
}

/// How a shard is to be taken over.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    from: Instant,
    /// Where its partition begins, when its topic was made anew.
    anew: Option<i64>,
}

impl Holding {
    fn want(&mut self, shard: u32, pause: Duration, anew: Option<i64>) {
        self.wanted.insert(shard, Wanted { from: Instant::now() + pause, anew });
    }

    /// Whether the database refuses to hold what is told of the slot of `target` at `location`.
    pub(super) fn is_refused(&self, shard: u32, target: u32, slot: Slot) -> bool {
        self.refused.get(&shard).is_some_and(|refused| refused.contains(&(target, slot)))
    }

    /// What is to be taken over next. While something `is_written`, no shard begins anew: it may be
    /// what of it is on its way.
    fn next(&mut self, is_written: bool) -> Option<(u32, i64, Option<i64>)> {
        let now = Instant::now();
        let is_due = |(shard, wanted): &(&u32, &Wanted)| {
            wanted.from <= now
                && !(is_written && wanted.anew.is_some())
                && !self.running.values().any(|running| running == *shard)
        };
        let (&shard, &Wanted { anew, .. }) = self.wanted.iter().find(is_due)?;
        self.wanted.remove(&shard);
        self.epochs.get(&shard).map(|&epoch| (shard, epoch, anew))
    }
}

impl Desk {
    /// Takes in which shards are ours by now.
    pub(super) fn hold(&mut self, tended: Option<Tended>) {
        let Some(tended) = tended else { return };
        self.ahead_ms = Some(tended.clock_ahead_ms);
        let held: BTreeMap<u32, i64> =
            tended.held.iter().map(|held| (held.shard, held.epoch)).collect();
        let before = std::mem::replace(&mut self.holding.epochs, held);
        let held = &self.holding.epochs;
        let is_lost = |(shard, epoch): &(&u32, &i64)| held.get(shard) != Some(epoch);
        let lost: Vec<u32> = before.iter().filter(is_lost).map(|(shard, _)| *shard).collect();
        let is_new = |(shard, epoch): &(&u32, &i64)| before.get(shard) != Some(epoch);
        let gained: Vec<u32> = held.iter().filter(is_new).map(|(shard, _)| *shard).collect();
        if !gained.is_empty() || !lost.is_empty() {
            let (all, members) = (held.len(), tended.members);
            tracing::info!(all, gained = gained.len(), lost = lost.len(), members, "shards");
        }
        self.parts.figures.shards.store(held.len() as u64, Ordering::Relaxed);
        for shard in lost {
            self.drop_docket(shard);
            self.holding.wanted.remove(&shard);
            self.holding.refused.remove(&shard);
            self.holding.stuck.remove(&shard);
            self.parts.figures.shard_is(shard, Ok(()));
            self.parts.figures.troubles.is_over(Work::Shard(shard));
        }
        for shard in gained {
            self.holding.want(shard, Duration::ZERO, None);
        }
    }

    pub(super) fn drop_docket(&mut self, shard: u32) {
        self.parts.reader.release(shard);
        self.targets.forget(shard);
        self.doubts.forget(shard);
        if let Some(docket) = self.dockets.remove(&shard) {
            self.waiting = self.waiting.saturating_sub(docket.pending());
        }
    }

    /// Begins to take over what is wanted.
    pub(super) fn take_over(&mut self) {
        // What is told of all locations cannot be understood before they are known.
        while self.locations.are_known()
            && self.holding.gains.len() < GAINS
            && let Some((shard, epoch, anew)) = self.holding.next(!self.writing.is_empty())
        {
            let Parts { database, reader, shards, .. } = &self.parts;
            let kept = Kept { database: database.clone(), logs: reader.logs() };
            let gaining = gain(kept, *shards, (shard, epoch, anew), self.now_ms());
            let id = self.holding.gains.spawn(gaining).id();
            self.parts.figures.troubles.begins(Work::Shard(shard));
            self.holding.running.insert(id, shard);
        }
    }

    /// Begins to read the shard that was taken over.
    pub(super) fn gained(&mut self, gained: Result<(Id, Gained), JoinError>) {
        let (id, gained) = match gained {
            Ok((id, gained)) => (id, gained),
            Err(error) => {
                if let Some(shard) = self.holding.running.remove(&error.id()) {
                    self.is_stuck(shard, &format!("taking it over broke off: {error}"));
                }
                return;
            }
        };
        self.holding.running.remove(&id);
        let Gained { shard, epoch, anew, docket, begins } = gained;
        if self.holding.epochs.get(&shard) != Some(&epoch) {
            return;
        }
        if let (Ok((docket, _)), Some(offset)) = (&docket, begins) {
            let now_ms = self.now_ms();
            let newest_ms = Some(docket.newest_us().div_euclid(1_000)).filter(|&ms| ms > 0);
            let began_ms = newest_ms.map_or(now_ms, |newest_ms| newest_ms.min(now_ms));
            // How many of another log are gone nobody knows.
            self.chores.note_gap(shard, -1, (began_ms, now_ms));
            return self.begin_anew(shard, offset);
        }
        let troubles = &self.parts.figures.troubles;
        match docket {
            Ok((mut docket, revision)) => {
                troubles.is_over(Work::Shard(shard));
                docket.locations_are(self.locations.count());
                self.drop_docket(shard);
                self.parts.reader.assign(shard, epoch, docket.next_offset());
                self.targets.begin(shard, revision);
                self.dockets.insert(shard, docket);
            }
            // Its lease is no more ours, which we are told soon.
            Err(DatabaseError::Fenced { .. }) => troubles.is_over(Work::Shard(shard)),
            Err(error) if error.is_passing() => {
                troubles.fails(Work::Shard(shard), &error);
                self.holding.want(shard, super::PAUSE, anew);
            }
            Err(error) => self.is_stuck(shard, &error.to_string()),
        }
    }

    /// Takes in what became of batches.
    pub(super) fn written(&mut self, written: Written) {
        let now_ms = self.now_ms();
        let Written { batches, fenced, refused } = written;
        for batch in batches {
            let ShardBatch { shard, epoch, next_offset, samples, .. } = batch;
            let is_own = self.dockets.get(&shard).is_some_and(|docket| {
                docket.epoch() == epoch && docket.next_offset() >= next_offset
            });
            if fenced.contains(&shard) {
                let told = "what came was not written: somebody else has the shard";
                tracing::warn!(shard, epoch, "{told}");
                if is_own {
                    self.drop_docket(shard);
                    // If it is ours after all, the database knows.
                    self.holding.want(shard, super::PAUSE, None);
                }
            } else if let Some(refusal) = refused.iter().find(|refusal| refusal.shard == shard) {
                if is_own {
                    self.drop_docket(shard);
                    self.refused(refusal);
                }
            } else {
                self.is_well(shard);
                if samples.is_empty() {
                    continue;
                }
                let delays = self.parts.figures.count(&samples, now_ms);
                if let Some(docket) = self.dockets.get_mut(&shard).filter(|_| is_own) {
                    docket.note_delay(delays);
                }
            }
        }
    }

    /// Begins the shard anew from what is written, without the polls that the database refuses; they
    /// are set aside when they come again.
    fn refused(&mut self, refusal: &Refusal) {
        let Refusal { shard, slots, reason } = refusal;
        if slots.is_empty() {
            return self.is_stuck(*shard, reason);
        }
        tracing::warn!(
            shard,
            count = slots.len(),
            reason,
            "polls cannot be kept and are set aside"
        );
        let known = self.holding.refused.entry(*shard).or_default();
        if known.len() > MOST_REFUSED {
            known.clear();
        }
        known.extend(slots.iter().copied());
        self.holding.want(*shard, Duration::ZERO, None);
    }

    /// Leaves `shard` alone for a while, and has everybody know.
    fn is_stuck(&mut self, shard: u32, reason: &str) {
        let times = self.holding.stuck.entry(shard).or_default();
        let pause = (REST.0 * 2_u32.saturating_pow(*times)).min(REST.1);
        *times = (*times + 1).min(8);
        if *times == 1 {
            tracing::error!(shard, reason, "a shard cannot be written and waits, the others go on");
        }
        self.parts.figures.shard_is(shard, Err(reason));
        self.holding.want(shard, pause, None);
    }

    fn is_well(&mut self, shard: u32) {
        if self.holding.stuck.remove(&shard).is_some() {
            tracing::info!(shard, "the shard can be written again");
            self.parts.figures.shard_is(shard, Ok(()));
        }
    }

    /// Takes `shard` over again, whose partition begins anew at `offset`.
    pub(super) fn begin_anew(&mut self, shard: u32, offset: i64) {
        self.drop_docket(shard);
        self.holding.want(shard, Duration::ZERO, Some(offset));
    }
}
