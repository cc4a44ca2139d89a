//! `Acks`: what the producer tells of reports, until the relay fetches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::clock::Correction;
use crate::queue::kafka::producer::{Deliveries, Delivery};

/// What a sign of life is sent with.
pub(super) const LIFE: usize = usize::MAX;
/// What is sent with what is taken back; every other token is one of a job.
pub(super) const TAKEN_BACK: usize = usize::MAX - 1;

/// What the producer tells.
#[derive(Clone, Debug)]
pub(super) struct Acks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tokens of those that brokers have.
    tokens: Mutex<Vec<usize>>,
    /// Why something is not to be had any more.
    failure: Mutex<Option<String>>,
    /// When the last sign of life was sent, until it is acknowledged.
    asked: Mutex<Option<Instant>>,
    time: Correction,
    /// Signs of life that brokers have.
    lives: AtomicU64,
    /// How far ahead we were when the time was set last, in microseconds.
    set: Mutex<Option<i64>>,
}

impl Acks {
    /// Those of a producer that the time is learned from.
    pub(super) fn new(time: Correction) -> Self {
        Self(Arc::new(Inner {
            tokens: Mutex::default(),
            failure: Mutex::default(),
            asked: Mutex::default(),
            time,
            lives: AtomicU64::new(0),
            set: Mutex::default(),
        }))
    }

    /// Exchanges the tokens that have come for `empty`, so that its memory is used again.
    pub(super) fn exchange(&self, empty: &mut Vec<usize>) {
        empty.clear();
        std::mem::swap(&mut *self.0.tokens.lock(), empty);
    }

    /// Why reports cannot be sent any more, when that is so.
    pub(super) fn failure(&self) -> Option<String> {
        self.0.failure.lock().clone()
    }

    /// Notes that a sign of life is about to be sent; false: brokers do not have the last one yet.
    pub(super) fn ask(&self) -> bool {
        let mut asked = self.0.asked.lock();
        let is_free = asked.is_none();
        asked.get_or_insert_with(Instant::now);
        is_free
    }

    /// Notes that it was not sent.
    pub(super) fn forget(&self) {
        *self.0.asked.lock() = None;
    }

    /// Whether brokers have had a sign of life.
    pub(super) fn has_been_heard(&self) -> bool {
        self.0.lives.load(Ordering::Acquire) > 0
    }

    /// By how many microseconds we were ahead of the brokers when the time was set, since this was
    /// asked last.
    pub(super) fn take_set(&self) -> Option<i64> {
        self.0.set.lock().take()
    }

    /// Notes that there is nothing left to tell of the job that is known by `token`.
    pub(super) fn note(&self, token: usize) {
        self.0.tokens.lock().push(token);
    }

    fn fail(&self, reason: &str) {
        self.0.failure.lock().get_or_insert_with(|| reason.to_owned());
    }
}

impl Deliveries for Acks {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Failed(reason) => self.fail(reason),
            Delivery::Acknowledged { at_ms, .. } if token == LIFE => {
                let asked = self.0.asked.lock().take();
                let ahead_us = at_ms
                    .zip(asked)
                    .and_then(|(at_ms, asked)| self.0.time.hear(at_ms, asked.elapsed()));
                if ahead_us.is_some() {
                    *self.0.set.lock() = ahead_us;
                }
                self.0.lives.fetch_add(1, Ordering::Release);
            }
            Delivery::Acknowledged { .. } => self.note(token),
        }
    }

    fn fatal(&self, reason: &str) {
        self.fail(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_clock_of_a_checker_follows_the_brokers() {
        const NOW_US: i64 = 1_800_000_000_000_000;
        let time = Correction::of(Clock::with_wall(|| NOW_US + 3_600_000_000));
        let (acks, clock) = (Acks::new(time.clone()), time.clock());
        assert!(acks.ask() && !acks.ask(), "one sign of life at a time");
        let at_ms = Some(NOW_US / 1_000);
        acks.delivered(LIFE, Delivery::Acknowledged { offset: 7, at_ms });
        assert!(clock.follow_wall().is_some());
        assert!((clock.now_us() - NOW_US).abs() < 60_000_000);
        assert!(acks.take_set().is_some_and(|ahead_us| ahead_us > 3_500_000_000));
        assert!(acks.take_set().is_none() && acks.has_been_heard() && acks.ask());
    }

    #[test]
    fn a_report_that_brokers_refuse_is_the_end() {
        let acks = Acks::new(Correction::of(Clock::system()));
        acks.delivered(3, Delivery::Acknowledged { offset: 7, at_ms: None });
        acks.delivered(4, Delivery::Failed("no"));
        let mut tokens = vec![9];
        acks.exchange(&mut tokens);
        assert_eq!((tokens, acks.failure().as_deref()), (vec![3], Some("no")));
    }
}
