//! `Figures`: what a checker counts, for its signs of life and its log.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::queue::kafka::messages::Reason;
use crate::stats::{Grain, Sketch};

/// What a checker counts since its start; each figure may be read by anybody.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Jobs that were taken.
    pub(super) jobs: AtomicU64,
    /// Outcomes that were reported, rechecks among them.
    pub(super) outcomes: AtomicU64,
    /// Jobs that are for other locations.
    pub(super) elsewhere: AtomicU64,
    /// Jobs that came again.
    pub(super) repeated: AtomicU64,
    /// Jobs that nobody could read.
    pub(super) dead: AtomicU64,
    /// Slots that passed without a poll, by the numbers of their reasons.
    missed: [AtomicU64; Reason::ALL.len()],
    /// Jobs that were gone before they were taken.
    pub(super) gone: AtomicU64,
    /// Jobs that were not taken yet and 1; 0: nobody knows.
    behind: AtomicU64,
    /// Jobs that are in hand.
    pub(super) open: AtomicU64,
    /// Targets that are known.
    pub(super) targets: AtomicU64,
    /// Partitions that are ours.
    pub(super) partitions: AtomicU64,
    /// Whether no further job is taken for now: 1, else 0.
    pub(super) held: AtomicU64,
    /// How often partitions were paused because too many jobs were in hand.
    pub(super) pauses: AtomicU64,
    /// A refusal of the group's that waiting does not mend.
    pub(super) refusal: Mutex<Option<String>>,
    /// How often the relay has looked: a sign of life.
    pub(super) ticks: AtomicU64,
    /// How late polls began since this was asked last.
    lag: Mutex<Sketch>,
}

impl Figures {
    /// Counts a slot that passed without a poll.
    pub(super) fn note_missed(&self, reason: Reason) {
        if let Some(count) = self.missed.get(reason.number() as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes how late polls began, each in microseconds.
    pub(super) fn note_lags(&self, lags_us: impl Iterator<Item = u32>) {
        let mut lag = self.lag.lock();
        lags_us.for_each(|lag_us| lag.add(Grain::Coarse.bucket(lag_us)));
    }

    /// Below what 99 of 100 polls were late that began since this was asked last, in milliseconds.
    pub(super) fn take_lag_p99_ms(&self) -> u64 {
        let lag = std::mem::take(&mut *self.lag.lock());
        u64::from(lag.quantile(0.99, Grain::Coarse).unwrap_or(0)) / 1_000
    }

    /// Notes how many jobs of our partitions were not taken yet, if that is known.
    pub(super) fn set_behind(&self, behind: Option<u64>) {
        let behind = behind.map_or(0, |behind| behind.saturating_add(1));
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// How many jobs of our partitions were not taken yet, if that is known.
    pub(super) fn behind(&self) -> Option<u64> {
        read(&self.behind).checked_sub(1)
    }

    /// Slots that passed without a poll.
    pub(super) fn missed(&self) -> u64 {
        self.missed.iter().map(read).sum()
    }

    /// All of it as JSON.
    pub(super) fn told(&self) -> Value {
        let missed: serde_json::Map<String, Value> = Reason::ALL
            .into_iter()
            .zip(&self.missed)
            .map(|(reason, count)| (reason.as_str().to_owned(), read(count).into()))
            .collect();
        json!({
            "jobs": read(&self.jobs),
            "outcomes": read(&self.outcomes),
            "elsewhere": read(&self.elsewhere),
            "repeated": read(&self.repeated),
            "dead": read(&self.dead),
            "missed": missed,
            "gone": read(&self.gone),
            "behind": self.behind(),
            "open": read(&self.open),
            "targets": read(&self.targets),
            "partitions": read(&self.partitions),
            "held": read(&self.held) == 1,
            "pauses": read(&self.pauses),
        })
    }
}

/// The figure `count` now.
pub(super) fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_their_names() {
        let figures = Figures::default();
        figures.jobs.store(7, Ordering::Relaxed);
        figures.note_missed(Reason::Late);
        figures.note_missed(Reason::Entry);
        let told = figures.told();
        assert_eq!((&told["jobs"], &told["missed"]["late"]), (&json!(7), &json!(1)));
        assert_eq!((figures.missed(), &told["held"]), (2, &json!(false)));
        assert_eq!(told["behind"], Value::Null, "nobody knows");
        figures.set_behind(Some(0));
        assert_eq!(figures.told()["behind"], json!(0));
        figures.note_lags([2_000, 900_000].into_iter());
        assert!((850..950).contains(&figures.take_lag_p99_ms()));
        assert_eq!(figures.take_lag_p99_ms(), 0);
    }
}
