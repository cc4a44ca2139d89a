//! `Annex`: what the daemon keeps beside its list: the targets of the API, pauses, and where to find
//! a target by its id.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use xxhash_rust::xxh3::xxh3_128;

use crate::config::rules::Rules;
use crate::roster::Roster;
use crate::store::{OwnTarget, Pause};
use crate::target::{Target, TargetId};

/// Targets that are looked at while nobody else gets at the roster.
pub(super) const SLICE: usize = 500;

/// What the daemon keeps beside its list.
#[derive(Debug, Default)]
pub(super) struct Annex {
    /// The targets of the API.
    pub(super) own: Mutex<Own>,
    /// The targets that are paused.
    pub(super) pauses: Mutex<Pauses>,
    /// What fills the entries that come through the API.
    pub(super) rules: RwLock<Arc<Rules>>,
    index: Mutex<Index>,
}

/// Where targets are, by their ids.
#[derive(Debug, Default)]
struct Index {
    /// The state of the roster that it is of.
    changes: Option<u64>,
    /// Ids and numbers, in the order of the ids.
    numbers: Vec<(TargetId, u32)>,
}

impl Annex {
    /// Whether the target `id` is paused.
    pub(super) fn is_paused(&self, id: TargetId) -> bool {
        self.pauses.lock().of(id).is_some()
    }

    /// Until when the target `id` is paused, in Unix milliseconds, if that is known: it may not be
    /// paused, or until somebody resumes it.
    pub(super) fn paused_until(&self, id: TargetId) -> Option<i64> {
        self.pauses.lock().of(id).and_then(|pause| pause.until_ms)
    }

    /// The targets that `ids` mean, as users see them; may take some time after the targets have
    /// changed.
    pub(super) fn find(&self, roster: &RwLock<Roster>, ids: &[String]) -> Vec<Option<Arc<Target>>> {
        let meant = |id: &String| Target::ids_meant(id);
        let found = self.known(roster, ids.iter().flat_map(meant));
        found.chunks(2).map(|pair| pair.iter().flatten().next().cloned()).collect()
    }

    /// The targets with these ids, as [`Annex::find`] tells them.
    pub(super) fn known(
        &self,
        roster: &RwLock<Roster>,
        ids: impl IntoIterator<Item = TargetId>,
    ) -> Vec<Option<Arc<Target>>> {
        let mut index = self.index.lock();
        index.follow(roster);
        let numbers: Vec<Option<u32>> = ids.into_iter().map(|id| index.number(id)).collect();
        drop(index);
        let mut found = Vec::with_capacity(numbers.len());
        for slice in numbers.chunks(SLICE) {
            let roster = roster.read();
            found.extend(slice.iter().map(|number| roster.target((*number)?).cloned()));
        }
        found
    }
}

impl Index {
    fn number(&self, id: TargetId) -> Option<u32> {
        let place = self.numbers.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        self.numbers.get(place).map(|(_, number)| *number)
    }

    /// Brings it to the targets that there are.
    fn follow(&mut self, roster: &RwLock<Roster>) {
        let changes = roster.read().changes();
        if self.changes == Some(changes) {
            return;
        }
        self.numbers.clear();
        each_slice(roster, |target| self.numbers.push((target.id, target.number)));
        self.numbers.sort_unstable();
        self.changes = Some(changes);
    }
}

/// Shows all targets to `look`, slice by slice, so that nobody waits long for the roster.
pub(super) fn each_slice(roster: &RwLock<Roster>, mut look: impl FnMut(&Arc<Target>)) {
    let mut seen = 0;
    loop {
        let roster = roster.read();
        let mut looked = 0;
        for target in roster.after(seen).take(SLICE) {
            looked += 1;
            seen = target.number;
            look(target);
        }
        if looked < SLICE {
            return;
        }
    }
}

/// The targets of the API, as far as that is kept in memory.
#[derive(Debug, Default)]
pub(super) struct Own {
    known: HashMap<TargetId, Known>,
    /// When each of those goes that is to go by itself.
    ends: BTreeSet<(i64, TargetId)>,
    /// What all entries add up to.
    sum: u128,
}

/// What is known of a target of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    hash: u128,
    pub(super) expires_ms: Option<i64>,
}

impl Known {
    /// What is known of `target`.
    pub(super) fn of(target: &OwnTarget) -> Self {
        let text = [&target.id.0.to_le_bytes(), target.entry.as_bytes()].concat();
        Self { hash: xxh3_128(&text), expires_ms: target.expires_ms }
    }
}

