//! `Acks`: what the producer tells of reports, until the relay fetches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock::Correction;
use crate::queue::kafka::producer::{Deliveries, Delivery};

/// What a sign of life is sent with; every other token is one of a job.
pub(super) const LIFE: usize = usize::MAX;
/// Added to the token of a job that nobody can read, whose record is put aside.
const LETTER: usize = 1 << (usize::BITS - 1);
/// Such records that wait for brokers at most: they share the room for reports.
const MOST_LETTERS: usize = 10_000;
/// How often it is told at most that such a record is not kept.
const QUIET: Duration = Duration::from_secs(10);

/// What the record of the job that is known by `token` is sent with when nobody can read it.
pub(super) const fn letter(token: usize) -> usize {
    token | LETTER
}

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
    /// Records that nobody can read and that wait for brokers.
    letters: AtomicUsize,
    /// Records that nobody can read and that are not kept, and when that was told last.
    unkept: Mutex<(u64, Option<Instant>)>,
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
            letters: AtomicUsize::new(0),
            unkept: Mutex::default(),
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

    /// Makes room for one more record that nobody can read; false: there is none.
    pub(super) fn admit_letter(&self) -> bool {
        let is_free = self.0.letters.load(Ordering::Acquire) < MOST_LETTERS;
        if is_free {
            self.0.letters.fetch_add(1, Ordering::AcqRel);
        }
        is_free
    }

    /// Gives that room back: it was not sent, or has an end.
    pub(super) fn end_letter(&self) {
        self.0.letters.fetch_sub(1, Ordering::AcqRel);
    }

    /// Notes that the record that was to be sent with `token` is not kept, for `reason`: there is
    /// nothing else to be done of its job.
    pub(super) fn give_up(&self, token: usize, reason: &str) {
        {
            let (count, told) = &mut *self.0.unkept.lock();
            *count += 1;
            if told.is_none_or(|at| at.elapsed() >= QUIET) {
                *told = Some(Instant::now());
                let count = std::mem::take(count);
                tracing::warn!(count, reason, "records that nobody could read are not kept");
            }
        }
        self.0.tokens.lock().push(token & !LETTER);
    }

    fn fail(&self, reason: &str) {
        self.0.failure.lock().get_or_insert_with(|| reason.to_owned());
    }
}

impl Deliveries for Acks {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        let is_letter = token != LIFE && token & LETTER != 0;
        if is_letter {
            self.end_letter();
        }
        match delivery {
            Delivery::Failed(reason) if is_letter => self.give_up(token, reason),
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
            Delivery::Acknowledged { .. } => self.0.tokens.lock().push(token & !LETTER),
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

    #[test]
    fn a_record_that_cannot_be_put_aside_is_done_all_the_same() {
        let acks = Acks::new(Correction::of(Clock::system()));
        let admitted = (0..=MOST_LETTERS).filter(|_| acks.admit_letter()).count();
        assert_eq!(admitted, MOST_LETTERS, "they do not take all of the room");
        acks.delivered(letter(3), Delivery::Acknowledged { offset: 7, at_ms: None });
        assert!(acks.admit_letter());
        acks.delivered(letter(4), Delivery::Failed("unknown topic"));
        acks.give_up(letter(5), "unknown topic");
        let mut tokens = Vec::new();
        acks.exchange(&mut tokens);
        assert_eq!((tokens, acks.failure()), (vec![3, 4, 5], None));
    }
}
