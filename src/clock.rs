//! `Clock`: wall time that never goes back between two pairings, and what the wall says meanwhile.

mod correction;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

pub use correction::Correction;

/// How far wall and monotonic time may part before they are paired again, in microseconds.
const TOLERANCE_US: i64 = 1_000_000;

/// Unix time driven by the monotonic clock, shared by all that need the time.
///
/// The two are paired at the start, and again when [`Clock::follow_wall`] finds that they have
/// parted by more than a second: the wall was set, or the machine was suspended.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    origin: Instant,
    /// Unix microseconds at the origin, by the current pairing.
    offset_us: AtomicI64,
    pairings: AtomicU32,
    wall: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Clock {
    /// A clock paired with the system's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self::with_wall(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        })
    }

    /// A clock paired with `wall`, which tells Unix microseconds.
    pub fn with_wall(wall: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let offset_us = AtomicI64::new(wall());
        let (origin, pairings) = (Instant::now(), AtomicU32::new(0));
        Self(Arc::new(Shared { origin, offset_us, pairings, wall: Box::new(wall) }))
    }

    /// Now, in Unix microseconds.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        let elapsed = i64::try_from(self.monotonic_us()).unwrap_or(i64::MAX);
        self.0.offset_us.load(Ordering::Relaxed).saturating_add(elapsed)
    }

    /// Now, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1_000)
    }

    /// Microseconds since the clock was made; they are never set back nor forward.
    #[must_use]
    pub fn monotonic_us(&self) -> u64 {
        u64::try_from(self.0.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The moment at which [`Clock::now_ms`] will be `at_ms`, by the current pairing.
    #[must_use]
    pub fn instant_of(&self, at_ms: i64) -> Instant {
        let elapsed = at_ms.saturating_mul(1_000) - self.0.offset_us.load(Ordering::Relaxed);
        let elapsed = std::time::Duration::from_micros(u64::try_from(elapsed).unwrap_or(0));
        self.0.origin + elapsed
    }

    /// Pairs the clock with the wall again if the two have parted by more than a second, and tells
    /// by how many microseconds.
    #[must_use]
    pub fn follow_wall(&self) -> Option<i64> {
        let drift = (self.0.wall)() - self.now_us();
        if drift.abs() <= TOLERANCE_US {
            return None;
        }
        self.0.offset_us.fetch_add(drift, Ordering::Relaxed);
        self.0.pairings.fetch_add(1, Ordering::Release);
        Some(drift)
    }

    /// How often the clock was paired again.
    #[must_use]
    pub fn pairings(&self) -> u32 {
        self.0.pairings.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({} us)", self.now_us())
    }
}

/// `at_ms` (Unix milliseconds) as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(at_ms)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_wall_that_is_set_back_moves_time_only_when_followed() {
        let wall = Arc::new(AtomicI64::new(1_000_000_000));
        let seen = Arc::clone(&wall);
        let clock = Clock::with_wall(move || seen.load(Ordering::Relaxed));
        tokio::time::advance(Duration::from_secs(5)).await;
        wall.store(905_000_000, Ordering::Relaxed);
        assert_eq!(clock.now_us(), 1_005_000_000);
        assert_eq!(clock.follow_wall(), Some(-100_000_000));
        assert_eq!((clock.now_us(), clock.pairings()), (905_000_000, 1));
        assert_eq!(clock.follow_wall(), None);
        assert_eq!(clock.instant_of(clock.now_ms()), Instant::now());
    }
}