impl Own {
    /// Puts a target in, in the place of the one with its id.
    pub(super) fn put(&mut self, id: TargetId, known: Known) {
        self.remove(id);
        self.sum = self.sum.wrapping_add(known.hash);
        self.ends.extend(known.expires_ms.map(|at_ms| (at_ms, id)));
        self.known.insert(id, known);
    }

    /// Takes a target out.
    pub(super) fn remove(&mut self, id: TargetId) {
        let Some(known) = self.known.remove(&id) else { return };
        self.sum = self.sum.wrapping_sub(known.hash);
        if let Some(at_ms) = known.expires_ms {
            self.ends.remove(&(at_ms, id));
        }
    }

    /// What is known of the target `id`.
    pub(super) fn of(&self, id: TargetId) -> Option<Known> {
        self.known.get(&id).copied()
    }

    /// The ids of all.
    pub(super) fn ids(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.known.keys().copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The ids of those that are to be gone at `now_ms` (Unix milliseconds).
    pub(super) fn ended(&self, now_ms: i64) -> Vec<TargetId> {
        self.ends.iter().take_while(|(at_ms, _)| *at_ms <= now_ms).map(|(_, id)| *id).collect()
    }

    /// The version of the set, as a header: the same for the same entries, in whatever order they
    /// came and whenever they are to go.
    pub(super) fn etag(&self) -> String {
        format!("\"own-{:x}-{:032x}\"", self.known.len(), self.sum)
    }
}

/// The targets that are paused.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    known: HashMap<TargetId, Pause>,
    /// When each of those ends that ends by itself.
    ends: BTreeSet<(i64, TargetId)>,
}

impl Pauses {
    /// Notes a pause, in the place of one of the same target.
    pub(super) fn put(&mut self, pause: Pause) {
        self.remove(pause.id);
        self.ends.extend(pause.until_ms.map(|at_ms| (at_ms, pause.id)));
        self.known.insert(pause.id, pause);
    }

    /// Forgets the pause of the target `id`.
    pub(super) fn remove(&mut self, id: TargetId) {
        if let Some(Pause { until_ms: Some(at_ms), .. }) = self.known.remove(&id) {
            self.ends.remove(&(at_ms, id));
        }
    }

    /// The pause of the target `id`.
    pub(super) fn of(&self, id: TargetId) -> Option<&Pause> {
        self.known.get(&id)
    }

    /// The ids of those whose pause is over at `now_ms` (Unix milliseconds).
    pub(super) fn ended(&self, now_ms: i64) -> Vec<TargetId> {
        self.ends.iter().take_while(|(at_ms, _)| *at_ms <= now_ms).map(|(_, id)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(id: u64, entry: &str, expires_ms: Option<i64>) -> (TargetId, Known) {
        let id = TargetId(id);
        let entry = entry.to_owned();
        (id, Known::of(&OwnTarget { id, entry, added_ms: 0, expires_ms }))
    }

    fn of(all: &[(TargetId, Known)]) -> Own {
        let mut own = Own::default();
        for (id, known) in all {
            own.put(*id, *known);
        }
        own
    }

    #[test]
    fn the_same_entries_are_the_same_version_in_whatever_order_they_came() {
        let (a, b, c) = (own(1, "a", None), own(2, "b", Some(5)), own(2, "c", None));
        let etag = of(&[a, b]).etag();
        assert_eq!(of(&[b, a]).etag(), etag);
        assert_eq!(of(&[a, c, b]).etag(), etag, "what was replaced leaves nothing behind");
        assert_eq!(of(&[a, own(2, "b", None)]).etag(), etag, "whenever they are to go");
        for other in [of(&[a]), of(&[a, c]), Own::default()] {
            assert_ne!(other.etag(), etag);
        }
    }

    #[test]
    fn those_that_are_to_go_are_told_in_time() {
        let mut own = of(&[own(1, "a", Some(30)), own(2, "b", Some(10)), own(3, "c", None)]);
        assert_eq!(own.ended(9), []);
        assert_eq!(own.ended(30), [TargetId(2), TargetId(1)]);
        own.remove(TargetId(2));
        assert_eq!(own.ended(30), [TargetId(1)]);
        assert_eq!(own.len(), 2);
    }

    #[test]
    fn a_pause_takes_the_place_of_the_one_before() {
        let pause =
            |until_ms| Pause { id: TargetId(1), since_ms: 0, until_ms, reason: String::new() };
        let mut pauses = Pauses::default();
        pauses.put(pause(Some(10)));
        pauses.put(pause(None));
        assert_eq!(pauses.ended(99), []);
        assert_eq!(pauses.of(TargetId(1)).map(|pause| pause.until_ms), Some(None));
        pauses.remove(TargetId(1));
        assert!(pauses.of(TargetId(1)).is_none());
    }
}
