//! `Parked`: polls that wait for the sake of somebody else, by whom they wait for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::line::{Line, Waiting};
use crate::target::Priority;

/// Polls that wait for the sake of a host or an address; the key is its hash.
///
/// Of each of these one at a time goes back to those that are ready: when a poll of the host has
/// ended, when the time has come, or when the one before it has begun.
#[derive(Debug, Default)]
pub(super) struct Parked {
    lots: HashMap<u64, Lot>,
    /// For whose sake those had waited that are ready now, by the number of their target.
    roused: HashMap<u32, u64>,
    /// When to look at a lot again, in monotonic microseconds.
    timers: BinaryHeap<Reverse<(u64, u64)>>,
}

#[derive(Debug, Default)]
struct Lot {
    line: Line,
    /// Whether one of them is among those that are ready.
    is_roused: bool,
    /// When it is looked at again.
    timer_us: Option<u64>,
}

impl Parked {
    /// Parks `waiting` for the sake of `key`, until `at_us` (monotonic microseconds) if that is
    /// known.
    pub(super) fn park(
        &mut self,
        key: u64,
        (priority, waiting): (Priority, Waiting),
        at_us: Option<u64>,
    ) {
        let lot = self.lots.entry(key).or_default();
        lot.line.push(priority, waiting);
        lot.is_roused = false;
        if let Some(at_us) = at_us
            && lot.timer_us.is_none_or(|timer_us| at_us < timer_us)
        {
            lot.timer_us = Some(at_us);
            self.timers.push(Reverse((at_us, key)));
        }
    }

    /// Takes out the one that goes next for `key`, unless one is ready already.
    pub(super) fn rouse(&mut self, key: u64) -> Option<Waiting> {
        let lot = self.lots.get_mut(&key)?;
        if lot.is_roused {
            return None;
        }
        let next = lot.line.pop();
        lot.is_roused = next.is_some();
        if let Some(next) = next {
            self.roused.insert(next.number, key);
        }
        if lot.line.is_empty() {
            self.lots.remove(&key);
        }
        next
    }

    /// For whose sake a poll of the target `number` had waited that is not ready any more.
    pub(super) fn take_roused(&mut self, number: u32) -> Option<u64> {
        if self.roused.is_empty() { None } else { self.roused.remove(&number) }
    }

    /// Notes that one that waited for `key` is not among those that are ready any more.
    pub(super) fn note_gone(&mut self, key: u64) {
        if let Some(lot) = self.lots.get_mut(&key) {
            lot.is_roused = false;
        }
    }

    /// The keys for which polls wait.
    pub(super) fn keys(&self) -> Vec<u64> {
        self.lots.keys().copied().collect()
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lots.is_empty()
    }

    /// A key whose time has come at `now_us` (monotonic microseconds).
    pub(super) fn pop_timer(&mut self, now_us: u64) -> Option<u64> {
        let Reverse((at_us, key)) = *self.timers.peek()?;
        if at_us > now_us {
            return None;
        }
        self.timers.pop();
        if let Some(lot) = self.lots.get_mut(&key)
            && lot.timer_us == Some(at_us)
        {
            lot.timer_us = None;
        }
        Some(key)
    }

    /// When the next time comes, in monotonic microseconds.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((at_us, _))| *at_us)
    }

    /// Moves all due times, as the clock was set.
    pub(super) fn shift(&mut self, by_ms: i64) {
        for lot in self.lots.values_mut() {
            lot.line.shift(by_ms);
        }
    }
}
