//! `Figures`: how a recorder is doing, for its log, its sign of life and whoever asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::troubles::Troubles;
use crate::stats::{Grain, Sketch};
use crate::store::ShardSample;

/// How long the desk may be busy with one thing.
const STILL: Duration = Duration::from_secs(30);

/// How a recorder is doing.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Samples that it has written.
    pub(super) written: AtomicU64,
    /// Shards that it has.
    pub(super) shards: AtomicU64,
    /// Records of its partitions that it has not yet taken in.
    pub(super) lag: AtomicI64,
    /// Records that nobody could read.
    pub(super) dead: AtomicU64,
    /// Of how many targets something was taken back because a checker told that it failed itself.
    pub(super) withdrawn: AtomicU64,
    /// Days for which it keeps every single result.
    pub(super) keep_days: AtomicU64,
    /// What does not work as it should.
    pub(super) troubles: Troubles,
    is_kafka_away: AtomicBool,
    /// Shards that cannot be written, and why.
    stuck: Mutex<BTreeMap<u32, String>>,
    /// Why there are no partitions for what comes.
    unmade: Mutex<Option<String>>,
    /// When the desk looked around last.
    moved_at: Mutex<Option<Instant>>,
    minute: Mutex<Minute>,
}

/// What happened in this minute.
#[derive(Debug, Default)]
struct Minute {
    samples: u64,
    /// Microseconds from due to recorded.
    delays: Sketch,
    /// What was told of the minute before.
    per_second: f64,
    p99_ms: u32,
}

impl Figures {
    /// Counts `samples`, which were written at `now_ms`; returns how long they took from due to
    /// recorded, in milliseconds: p50, p99 and the most.
    pub(super) fn count(&self, samples: &[ShardSample], now_ms: i64) -> [i64; 3] {
        self.written.fetch_add(samples.len() as u64, Ordering::Relaxed);
        let delay = |sample: &ShardSample| (now_ms - sample.slot.due_ms).max(0);
        let mut delays: Vec<i64> = samples.iter().map(delay).collect();
        delays.sort_unstable();
        let mut minute = self.minute.lock();
        minute.samples += samples.len() as u64;
        for delay_ms in &delays {
            let us = u32::try_from(delay_ms.saturating_mul(1_000)).unwrap_or(u32::MAX);
            minute.delays.add(Grain::Fine.bucket(us));
        }
        let at = |share: usize| {
            let place = (delays.len() * share / 100).min(delays.len().saturating_sub(1));
            delays.get(place).copied().unwrap_or(0)
        };
        [at(50), at(99), at(100)]
    }

    /// Ends a minute that took so many `seconds`, and tells of it in the log.
    pub(super) fn tell(&self, seconds: f64) {
        let mut minute = self.minute.lock();
        let Minute { samples, delays, .. } = std::mem::take(&mut *minute);
        #[expect(clippy::cast_precision_loss, reason = "a rate, to three digits")]
        let per_second = samples as f64 / seconds.max(0.001);
        let p99_ms = delays.quantile(0.99, Grain::Fine).unwrap_or(0) / 1_000;
        (minute.per_second, minute.p99_ms) = (per_second, p99_ms);
        drop(minute);
        let load = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        tracing::info!(
            shards = load(&self.shards),
            outcomes_per_second = format!("{per_second:.1}"),
            delay_p99_ms = p99_ms,
            lag = self.lag.load(Ordering::Relaxed),
            dead = load(&self.dead),
            withdrawn = load(&self.withdrawn),
            "recording"
        );
    }

    /// The figures as what the member tells of itself.
    pub(super) fn told(&self) -> serde_json::Value {
        let (per_second, p99_ms) = {
            let minute = self.minute.lock();
            (minute.per_second, minute.p99_ms)
        };
        serde_json::json!({
            "shards": self.shards.load(Ordering::Relaxed),
            "written": self.written.load(Ordering::Relaxed),
            "outcomes_per_second": per_second,
            "delay_p99_ms": p99_ms,
            "lag": self.lag.load(Ordering::Relaxed),
            "dead": self.dead.load(Ordering::Relaxed),
            "withdrawn": self.withdrawn.load(Ordering::Relaxed),
            "keep_days": self.keep_days.load(Ordering::Relaxed),
            "stuck": self.stuck.lock().len(),
            "is_kafka_away": self.is_kafka_away.load(Ordering::Relaxed),
        })
    }

    /// Notes that the desk looks around.
    pub(super) fn desk_moves(&self) {
        *self.moved_at.lock() = Some(Instant::now());
    }

    /// Notes whether `shard` can be written.
    pub(super) fn shard_is(&self, shard: u32, now: Result<(), &str>) {
        let mut stuck = self.stuck.lock();
        match now {
            Ok(()) => stuck.remove(&shard),
            Err(reason) => stuck.insert(shard, reason.to_owned()),
        };
    }

    /// Notes whether there are partitions for what comes, and tells when that changes.
    pub(super) fn partitions_are(&self, now: Result<(), &str>) {
        let now = now.err().map(str::to_owned);
        let before = std::mem::replace(&mut *self.unmade.lock(), now.clone());
        if let Some(reason) = now.filter(|now| before.as_ref() != Some(now)) {
            tracing::error!(reason, "partitions cannot be made");
        }
    }

    /// Whether what comes is recorded.
    ///
    /// # Errors
    /// Why it is not, or not all of it.
    pub(super) fn readiness(&self) -> Result<(), String> {
        if let Some((shard, reason)) = self.stuck.lock().first_key_value() {
            return Err(format!("shard {shard} cannot be written: {reason}"));
        }
        if let Some(reason) = &*self.unmade.lock() {
            return Err(format!("partitions cannot be made: {reason}"));
        }
        match self.moved_at.lock().map(|at| at.elapsed()) {
            Some(still) if still > STILL => {
                Err(format!("it has taken in nothing for {} s", still.as_secs()))
            }
            _ => self.troubles.readiness(),
        }
    }

    /// Notes what trouble there is with Kafka, and tells when that changes.
    pub(super) fn kafka_is(&self, trouble: Option<&str>) {
        let was_away = self.is_kafka_away.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(reason) if !was_away => {
                tracing::warn!(reason, "Kafka is away: nothing can be recorded until it is back");
            }
            None if was_away => tracing::info!("Kafka is back"),
            _ => {}
        }
    }
}
