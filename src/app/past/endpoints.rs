//! Targets in the shape that clients of Gatus read, found by group and name.

use xxhash_rust::xxh3::xxh3_64;

use super::{Archive, unreadable};
use crate::api::{PastError, Told};
use crate::roster::Roster;
use crate::target::Target;
use crate::view::past::{Endpoint, EndpointResult, endpoint_key, poll};

/// Targets that are looked at while nobody else gets at the roster.
const SLICE: usize = 500;

/// The numbers of targets by group and name, as of one state of the roster.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Hashes of keys, and numbers; in their order.
    entries: Vec<(u64, u32)>,
    changes: Option<u64>,
}

impl Archive {
    /// The first `most` targets, each with its last `polls` polls.
    pub(super) fn first_endpoints(&self, most: usize, polls: usize) -> Told<Vec<Endpoint>> {
        let targets: Vec<_> = self.live.roster.read().iter().take(most).cloned().collect();
        targets.iter().map(|target| self.told_endpoint(target, 0, polls)).collect()
    }

    /// The target with this key, and `most` of its polls behind the last `passed`.
    pub(super) fn endpoint_of(&self, key: &str, passed: usize, most: usize) -> Told<Endpoint> {
        let number = self.number_of_key(key)?;
        let target = self.live.roster.read().target(number).cloned();
        let target = target.ok_or_else(|| PastError::Unknown(key.to_owned()))?;
        self.told_endpoint(&target, passed, most)
    }

    /// The id of the target with this key.
    pub(super) fn id_of_key(&self, key: &str) -> Told<String> {
        let number = self.number_of_key(key)?;
        let target = self.live.roster.read().target(number).cloned();
        target.map(|target| target.shown_id()).ok_or_else(|| PastError::Unknown(key.to_owned()))
    }

    fn told_endpoint(&self, target: &Target, passed: usize, most: usize) -> Told<Endpoint> {
        let first = self.start(target.number, None)?;
        let walk = self.reader.walk(target.number, first, 0, passed + most).map_err(unreadable)?;
        let (group, name) = names(target);
        let mut results: Vec<EndpointResult> = walk
            .samples
            .iter()
            .skip(passed)
            .map(|sample| EndpointResult::from(&poll(&sample.outcome, "", "")))
            .collect();
        results.reverse();
        Ok(Endpoint { key: endpoint_key(&group, &name), name, group, results })
    }

    /// The number of the first target with this key.
    fn number_of_key(&self, key: &str) -> Told<u32> {
        let mut keys = self.keys.lock();
        if keys.changes != Some(self.live.roster.read().changes()) {
            self.index(&mut keys);
        }
        let hash = xxh3_64(key.as_bytes());
        let first = keys.entries.partition_point(|&(other, _)| other < hash);
        let found = keys.entries.get(first).filter(|(other, _)| *other == hash);
        found.map(|(_, number)| *number).ok_or_else(|| PastError::Unknown(key.to_owned()))
    }

    fn index(&self, keys: &mut Keys) {
        keys.entries.clear();
        keys.changes = Some(self.live.roster.read().changes());
        let mut last = 0;
        loop {
            let part = slice(&self.live.roster.read(), last);
            keys.entries.extend(part.iter().map(|target| {
                let (group, name) = names(target);
                (xxh3_64(endpoint_key(&group, &name).as_bytes()), target.number)
            }));
            match part.last() {
                Some(target) if part.len() == SLICE => last = target.number,
                _ => break,
            }
        }
        keys.entries.sort_unstable();
        keys.entries.shrink_to_fit();
    }
}

fn slice(roster: &Roster, last: u32) -> Vec<std::sync::Arc<Target>> {
    roster.after(last).take(SLICE).cloned().collect()
}

/// Group and name of `target`; its address where it has no name.
fn names(target: &Target) -> (String, String) {
    let group = target.labels.group.as_deref().unwrap_or_default().to_owned();
    let name = target.name.as_deref().map_or_else(|| target.address.to_string(), str::to_owned);
    (group, name)
}
