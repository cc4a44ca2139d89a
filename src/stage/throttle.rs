//! `Throttle` and `Cycle`: how fast overdue targets may catch up, and how fast polls may come at
//! all.

use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;

/// How many times the mean rate of the list launches may come at most.
const CATCH_UP: f64 = 2.0;

/// A bucket that fills at twice the mean rate of the list and holds what chance may bring in one
/// second beyond the mean, so that a flat schedule never meets it and a long backlog does not
/// become a flood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    per_second: f64,
    /// What comes by somebody else's schedule beside that.
    flow: f64,
    tokens: f64,
    filled_us: u64,
}

impl Throttle {
    /// A throttle for a list without targets yet, at `now_us` (monotonic microseconds).
    #[must_use]
    pub(super) const fn new(now_us: u64) -> Self {
        Self { per_second: 0.0, flow: 0.0, tokens: 0.0, filled_us: now_us }
    }

    /// A target with this interval joins the list.
    pub(super) fn expect_more(&mut self, every_ms: u32) {
        self.per_second += 1_000.0 / f64::from(every_ms.max(1));
    }

    /// A target with this interval leaves the list.
    pub(super) fn expect_less(&mut self, every_ms: u32) {
        self.per_second = (self.per_second - 1_000.0 / f64::from(every_ms.max(1))).max(0.0);
    }

    /// So many launches a second are expected of somebody else's schedule.
    pub(super) const fn expect_flow(&mut self, per_second: f64) {
        self.flow = per_second;
    }

    fn mean(&self) -> f64 {
        self.per_second + self.flow
    }

    fn capacity(&self) -> f64 {
        5.0 * self.mean().sqrt() + 32.0
    }

    /// Adds what has come in until `now_us` (monotonic microseconds).
    pub(super) fn refill(&mut self, now_us: u64) {
        let elapsed = Duration::from_micros(now_us.saturating_sub(self.filled_us)).as_secs_f64();
        self.filled_us = now_us;
        self.tokens = (self.tokens + elapsed * (CATCH_UP * self.mean() + 1.0)).min(self.capacity());
    }

    /// Whether one more launch is allowed now.
    #[must_use]
    pub(super) fn allows(&self) -> bool {
        self.tokens >= 1.0
    }

    /// Takes one launch, whether it was allowed or nobody asked.
    pub(super) fn take(&mut self) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }

    /// How long to wait until one more launch is allowed.
    #[must_use]
    pub(super) fn wait(&self) -> Duration {
        let missing = (1.0 - self.tokens).max(0.0);
        Duration::from_secs_f64(missing / (CATCH_UP * self.mean() + 1.0))
    }
}

/// Seconds whose jobs a [`Flow`] counts.
const SECONDS: usize = 64;

/// How many jobs of somebody else's schedule fall due in a second, told by the jobs themselves: the
/// busiest of the last seconds that any of them fell due in, however late they come.
#[derive(Debug)]
pub(super) struct Flow {
    /// A second of Unix time, and the jobs that fell due in it.
    counts: [(i64, u32); SECONDS],
    most: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self { counts: [(0, 0); SECONDS], most: 0 }
    }
}

impl Flow {
    /// Counts a job that fell due at `due_ms` (Unix milliseconds), and tells how many do in a second.
    pub(super) fn note(&mut self, due_ms: i64) -> f64 {
        let second = due_ms.div_euclid(1_000);
        let index = usize::try_from(second.rem_euclid(64)).unwrap_or(0);
        let Some(place) = self.counts.get_mut(index) else { return 0.0 };
        if place.0 < second {
            *place = (second, 0);
            self.most = self.counts.iter().map(|&(_, count)| count).max().unwrap_or(0);
        }
        if let Some((_, count)) = self.counts.get_mut(index).filter(|(at, _)| *at == second) {
            *count += 1;
            self.most = self.most.max(*count);
        }
        f64::from(self.most)
    }
}

/// So many launches a second at most, over all schedulers: in no second are there more.
#[derive(Debug)]
pub struct Cycle {
    per_second: f64,
    capacity: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_us: u64,
}

impl Cycle {
    /// At most `most` launches a second.
    #[must_use]
    pub fn new(most: NonZeroU32) -> Self {
        let most = f64::from(most.get());
        // What may come at once counts as well.
        let capacity = (most / 100.0).floor().max(1.0);
        let bucket = Mutex::new(Bucket { tokens: capacity, filled_us: 0 });
        Self { per_second: most - (capacity - 1.0), capacity, bucket }
    }

    /// Takes a launch at `now_us` (monotonic microseconds).
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub fn take(&self, now_us: u64) -> Result<(), Duration> {
        let mut bucket = self.bucket.lock();
        let elapsed = Duration::from_micros(now_us.saturating_sub(bucket.filled_us)).as_secs_f64();
        bucket.filled_us = bucket.filled_us.max(now_us);
        bucket.tokens = (bucket.tokens + elapsed * self.per_second).min(self.capacity);
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Gives back a launch that did not come about.
    pub fn give_back(&self) {
        self.bucket.lock().tokens += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_second_are_there_more_launches_than_are_allowed() {
        for most in [1_u32, 3, 50, 1_000, 20_000] {
            let cycle = Cycle::new(NonZeroU32::new(most).expect("not 0"));
            let mut launches = Vec::new();
            for now_us in (0..3_000_000_u64).step_by(50) {
                while cycle.take(now_us).is_ok() {
                    launches.push(now_us);
                }
            }
            let within = |from: &u64| {
                let end = launches.partition_point(|at| *at < from + 1_000_000);
                end - launches.partition_point(|at| at < from)
            };
            let busiest = launches.iter().map(within).max();
            assert!(busiest <= Some(most as usize), "{most}: {busiest:?}");
            assert!(launches.len() >= (most as usize * 3) * 95 / 100, "{most}: {}", launches.len());
        }
    }

    #[test]
    fn a_backlog_is_worked_off_at_twice_the_mean_rate() {
        let mut throttle = Throttle::new(0);
        (0..10_000).for_each(|_| throttle.expect_more(1_000));
        let mut launched = 0;
        for now_ms in 0..1_000 {
            throttle.refill(now_ms * 1_000);
            while throttle.allows() {
                throttle.take();
                launched += 1;
            }
        }
        assert!((19_000..=20_001).contains(&launched), "{launched}");
    }

    #[test]
    fn a_flow_is_as_strong_as_its_busiest_second_and_forgets_what_is_long_past() {
        let mut flow = Flow::default();
        (0..500).for_each(|ms| _ = flow.note(10_000 + ms));
        assert!((flow.note(11_000) - 500.0).abs() < 0.5);
        // An older job than any that is counted says nothing of the present.
        assert!((flow.note(10_000 - 64_000) - 500.0).abs() < 0.5);
        (12..80).for_each(|second| _ = flow.note(second * 1_000));
        assert!((flow.note(80_000) - 1.0).abs() < 0.5);
    }

    #[test]
    fn a_single_target_is_never_held_back_for_long() {
        let mut throttle = Throttle::new(0);
        throttle.expect_more(86_400_000);
        assert!(throttle.wait() <= Duration::from_secs(1));
    }
}
