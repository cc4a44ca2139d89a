//! `Histogram` and `Counters`: what is counted since the start, in buckets that never change.

use std::collections::BTreeMap;

use crate::outcome::{Cause, Outcome, SampleKind, Verdict};

/// Upper bounds of the buckets in microseconds, the last one open: those that monitoring systems
/// take where nobody says otherwise.
pub const BOUNDS_US: [u32; 11] = [
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// How often times fell into each bucket; it only ever grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts a time of `us` microseconds.
    pub fn add(&mut self, us: u32) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_us += u64::from(us);
    }

    /// The buckets in their order: the upper bound in microseconds, none for the last one, and how
    /// many times lie in it and in none before.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u32>, u64)> + '_ {
        BOUNDS_US.iter().copied().map(Some).chain([None]).zip(self.counts)
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum in microseconds.
    #[must_use]
    pub const fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

/// What became of polls since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Polls that found their targets up, with a warning, down, or nothing of them.
    pub verdicts: [u64; 4],
    /// Polls that were not simply up, by the reason.
    pub causes: BTreeMap<Cause, u64>,
    /// Polls whose slot came round, rechecks, and those that somebody asked for.
    pub kinds: [u64; 3],
    /// How long the answered polls took.
    pub latency: Histogram,
    /// How long their phases took, in the order of `Phases::NAMES`.
    pub phases: [Histogram; 5],
    /// How late polls began that had a slot.
    pub lag: Histogram,
}

impl Counters {
    /// The verdicts in the order of [`Counters::verdicts`].
    pub const VERDICTS: [&'static str; 4] = ["up", "warning", "down", "unknown"];
    /// The kinds in the order of [`Counters::kinds`].
    pub const KINDS: [&'static str; 3] = ["slot", "recheck", "manual"];

    /// Counts one poll.
    pub fn add(&mut self, outcome: &Outcome) {
        let finding = &outcome.finding;
        let [up, warning, down, unknown] = &mut self.verdicts;
        *match finding.verdict {
            Verdict::Up => up,
            Verdict::Warning => warning,
            Verdict::Down => down,
            Verdict::Unknown => unknown,
        } += 1;
        if let Some(cause) = finding.cause {
            *self.causes.entry(cause).or_default() += 1;
        }
        let [slot, recheck, manual] = &mut self.kinds;
        *match outcome.kind {
            SampleKind::Slot => slot,
            SampleKind::Recheck => recheck,
            SampleKind::Manual => manual,
        } += 1;
        if finding.is_answered() {
            self.latency.add(outcome.latency_us);
        }
        for (histogram, phase) in self.phases.iter_mut().zip(finding.phases.all()) {
            if let Some(us) = phase.get() {
                histogram.add(us);
            }
        }
        if outcome.kind == SampleKind::Slot {
            self.lag.add(outcome.lag_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Detail, Finding};

    #[test]
    fn a_time_lies_in_the_bucket_whose_bound_it_does_not_pass() {
        let mut histogram = Histogram::default();
        for us in [0, 5_000, 5_001, 10_000_000, 10_000_001] {
            histogram.add(us);
        }
        let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((histogram.count(), histogram.sum_us()), (5, 20_010_002));
    }

    #[test]
    fn polls_are_counted_by_what_became_of_them() {
        let outcome = |finding, kind| Outcome {
            target: 1,
            due_ms: 0,
            finished_us: 0,
            lag_us: 7,
            latency_us: 20_000,
            kind,
            is_provisional: false,
            finding,
        };
        let up = Finding { status: 200, ..Finding::default() };
        let down = Finding::default().with_cause(Cause::Timeout, Detail::Waiting);
        let mut counters = Counters::default();
        counters.add(&outcome(up, SampleKind::Slot));
        counters.add(&outcome(down, SampleKind::Recheck));
        assert_eq!((counters.verdicts, counters.kinds), ([1, 0, 1, 0], [1, 1, 0]));
        assert_eq!(counters.causes.get(&Cause::Timeout), Some(&1));
        assert_eq!((counters.latency.count(), counters.lag.count()), (1, 1));
    }
}
