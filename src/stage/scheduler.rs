//! The scheduler: turns time into jobs. It is the source of a worker on the same machine.

mod admission;
mod desk;
mod fed;
mod line;
mod parked;
mod seating;
mod seats;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::outcome::Job;
use crate::queue::{Launch, Places, Rechecks, Source};
use crate::schedule::{Due, Schedule};
use crate::stage::throttle::Throttle;
use crate::target::{State, Target};

use admission::Admission;
pub use admission::{Limits, Locate, Located};
pub use desk::{Change, Desk, Miss};
use fed::Foreign;
use line::{Line, Waiting};
use seats::{Held, Seated, Seats};

/// How long the scheduler sleeps at most, so that clock and life sign are looked at.
const NAP: Duration = Duration::from_millis(500);
/// A target that has been down for a time is polled so many times in as much time again, when it
/// is to be polled less often.
const DEAD_POLLS: i64 = 10;

/// Turns time into jobs.
#[derive(Debug)]
pub struct Scheduler {
    clock: Clock,
    desk: Arc<Desk>,
    rechecks: Arc<Rechecks>,
    schedule: Schedule,
    pairings: u32,
    /// Unix milliseconds when monotonic time began, by the pairing that the due times are of.
    origin_ms: i64,
    seats: Seats,
    /// Those that are due and wait for a place.
    ready: Line,
    admission: Admission,
    throttle: Throttle,
    /// How long the rates of all let nothing begin.
    pause: Duration,
    due: Vec<Due>,
    /// What comes by somebody else's schedule.
    foreign: Foreign,
}

/// What became of a slot that came round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// It waits for a place.
    Waits,
    /// The target's last one was not over.
    Missed(Miss),
    /// The target has asked us to wait.
    Unwanted,
    /// The target has been down for long.
    LeftAlone,
}

impl Scheduler {
    /// A scheduler of `targets`, whose next due times lie after now.
    pub fn new(
        clock: Clock,
        rechecks: Arc<Rechecks>,
        limits: Limits,
        targets: impl IntoIterator<Item = Arc<Target>>,
    ) -> Self {
        let mut scheduler = Self {
            schedule: Schedule::new(clock.now_ms()),
            pairings: clock.pairings(),
            origin_ms: origin_ms(&clock),
            desk: Arc::default(),
            rechecks,
            seats: Seats::default(),
            ready: Line::default(),
            admission: Admission::new(limits),
            throttle: Throttle::new(clock.monotonic_us()),
            pause: Duration::ZERO,
            due: Vec::new(),
            foreign: Foreign::default(),
            clock,
        };
        for target in targets {
            scheduler.add(target);
        }
        scheduler
    }

    /// What it tells of itself and is told.
    #[must_use]
    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Looks at the time: takes in changes and what has fallen due.
    fn advance(&mut self) {
        self.desk.ticks.fetch_add(1, Ordering::Relaxed);
        self.take_changes();
        if self.pairings != self.clock.pairings() {
            self.pairings = self.clock.pairings();
            // What fell due before the clock was set is due.
            self.pop_due(self.origin_ms + self.monotonic_ms());
            self.seat_anew();
        }
        self.pop_due(self.clock.now_ms());
        self.take_fed();
        self.take_rechecks();
        self.rouse_parked();
    }

