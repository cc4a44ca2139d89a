//! The scheduler: turns time into jobs. It is the source of a worker on the same machine.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::outcome::Job;
use crate::queue::{Places, Rechecks, Source};
use crate::schedule::{Due, Schedule};
use crate::stage::throttle::Throttle;
use crate::target::{FlightState, Priority, Target};

/// How long the scheduler sleeps at most, so that clock and life sign are looked at.
const NAP: Duration = Duration::from_millis(500);
/// Every so many jobs the one that waits longest goes first, whatever its priority.
const FAIRNESS: u32 = 16;

/// A change of what is scheduled.
#[derive(Debug)]
pub enum Change {
    /// Poll this target from its next due time on.
    Add(Arc<Target>),
    /// Poll this target in the place of the one with the same number.
    Replace(Arc<Target>),
    /// Do not poll the target with this number any more.
    Remove(u32),
}

/// What a scheduler tells of itself and is told, while it runs.
#[derive(Debug, Default)]
pub struct Desk {
    changes: Mutex<Vec<Change>>,
    changed: Notify,
    missed: AtomicU64,
    waiting: AtomicU64,
    ticks: AtomicU64,
    lateness_us: AtomicU64,
}

impl Desk {
    /// Hands changes in; they take effect at once.
    pub fn hand_in(&self, changes: impl IntoIterator<Item = Change>) {
        self.changes.lock().extend(changes);
        self.changed.notify_one();
    }

