//! Jobs of somebody else's schedule: they come by a feed, wait in line like those of the own one, and
//! go back when no poll is made of them.

use std::sync::Arc;

use super::desk::Miss;
use super::line::Waiting;
use super::seats::{Calls, Held};
use super::{Scheduler, Slot};
use crate::queue::{Fed, Feed, Offer, Return, Unpolled};
use crate::stage::throttle::Flow;
use crate::target::Target;

/// Jobs that are taken in at once at most: a thousand take a millisecond.
const AT_ONCE: usize = 1_000;
/// How late a job may begin before it counts as one that catches up, in milliseconds.
const ON_TIME_MS: i64 = 1_000;

/// The job that is in hand of a target, when it has one.
#[derive(Clone, Copy, Debug, Default)]
struct InHand {
    /// When it fell due, in Unix milliseconds; 0: there is none.
    due_ms: i64,
    /// When it means nothing any more, in Unix milliseconds.
    valid_until_ms: i64,
}

/// The feed, and the jobs of it that are in hand.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    pub(super) feed: Arc<Feed>,
    /// By the number of the target.
    in_hand: Vec<InHand>,
    flow: Flow,
    taken: Vec<Fed>,
}

impl Foreign {
    pub(super) fn of(feed: Arc<Feed>) -> Self {
        Self { feed, ..Self::default() }
    }

    /// When the job fell due that is in hand of the target `number`.
    fn of_target(&self, number: u32) -> Option<InHand> {
        self.in_hand.get(number as usize).copied().filter(|job| job.due_ms != 0)
    }

    fn put(&mut self, number: u32, job: InHand) {
        let index = number as usize;
        if index >= self.in_hand.len() {
            self.in_hand.resize(index + 1, InHand::default());
        }
        if let Some(place) = self.in_hand.get_mut(index) {
            *place = job;
        }
    }

    /// Keeps the later one of `job` and the one that is in hand of the target `number`, and tells when
    /// the other one fell due.
    fn prefer(&mut self, number: u32, job: InHand) -> i64 {
        match self.of_target(number) {
            Some(before) if before.due_ms > job.due_ms => job.due_ms,
            before => {
                self.put(number, job);
                before.map_or(job.due_ms, |before| before.due_ms)
            }
        }
    }

    fn hand_back(&self, target: u32, due_ms: i64, reason: Unpolled) {
        self.feed.hand_back(Return { target, due_ms, reason });
    }
}

impl Scheduler {
    /// The same scheduler, which polls what comes by `feed` as well.
    #[must_use]
    pub fn fed_by(mut self, feed: Arc<Feed>) -> Self {
        self.foreign = Foreign::of(feed);
        self
    }

    /// Takes in what has come by the feed.
    pub(super) fn take_fed(&mut self) {
        let mut taken = std::mem::take(&mut self.foreign.taken);
        if self.foreign.feed.take(&mut taken, AT_ONCE) {
            // What is due by the own schedule must not wait for all of them.
            self.foreign.feed.note_left();
        }
        for fed in taken.drain(..) {
            match fed {
                Fed::Offer(offer) => self.take_offer(&offer),
                Fed::Withdraw(number, due_ms) => self.withdraw(number, due_ms),
                Fed::Forget(number) => self.forget(number),
            }
        }
        self.foreign.taken = taken;
    }

