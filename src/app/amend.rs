//! `Amended`: what a list that was read again changes, taken over by the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::targets::diff::{Change, diff};
use crate::config::targets::{List, Rejects};
use crate::stage::recorder::Access;
use crate::store::{OwnChange, Record, StoreError};
use crate::target::Target;
use crate::view::text;

/// How long a reload waits for a store that is busy.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(20);
/// What is said of a store that is busy for longer.
pub(super) const BUSY: &str = "the store is busy; try again when it is not";
/// How long it waits before it asks a busy store again.
const PAUSE: Duration = Duration::from_millis(100);

/// Has the store do something: one that another program holds for a moment is free again soon.
///
/// # Errors
/// It is still held after [`STORE_PATIENCE`], or fails otherwise.
pub(super) fn patiently<T>(
    mut work: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        match work() {
            Err(StoreError::Stalled { .. }) if began.elapsed() < STORE_PATIENCE => {
                std::thread::park_timeout(PAUSE);
            }
            done => return done,
        }
    }
}

/// A change that the store has taken over, for memory and schedulers to follow.
#[derive(Debug)]
pub(super) struct Amended {
    /// Those that are polled no more.
    pub(super) removed: Vec<Arc<Target>>,
    /// The added ones, then the changed ones.
    pub(super) fresh: Vec<Target>,
    /// Where the changed ones begin.
    pub(super) first_changed: usize,
    /// What the store holds of the added ones.
    pub(super) records: HashMap<u32, Record>,
    kept: usize,
    /// The entries that cannot be polled.
    pub(super) rejects: Rejects,
    /// What is said of the entries that cannot be polled.
    told_rejects: String,
    /// Different addresses.
    pub(super) unique: u64,
}

impl Amended {
    /// Brings the store from the targets `old` to those of `list`.
    ///
    /// # Errors
    /// The store does not take it over, for the reason that is told.
    pub(super) fn by(list: List, old: &[Arc<Target>], access: &Access) -> Result<Self, String> {
        let told_rejects = super::boot::told_rejects(&list);
        let List { targets, rejects, unique, .. } = list;
        let amended = Self::of(diff(old, targets), OwnChange::default(), access)?;
        Ok(Self { rejects, told_rejects, unique, ..amended })
    }

    /// Has the store take `change` over, and what it keeps of the targets of the API.
    ///
    /// # Errors
    /// It does not, for the reason that is told.
    pub(super) fn of(change: Change, own: OwnChange, access: &Access) -> Result<Self, String> {
        let Change { kept, added, changed, removed } = change;
        let gone: Vec<u32> = removed.iter().map(|target| target.number).collect();
        let first_changed = added.len();
        let mut fresh: Vec<Target> = added;
        fresh.extend(changed);
        let mut records = Vec::new();
        let is_nothing = fresh.is_empty() && gone.is_empty();
        if !is_nothing || own != OwnChange::default() {
            let amended = access.with_store(STORE_PATIENCE, move |store| {
                patiently(|| store.amend_own(&mut fresh, &gone, &own))?;
                let added = fresh.get(..first_changed).unwrap_or_default();
                let numbers: Vec<u32> = added.iter().map(|target| target.number).collect();
                let records = store.records(&numbers)?;
                Ok::<_, StoreError>((fresh, records))
            });
            (fresh, records) =
                amended.ok_or_else(|| BUSY.to_owned())?.map_err(|error| error.to_string())?;
        }
        let records = records.into_iter().map(|record: Record| (record.target, record)).collect();
        let (kept, rejects, told_rejects) = (kept.len(), Rejects::default(), String::new());
        let unique = 0;
        Ok(Self { removed, fresh, first_changed, records, kept, rejects, told_rejects, unique })
    }

    /// How many targets are kept, added, changed and removed.
    pub(super) fn counts(&self) -> [u64; 4] {
        let changed = self.fresh.len() - self.first_changed;
        [self.kept, self.first_changed, changed, self.removed.len()].map(|count| count as u64)
    }

    /// Whether anything changes.
    pub(super) fn is_change(&self) -> bool {
        !(self.fresh.is_empty() && self.removed.is_empty())
    }

    /// The change in one line.
    pub(super) fn word(&self) -> String {
        let [kept, added, changed, removed] = self.counts();
        let (kept, rejects) = (text::plural(kept, "target"), &self.told_rejects);
        format!("{kept} kept, {added} added, {changed} changed, {removed} removed{rejects}")
    }
}
