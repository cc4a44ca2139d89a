//! `Locations`: from where a target is polled that is not polled from everywhere.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::target::TargetId;

/// The locations of a cluster from which targets are polled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    names: Vec<String>,
    /// Whether a job that names no location is done by others as well, who shall not.
    has_others: bool,
}

impl Locations {
    /// Those called `names`, which are all.
    #[must_use]
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { names, has_others: false }
    }

    /// Those called `names`, and not those that there are beside them.
    #[must_use]
    pub fn without_others(names: Vec<String>) -> Self {
        Self { has_others: true, ..Self::new(names) }
    }

    /// The `count` of them that poll the target `id`, by name, 0 standing for all; none: whoever there
    /// is does.
    ///
    /// Each location has a hash for each target, and the highest ones win: when one comes or goes,
    /// only those targets move that it gets or had (rendezvous hashing).
    #[must_use]
    pub fn of(&self, id: TargetId, count: u8) -> SmallVec<[&str; 4]> {
        let count = usize::from(count);
        if count == 0 || count >= self.names.len() {
            let names = self.names.iter().filter(|_| self.has_others);
            return names.map(String::as_str).collect();
        }
        let mut all: SmallVec<[(u64, &str); 16]> = self
            .names
            .iter()
            .map(|name| (xxh3_64_with_seed(name.as_bytes(), id.0), &**name))
            .collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let mut chosen: SmallVec<[&str; 4]> =
            all.iter().take(count).map(|(_, name)| *name).collect();
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locations(names: &[&str]) -> Locations {
        Locations::new(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_target_is_polled_from_as_many_as_it_asks_for_and_all_get_their_share() {
        let all = locations(&["ams", "fra", "lon", "nyc", "sin"]);
        let mut shares = std::collections::BTreeMap::new();
        for id in 0..10_000_u64 {
            let chosen = all.of(TargetId(id), 2);
            assert_eq!(chosen.len(), 2);
            chosen.iter().for_each(|name| *shares.entry((*name).to_owned()).or_insert(0) += 1);
        }
        assert!(shares.len() == 5 && shares.values().all(|share| (3_600..4_400).contains(share)));
    }

    #[test]
    fn only_targets_move_that_a_new_location_gets() {
        let (before, after) =
            (locations(&["ams", "fra", "lon"]), locations(&["ams", "fra", "lon", "nyc"]));
        for id in (0..1_000).map(TargetId) {
            let (old, new) = (before.of(id, 1), after.of(id, 1));
            assert!(old == new || new[0] == "nyc");
        }
    }

    #[test]
    fn who_asks_for_all_or_more_is_polled_from_everywhere() {
        let all = locations(&["ams", "fra"]);
        assert!([0, 2, 9].iter().all(|count| all.of(TargetId(7), *count).is_empty()));
        assert!(Locations::default().of(TargetId(7), 1).is_empty());
    }
}