    fn take_offer(&mut self, offer: &Offer) {
        let Offer { target, due_ms, valid_until_ms, offered_us } = offer;
        let (number, due_ms) = (target.number, *due_ms);
        let now_us = self.clock.monotonic_us();
        self.desk.note_lateness(now_us.saturating_sub(*offered_us));
        self.throttle.expect_flow(self.foreign.flow.note(due_ms));
        self.seat_foreign(target);
        if *valid_until_ms <= self.clock.now_ms() {
            return self.give_back(number, due_ms, Unpolled::Late);
        }
        let job = InHand { due_ms, valid_until_ms: *valid_until_ms };
        match self.fall_due_at(number, due_ms) {
            Slot::Waits => self.foreign.put(number, job),
            Slot::Missed(Miss::Running) => self.give_back(number, due_ms, Unpolled::Running),
            // One of the two is polled when their turn comes: the one that says more of the present.
            Slot::Missed(Miss::Saturated) => {
                let other_ms = self.foreign.prefer(number, job);
                self.give_back(number, other_ms, Unpolled::Saturated);
            }
            Slot::Missed(_) => {
                let other_ms = self.foreign.prefer(number, job);
                self.give_back(number, other_ms, Unpolled::Politeness);
            }
            Slot::Unwanted | Slot::LeftAlone => {
                self.foreign.hand_back(number, due_ms, Unpolled::Politeness);
            }
        }
    }

    /// Hands a job back, and counts its slot as missed.
    fn give_back(&self, number: u32, due_ms: i64, reason: Unpolled) {
        if reason == Unpolled::Late {
            self.desk.note_missed(Miss::Standstill, 1);
        }
        self.foreign.hand_back(number, due_ms, reason);
    }

    /// Has `target` sit where jobs come by the feed.
    fn seat_foreign(&mut self, target: &Arc<Target>) {
        match self.seats.of(target.number) {
            Some(seated) if Arc::ptr_eq(&seated.target, target) => {}
            Some(seated) => {
                self.admission.leave(&seated.target);
                self.admission.join(target);
                self.seats.exchange(Arc::clone(target));
            }
            None => {
                self.admission.join(target);
                self.seats.take(Arc::clone(target), Calls::Feed);
            }
        }
    }

    /// Makes no poll of the job of the target `number` that fell due at `due_ms`, if it waits.
    fn withdraw(&mut self, number: u32, due_ms: i64) {
        let Some(seated) = self.seats.of(number) else { return };
        let is_it = self.foreign.of_target(number).is_some_and(|job| job.due_ms == due_ms);
        if is_it && seated.held() != Held::No {
            seated.target.flight().end();
            self.seats.hold(Waiting { due_ms, number, tries: 0 }, Held::No);
            self.foreign.hand_back(number, due_ms, Unpolled::Withdrawn);
        }
    }

    /// Gives up the seat of the target `number`.
    fn forget(&mut self, number: u32) {
        self.foreign.put(number, InHand::default());
        if let Some((seat, seated)) = self.seats.leave(number) {
            self.seats.note_vacant(seat);
            self.admission.leave(&seated.target);
        }
    }

    /// Whether `waiting` came by the feed and is not late.
    pub(super) fn is_foreign_on_time(&self, waiting: Waiting) -> bool {
        self.foreign.of_target(waiting.number).is_some()
            && self.clock.now_ms() - waiting.due_ms < ON_TIME_MS
    }

    /// When the job fell due that `waiting` stands for, in Unix milliseconds; none: it came by the feed
    /// and means nothing any more.
    pub(super) fn still_due_ms(&self, waiting: Waiting) -> Option<i64> {
        let Some(job) = self.foreign.of_target(waiting.number) else { return Some(waiting.due_ms) };
        let is_over = waiting.tries == 0 && job.valid_until_ms <= self.clock.now_ms();
        (!is_over).then_some(job.due_ms)
    }

    /// Gives up the poll that `waiting` stands for, which waited in vain, for the sake of its host or
    /// for a place.
    pub(super) fn expire(&mut self, waiting: Waiting, has_parked: Option<u64>) {
        let number = waiting.number;
        let Some(seated) = self.seats.of(number) else { return };
        seated.target.flight().end();
        self.seats.hold(waiting, Held::No);
        let Some(job) = self.foreign.of_target(number) else { return };
        let (reason, miss) = match has_parked {
            None => (Unpolled::Saturated, Miss::Saturated),
            Some(_) => (Unpolled::Politeness, Miss::Politeness),
        };
        self.desk.note_missed(miss, 1);
        self.foreign.hand_back(number, job.due_ms, reason);
    }
}
