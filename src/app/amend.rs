//! `Amended`: what a list that was read again changes, taken over by the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::targets::diff::{Change, diff};
use crate::config::targets::{List, Rejects};
use crate::stage::recorder::Access;
use crate::store::{Record, StoreError};
use crate::target::Target;
use crate::view::text;

/// How long a reload waits for a store that is busy.
const STORE_PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits before it asks a busy store again.
const PAUSE: Duration = Duration::from_millis(100);

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
        let Change { kept, added, changed, removed } = diff(old, targets);
        let gone: Vec<u32> = removed.iter().map(|target| target.number).collect();
        let first_changed = added.len();
        let mut fresh: Vec<Target> = added;
        fresh.extend(changed);
        let mut records = Vec::new();
        if !fresh.is_empty() || !gone.is_empty() {
            let amended = access.with_store(STORE_PATIENCE, move |store| {
                let began = Instant::now();
                // A store that another program holds for a moment is free again soon.
                while let Err(error) = store.amend(&mut fresh, &gone) {
                    let is_over = began.elapsed() >= STORE_PATIENCE;
                    if is_over || !matches!(error, StoreError::Stalled { .. }) {
                        return Err(error);
                    }
                    std::thread::park_timeout(PAUSE);
                }
                let added = fresh.get(..first_changed).unwrap_or_default();
                let numbers: Vec<u32> = added.iter().map(|target| target.number).collect();
                let records = store.records(&numbers)?;
                Ok::<_, StoreError>((fresh, records))
            });
            (fresh, records) = amended
                .ok_or_else(|| "the store is busy; try again when it is not".to_owned())?
                .map_err(|error| error.to_string())?;
        }
        let records = records.into_iter().map(|record: Record| (record.target, record)).collect();
        let kept = kept.len();
        Ok(Self { removed, fresh, first_changed, records, kept, rejects, told_rejects, unique })
    }

    /// Whether anything changes.
    pub(super) fn is_change(&self) -> bool {
        !(self.fresh.is_empty() && self.removed.is_empty())
    }

    /// The change in one line.
    pub(super) fn word(&self) -> String {
        format!(
            "{} kept, {} added, {} changed, {} removed{}",
            text::plural(self.kept as u64, "target"),
            self.first_changed,
            self.fresh.len() - self.first_changed,
            self.removed.len(),
            self.told_rejects
        )
    }
}
