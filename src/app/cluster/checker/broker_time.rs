//! `BrokerTime`: the time of the brokers, by the monotonic clock of this machine.
//!
//! Whether a job still means something is asked of the time, and a machine whose clock is wrong would
//! drop all of them. So the clock of the machine counts at the start alone: from then on brokers are
//! asked every few seconds, and believed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How far a clock may be off, in microseconds.
const TOLERANCE_US: i64 = 1_000_000;

/// The time of the brokers.
#[derive(Debug)]
pub(super) struct BrokerTime {
    origin: Instant,
    /// Unix microseconds at the origin.
    offset_us: AtomicI64,
}

impl BrokerTime {
    /// One that begins with what the clock of this machine says, in Unix microseconds.
    pub(super) fn new(machine_us: i64) -> Self {
        Self { origin: Instant::now(), offset_us: AtomicI64::new(machine_us) }
    }

    /// Now, in Unix microseconds.
    pub(super) fn now_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed).saturating_add(self.since_us())
    }

    /// Now, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1_000)
    }

    /// Takes in that a broker noted `at_ms` (Unix milliseconds) for what was sent so long ago, and tells
    /// by how many microseconds we were ahead of it, when that is too much: we are not from now on.
    pub(super) fn hear(&self, at_ms: i64, took: Duration) -> Option<i64> {
        let took_us = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        // It was noted at some moment in between.
        let ahead_us = self.now_us() - took_us / 2 - at_ms.saturating_mul(1_000);
        let is_off = ahead_us.abs() > TOLERANCE_US.saturating_add(took_us / 2);
        is_off.then(|| {
            self.offset_us.fetch_sub(ahead_us, Ordering::Relaxed);
            ahead_us
        })
    }

    fn since_us(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;
    const NOW_US: i64 = 1_800_000_000_000_000;

    #[test]
    fn a_clock_that_is_an_hour_off_is_set_to_that_of_the_brokers() {
        for off_us in [HOUR_US, -HOUR_US] {
            let time = BrokerTime::new(NOW_US + off_us);
            let ahead_us = time.hear(NOW_US / 1_000, Duration::ZERO).expect("far off");
            assert!((ahead_us - off_us).abs() < 10_000_000, "{ahead_us}");
            assert!((time.now_us() - NOW_US).abs() < 10_000_000);
        }
    }

    #[test]
    fn a_clock_that_is_off_by_less_than_an_answer_takes_is_left_alone() {
        let time = BrokerTime::new(NOW_US);
        let took = Duration::from_secs(30);
        assert_eq!(time.hear(NOW_US / 1_000 - 20_000, took), None);
        assert_eq!(time.hear(NOW_US / 1_000, Duration::ZERO), None);
    }
}
