//! `Votes`: what each location said of a target last, and which of its slots are recorded.
//!
//! A cluster may tell the same twice, and late. Whatever comes is known by its location, its slot and
//! how often that was tried, so that it is counted once, and only what is newer than all before it
//! bears on the state. Time is that of the slots: the same stream leads to the same state at any time.

mod bytes;
mod withdraw;

pub use bytes::VotesError;
use smallvec::SmallVec;
pub use withdraw::Rest;

use crate::outcome::{Outcome, Verdict};

/// Slots that are kept before the newest one.
const KEPT: u8 = 63;
/// Tries of the newest slot that are told apart.
const TRIES: u8 = 16;

/// What the locations said of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    seats: SmallVec<[Seat; 1]>,
}

/// What one location said, and which slots of it are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seat {
    location: u16,
    /// The newest slot, in Unix milliseconds.
    due_ms: i64,
    /// Milliseconds from one slot to the next.
    every_ms: u32,
    /// Slots that are recorded, the newest one in the lowest bit.
    recorded: u64,
    /// Those of them that are known to have passed without a poll.
    missed: u64,
    /// How many slots before the newest one these bits know of.
    known: u8,
    /// Tries of the newest slot that are recorded.
    tries: u16,
    /// The last final verdict, and the slot that it belongs to.
    verdict: Option<Verdict>,
    said_ms: i64,
    /// Milliseconds from the slot that it said was down first, without a word of an answer since then,
    /// to the one that it spoke of last; 0 as well when it says that it answers.
    failing_ms: u32,
}

/// One poll of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// When it fell due, in Unix milliseconds.
    pub due_ms: i64,
    /// The number of its location.
    pub location: u16,
    /// How often it was tried before.
    pub tries: u8,
}

/// How a target is polled and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Milliseconds from one slot to the next.
    pub every_ms: u32,
    /// How many locations have to say that it is down, at least 1.
    pub quorum: u16,
}

impl Rule {
    /// The rule of a target that is polled from so many locations, of which `quorum` have to agree; 0
    /// for most of them.
    #[must_use]
    pub fn new(every_ms: u32, polled_from: u16, quorum: u16) -> Self {
        let polled_from = polled_from.max(1);
        let quorum = if quorum == 0 { polled_from / 2 + 1 } else { quorum.min(polled_from) };
        Self { every_ms: every_ms.max(1), quorum }
    }

    /// Milliseconds for which a vote counts: two intervals and a half.
    #[must_use]
    pub fn fresh_ms(self) -> i64 {
        i64::from(self.every_ms) * 5 / 2
    }
}

/// How a poll bears on the state of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it says itself.
    Full,
    /// It makes suspicious, and others have to say the same.
    Provisional,
    /// Not at all, because other locations say otherwise.
    Silent,
    /// Not at all, because something newer is known.
    Late,
}

/// What is to be done with something that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighed {
    /// It is new.
    New(Standing),
    /// It is new, and the slot was told to have passed without a poll.
    InPlaceOfMissed(Standing),
    /// It is recorded already.
    Repeated,
    /// It is so old that only the table knows whether it is recorded.
    Old,
}

impl Votes {
    /// Takes in the outcome of a poll, and tells what is to be done with it.
    pub fn weigh(&mut self, slot: Slot, outcome: &Outcome, rule: Rule) -> Weighed {
        let seat = self.seat(slot, rule);
        let is_newest = seat.is_newest(slot);
        let (is_known, was_missed) = match seat.find(slot) {
            Place::Known { was_missed } => (true, was_missed),
            Place::Free => (false, false),
            Place::Unknown => return Weighed::Old,
        };
        if is_known && !was_missed {
            return Weighed::Repeated;
        }
        seat.mark(slot);
        let standing = if is_newest {
            let location = slot.location;
            if !outcome.is_provisional || outcome.finding.verdict == Verdict::Up {
                seat.say(outcome.finding.verdict, slot.due_ms);
            }
            self.standing(location, outcome, rule)
        } else {
            Standing::Late
        };
        if was_missed { Weighed::InPlaceOfMissed(standing) } else { Weighed::New(standing) }
    }

