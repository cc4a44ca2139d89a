//! `ShardTargets`: as much of the targets of one shard as jobs are made of.

use crate::target::TargetId;

/// As much of a target as jobs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTarget {
    /// Its id.
    pub id: TargetId,
    /// What is the same in all its jobs, as the sink writes it.
    pub fixed: Box<[u8]>,
    /// Its number.
    pub number: u32,
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// From when on it is polled, in Unix seconds, be it to come: whoever makes up for what nobody did
    /// makes up for nothing before.
    pub since_s: u32,
    /// From how many locations it is polled; 0: from all.
    pub locations: u8,
}

impl JobTarget {
    /// When it falls due first behind `cursor_ms`, in Unix milliseconds.
    pub(super) fn due_behind(&self, cursor_ms: i64) -> i64 {
        self.id.due_at_or_after(self.every_ms, (cursor_ms + 1).max(self.since_ms()))
    }

    /// From when on it is polled, in Unix milliseconds.
    pub(super) fn since_ms(&self) -> i64 {
        i64::from(self.since_s) * 1_000
    }
}

/// What became of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is polled, in this way.
    Set(JobTarget),
    /// The target of this number is polled no more.
    Remove(u32),
}

impl Change {
    /// The number of the target.
    #[must_use]
    pub const fn number(&self) -> u32 {
        match self {
            Self::Set(target) => target.number,
            Self::Remove(number) => *number,
        }
    }
}

/// The targets of one shard, by number.
#[derive(Debug, Default)]
pub struct ShardTargets(Vec<JobTarget>);

impl ShardTargets {
    /// Adds `target`, whose number is mostly higher than those before it.
    pub fn push(&mut self, target: JobTarget) {
        match self.0.last().map(|last| last.number) {
            Some(last) if last >= target.number => {
                self.apply(vec![Change::Set(target)]);
            }
            _ => self.0.push(target),
        }
    }

    /// Gives memory back that was kept for more.
    pub fn close(&mut self) {
        self.0.shrink_to_fit();
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All with their seats, the highest first.
    pub(super) fn highest_first(&self) -> impl Iterator<Item = (u32, &JobTarget)> {
        let seats = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        (0..seats).rev().zip(self.0.iter().rev())
    }

    /// The target that sits at `seat`.
    pub(super) fn seated(&self, seat: u32) -> Option<&JobTarget> {
        self.0.get(seat as usize)
    }

    /// The target that sits at `seat`, if it is still that of `number`; else wherever that sits.
    pub(super) fn at(&self, seat: u32, number: u32) -> Option<&JobTarget> {
        let seated = self.0.get(seat as usize).filter(|target| target.number == number);
        seated.or_else(|| self.0.get(self.find(number).ok()?))
    }

    fn find(&self, number: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |target| target.number)
    }

    /// Takes `changes` over; the later one counts of two of the same target. Whether anybody has to
    /// be seated anew.
    pub(super) fn apply(&mut self, changes: Vec<Change>) -> bool {
        let mut is_moved = false;
        let mut added = Vec::new();
        for change in changes {
            let found = self.find(change.number()).ok().and_then(|place| self.0.get_mut(place));
            match (found, change) {
                (Some(known), Change::Set(target)) => {
                    let seat = |one: &JobTarget| (one.every_ms, one.id, one.since_s);
                    is_moved |= seat(known) != seat(&target);
                    *known = target;
                }
                (Some(known), Change::Remove(_)) => {
                    is_moved = true;
                    // Marked here, and taken out below with all others.
                    known.every_ms = 0;
                }
                (None, change) => added.push(change),
            }
        }
        is_moved |= !added.is_empty();
        if is_moved {
            self.0.retain(|target| target.every_ms > 0);
            self.add(added);
        }
        is_moved
    }

    fn add(&mut self, added: Vec<Change>) {
        let mut latest = std::collections::BTreeMap::new();
        for change in added {
            latest.insert(change.number(), change);
        }
        self.0.extend(latest.into_values().filter_map(|change| match change {
            Change::Set(target) if target.every_ms > 0 => Some(target),
            _ => None,
        }));
        self.0.sort_unstable_by_key(|target| target.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: u32, every_ms: u32) -> JobTarget {
        let id = TargetId(u64::from(number) << 40);
        JobTarget { id, fixed: Box::default(), number, every_ms, since_s: 0, locations: 0 }
    }

    fn numbers(targets: &ShardTargets) -> Vec<u32> {
        targets.0.iter().map(|target| target.number).collect()
    }

    #[test]
    fn a_target_takes_forty_bytes_and_what_its_jobs_have_in_common() {
        assert_eq!(size_of::<JobTarget>(), 40);
    }

    #[test]
    fn changes_leave_the_others_where_they_are() {
        let mut targets = ShardTargets::default();
        for number in [5, 9, 7, 1] {
            targets.push(target(number, 1_000));
        }
        assert_eq!(numbers(&targets), [1, 5, 7, 9]);
        let entry = JobTarget { fixed: Box::new([1]), ..target(7, 1_000) };
        assert!(!targets.apply(vec![Change::Set(entry)]), "seated as before");
        assert!(targets.apply(vec![Change::Set(target(7, 2_000))]));
        let all = vec![
            Change::Remove(1),
            Change::Set(target(3, 5)),
            Change::Set(target(4, 5)),
            Change::Remove(4),
        ];
        assert!(targets.apply(all));
        assert_eq!(numbers(&targets), [3, 5, 7, 9]);
        assert_eq!(targets.at(1, 7).map(|target| target.every_ms), Some(2_000));
        assert_eq!(targets.at(0, 4), None);
    }
}
