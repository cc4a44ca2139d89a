//! `Figures`: one column for each figure of the targets, by their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::SLICE;
use crate::ledger::Ledger;
use crate::outcome::Cause;
use crate::roster::Roster;
use crate::target::{Labels, State, Target};
use crate::view::Sort;

/// The state of a number that no target has.
pub(super) const GONE: u8 = u8::MAX;
/// No cause.
const NONE: u8 = u8::MAX;
/// A figure that is not known.
const UNKNOWN: u32 = u32::MAX;
/// Distinct labels that may be of no use any more.
const CLUTTER: usize = 4_096;

/// One column for each figure, by the number of the target.
#[derive(Default)]
pub(super) struct Figures {
    targets: Vec<Option<Arc<Target>>>,
    pub(super) states: Vec<u8>,
    causes: Vec<u8>,
    since_ms: Vec<i64>,
    latency_us: Vec<u32>,
    lag_us: Vec<u32>,
    /// Which of the distinct labels a target has.
    kinds: Vec<u32>,
    labels: Vec<Arc<Labels>>,
    /// The places of labels by their addresses: equal ones are stored once.
    known: HashMap<usize, u32>,
    /// The state of the roster that is known.
    changes: Option<u64>,
}

/// What is copied of a target.
#[derive(Clone, Copy)]
struct Copied {
    number: usize,
    state: State,
    cause: u8,
    since_ms: i64,
    latency_us: u32,
    lag_us: u32,
}

impl Figures {
    /// The targets, by their numbers.
    pub(super) fn targets(&self) -> &[Option<Arc<Target>>] {
        &self.targets
    }

    /// The target with this number.
    pub(super) fn target(&self, number: u32) -> Option<&Target> {
        self.targets.get(number as usize)?.as_deref()
    }

    /// All numbers that there may be.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.targets.len()).unwrap_or(u32::MAX)
    }

    /// Whether it keeps much that no target has any more.
    pub(super) fn is_cluttered(&self) -> bool {
        self.labels.len() > self.targets.len() + CLUTTER
    }

    /// Takes over which targets there are, and tells the numbers that have another one now.
    pub(super) fn follow_roster(&mut self, roster: &RwLock<Roster>) -> Vec<u32> {
        let changes = roster.read().changes();
        let mut moved = Vec::new();
        if self.changes == Some(changes) {
            return moved;
        }
        self.changes = Some(changes);
        let mut first = 0;
        loop {
            let roster = roster.read();
            let width = roster.width();
            self.resize(width);
            let end = (first + SLICE).min(width);
            for number in first..end {
                let new = u32::try_from(number).ok().and_then(|number| roster.target(number));
                if self.seat(number, new) {
                    moved.extend(u32::try_from(number));
                }
            }
            first = end;
            if first >= width {
                return moved;
            }
        }
    }

    fn resize(&mut self, width: usize) {
        if width > self.targets.len() {
            self.targets.resize(width, None);
            self.states.resize(width, GONE);
            self.causes.resize(width, NONE);
            self.since_ms.resize(width, 0);
            self.latency_us.resize(width, UNKNOWN);
            self.lag_us.resize(width, UNKNOWN);
            self.kinds.resize(width, 0);
        }
    }

    /// Has `new` in the place `number`; whether that is another one than before.
    fn seat(&mut self, number: usize, new: Option<&Arc<Target>>) -> bool {
        let Some(place) = self.targets.get_mut(number) else { return false };
        let is_same = match (&*place, new) {
            (None, None) => true,
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        if is_same {
            return false;
        }
        *place = new.cloned();
        if let Some(state) = self.states.get_mut(number) {
            *state = if new.is_some() { State::Pending.code() } else { GONE };
        }
        let kind = new.map_or(0, |target| self.kind(&target.labels));
        if let Some(place) = self.kinds.get_mut(number) {
            *place = kind;
        }
        true
    }

    fn kind(&mut self, labels: &Arc<Labels>) -> u32 {
        let next = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        // What is kept here keeps its address.
        let kind = *self.known.entry(Arc::as_ptr(labels).addr()).or_insert(next);
        if kind == next {
            self.labels.push(Arc::clone(labels));
        }
        kind
    }

    /// Copies what `ledger` knows of the targets with these numbers.
    pub(super) fn copy(&mut self, mut numbers: impl Iterator<Item = u32>, ledger: &Mutex<Ledger>) {
        let mut copied = Vec::with_capacity(SLICE);
        loop {
            let own = ledger.lock();
            copied.extend(numbers.by_ref().take(SLICE).map(|number| look(&own, number)));
            drop(own);
            if copied.is_empty() {
                return;
            }
            for figures in copied.drain(..) {
                self.put(&figures);
            }
        }
    }

    fn put(&mut self, figures: &Copied) {
        let Copied { number, state, cause, since_ms, latency_us, lag_us } = *figures;
        let has_target = self.targets.get(number).is_some_and(Option::is_some);
        set(&mut self.states, number, if has_target { state.code() } else { GONE });
        set(&mut self.causes, number, cause);
        set(&mut self.since_ms, number, since_ms);
        set(&mut self.latency_us, number, latency_us);
        set(&mut self.lag_us, number, lag_us);
    }

    /// Whether the state of the target has this cause.
    pub(super) fn has_cause(&self, number: usize, cause: Cause) -> bool {
        self.causes.get(number) == Some(&cause.code())
    }

    /// What `is_wanted` says of the labels of each target; it is asked once for all equal ones.
    pub(super) fn by_labels(&self, is_wanted: impl Fn(&Labels) -> bool) -> impl Fn(usize) -> bool {
        let wanted: Vec<bool> = self.labels.iter().map(|labels| is_wanted(labels)).collect();
        move |number| {
            let kind = self.kinds.get(number).copied().unwrap_or_default();
            wanted.get(kind as usize).copied().unwrap_or_default()
        }
    }

    /// What `sort` orders the target by, a larger one first; 0 where that is not known.
    pub(super) fn key(&self, sort: Sort, number: usize) -> u64 {
        let known = |column: &[u32]| match column.get(number) {
            None | Some(&UNKNOWN) => 0,
            Some(&figure) => u64::from(figure) + 1,
        };
        match sort {
            Sort::Latency => known(&self.latency_us),
            Sort::Lag => known(&self.lag_us),
            Sort::Downtime if self.states.get(number) == Some(&State::Down.code()) => {
                // Whoever is down for longer is down since an earlier time, which stays the same.
                let since_ms = self.since_ms.get(number).copied().unwrap_or_default();
                u64::MAX / 2 - u64::try_from(since_ms).unwrap_or(0)
            }
            Sort::Number | Sort::Downtime => 0,
        }
    }
}

fn set<T>(column: &mut [T], number: usize, value: T) {
    if let Some(place) = column.get_mut(number) {
        *place = value;
    }
}

fn look(ledger: &Ledger, number: u32) -> Copied {
    let nothing = Copied {
        number: number as usize,
        state: State::Pending,
        cause: NONE,
        since_ms: 0,
        latency_us: UNKNOWN,
        lag_us: UNKNOWN,
    };
    ledger.record(number).map_or(nothing, |record| Copied {
        state: record.health.state,
        cause: record.health.cause.map_or(NONE, Cause::code),
        since_ms: record.health.since_ms,
        latency_us: if record.is_polled() { record.last_latency_us } else { UNKNOWN },
        lag_us: ledger.lag_us(number).unwrap_or(UNKNOWN),
        ..nothing
    })
}