    /// Takes in that the slot passed without a poll; that says nothing of the state.
    pub fn miss(&mut self, slot: Slot, rule: Rule) -> Weighed {
        let seat = self.seat(slot, rule);
        match seat.find(slot) {
            Place::Known { .. } => return Weighed::Repeated,
            Place::Unknown => return Weighed::Old,
            Place::Free => {}
        }
        seat.mark(slot);
        if let Some(bit) = seat.back(slot.due_ms) {
            seat.missed |= 1 << bit;
        }
        Weighed::New(Standing::Late)
    }

    /// How many locations said last, and not long ago, that it is `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict, rule: Rule) -> u16 {
        let newest_ms = self.newest_ms();
        let is_so = |seat: &&Seat| {
            seat.verdict == Some(verdict)
                && newest_ms.saturating_sub(seat.said_ms) <= rule.fresh_ms()
        };
        u16::try_from(self.seats.iter().filter(is_so).count()).unwrap_or(u16::MAX)
    }

    /// The newest slot of which something was said.
    fn newest_ms(&self) -> i64 {
        let said = self.seats.iter().filter(|seat| seat.verdict.is_some());
        said.map(|seat| seat.said_ms).max().unwrap_or(0)
    }

    fn standing(&self, location: u16, outcome: &Outcome, rule: Rule) -> Standing {
        let newest_ms = self.newest_ms();
        let own = self.seats.iter().find(|seat| seat.location == location);
        if own.is_some_and(|seat| newest_ms.saturating_sub(seat.due_ms) > rule.fresh_ms()) {
            return Standing::Late;
        }
        let verdict = outcome.finding.verdict;
        if outcome.is_provisional && verdict != Verdict::Up {
            return Standing::Full;
        }
        let agreed = |verdict| self.count(verdict, rule) >= rule.quorum;
        match verdict {
            Verdict::Down if agreed(Verdict::Down) => Standing::Full,
            Verdict::Down => Standing::Provisional,
            _ if agreed(Verdict::Down) => Standing::Silent,
            Verdict::Warning if agreed(Verdict::Warning) => Standing::Full,
            Verdict::Warning => Standing::Silent,
            Verdict::Up if agreed(Verdict::Warning) => Standing::Silent,
            Verdict::Up => Standing::Full,
            Verdict::Unknown => {
                let others = [Verdict::Up, Verdict::Warning, Verdict::Down];
                let is_alone = others.iter().all(|&verdict| self.count(verdict, rule) == 0);
                if is_alone { Standing::Full } else { Standing::Silent }
            }
        }
    }

    /// The seat of the location of `slot`, on the grid of `rule`.
    fn seat(&mut self, slot: Slot, rule: Rule) -> &mut Seat {
        let found = self.seats.iter().position(|seat| seat.location == slot.location);
        let at = found.unwrap_or(self.seats.len());
        if found.is_none() {
            self.seats.push(Seat::empty(slot, rule));
        }
        #[expect(clippy::indexing_slicing, reason = "it was found or put there just now")]
        let seat = &mut self.seats[at];
        if seat.every_ms != rule.every_ms {
            // The bits speak of another grid.
            seat.every_ms = rule.every_ms;
            (seat.recorded, seat.missed, seat.known) = (seat.recorded & 1, seat.missed & 1, 0);
        }
        seat
    }
}

/// What is known of a slot.
enum Place {
    /// It is recorded.
    Known { was_missed: bool },
    /// It is not.
    Free,
    /// Nobody here knows.
    Unknown,
}

impl Seat {
    /// That of a location of which nothing is recorded.
    fn empty(slot: Slot, rule: Rule) -> Self {
        Self {
            location: slot.location,
            due_ms: slot.due_ms,
            every_ms: rule.every_ms,
            recorded: 0,
            missed: 0,
            known: KEPT,
            tries: 0,
            verdict: None,
            said_ms: 0,
            failing_ms: 0,
        }
    }

