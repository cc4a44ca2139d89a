//! `Columns`: the figures of all targets side by side, for questions about many of them.
//!
//! They are a copy that follows what changes, made when somebody asks and given up when nobody has
//! asked for a while. So a question holds neither the ledger nor the roster, however many targets it
//! looks at; what it costs is paid by who asks, and never by a poll.

mod figures;
pub(super) mod marks;
pub(super) mod select;
mod texts;

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::ledger::Ledger;
use crate::roster::Roster;
use crate::view::TargetQuery;

use figures::Figures;
pub(super) use select::Found;
use texts::Texts;

/// Targets that are looked at while nobody else gets at ledger or roster.
pub(super) const SLICE: usize = 500;
/// Microseconds for which the copy is good enough.
const FRESH_US: u64 = 50_000;
/// Microseconds after which it is given up when nobody asks.
const KEPT_US: u64 = 120_000_000;

/// Where the figures come from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The targets.
    pub roster: &'a RwLock<Roster>,
    /// What is known of them.
    pub ledger: &'a Mutex<Ledger>,
    /// The time, in monotonic microseconds.
    pub now_us: u64,
}

/// The copy, while there is one.
#[derive(Default)]
pub(super) struct Columns {
    held: RwLock<Option<Held>>,
    /// When somebody asked last.
    asked_us: AtomicU64,
    /// When somebody looked for a text last.
    searched_us: AtomicU64,
}

struct Held {
    figures: Figures,
    texts: Option<Texts>,
    /// When it followed the changes last.
    at_us: u64,
}

impl Columns {
    /// The targets that `query` asks for, as they were a moment ago. Made for the first time or for
    /// the first text, that takes some tenths of a second with a million targets.
    pub(super) fn find(&self, origin: Origin<'_>, query: &TargetQuery) -> Found {
        self.asked_us.store(origin.now_us, Ordering::Relaxed);
        if query.text.is_some() {
            self.searched_us.store(origin.now_us, Ordering::Relaxed);
        }
        let held = self.read(origin, query.text.is_some());
        held.as_ref().map_or_else(Found::default, |held| {
            select::find(&held.figures, held.texts.as_ref(), query)
        })
    }

    /// The copy, brought up to date if it has to be.
    fn read(&self, origin: Origin<'_>, with_texts: bool) -> RwLockReadGuard<'_, Option<Held>> {
        let is_good = |held: &Held| {
            origin.now_us.saturating_sub(held.at_us) < FRESH_US
                && (held.texts.is_some() || !with_texts)
        };
        let held = self.held.read();
        if held.as_ref().is_some_and(is_good) {
            return held;
        }
        drop(held);
        let mut held = self.held.write();
        // Somebody else may have been at it meanwhile.
        if !held.as_ref().is_some_and(is_good) {
            let own = held.get_or_insert_with(Held::new);
            own.follow(origin);
            if with_texts && own.texts.is_none() {
                own.texts = Some(Texts::of(own.figures.targets()));
            }
        }
        RwLockWriteGuard::downgrade(held)
    }

    /// What is done once a second: follows the changes while somebody asks, and gives up what nobody
    /// has asked for in a while.
    pub(super) fn look_after(&self, origin: Origin<'_>) {
        let idle_us =
            |asked: &AtomicU64| origin.now_us.saturating_sub(asked.load(Ordering::Relaxed));
        if self.held.read().is_none() {
            return;
        }
        let mut held = self.held.write();
        if idle_us(&self.asked_us) > KEPT_US {
            *held = None;
            origin.ledger.lock().forget_changes();
        } else if let Some(own) = held.as_mut() {
            if idle_us(&self.searched_us) > KEPT_US {
                own.texts = None;
            }
            own.follow(origin);
        }
    }
}

impl Held {
    fn new() -> Self {
        Self { figures: Figures::default(), texts: None, at_us: 0 }
    }

    /// Follows what has changed since the last time.
    fn follow(&mut self, origin: Origin<'_>) {
        // Before the roster is looked at: what changes afterwards is told the next time.
        let changes = origin.ledger.lock().take_changes();
        if self.figures.is_cluttered() {
            *self = Self::new();
        }
        let mut moved = self.figures.follow_roster(origin.roster);
        if let Some(texts) = &mut self.texts {
            for &number in &moved {
                texts.seat(number, self.figures.target(number));
            }
            if texts.is_cluttered() {
                self.texts = None;
            }
        }
        match changes {
            Some(changes) if self.at_us > 0 => {
                moved.extend(changes);
                self.figures.copy(moved.into_iter(), origin.ledger);
            }
            _ => self.figures.copy(self.figures.numbers(), origin.ledger),
        }
        self.at_us = origin.now_us.max(1);
    }
}

#[cfg(test)]
mod tests;
