//! `Seats`: the targets that are scheduled, by seat and by number, and what each of them waits for.

use std::sync::Arc;

use super::line::Waiting;
use crate::target::{FlightState, Priority, Target};

/// No time at all.
const NEVER: i64 = i64::MIN;

/// What a target that fell due waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    No,
    /// A place.
    Ready,
    /// Its host or address.
    Parked,
}

/// What tells that a target is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// The wheel of the scheduler.
    Wheel,
    /// A feed.
    Feed,
}

/// A target that is scheduled.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) target: Arc<Target>,
    /// When its last poll was handed out, in monotonic milliseconds.
    started_ms: i64,
    /// When the poll fell due that waits, in Unix milliseconds.
    due_ms: i64,
    held: Held,
    /// Whether that one is a recheck.
    is_recheck: bool,
    calls: Calls,
}

impl Seated {
    /// When its last poll was handed out, in monotonic milliseconds.
    pub(super) fn started_ms(&self) -> Option<i64> {
        (self.started_ms != NEVER).then_some(self.started_ms)
    }

    /// What it waits for.
    pub(super) const fn held(&self) -> Held {
        self.held
    }

    /// Whether what waits, if anything does, is a recheck.
    pub(super) const fn is_recheck(&self) -> bool {
        self.is_recheck
    }

    /// What tells that it is due.
    pub(super) const fn calls(&self) -> Calls {
        self.calls
    }

    /// Whether `waiting` is the poll that it waits for, and not one that it no longer wants.
    fn awaits(&self, waiting: Waiting) -> bool {
        self.held != Held::No && self.due_ms == waiting.due_ms
    }
}

/// The targets that are scheduled.
#[derive(Debug, Default)]
pub(super) struct Seats {
    places: Vec<Option<Seated>>,
    vacant: Vec<u32>,
    /// The seat of each target, by its number.
    seat_of: Vec<Option<u32>>,
    ready: u64,
    parked: u64,
    /// How many of them are urgent.
    urgent: u64,
}

impl Seats {
    /// How many wait for a place.
    pub(super) const fn ready(&self) -> u64 {
        self.ready
    }

    /// How many wait for their host or address.
    pub(super) const fn parked(&self) -> u64 {
        self.parked
    }

    /// Whether any of them is urgent.
    pub(super) const fn has_urgent(&self) -> bool {
        self.urgent > 0
    }

    /// Who sits at `seat`.
    pub(super) fn at(&self, seat: u32) -> Option<&Seated> {
        self.places.get(seat as usize)?.as_ref()
    }

    /// The seat of the target `number`.
    pub(super) fn seat_of(&self, number: u32) -> Option<u32> {
        self.seat_of.get(number as usize).copied().flatten()
    }

    /// The target `number`.
    pub(super) fn of(&self, number: u32) -> Option<&Seated> {
        self.at(self.seat_of(number)?)
    }

    /// Gives `target` a seat, and tells which.
    pub(super) fn take(&mut self, target: Arc<Target>, calls: Calls) -> u32 {
        let seat = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        self.urgent += u64::from(target.priority == Priority::High);
        let number = target.number as usize;
        if number >= self.seat_of.len() {
            self.seat_of.resize(number + 1, None);
        }
        if let Some(place) = self.seat_of.get_mut(number) {
            *place = Some(seat);
        }
        let (started_ms, due_ms, held) = (NEVER, NEVER, Held::No);
        let seated = Seated { target, started_ms, due_ms, held, is_recheck: false, calls };
        if let Some(place) = self.places.get_mut(seat as usize) {
            *place = Some(seated);
        }
        seat
    }

    /// Gives up the seat of the target `number`, and tells which that was and who sat there. It
    /// is free when [`Seats::note_vacant`] says so.
    pub(super) fn leave(&mut self, number: u32) -> Option<(u32, Seated)> {
        let seat = self.seat_of.get_mut(number as usize)?.take()?;
        let seated = self.places.get_mut(seat as usize)?.take()?;
        self.count(seated.held, Held::No);
        self.urgent -= u64::from(seated.target.priority == Priority::High);
        Some((seat, seated))
    }

    /// Notes that nothing will fall due any more at `seat`.
    pub(super) fn note_vacant(&mut self, seat: u32) {
        self.vacant.push(seat);
    }

    /// Has `target` sit where the one with its number does.
    pub(super) fn exchange(&mut self, target: Arc<Target>) {
        let is_urgent = u64::from(target.priority == Priority::High);
        let Some(seated) = self.of_mut(target.number) else { return };
        let was_urgent = u64::from(seated.target.priority == Priority::High);
        seated.target = target;
        self.urgent = self.urgent + is_urgent - was_urgent;
    }

    /// Has the target `number` go on as `left` did, who sat in another seat.
    pub(super) fn go_on(&mut self, number: u32, left: &Seated) {
        let Some(seated) = self.of_mut(number) else { return };
        (seated.started_ms, seated.due_ms) = (left.started_ms, left.due_ms);
        (seated.held, seated.is_recheck) = (left.held, left.is_recheck);
        self.count(Held::No, left.held);
    }

    /// Notes what the target of `waiting` waits for.
    pub(super) fn hold(&mut self, waiting: Waiting, held: Held) {
        let Some(seated) = self.of_mut(waiting.number) else { return };
        (seated.due_ms, seated.is_recheck) = (waiting.due_ms, waiting.tries > 0);
        let before = std::mem::replace(&mut seated.held, held);
        self.count(before, held);
    }

    /// Notes that the poll of the target `number` is handed out at `monotonic_ms`.
    pub(super) fn start(&mut self, number: u32, monotonic_ms: i64) {
        let Some(seated) = self.of_mut(number) else { return };
        seated.started_ms = monotonic_ms;
        let before = std::mem::replace(&mut seated.held, Held::No);
        self.count(before, Held::No);
    }

    /// The target that `waiting` is of, if it still wants it.
    pub(super) fn awaited(&self, waiting: Waiting) -> Option<Arc<Target>> {
        let seated = self.of(waiting.number).filter(|seated| seated.awaits(waiting))?;
        let is_waiting = seated.target.flight().state() == FlightState::Waiting;
        is_waiting.then(|| Arc::clone(&seated.target))
    }

    /// All seats that are taken, after the due times of those who wait were moved and all others
    /// became vacant.
    pub(super) fn shift(&mut self, by_ms: i64) -> impl Iterator<Item = (u32, &Seated)> {
        self.vacant.clear();
        for (seat, place) in (0_u32..).zip(&mut self.places) {
            match place {
                Some(seated) if seated.held != Held::No => seated.due_ms += by_ms,
                Some(_) => {}
                None => self.vacant.push(seat),
            }
        }
        (0_u32..).zip(&self.places).filter_map(|(seat, place)| Some((seat, place.as_ref()?)))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.places.len(), self.places.iter().flatten().count())
    }

    fn of_mut(&mut self, number: u32) -> Option<&mut Seated> {
        let seat = self.seat_of(number)?;
        self.places.get_mut(seat as usize)?.as_mut()
    }

    fn count(&mut self, before: Held, after: Held) {
        for (held, count) in [(Held::Ready, &mut self.ready), (Held::Parked, &mut self.parked)] {
            if held == before {
                *count = count.saturating_sub(1);
            }
            if held == after {
                *count += 1;
            }
        }
    }
}