    /// Slots so far that came round while the target's last one still waited or ran.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Jobs that are due and wait for a place.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How often the scheduler has looked at the time: a sign of life.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// The most by which the scheduler came late to what had fallen due, since this was asked last,
    /// in microseconds. What waits for a place or for a host makes it no later.
    #[must_use]
    pub fn take_lateness_us(&self) -> u64 {
        self.lateness_us.swap(0, Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Seated {
    target: Arc<Target>,
    /// When its last poll was handed out, in monotonic milliseconds.
    started_ms: Option<i64>,
}

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
    seats: Vec<Option<Seated>>,
    vacant: Vec<u32>,
    /// The seat of each target, by its number.
    seat_of: Vec<Option<u32>>,
    /// Due seats that wait for a place, one queue for each priority.
    ready: [VecDeque<(u32, i64)>; 3],
    turn: u32,
    throttle: Throttle,
    due: Vec<Due>,
}

impl Scheduler {
    /// A scheduler of `targets`, whose next due times lie after now.
    pub fn new(
        clock: Clock,
        rechecks: Arc<Rechecks>,
        targets: impl IntoIterator<Item = Arc<Target>>,
    ) -> Self {
        let mut scheduler = Self {
            schedule: Schedule::new(clock.now_ms()),
            pairings: clock.pairings(),
            origin_ms: origin_ms(&clock),
            desk: Arc::default(),
            rechecks,
            seats: Vec::new(),
            vacant: Vec::new(),
            seat_of: Vec::new(),
            ready: Default::default(),
            turn: 0,
            throttle: Throttle::new(clock.monotonic_us()),
            due: Vec::new(),
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
    }

    fn pop_due(&mut self, now_ms: i64) {
        let mut due = std::mem::take(&mut self.due);
        self.schedule.pop_due(now_ms, &mut due);
        for due in due.drain(..) {
            let late_ms = u64::try_from(now_ms - due.due_ms).unwrap_or(0);
            self.desk.lateness_us.fetch_max(late_ms * 1_000, Ordering::Relaxed);
            self.fall_due(due);
        }
        self.due = due;
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.clock.monotonic_us() / 1_000).unwrap_or(i64::MAX)
    }

    fn fall_due(&mut self, due: Due) {
        if due.is_vacant {
            self.vacant.push(due.seat);
            return;
        }
        let Some(Some(seated)) = self.seats.get(due.seat as usize) else { return };
        let is_free = seated.target.flight().begin_waiting();
        let missed = u64::from(due.skipped) + u64::from(!is_free);
        if missed > 0 {
            self.desk.missed.fetch_add(missed, Ordering::Relaxed);
        }
        if is_free {
            let queue = seated.target.priority as usize;
            if let Some(queue) = self.ready.get_mut(queue) {
                queue.push_back((due.seat, due.due_ms));
            }
        }
    }

    /// Takes out the job that goes first.
    fn pop_ready(&mut self) -> Option<Job> {
        self.turn = self.turn.wrapping_add(1);
        let oldest = |queue: &&mut VecDeque<(u32, i64)>| queue.front().map(|&(_, due)| due);
        let queue = if self.turn.is_multiple_of(FAIRNESS) {
            let waiting = self.ready.iter_mut().filter(|queue| !queue.is_empty());
            waiting.min_by_key(oldest)?
        } else {
            self.ready.iter_mut().find(|queue| !queue.is_empty())?
        };
        let (seat, due_ms) = queue.pop_front()?;
        let now_ms = self.monotonic_ms();
        let seated = self.seats.get_mut(seat as usize)?.as_mut()?;
        seated.started_ms = Some(now_ms);
        Some(Job { target: Arc::clone(&seated.target), due_ms, tries: 0 })
    }

    fn waiting(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    /// Fills `jobs` with rechecks first, whose targets already wait, then with what is due; false
    /// when there is no place for more.
    fn fill(&mut self, places: &Places, jobs: &mut Vec<Job>) -> bool {
        let mut has_place = true;
        while has_place && self.rechecks.next_at().is_some_and(|at| at <= Instant::now()) {
            has_place = places.take();
            if !has_place {
                break;
            }
            match self.rechecks.pop_due().and_then(|job| self.renewed(&job)) {
                Some(job) => jobs.push(job),
                None => places.free(),
            }
        }
        self.throttle.refill(self.clock.monotonic_us());
        while has_place && self.waiting() > 0 && self.throttle.allows() {
            has_place = places.take();
            if !has_place {
                break;
            }
            match self.pop_ready() {
                Some(job) => {
                    self.throttle.take();
                    jobs.push(job);
                }
                None => places.free(),
            }
        }
        self.desk.waiting.store(self.waiting() as u64, Ordering::Relaxed);
        has_place
    }

    /// The recheck `job` of the target as it is now; none when that was removed meanwhile.
    fn renewed(&self, job: &Job) -> Option<Job> {
        let seat = self.seat_of.get(job.target.number as usize).copied().flatten();
        let seated = seat.and_then(|seat| self.seats.get(seat as usize)?.as_ref());
        let flight = job.target.flight();
        let Some(seated) = seated.filter(|seated| std::ptr::eq(seated.target.flight(), flight))
        else {
            flight.end();
            return None;
        };
        Some(Job { target: Arc::clone(&seated.target), due_ms: job.due_ms, tries: job.tries })
    }

    /// When there may be something to do again, other than that a place is given back.
    fn wake_at(&self, has_place: bool) -> Instant {
        let now = Instant::now();
        let due = self.schedule.next_ms().map(|at_ms| self.clock.instant_of(at_ms));
        let recheck = self.rechecks.next_at().filter(|_| has_place);
        let launch = (has_place && self.waiting() > 0).then(|| now + self.throttle.wait());
        [due, recheck, launch].into_iter().flatten().fold(now + NAP, Instant::min)
    }

    /// Seats `target`, and tells where.
    fn add(&mut self, target: Arc<Target>) -> u32 {
        let seat = self.vacant.pop().unwrap_or_else(|| {
            self.seats.push(None);
            u32::try_from(self.seats.len() - 1).unwrap_or(u32::MAX)
        });
        let due_ms = target.due_at_or_after(self.clock.now_ms() + 1);
        self.schedule.insert(seat, due_ms, target.every_ms);
        self.throttle.expect_more(target.every_ms);
        let number = target.number as usize;
        if number >= self.seat_of.len() {
            self.seat_of.resize(number + 1, None);
        }
        if let Some(place) = self.seat_of.get_mut(number) {
            *place = Some(seat);
        }
        if let Some(place) = self.seats.get_mut(seat as usize) {
            *place = Some(Seated { target, started_ms: None });
        }
        seat
    }

    /// Gives up the seat of the target `number`, and tells which that was and who sat there.
    fn unseat(&mut self, number: u32) -> Option<(u32, Seated)> {
        let seat = self.seat_of.get_mut(number as usize)?.take()?;
        self.schedule.vacate(seat);
        let seated = self.seats.get_mut(seat as usize)?.take()?;
        self.throttle.expect_less(seated.target.every_ms);
        Some((seat, seated))
    }

    fn remove(&mut self, number: u32) {
        let Some((seat, seated)) = self.unseat(number) else { return };
        for queue in &mut self.ready {
            if let Some(at) = queue.iter().position(|&(waiting, _)| waiting == seat) {
                queue.remove(at);
                seated.target.flight().end();
            }
        }
    }

    /// Puts `target` in the place of the one that has its number; if that waits, this one does.
    fn replace(&mut self, target: Arc<Target>) {
        let seat = self.seat_of.get(target.number as usize).copied().flatten();
        let place = seat.and_then(|seat| self.seats.get_mut(seat as usize)?.as_mut());
        if let Some(seated) = place
            && seated.target.every_ms == target.every_ms
        {
            seated.target = target;
            return;
        }
        let left = self.unseat(target.number);
        let seat = self.add(target);
        let Some((left, Seated { started_ms, .. })) = left else { return };
        if let Some(Some(seated)) = self.seats.get_mut(seat as usize) {
            seated.started_ms = started_ms;
        }
        for (waiting, _) in self.ready.iter_mut().flatten() {
            if *waiting == left {
                *waiting = seat;
            }
        }
    }

    fn take_changes(&mut self) {
        let changes = std::mem::take(&mut *self.desk.changes.lock());
        for change in changes {
            match change {
                Change::Add(target) => {
                    self.add(target);
                }
                Change::Replace(target) => self.replace(target),
                Change::Remove(number) => self.remove(number),
            }
        }
    }

    /// Seats every target anew after the clock was set: none runs at once, none twice within half
    /// its interval, and the gap counts for no one. What waits goes on waiting.
    fn seat_anew(&mut self) {
        let origin_ms = origin_ms(&self.clock);
        let drift_ms = origin_ms - std::mem::replace(&mut self.origin_ms, origin_ms);
        for (_, due_ms) in self.ready.iter_mut().flatten() {
            *due_ms += drift_ms;
        }
        let now_ms = self.clock.now_ms();
        let monotonic_ms = self.monotonic_ms();
        self.schedule = Schedule::new(now_ms);
        self.vacant.clear();
        for (seat, place) in (0_u32..).zip(&self.seats) {
            let Some(seated) = place else {
                self.vacant.push(seat);
                continue;
            };
            let is_waiting = seated.target.flight().state() == FlightState::Waiting;
            let started_ms = if is_waiting { Some(monotonic_ms) } else { seated.started_ms };
            let half = i64::from(seated.target.every_ms.div_ceil(2));
            let rest = started_ms.map_or(0, |started| (started + half - monotonic_ms).max(0));
            let due_ms = seated.target.due_at_or_after(now_ms + 1 + rest);
            self.schedule.insert(seat, due_ms, seated.target.every_ms);
        }
    }
}

/// Unix milliseconds when monotonic time began, by the current pairing.
fn origin_ms(clock: &Clock) -> i64 {
    let monotonic_us = i64::try_from(clock.monotonic_us()).unwrap_or(i64::MAX);
    (clock.now_us() - monotonic_us).div_euclid(1_000)
}

impl Source for Scheduler {
    async fn next(&mut self, places: &Places, jobs: &mut Vec<Job>) -> bool {
        let (desk, rechecks) = (Arc::clone(&self.desk), Arc::clone(&self.rechecks));
        loop {
            let mut freed = pin!(places.freed());
            freed.as_mut().enable();
            self.advance();
            let has_place = self.fill(places, jobs);
            if !jobs.is_empty() {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.wake_at(has_place)) => {}
                () = desk.changed.notified() => {}
                () = rechecks.added() => {}
                () = freed, if !has_place => {}
            }
        }
    }
}

const _: () = assert!(Priority::High as usize == 0 && Priority::Low as usize == 2);

#[cfg(test)]
mod tests;
