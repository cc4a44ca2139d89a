//! `Holding`: which shards are ours at this moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Tended;

/// A shard that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The shard.
    pub shard: u32,
    /// The epoch under which we write; it rises with every owner.
    pub epoch: i64,
    /// Until when all jobs were made that fell due, in Unix milliseconds; none: none ever was.
    pub produced_until_ms: Option<i64>,
}

/// Which shards are ours at this moment, by our own clock; copies see the same.
#[derive(Clone, Debug, Default)]
pub struct Holding(Arc<Mutex<BTreeMap<u32, (i64, Instant)>>>);

impl Holding {
    /// Until when `shard` is ours at least; none: it is not.
    #[must_use]
    pub fn until(&self, shard: u32) -> Option<Instant> {
        self.lasting(shard).map(|(_, until)| until)
    }

    /// The epoch with which `shard` is ours; none: it is not.
    #[must_use]
    pub fn epoch(&self, shard: u32) -> Option<i64> {
        self.lasting(shard).map(|(epoch, _)| epoch)
    }

    /// The shards that are ours.
    #[must_use]
    pub fn shards(&self) -> Vec<u32> {
        let now = Instant::now();
        let held = self.0.lock();
        held.iter().filter(|(_, (_, until))| *until > now).map(|(shard, _)| *shard).collect()
    }

    fn lasting(&self, shard: u32) -> Option<(i64, Instant)> {
        let found = self.0.lock().get(&shard).copied();
        found.filter(|(_, until)| *until > Instant::now())
    }

    /// Holds `held`, and nothing else, until `until`.
    pub(super) fn replace(&self, held: &[Held], until: Instant) {
        let new = held.iter().map(|held| (held.shard, (held.epoch, until))).collect();
        *self.0.lock() = new;
    }

    pub(super) fn add(&self, held: &[Held], until: Instant) {
        self.0.lock().extend(held.iter().map(|held| (held.shard, (held.epoch, until))));
    }

    pub(super) fn forget(&self, shards: &[u32]) {
        self.0.lock().retain(|shard, _| !shards.contains(shard));
    }
}

/// What is told of `held`, when `reported` was told last, with the members, clock and pause of `rest`.
pub(super) fn changes(
    reported: &mut BTreeMap<u32, i64>,
    held: Vec<Held>,
    rest: (u32, i64, Duration),
) -> Tended {
    let (members, clock_ahead_ms, again_in) = rest;
    let kept: BTreeMap<u32, i64> = held.iter().map(|held| (held.shard, held.epoch)).collect();
    let before = std::mem::replace(reported, kept);
    let is_new = |held: &&Held| before.get(&held.shard) != Some(&held.epoch);
    let gained = held.iter().filter(is_new).map(|held| held.shard).collect();
    let lost = before.iter().filter(|(shard, epoch)| reported.get(shard) != Some(epoch));
    let lost = lost.map(|(shard, _)| *shard).collect();
    Tended { held, gained, lost, members, clock_ahead_ms, again_in }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(shard: u32, epoch: i64) -> Held {
        Held { shard, epoch, produced_until_ms: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_renewed_ends_by_itself() {
        let holding = Holding::default();
        let elsewhere = holding.clone();
        holding.replace(&[held(1, 7)], Instant::now() + Duration::from_secs(3));
        assert_eq!((elsewhere.epoch(1), elsewhere.shards()), (Some(7), vec![1]));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((elsewhere.epoch(1), elsewhere.shards()), (None, vec![]));
    }

    #[test]
    fn a_shard_that_came_back_with_a_newer_epoch_was_lost_and_gained() {
        let mut reported = BTreeMap::from([(1, 7), (2, 7), (3, 7)]);
        let now = vec![held(1, 7), held(2, 9), held(4, 1)];
        let tended = changes(&mut reported, now, (1, 0, Duration::ZERO));
        assert_eq!((tended.gained, tended.lost), (vec![2, 4], vec![2, 3]));
    }
}