    fn pop_due(&mut self, now_ms: i64) {
        let mut due = std::mem::take(&mut self.due);
        self.schedule.pop_due(now_ms, &mut due);
        for due in due.drain(..) {
            let late_ms = u64::try_from(now_ms - due.due_ms).unwrap_or(0);
            self.desk.note_lateness(late_ms * 1_000);
            self.fall_due(due);
        }
        self.due = due;
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.clock.monotonic_us() / 1_000).unwrap_or(i64::MAX)
    }

    fn fall_due(&mut self, due: Due) {
        if due.is_vacant {
            return self.seats.note_vacant(due.seat);
        }
        let Some(seated) = self.seats.at(due.seat) else { return };
        if due.skipped > 0 {
            self.desk.note_missed(Miss::Standstill, due.skipped.into());
        }
        let number = seated.target.number;
        self.fall_due_at(number, due.due_ms);
    }

    /// Has the slot of the target `number` that fell due at `due_ms` (Unix milliseconds) wait for a
    /// place, unless something is against that.
    fn fall_due_at(&mut self, number: u32, due_ms: i64) -> Slot {
        let Some(seated) = self.seats.of(number) else { return Slot::Unwanted };
        let target = &seated.target;
        if !target.flight().begin_waiting() {
            let reason = match seated.held() {
                Held::Ready if !seated.is_recheck() => Miss::Saturated,
                Held::Parked if !seated.is_recheck() => Miss::Politeness,
                // It runs, or is checked again.
                _ => Miss::Running,
            };
            self.desk.note_missed(reason, 1);
            return Slot::Missed(reason);
        }
        if self.is_asked_to_wait(target) {
            self.desk.note_missed(Miss::Politeness, 1);
            target.flight().end();
            return Slot::Unwanted;
        }
        if self.is_left_alone(seated, due_ms) {
            self.desk.note_backed_off();
            target.flight().end();
            return Slot::LeftAlone;
        }
        let priority = target.priority;
        let waiting = Waiting { due_ms, number, tries: 0 };
        self.seats.hold(waiting, Held::Ready);
        self.ready.push(priority, waiting);
        Slot::Waits
    }

    /// Whether `target` has asked us to wait.
    fn is_asked_to_wait(&self, target: &Target) -> bool {
        let until_s = target.flight().waits_until_s();
        until_s > 0 && self.clock.monotonic_us() < u64::from(until_s) * 1_000_000
    }

    /// Whether the slot at `due_ms` (Unix milliseconds) is left out because its target has been
    /// down for long.
    fn is_left_alone(&self, seated: &Seated, due_ms: i64) -> bool {
        let Some(longest) = self.admission.manners().backoff_dead else { return false };
        let flight = seated.target.flight();
        if flight.known() != State::Down {
            return false;
        }
        let Some(started_ms) = seated.started_ms() else { return false };
        let longest_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let gap_ms = ((due_ms - flight.known_since_ms()) / DEAD_POLLS).min(longest_ms);
        // The slot that is nearest to the end of the gap is the one that counts.
        self.monotonic_ms() - started_ms + i64::from(seated.target.every_ms / 2) < gap_ms
    }

    /// Has those rechecks wait for a place whose time has come.
    fn take_rechecks(&mut self) {
        while self.rechecks.next_at().is_some_and(|at| at <= Instant::now()) {
            let Some(job) = self.rechecks.pop_due() else { return };
            // It may have been removed, or replaced by one with another flight, meanwhile.
            let number = job.target.number;
            let flight = job.target.flight();
            let seated = self.seats.of(number);
            match seated.filter(|seated| std::ptr::eq(seated.target.flight(), flight)) {
                Some(seated) => {
                    let priority = seated.target.priority;
                    let waiting = Waiting { due_ms: job.due_ms, number, tries: job.tries };
                    self.seats.hold(waiting, Held::Ready);
                    self.ready.push(priority, waiting);
                }
                None => flight.end(),
            }
        }
    }

    /// Has those wait for a place whose host or address may be polled again.
    fn rouse_parked(&mut self) {
        let now_us = self.clock.monotonic_us();
        for key in self.admission.take_open(now_us) {
            self.rouse(key);
        }
    }

    /// Has the one wait for a place that goes next of those who wait for `key`.
    fn rouse(&mut self, key: u64) {
        while let Some(waiting) = self.admission.parked.rouse(key) {
            if let Some(target) = self.seats.awaited(waiting) {
                self.seats.hold(waiting, Held::Ready);
                return self.ready.push(target.priority, waiting);
            }
            self.admission.parked.note_gone(key);
        }
    }

    /// Fills `launches` with what is ready; false when there is no place for more.
    fn fill(&mut self, places: &Places, launches: &mut Vec<Launch>) -> bool {
        let mut has_place = true;
        self.pause = Duration::ZERO;
        self.throttle.refill(self.clock.monotonic_us());
        let reserve = if self.seats.has_urgent() { places.reserve() } else { 0 };
        while let Some((waiting, is_urgent)) = self.ready.peek() {
            let mut next = waiting;
            let is_free = is_urgent || self.ready.is_turn_of_oldest();
            has_place = places.take_leaving(if is_free { 0 } else { reserve });
            if !has_place && let Some(urgent) = self.ready.peek_urgent() {
                next = urgent;
                has_place = !is_urgent && places.take();
            }
            if !has_place {
                break;
            }
            if let Err(pause) = self.may_begin(next) {
                places.free();
                self.pause = pause;
                break;
            }
            let popped = if next == waiting { self.ready.pop() } else { self.ready.pop_urgent() };
            if let Some(launch) = popped.and_then(|waiting| self.launch(waiting)) {
                launches.push(launch);
            } else {
                places.free();
                self.admission.give_back_launch();
            }
        }
        self.desk.waiting.store(self.seats.ready(), Ordering::Relaxed);
        self.desk.parked.store(self.seats.parked(), Ordering::Relaxed);
        has_place
    }

    /// Whether `waiting` may begin by the rates of all.
    ///
    /// # Errors
    /// How long they let nothing begin.
    fn may_begin(&self, waiting: Waiting) -> Result<(), Duration> {
        // Rechecks are no part of the schedule, and not held back when that catches up.
        if waiting.tries == 0 && !self.throttle.allows() && !self.is_foreign_on_time(waiting) {
            return Err(self.throttle.wait());
        }
        self.admission.take_launch(self.clock.monotonic_us())
    }

    /// Launches `waiting`, if anybody still wants that and others allow it.
    fn launch(&mut self, waiting: Waiting) -> Option<Launch> {
        let came_for = self.admission.parked.take_roused(waiting.number);
        let Some(target) = self.seats.awaited(waiting) else {
            self.rouse_next(came_for);
            return None;
        };
        let Some(due_ms) = self.still_due_ms(waiting) else {
            self.expire(waiting, came_for);
            self.rouse_next(came_for);
            return None;
        };
        let now_us = self.clock.monotonic_us();
        let waited_ms = self.clock.now_ms() - waiting.due_ms;
        let pass = match self.admission.admit(&target, now_us, waited_ms) {
            Ok(pass) => pass,
            Err(parked) => {
                self.seats.hold(waiting, Held::Parked);
                let entry = (target.priority, waiting);
                self.admission.parked.park(parked.key, entry, parked.until_us);
                self.rouse_followers(&target, Some(parked.key));
                self.rouse_next(came_for.filter(|key| *key != parked.key));
                return None;
            }
        };
        if waiting.tries == 0 {
            self.throttle.take();
        }
        self.seats.start(waiting.number, self.monotonic_ms());
        self.rouse_followers(&target, None);
        self.rouse_next(came_for);
        Some(Launch { job: Job { target, due_ms, tries: waiting.tries }, pass })
    }

    /// Has those wait for a place who may go on now that a poll of `target` waits for `parked`
    /// alone, or has begun.
    fn rouse_followers(&mut self, target: &Target, parked: Option<u64>) {
        for key in self.admission.follows(target, parked) {
            self.rouse(key);
        }
    }

    /// Has the next one wait for a place that waits for `key`, now that the one before is gone.
    fn rouse_next(&mut self, key: Option<u64>) {
        if let Some(key) = key {
            self.admission.parked.note_gone(key);
            self.rouse(key);
        }
    }

    /// When there may be something to do again, other than that a place is given back.
    fn wake_at(&self, has_place: bool) -> Instant {
        let now = Instant::now();
        let now_us = self.clock.monotonic_us();
        let due = self.schedule.next_ms().map(|at_ms| self.clock.instant_of(at_ms));
        let recheck = self.rechecks.next_at();
        let is_ready = has_place && !self.ready.is_empty();
        let launch = is_ready.then(|| now + self.pause);
        let in_us = |at_us: u64| now + Duration::from_micros(at_us.saturating_sub(now_us));
        let parked = self.admission.parked.next_us().map(in_us);
        [due, recheck, launch, parked].into_iter().flatten().fold(now + NAP, Instant::min)
    }
}

/// Unix milliseconds when monotonic time began, by the current pairing.
fn origin_ms(clock: &Clock) -> i64 {
    let monotonic_us = i64::try_from(clock.monotonic_us()).unwrap_or(i64::MAX);
    (clock.now_us() - monotonic_us).div_euclid(1_000)
}

impl Source for Scheduler {
    async fn next(&mut self, places: &Places, launches: &mut Vec<Launch>) -> bool {
        let (desk, rechecks) = (Arc::clone(&self.desk), Arc::clone(&self.rechecks));
        let (inbox, foreign) = (Arc::clone(&self.admission.inbox), Arc::clone(&self.foreign.feed));
        loop {
            let mut freed = pin!(places.freed());
            freed.as_mut().enable();
            self.advance();
            let has_place = self.fill(places, launches);
            if !launches.is_empty() {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.wake_at(has_place)) => {}
                () = desk.changed.notified() => {}
                () = rechecks.added() => {}
                () = inbox.told() => {}
                () = foreign.came() => {}
                () = freed, if !has_place => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
