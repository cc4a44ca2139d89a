//! `Lateness`: how late a runtime wakes what is due, and for how long it stood still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// How long the watch of a runtime sleeps each time.
const PERIOD: Duration = Duration::from_millis(50);
/// A runtime that wakes the watch so late does not stand still yet.
const TOLERANCE_MS: u32 = 20;
/// Seconds that are remembered one by one.
const SECONDS: usize = 60;

/// How late one runtime wakes what is due: a task that sleeps and looks how long it really took.
#[derive(Debug)]
pub struct Lateness {
    origin: Instant,
    /// In one word, so that nobody reads half of a change: in its upper half the milliseconds that
    /// the runtime stood still so far, in its lower half when the watch is to wake next, in
    /// milliseconds since the origin, and 0 while nobody watches. Both may wrap.
    word: AtomicU64,
    /// The latest waking since it was asked for last, in milliseconds.
    latest_ms: AtomicU32,
    minute: Mutex<[Second; SECONDS]>,
}

/// A moment, as what counts standstills knows it.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u32);

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    latest_ms: u32,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            word: AtomicU64::new(0),
            latest_ms: AtomicU32::new(0),
            minute: Mutex::new([Second::default(); SECONDS]),
        }
    }
}

impl Lateness {
    /// Watches the runtime that runs this, until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        let watched = Watched(&self);
        let mut due = Instant::now() + PERIOD;
        watched.0.note(0, due);
        loop {
            sleep_until(due).await;
            let now = Instant::now();
            let late_ms = millis(now.saturating_duration_since(due));
            due = now + PERIOD;
            watched.0.note(late_ms, due);
        }
    }

    /// The moment `now`, to ask [`Lateness::since`] for later.
    #[must_use]
    pub fn mark(&self, now: Instant) -> Mark {
        Mark(self.stood_still_ms(now))
    }

    /// How long the runtime stood still between `mark` and `now`, which a standstill that has not
    /// ended yet is a part of.
    #[must_use]
    pub fn since(&self, mark: Mark, now: Instant) -> Duration {
        // Milliseconds are cut off on the way: what is noted may be one less than what was marked.
        let since_ms = self.stood_still_ms(now).wrapping_sub(mark.0).cast_signed().max(0);
        Duration::from_millis(since_ms.unsigned_abs().into())
    }

    /// How late the runtime woke the watch at most since this was asked last.
    #[must_use]
    pub fn take_latest(&self) -> Duration {
        let latest_ms = self.latest_ms.swap(0, Ordering::Relaxed);
        Duration::from_millis(latest_ms.max(self.overdue_ms(Instant::now())).into())
    }

    /// How late the runtime woke the watch at most within the last minute.
    #[must_use]
    pub fn max_last_minute(&self) -> Duration {
        let now = Instant::now();
        let first = (self.second(now) + 1).saturating_sub(SECONDS as u64);
        let minute = *self.minute.lock();
        let fresh = minute.iter().filter(|second| second.number >= first);
        let latest_ms = fresh.map(|second| second.latest_ms).max().unwrap_or(0);
        Duration::from_millis(latest_ms.max(self.overdue_ms(now)).into())
    }

    /// Notes that the watch woke so late, and when it is to wake next.
    fn note(&self, late_ms: u32, next: Instant) {
        let (stood_ms, _) = halves(self.word.load(Ordering::Relaxed));
        let stood_ms = stood_ms.wrapping_add(late_ms.saturating_sub(TOLERANCE_MS));
        let next_ms = self.millis_of(next).max(1);
        self.word.store(u64::from(stood_ms) << 32 | u64::from(next_ms), Ordering::Release);
        self.latest_ms.fetch_max(late_ms, Ordering::Relaxed);
        let number = self.second(next - PERIOD);
        let index = usize::try_from(number % SECONDS as u64).unwrap_or(0);
        if let Some(second) = self.minute.lock().get_mut(index) {
            let latest_ms = if second.number == number { second.latest_ms } else { 0 };
            *second = Second { number, latest_ms: latest_ms.max(late_ms) };
        }
    }

    /// Milliseconds that the runtime stood still so far.
    fn stood_still_ms(&self, now: Instant) -> u32 {
        let word = self.word.load(Ordering::Acquire);
        let overdue_ms = self.overdue_of(word, now).saturating_sub(TOLERANCE_MS);
        halves(word).0.wrapping_add(overdue_ms)
    }

    fn overdue_ms(&self, now: Instant) -> u32 {
        self.overdue_of(self.word.load(Ordering::Acquire), now)
    }

    /// Milliseconds since the watch was to wake by `word`; 0 before that, and while nobody watches.
    fn overdue_of(&self, word: u64, now: Instant) -> u32 {
        let (_, next_ms) = halves(word);
        let overdue = self.millis_of(now).wrapping_sub(next_ms).cast_signed();
        if next_ms == 0 { 0 } else { overdue.max(0).cast_unsigned() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "it wraps, as is said of the word")]
    fn millis_of(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.origin).as_millis() as u32
    }

    /// The number of the second since the origin, counted from 1.
    fn second(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.origin).as_secs() + 1
    }
}