    /// Takes in a final `verdict` on the slot of `due_ms`.
    fn say(&mut self, verdict: Verdict, due_ms: i64) {
        let is_failing = self.verdict == Some(Verdict::Down) || self.failing_ms > 0;
        self.failing_ms = match verdict {
            Verdict::Down | Verdict::Unknown if is_failing => {
                let passed_ms = due_ms.saturating_sub(self.said_ms).max(0);
                self.failing_ms.saturating_add(u32::try_from(passed_ms).unwrap_or(u32::MAX))
            }
            _ => 0,
        };
        (self.verdict, self.said_ms) = (Some(verdict), due_ms);
    }

    /// How many slots before the newest one that of `due_ms` is; none when it is behind it, off the
    /// grid, or too far back.
    fn back(&self, due_ms: i64) -> Option<u32> {
        let (every_ms, distance_ms) = (i64::from(self.every_ms), self.due_ms.checked_sub(due_ms)?);
        let is_on_grid = distance_ms >= 0 && distance_ms % every_ms == 0;
        let back = u32::try_from(distance_ms / every_ms).ok().filter(|_| is_on_grid)?;
        (back <= u32::from(self.known)).then_some(back)
    }

    fn find(&self, slot: Slot) -> Place {
        if slot.due_ms > self.due_ms {
            return if slot.tries < TRIES { Place::Free } else { Place::Unknown };
        }
        let Some(back) = self.back(slot.due_ms) else { return Place::Unknown };
        if back == 0 {
            if slot.tries >= TRIES {
                return Place::Unknown;
            }
            // The word that a slot passed stands in the place of its first try alone.
            let was_missed = slot.tries == 0 && self.missed & 1 == 1;
            let is_known = self.tries >> slot.tries & 1 == 1;
            return if is_known { Place::Known { was_missed } } else { Place::Free };
        }
        // Only whether a slot is recorded is known of older ones, not which rechecks are.
        match (slot.tries, self.recorded >> back & 1) {
            (0, 1) => Place::Known { was_missed: self.missed >> back & 1 == 1 },
            (0, _) => Place::Free,
            _ => Place::Unknown,
        }
    }

    /// The try of the newest slot that comes behind all that are recorded.
    const fn next_try(&self) -> u32 {
        let polled = if self.missed & 1 == 1 { self.tries & !1 } else { self.tries };
        u16::BITS - polled.leading_zeros()
    }

    /// Whether nothing newer was polled. What passed without a poll says nothing: the poll before it
    /// may have taken that long.
    fn is_newest(&self, slot: Slot) -> bool {
        if slot.due_ms == self.due_ms {
            return u32::from(slot.tries) >= self.next_try();
        }
        let polled = self.recorded & !self.missed;
        let is_behind = |back| polled & ((1_u64 << back) - 1) == 0;
        slot.due_ms > self.due_ms || self.back(slot.due_ms).is_some_and(is_behind)
    }

    /// Notes a slot that was found to be free, or missed.
    fn mark(&mut self, slot: Slot) {
        if slot.due_ms > self.due_ms {
            self.advance(slot.due_ms);
        }
        let Some(back) = self.back(slot.due_ms) else { return };
        self.recorded |= 1 << back;
        if slot.tries == 0 {
            self.missed &= !(1 << back);
        }
        if back == 0 {
            self.tries |= 1 << slot.tries.min(TRIES - 1);
        }
    }

    /// Makes the slot of `due_ms` the newest one.
    fn advance(&mut self, due_ms: i64) {
        let (every_ms, distance_ms) =
            (i64::from(self.every_ms), due_ms.saturating_sub(self.due_ms));
        if distance_ms % every_ms == 0 {
            let slots = u32::try_from(distance_ms / every_ms).unwrap_or(u32::MAX);
            self.recorded = self.recorded.checked_shl(slots).unwrap_or(0);
            self.missed = self.missed.checked_shl(slots).unwrap_or(0);
            let slots = u8::try_from(slots).unwrap_or(KEPT);
            self.known = self.known.saturating_add(slots).min(KEPT);
        } else {
            // Another grid begins.
            (self.recorded, self.missed, self.known) = (0, 0, 0);
        }
        (self.due_ms, self.tries) = (due_ms, 0);
    }
}

#[cfg(test)]
mod tests;
