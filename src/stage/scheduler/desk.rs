//! `Desk`: what a scheduler tells of itself and is told, while it runs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::target::Target;

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

/// Why a slot was missed: what its target's last one was at when it came round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It still ran, or waited for its recheck.
    Running,
    /// It waited for a place.
    Saturated,
    /// It waited for the sake of its host, or its host had asked for that.
    Politeness,
    /// Nobody looked at the time: the process or the machine stood still.
    Standstill,
}

/// What a scheduler tells of itself and is told, while it runs.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) changes: Mutex<VecDeque<Change>>,
    pub(super) changed: Notify,
    missed: [AtomicU64; 4],
    backed_off: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) parked: AtomicU64,
    pub(super) ticks: AtomicU64,
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
        self.missed.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Those of them that were missed for this reason.
    #[must_use]
    pub fn missed_by(&self, reason: Miss) -> u64 {
        self.missed.get(reason as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Slots so far that were left out because their target has been down for long.
    #[must_use]
    pub fn backed_off(&self) -> u64 {
        self.backed_off.load(Ordering::Relaxed)
    }

    /// Jobs that are due and wait for a place.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Jobs that are due and wait for the sake of their host or address.
    #[must_use]
    pub fn parked(&self) -> u64 {
        self.parked.load(Ordering::Relaxed)
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

    pub(super) fn note_missed(&self, reason: Miss, slots: u64) {
        if let Some(count) = self.missed.get(reason as usize) {
            count.fetch_add(slots, Ordering::Relaxed);
        }
    }

    pub(super) fn note_backed_off(&self) {
        self.backed_off.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_lateness(&self, us: u64) {
        if us > self.lateness_us.load(Ordering::Relaxed) {
            self.lateness_us.fetch_max(us, Ordering::Relaxed);
        }
    }
}