/// A runtime while it is watched.
struct Watched<'l>(&'l Lateness);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let (stood_ms, _) = halves(self.0.word.load(Ordering::Relaxed));
        self.0.word.store(u64::from(stood_ms) << 32, Ordering::Release);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is what the halves of a word are")]
const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;
    use tokio::time::{advance, sleep};

    fn watched() -> (Arc<Lateness>, JoinSet<()>) {
        let lateness = Arc::<Lateness>::default();
        let mut owner = JoinSet::new();
        owner.spawn(Arc::clone(&lateness).watch());
        (lateness, owner)
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_wakes_on_time_never_stood_still() {
        let (lateness, _owner) = watched();
        let mark = lateness.mark(Instant::now());
        sleep(Duration::from_mins(10)).await;
        assert_eq!(lateness.since(mark, Instant::now()), Duration::ZERO);
        assert!(lateness.take_latest() <= Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_standstill_is_told_before_the_watch_has_woken_and_the_same_afterwards() {
        let (lateness, _owner) = watched();
        sleep(Duration::from_secs(7)).await;
        let mark = lateness.mark(Instant::now());
        let woken = Instant::now() + Duration::from_secs(3);
        let before = lateness.since(mark, woken);
        let woken_first = lateness.mark(woken);
        assert!((2_900..=2_980).contains(&before.as_millis()), "{before:?}");
        advance(Duration::from_secs(3)).await;
        sleep(Duration::from_millis(120)).await;
        let after = lateness.since(mark, Instant::now());
        assert!(after.abs_diff(before) <= Duration::from_millis(2), "{before:?}, {after:?}");
        let since_woken = lateness.since(woken_first, Instant::now());
        assert!(since_woken <= Duration::from_millis(2), "{since_woken:?}: it was over by then");
    }

    #[tokio::test(start_paused = true)]
    async fn the_latest_waking_is_told_for_a_minute_and_once_to_who_takes_it() {
        let (lateness, _owner) = watched();
        sleep(Duration::from_secs(2)).await;
        advance(Duration::from_millis(700)).await;
        sleep(Duration::from_secs(1)).await;
        let late = 600..=700;
        assert!(late.contains(&lateness.take_latest().as_millis()));
        assert!(lateness.take_latest() <= Duration::from_millis(1));
        sleep(Duration::from_secs(57)).await;
        assert!(late.contains(&lateness.max_last_minute().as_millis()));
        sleep(Duration::from_secs(5)).await;
        assert!(lateness.max_last_minute() <= Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_nobody_watches_is_no_standstill() {
        let (lateness, mut owner) = watched();
        sleep(Duration::from_secs(1)).await;
        let mark = lateness.mark(Instant::now());
        owner.shutdown().await;
        advance(Duration::from_mins(1)).await;
        assert_eq!(lateness.since(mark, Instant::now()), Duration::ZERO);
        assert_eq!(lateness.max_last_minute().as_secs(), 0);
    }

    #[test]
    fn what_is_counted_may_pass_the_end_of_its_half() {
        let lateness = Lateness::default();
        let end = lateness.origin + Duration::from_millis(u32::MAX.into());
        lateness.word.store(u64::from(u32::MAX - 10) << 32, Ordering::Relaxed);
        let mark = lateness.mark(end);
        lateness.note(120, end);
        assert_eq!(lateness.since(mark, end), Duration::from_millis(100));
        let later = end + Duration::from_millis(220);
        assert_eq!(lateness.since(mark, later), Duration::from_millis(300));
    }
}
