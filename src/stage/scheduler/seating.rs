//! Who is scheduled: targets come, go and change, and all sit down anew when the clock was set.

use std::sync::Arc;

use super::seats::{Calls, Held, Seated};
use super::{Change, Scheduler, origin_ms};
use crate::schedule::Schedule;
use crate::target::{FlightState, Target};

/// Changes that are taken in at once at most: a thousand take a millisecond.
const AT_ONCE: usize = 1_000;

impl Scheduler {
    /// Seats `target`.
    pub(super) fn add(&mut self, target: Arc<Target>) {
        let due_ms = target.due_at_or_after(self.clock.now_ms() + 1);
        let every_ms = target.every_ms;
        self.admission.join(&target);
        self.throttle.expect_more(every_ms);
        let seat = self.seats.take(target, Calls::Wheel);
        self.schedule.insert(seat, due_ms, every_ms);
    }

    /// Gives up the seat of the target `number`, and tells who sat there.
    fn unseat(&mut self, number: u32) -> Option<Seated> {
        let (seat, seated) = self.seats.leave(number)?;
        self.schedule.vacate(seat);
        self.throttle.expect_less(seated.target.every_ms);
        self.admission.leave(&seated.target);
        Some(seated)
    }

    fn remove(&mut self, number: u32) {
        if let Some(seated) = self.unseat(number)
            && seated.held() != Held::No
        {
            seated.target.flight().end();
        }
    }

    /// Puts `target` in the place of the one that has its number; if that waits, this one does.
    fn replace(&mut self, target: Arc<Target>) {
        let number = target.number;
        let every_ms = self.seats.of(number).map(|seated| seated.target.every_ms);
        if every_ms == Some(target.every_ms) {
            if let Some(seated) = self.seats.of(number) {
                self.admission.leave(&seated.target);
            }
            self.admission.join(&target);
            return self.seats.exchange(target);
        }
        let left = self.unseat(number);
        self.add(target);
        if let Some(left) = left {
            self.seats.go_on(number, &left);
        }
    }

    pub(super) fn take_changes(&mut self) {
        let mut waiting = self.desk.changes.lock();
        let count = waiting.len().min(AT_ONCE);
        let changes: Vec<Change> = waiting.drain(..count).collect();
        if !waiting.is_empty() {
            // What is due must not wait for all of them.
            self.desk.changed.notify_one();
        }
        drop(waiting);
        let has_changed = !changes.is_empty();
        for change in changes {
            match change {
                Change::Add(target) => self.add(target),
                Change::Replace(target) => self.replace(target),
                Change::Remove(number) => self.remove(number),
            }
        }
        if has_changed {
            // Whoever was to make room for others may have left, and hosts may bear more.
            for key in self.admission.parked.keys() {
                self.admission.parked.note_gone(key);
                self.rouse(key);
            }
        }
    }

    /// Seats every target anew after the clock was set: none runs at once, none twice within half
    /// its interval, and the gap counts for no one. What waits goes on waiting.
    pub(super) fn seat_anew(&mut self) {
        let origin_ms = origin_ms(&self.clock);
        let drift_ms = origin_ms - std::mem::replace(&mut self.origin_ms, origin_ms);
        self.ready.shift(drift_ms);
        self.admission.parked.shift(drift_ms);
        let now_ms = self.clock.now_ms();
        let monotonic_ms = self.monotonic_ms();
        self.schedule = Schedule::new(now_ms);
        let seated = self.seats.shift(drift_ms);
        for (seat, seated) in seated.filter(|(_, seated)| seated.calls() == Calls::Wheel) {
            let is_waiting = seated.target.flight().state() == FlightState::Waiting;
            let started_ms = if is_waiting { Some(monotonic_ms) } else { seated.started_ms() };
            let half = i64::from(seated.target.every_ms.div_ceil(2));
            let rest = started_ms.map_or(0, |started| (started + half - monotonic_ms).max(0));
            let due_ms = seated.target.due_at_or_after(now_ms + 1 + rest);
            self.schedule.insert(seat, due_ms, seated.target.every_ms);
        }
    }
}
