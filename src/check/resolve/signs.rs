//! `Signs`: what name servers show while they are asked, noted by whoever asks them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long an answer may take before the next server is asked beside: twice as long as usual,
/// within these bounds.
const STAGGER: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(1_500));
/// How long it may take before the question counts as lost, within the same meaning.
const LOST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// How often the server that is named first is asked again when another one answers.
const FIRST: Duration = Duration::from_secs(30);
/// Questions that must be open for it to tell something that none of them is answered.
const COMPANY: usize = 3;

/// What name servers that are asked together show.
#[derive(Debug)]
pub(super) struct Signs {
    origin: Instant,
    /// When any of them was heard last, in microseconds since `origin`; 0: never.
    heard_us: AtomicU64,
    /// How long an answer takes, smoothed; 0: not known.
    delay_us: AtomicU64,
    /// Which of them served last.
    preferred: AtomicUsize,
    /// When the first of them was asked last while another one is preferred.
    first_asked_us: AtomicU64,
    /// Questions that wait for their answer.
    open: AtomicUsize,
}

/// A question that waits for its answer, until it is dropped.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Signs);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Signs {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            heard_us: AtomicU64::new(0),
            delay_us: AtomicU64::new(0),
            preferred: AtomicUsize::new(0),
            first_asked_us: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// A question is asked.
    pub(super) fn ask(&self) -> Open<'_> {
        self.open.fetch_add(1, Relaxed);
        Open(self)
    }

    /// Whether a question that was asked `then` and not answered may have been lost on its way,
    /// while the servers are there: a silent one must not be asked twice as often as one that
    /// speaks. It would have been heard since, unless hardly anybody else asks.
    pub(super) fn may_be_lost(&self, then: Instant) -> bool {
        self.is_heard_since(then) || self.open.load(Relaxed) <= COMPANY
    }

    /// The server of this number serves: it is asked first from now on.
    pub(super) fn prefer(&self, number: usize) {
        self.preferred.store(number, Relaxed);
    }

    /// A server speaks, after `delay` if that is known.
    pub(super) fn heard(&self, delay: Option<Duration>, now: Instant) {
        self.heard_us.fetch_max(self.us(now), Relaxed);
        let Some(delay) = delay else { return };
        let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).max(1);
        let usual_us = match self.delay_us.load(Relaxed) {
            0 => delay_us,
            // An eighth of what is new, as TCP smooths its times (RFC 6298).
            usual_us => (usual_us.saturating_mul(7).saturating_add(delay_us) / 8).max(1),
        };
        self.delay_us.store(usual_us, Relaxed);
    }

    /// Whether any of them was heard since `then`.
    pub(super) fn is_heard_since(&self, then: Instant) -> bool {
        self.heard_us.load(Relaxed) > self.us(then)
    }

    /// The numbers of `count` servers in the order in which they are asked, and how many of them
    /// are asked at once.
    pub(super) fn order(&self, count: usize, now: Instant) -> (Vec<usize>, usize) {
        let preferred = self.preferred.load(Relaxed);
        let others = (0..count).filter(|number| *number != preferred);
        let order = Some(preferred).filter(|number| *number < count).into_iter().chain(others);
        let now_us = self.us(now);
        let waited_us = now_us.saturating_sub(self.first_asked_us.load(Relaxed));
        let is_first_due = preferred != 0 && u128::from(waited_us) >= FIRST.as_micros();
        if is_first_due {
            self.first_asked_us.store(now_us, Relaxed);
        }
        (order.collect(), if is_first_due { 2 } else { 1 })
    }

    /// How long one server has the field for itself.
    pub(super) fn stagger(&self) -> Duration {
        (self.usual() * 2).clamp(STAGGER.0, STAGGER.1)
    }

    /// How long a question waits for its answer before it may have been lost.
    pub(super) fn lost(&self) -> Duration {
        (self.usual() * 2).clamp(LOST.0, LOST.1)
    }

    /// How long an answer takes.
    pub(super) fn usual(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Relaxed))
    }

    fn us(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_served_last_is_asked_first_and_the_first_one_again_now_and_then() {
        let start = Instant::now();
        let signs = Signs::new(start);
        assert_eq!(signs.order(3, start), (vec![0, 1, 2], 1));
        signs.prefer(2);
        assert_eq!(signs.order(3, start + SECOND), (vec![2, 0, 1], 1));
        assert_eq!(signs.order(3, start + FIRST), (vec![2, 0, 1], 2));
        assert_eq!(signs.order(3, start + FIRST + SECOND), (vec![2, 0, 1], 1));
        signs.prefer(0);
        assert_eq!(signs.order(3, start + FIRST * 3), (vec![0, 1, 2], 1));
        assert_eq!(signs.order(0, start), (vec![], 1));
    }

    #[test]
    fn a_slow_server_gets_its_time() {
        let start = Instant::now();
        let signs = Signs::new(start);
        assert_eq!((signs.stagger(), signs.lost()), (STAGGER.0, LOST.0));
        signs.heard(Some(Duration::from_millis(700)), start);
        assert_eq!((signs.stagger(), signs.lost()), (SECOND * 14 / 10, SECOND * 14 / 10));
        (0..100).for_each(|_| signs.heard(Some(SECOND * 2), start));
        assert_eq!((signs.stagger(), signs.lost()), (STAGGER.1, LOST.1));
    }

    #[test]
    fn that_a_server_was_heard_is_remembered() {
        let start = Instant::now();
        let signs = Signs::new(start);
        assert!(!signs.is_heard_since(start));
        signs.heard(None, start + SECOND);
        assert!(signs.is_heard_since(start) && !signs.is_heard_since(start + SECOND));
    }

    #[test]
    fn a_question_among_many_is_lost_only_where_others_are_answered() {
        let start = Instant::now();
        let signs = Signs::new(start);
        let mut open: Vec<_> = (0..COMPANY).map(|_| signs.ask()).collect();
        assert!(signs.may_be_lost(start));
        open.push(signs.ask());
        assert!(!signs.may_be_lost(start));
        signs.heard(None, start + SECOND);
        assert!(signs.may_be_lost(start) && !signs.may_be_lost(start + SECOND));
        drop(open);
        assert!(signs.may_be_lost(start + SECOND));
    }
}
