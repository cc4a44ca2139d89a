//! `Shard`: the schedule of one shard, where its cursor stands, and what of it is kept for sure.

use std::collections::VecDeque;

use super::{Change, Locations, ShardTargets, Taken, Turn};
use crate::queue::{Full, JobSink, Mark, Settled, Slot};
use crate::schedule::{Due, Schedule};

/// How far a cursor moves at a time, in milliseconds.
const STEP_MS: i64 = 100;
/// Marks at most of what is not known to be kept yet.
const MARKS: usize = 256;
/// How long a shard rests of which something may be lost, in milliseconds.
const REST_MS: i64 = 1_000;

/// A seat that is due, with the slots of it that are to be offered.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due_ms: i64,
    seat: u32,
    number: u32,
    /// How many slots follow the one that is due.
    more: u32,
}

/// How a shard has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// All its jobs are kept until then, in Unix milliseconds.
    To(i64),
    /// As before.
    Not,
    /// Something may be lost: it begins anew behind what is kept.
    Back,
}

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    number: u32,
    epoch: i64,
    targets: ShardTargets,
    schedule: Schedule,
    /// All slots until then have been taken from the schedule, in Unix milliseconds.
    cursor_ms: i64,
    /// Of those, what was not offered yet.
    waiting: VecDeque<Waiting>,
    due: Vec<Due>,
    /// What was offered until when, the oldest first.
    marks: VecDeque<(Mark, i64)>,
    /// All jobs until then are kept for sure.
    kept_ms: i64,
    rests_until_ms: i64,
}

impl Shard {
    pub(super) fn new(taken: Taken) -> Self {
        let Taken { shard: number, epoch, until_ms, targets } = taken;
        let schedule = seated(&targets, until_ms);
        Self {
            number,
            epoch,
            targets,
            schedule,
            cursor_ms: until_ms,
            waiting: VecDeque::new(),
            due: Vec::new(),
            marks: VecDeque::new(),
            kept_ms: until_ms,
            rests_until_ms: i64::MIN,
        }
    }

    pub(super) const fn epoch(&self) -> i64 {
        self.epoch
    }

    pub(super) const fn targets(&self) -> usize {
        self.targets.len()
    }

    pub(super) const fn is_resting(&self, now_ms: i64) -> bool {
        // A clock that was set back does not prolong it.
        now_ms < self.rests_until_ms && now_ms >= self.rests_until_ms - REST_MS
    }

    /// Until when all was offered, in Unix milliseconds.
    pub(super) fn reached_ms(&self) -> i64 {
        self.waiting.front().map_or(self.cursor_ms, |waiting| waiting.due_ms - 1)
    }

    pub(super) fn next_ms(&self) -> Option<i64> {
        self.schedule.next_ms()
    }

    pub(super) fn change(&mut self, changes: Vec<Change>) {
        if self.targets.apply(changes) {
            self.seat_anew();
        }
    }

    /// Offers what waits, moves the cursor on by a step, not past `now_ms`, and offers what has
    /// fallen due.
    ///
    /// # Errors
    /// Not all found room; the cursor stands until it has.
    pub(super) fn step(
        &mut self,
        now_ms: i64,
        locations: &Locations,
        sink: &mut impl JobSink,
        turn: &mut Turn,
    ) -> Result<(), Full> {
        self.offer(now_ms, locations, sink, turn)?;
        if self.cursor_ms < now_ms {
            self.cursor_ms = now_ms.min(self.cursor_ms + STEP_MS);
            self.pop_due();
            self.offer(now_ms, locations, sink, turn)?;
        }
        self.set_mark(sink.mark(self.number));
        Ok(())
    }

    fn pop_due(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.schedule.pop_due(self.cursor_ms, &mut due);
        for Due { seat, due_ms, skipped: more, .. } in due.drain(..) {
            let Some(target) = self.targets.seated(seat) else { continue };
            self.waiting.push_back(Waiting { due_ms, seat, number: target.number, more });
        }
        self.due = due;
    }

    fn offer(
        &mut self,
        now_ms: i64,
        locations: &Locations,
        sink: &mut impl JobSink,
        turn: &mut Turn,
    ) -> Result<(), Full> {
        while let Some(waiting) = self.waiting.front_mut() {
            let Some(target) = self.targets.at(waiting.seat, waiting.number) else {
                self.waiting.pop_front();
                continue;
            };
            let every_ms = i64::from(target.every_ms);
            let slot = Slot {
                number: target.number,
                id: target.id,
                due_ms: waiting.due_ms,
                valid_until_ms: waiting.due_ms + every_ms,
                epoch: self.epoch,
                locations: &locations.of(target.id, target.locations),
                fixed: &target.fixed,
            };
            if slot.due_ms < target.since_ms() {
                // It was to be polled when the slot fell due, and is paused since.
            } else if slot.valid_until_ms < now_ms {
                sink.miss(self.number, &slot)?;
                turn.missed += 1;
            } else {
                sink.offer(self.number, &slot)?;
                turn.jobs += 1;
            }
            if waiting.more == 0 {
                self.waiting.pop_front();
            } else {
                waiting.more -= 1;
                waiting.due_ms += every_ms;
            }
        }
        Ok(())
    }

    /// Notes that all until the cursor was offered before `mark`.
    fn set_mark(&mut self, mark: Mark) {
        let is_full = self.marks.len() >= MARKS;
        match self.marks.back_mut() {
            // Nothing was offered since, or the marks lie close enough.
            Some(last) if last.0 == mark || is_full => *last = (mark, self.cursor_ms),
            _ => self.marks.push_back((mark, self.cursor_ms)),
        }
    }

    pub(super) fn settle(&mut self, now_ms: i64, sink: &mut impl JobSink) -> Moved {
        let before_ms = self.kept_ms;
        while let Some((mark, until_ms)) = self.marks.front() {
            match sink.settled(self.number, *mark) {
                Settled::Yes => {
                    self.kept_ms = *until_ms;
                    self.marks.pop_front();
                }
                Settled::NotYet => break,
                Settled::Failed => {
                    self.go_back(now_ms, sink);
                    return Moved::Back;
                }
            }
        }
        if self.kept_ms > before_ms { Moved::To(self.kept_ms) } else { Moved::Not }
    }

    fn go_back(&mut self, now_ms: i64, sink: &mut impl JobSink) {
        sink.restart(self.number);
        self.waiting.clear();
        self.marks.clear();
        self.cursor_ms = self.kept_ms;
        self.rests_until_ms = now_ms + REST_MS;
        self.seat_anew();
    }

    fn seat_anew(&mut self) {
        // One after the other, so that both are never there at once.
        self.schedule = Schedule::new(self.cursor_ms + 1);
        seat(&mut self.schedule, &self.targets, self.cursor_ms);
    }
}

/// A schedule in which `targets` fall due behind `cursor_ms`.
fn seated(targets: &ShardTargets, cursor_ms: i64) -> Schedule {
    let mut schedule = Schedule::new(cursor_ms + 1);
    seat(&mut schedule, targets, cursor_ms);
    schedule
}

fn seat(schedule: &mut Schedule, targets: &ShardTargets, cursor_ms: i64) {
    // The highest first, so that there is room for all at once.
    for (seat, target) in targets.highest_first() {
        schedule.insert(seat, target.due_behind(cursor_ms), target.every_ms);
    }
}
