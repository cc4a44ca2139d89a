//! `Correction`: the time of somebody else, told by our own monotonic clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::Clock;

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

    /// The corrected clock; exact to the correction known now, and to a second later on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let Self { own, ahead_ms } = self.clone();
        Clock::with_wall(move || own.now_us() - ahead_ms.load(Ordering::Relaxed) * 1_000)
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
}
