//! `Retired`: records of targets that were given up, at hand for a while.

use std::collections::{BTreeMap, VecDeque};

use crate::store::Record;

/// Milliseconds for which the record of a target that was given up is kept at hand.
const KEPT_MS: i64 = 3_600_000;

/// Records of targets that were given up, and when: polls of them may still come in, and they may
/// come back before the store has written them.
#[derive(Debug, Default)]
pub(super) struct Retired {
    records: BTreeMap<u32, (i64, Record)>,
    /// When each was given up, the first one first; some may have come back meanwhile.
    order: VecDeque<(i64, u32)>,
}

impl Retired {
    /// Keeps the record of a target that is given up at `now_ms`.
    pub(super) fn insert(&mut self, now_ms: i64, record: Record) {
        self.order.push_back((now_ms, record.target));
        self.records.insert(record.target, (now_ms, record));
    }

    /// The record of the target `number`, which comes back.
    pub(super) fn remove(&mut self, number: u32) -> Option<Record> {
        self.records.remove(&number).map(|(_, record)| record)
    }

    /// The record of the target `number`.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Record> {
        self.records.get_mut(&number).map(|(_, record)| record)
    }

    /// Forgets the records that have been kept long enough.
    pub(super) fn expire(&mut self, now_ms: i64) {
        while let Some(&(since_ms, number)) = self.order.front()
            && now_ms - since_ms >= KEPT_MS
        {
            self.order.pop_front();
            if self.records.get(&number).is_some_and(|&(since, _)| since == since_ms) {
                self.records.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_for_an_hour_after_its_target_was_given_up_last() {
        let mut retired = Retired::default();
        retired.insert(0, super::super::pending(7, 0));
        assert!(retired.remove(7).is_some());
        retired.insert(1_000, super::super::pending(7, 0));
        retired.expire(KEPT_MS);
        assert!(retired.get_mut(7).is_some(), "the first time counts no more");
        retired.expire(KEPT_MS + 1_000);
        assert!(retired.get_mut(7).is_none() && retired.order.is_empty());
    }
}
