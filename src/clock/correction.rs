//! `Correction`: the time of somebody else, told by our own monotonic clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::{Clock, TOLERANCE_US};

/// By how much our clock is ahead of the one that counts. Copies are the same.
///
/// Nobody who sets this machine's clock moves the corrected one: what counts is told to
/// [`Correction::set`] by whoever asks, and is reckoned on from there.
#[derive(Clone)]
pub struct Correction {
    own: Clock,
    ahead_ms: Arc<AtomicI64>,
}

impl Correction {
    /// No correction of `own` yet.
    #[must_use]
    pub fn of(own: Clock) -> Self {
        Self { own, ahead_ms: Arc::default() }
    }

    /// Our own clock, to be compared with the one that counts.
    #[must_use]
    pub const fn own(&self) -> &Clock {
        &self.own
    }

    /// Notes that our own clock is ahead by `ahead_ms` milliseconds; corrected clocks heed it when
    /// they [follow the wall](Clock::follow_wall).
    pub fn set(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    /// Takes in that the clock that counts showed `at_ms` (Unix milliseconds) at some moment of the time
    /// `took` that ends now, and tells by how many microseconds we were ahead of it, when that is too
    /// much: we are not from now on.
    #[must_use]
    pub fn hear(&self, at_ms: i64, took: Duration) -> Option<i64> {
        let took_us = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        let ahead_us = self.now_us() - took_us / 2 - at_ms.saturating_mul(1_000);
        let is_off = ahead_us.abs() > TOLERANCE_US.saturating_add(took_us / 2);
        is_off.then(|| {
            self.ahead_ms.fetch_add(ahead_us.div_euclid(1_000), Ordering::Relaxed);
            ahead_us
        })
    }

    /// Now, in Unix microseconds, by the correction known now.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.own.now_us() - self.ahead_ms.load(Ordering::Relaxed).saturating_mul(1_000)
    }

    /// The corrected clock; exact to the correction known now, and to a second later on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let correction = self.clone();
        Clock::with_wall(move || correction.now_us())
    }
}

impl fmt::Debug for Correction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Correction({} ms)", self.ahead_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_off_by_an_hour_is_corrected() {
        let hour_ms = 3_600_000;
        let own = Clock::with_wall(move || (1_700_000_000_000 + hour_ms) * 1_000);
        let correction = Correction::of(own);
        correction.set(hour_ms);
        let clock = correction.clock();
        assert_eq!(clock.now_ms(), 1_700_000_000_000);
        // The one that counts is set forward.
        correction.set(hour_ms - 5_000);
        assert_eq!((clock.follow_wall(), clock.now_ms()), (Some(5_000_000), 1_700_000_005_000));
        correction.set(hour_ms - 5_500);
        assert_eq!(clock.follow_wall(), None);
    }
    #[tokio::test(start_paused = true)]
    async fn what_is_heard_of_the_clock_that_counts_is_believed() {
        const HOUR_US: i64 = 3_600_000_000;
        const NOW_US: i64 = 1_700_000_000_000_000;
        for off_us in [HOUR_US, -HOUR_US] {
            let correction = Correction::of(Clock::with_wall(move || NOW_US + off_us));
            assert_eq!(correction.hear(NOW_US / 1_000, Duration::ZERO), Some(off_us));
            assert_eq!(correction.now_us(), NOW_US);
            assert_eq!(correction.hear(NOW_US / 1_000, Duration::ZERO), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_off_by_less_than_an_answer_takes_is_left_alone() {
        const NOW_MS: i64 = 1_700_000_000_000;
        let correction = Correction::of(Clock::with_wall(|| NOW_MS * 1_000));
        assert_eq!(correction.hear(NOW_MS - 20_000, Duration::from_secs(30)), None);
        assert_eq!(correction.hear(NOW_MS - 900, Duration::ZERO), None);
    }
}
