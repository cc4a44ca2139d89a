//! `Fitness`: whether the jobs of all shards that we have are made, and kept by brokers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::LONG_UNKEPT_MS;
use crate::store::postgres::leases::Held;

/// How long something may be amiss before we are said not to do our part: a takeover has passed by
/// then, and a broker that leads in another one's place is found.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether the jobs of all shards that we have are made, and since when that is not so.
#[derive(Debug, Default)]
pub(super) struct Fitness {
    unkept_since: Option<Instant>,
    /// Since when the drive lacks what, by shard and epoch.
    unread_since: BTreeMap<(u32, i64), Instant>,
}

impl Fitness {
    /// Takes in that the oldest job that brokers do not have for sure is `unkept_ms` milliseconds old,
    /// and that of the shards that are `held` the drive has those that `is_driven` with their epoch.
    ///
    /// # Errors
    /// Something has been amiss for long; says what.
    pub(super) fn judge(
        &mut self,
        unkept_ms: i64,
        held: &[Held],
        is_driven: impl Fn(u32, i64) -> bool,
    ) -> Result<(), String> {
        let now = Instant::now();
        let is_long = |since: &Instant| now.saturating_duration_since(*since) >= LIMIT;
        let unread = held.iter().filter(|held| !is_driven(held.shard, held.epoch));
        let unread = unread.map(|held| (held.shard, held.epoch));
        let unread = unread.map(|key| (key, self.unread_since.get(&key).copied().unwrap_or(now)));
        self.unread_since = unread.collect();
        self.unkept_since = (unkept_ms > LONG_UNKEPT_MS).then(|| self.unkept_since.unwrap_or(now));
        let unread = self.unread_since.values().filter(|since| is_long(since)).count();
        if unread > 0 {
            return Err(format!("it makes no jobs of {unread} shards: their targets are not read"));
        }
        if self.unkept_since.as_ref().is_some_and(is_long) {
            let seconds = unkept_ms / 1_000;
            return Err(format!("Kafka does not have its jobs of the last {seconds} s"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(shard: u32, epoch: i64) -> Held {
        Held { shard, epoch, produced_until_ms: None }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_a_shard_and_makes_no_jobs_of_it_is_not_ready_after_a_while() {
        let mut fitness = Fitness::default();
        let ours = [held(1, 1), held(2, 1)];
        let is_first = |shard, _| shard == 1;
        assert_eq!(fitness.judge(0, &ours, is_first), Ok(()), "it is being read");
        tokio::time::advance(LIMIT / 2).await;
        // It was lost in between, and has come back.
        let ours = [held(1, 1), held(2, 3)];
        assert_eq!(fitness.judge(0, &ours, is_first), Ok(()));
        tokio::time::advance(LIMIT / 2).await;
        assert_eq!(fitness.judge(0, &ours, is_first), Ok(()), "counted anew");
        tokio::time::advance(LIMIT / 2).await;
        let reason = fitness.judge(0, &ours, is_first).expect_err("for long");
        assert!(reason.contains("no jobs of 1 shards"), "{reason}");
        assert_eq!(fitness.judge(0, &ours, |_, _| true), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_makes_jobs_that_nobody_keeps_is_not_ready_after_a_while() {
        let mut fitness = Fitness::default();
        // As behind a takeover, which is made up for soon.
        assert_eq!(fitness.judge(600_000, &[], |_, _| true), Ok(()));
        tokio::time::advance(LIMIT / 2).await;
        assert_eq!(fitness.judge(LONG_UNKEPT_MS, &[], |_, _| true), Ok(()));
        for seconds in [0, 10, 20] {
            assert_eq!(fitness.judge(6_000 + seconds * 1_000, &[], |_, _| true), Ok(()));
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        let reason = fitness.judge(36_000, &[], |_, _| true).expect_err("for long");
        assert!(reason.contains("last 36 s"), "{reason}");
        assert_eq!(fitness.judge(200, &[], |_, _| true), Ok(()));
    }
}
