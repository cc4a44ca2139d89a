//! `Governor`: how many polls may run at once, by what this machine is short of.

use super::shortage::{Share, Shortage, Signals};

/// Places that are left however short the machine is.
const FLOOR: usize = 32;
/// Decisions after the start that change nothing: a daemon that starts is busy with that.
const SETTLING: u32 = 3;
/// Calm decisions after which places come back.
const CALM: u32 = 3;
/// Steps in which they come back, from nothing.
const STEPS: usize = 32;
/// Decisions for which places that are as few as may be have to help the memory.
const FRUITLESS: u32 = 10;
/// Percent of the memory below which fewer places may help again.
const RELIEVED: u64 = 80;

/// Decides once a second how many polls may run at once: a quarter fewer while the machine is
/// short of something, some more each second once it is not.
#[derive(Debug)]
pub struct Governor {
    most: usize,
    limit: usize,
    /// Decisions so far.
    decisions: u32,
    /// Decisions since the machine was short of something.
    calm: u32,
    /// Whether the last decision saw a shortage that may have been over.
    was_late: bool,
    /// Polls in flight at most, in the last seconds.
    in_flight: [usize; 3],
    /// Decisions that left as few places as may be, and the memory as full as it was.
    fruitless: u32,
    shortage: Option<Shortage>,
    episodes: u64,
    has_told_floor: bool,
}

/// A change of how many polls may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// How many might.
    pub from: usize,
    /// How many may.
    pub to: usize,
    /// What is worth telling of it.
    pub turn: Option<Turn>,
}

/// What is worth telling, of all moves between one well-being and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There are fewer places than usual from now on.
    Begins(Shortage),
    /// There are as few as may be.
    AtFloor(Shortage),
    /// All are back.
    Ends,
}

impl Governor {
    /// A governor of `most` places.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            limit: most,
            decisions: 0,
            calm: 0,
            was_late: false,
            in_flight: [0; 3],
            fruitless: 0,
            shortage: None,
            episodes: 0,
            has_told_floor: false,
        }
    }

    /// Polls that may run at once, by the last decision.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Polls that may run at once, however short the machine is.
    #[must_use]
    pub fn floor(&self) -> usize {
        self.most.min(FLOOR)
    }

    /// What the machine is short of, or was when places went that are not all back yet.
    #[must_use]
    pub const fn shortage(&self) -> Option<Shortage> {
        self.shortage
    }

    /// How often it began to take places away.
    #[must_use]
    pub const fn episodes(&self) -> u64 {
        self.episodes
    }

    /// Looks at the signals of the last second and decides; to be called once a second.
    #[must_use]
    pub fn decide(&mut self, signals: &Signals) -> Option<Move> {
        let Some(shortage) = self.look(signals) else { return self.grow() };
        let (from, floor) = (self.limit, self.floor());
        let busy = self.in_flight.into_iter().max().unwrap_or(0).min(from);
        let to = (busy - busy / 4).max(floor).min(from);
        if to == from {
            return None;
        }
        self.limit = to;
        let turn = if from == self.most {
            self.episodes += 1;
            self.has_told_floor = to == floor;
            Some(Turn::Begins(shortage))
        } else if to == floor && !self.has_told_floor {
            self.has_told_floor = true;
            Some(Turn::AtFloor(shortage))
        } else {
            None
        };
        Some(Move { from, to, turn })
    }

    /// Looks at the signals, as [`Governor::decide`] does, and tells what is lacking; it moves
    /// nothing. A second that was late is believed when the one before it was late, too: a process
    /// that was stopped and goes on is short of nothing.
    pub fn look(&mut self, signals: &Signals) -> Option<Shortage> {
        self.decisions = self.decisions.saturating_add(1);
        self.in_flight.rotate_right(1);
        if let Some(last) = self.in_flight.first_mut() {
            *last = signals.in_flight;
        }
        let mut shortage = self.weigh_memory(signals);
        let is_late = shortage.is_some_and(Shortage::may_be_over);
        if is_late && !self.was_late {
            shortage = None;
        }
        self.was_late = is_late;
        if self.decisions <= SETTLING {
            shortage = None;
        }
        self.calm = if shortage.is_some() { 0 } else { self.calm.saturating_add(1) };
        if shortage.is_some() || self.limit == self.most {
            self.shortage = shortage;
        }
        shortage
    }

    /// What is lacking; memory only while fewer polls may help it. Where they do not, it is held by
    /// something else, such as the list itself.
    fn weigh_memory(&mut self, signals: &Signals) -> Option<Shortage> {
        let shortage = signals.shortage();
        if !signals.memory.is_at_least(RELIEVED) {
            self.fruitless = 0;
        }
        if !matches!(shortage, Some(Shortage::Memory(_))) {
            return shortage;
        }
        if self.fruitless < FRUITLESS {
            self.fruitless += u32::from(self.limit == self.floor());
            return shortage;
        }
        Signals { memory: Share::default(), ..*signals }.shortage()
    }

    fn grow(&mut self) -> Option<Move> {
        if self.limit == self.most || self.calm < CALM {
            return None;
        }
        let from = self.limit;
        self.limit = (from + (self.most / STEPS).max(1)).min(self.most);
        let is_over = self.limit == self.most;
        if is_over {
            self.shortage = None;
        }
        Some(Move { from, to: self.limit, turn: is_over.then_some(Turn::Ends) })
    }
}

#[cfg(test)]
mod tests;
