//! `Windows`: the seconds of the last five minutes, shard by shard, from which those of the whole
//! cluster are summed up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::stats::{SPAN_S, Window};
use crate::store::postgres::read::{ProgressRow, WindowRow};

/// Seconds in which windows change as a rule; older ones are looked at now and then.
const LIVELY_S: i64 = 30;
/// How often all five minutes are looked at, in milliseconds.
const WHOLE_MS: i64 = 10_000;

/// The seconds of the last five minutes by shard, as bytes.
#[derive(Clone, Default)]
pub(super) struct Windows {
    seconds: BTreeMap<i64, HashMap<u32, Vec<u8>>>,
    /// Up to which step of each shard the lively seconds and all of them are known.
    lively: HashMap<u32, i64>,
    whole: HashMap<u32, i64>,
    /// When all were looked at, in Unix milliseconds.
    whole_ms: i64,
    is_whole: bool,
}

/// Which windows are to be read.
pub(super) struct Wanted {
    /// Shards, and up to which step each is known.
    pub(super) known: Vec<(u32, i64)>,
    /// Seconds behind this one.
    pub(super) after_s: i64,
}

impl Windows {
    /// What is to be read when the recorders are as far as `progress` says; `None`: nothing.
    pub(super) fn wanted(&mut self, progress: &[ProgressRow], now_ms: i64) -> Option<Wanted> {
        self.is_whole = !(0..WHOLE_MS).contains(&(now_ms - self.whole_ms));
        let (steps, span_s) =
            if self.is_whole { (&self.whole, SPAN_S) } else { (&self.lively, LIVELY_S) };
        let known = |shard: &u32| steps.get(shard).copied().unwrap_or(-1);
        let moved = progress.iter().filter(|one| one.step > known(&one.shard));
        let known: Vec<(u32, i64)> = moved.map(|one| (one.shard, known(&one.shard))).collect();
        (!known.is_empty()).then_some(Wanted { known, after_s: now_ms.div_euclid(1_000) - span_s })
    }

    /// Takes `rows` in, which were read after `progress` was; gives back the seconds that changed, as
    /// those of the whole cluster.
    pub(super) fn take(
        &mut self,
        rows: Vec<WindowRow>,
        progress: &[ProgressRow],
        now_s: i64,
    ) -> Vec<(i64, Window)> {
        let mut changed = BTreeSet::new();
        for row in rows {
            changed.insert(row.second);
            self.seconds.entry(row.second).or_default().insert(row.shard, row.bytes);
        }
        for one in progress {
            self.lively.insert(one.shard, one.step);
            if self.is_whole {
                self.whole.insert(one.shard, one.step);
            }
        }
        if self.is_whole {
            self.whole_ms = now_s * 1_000;
        }
        self.seconds.retain(|second, _| *second > now_s - SPAN_S);
        let sum = |second: i64| self.seconds.get(&second).map(|shards| (second, sum(shards)));
        changed.into_iter().filter_map(sum).collect()
    }
}

/// What all shards did in a second. A window that cannot be read belongs to another version; it is
/// gone in five minutes.
fn sum(shards: &HashMap<u32, Vec<u8>>) -> Window {
    let mut sum = Window::default();
    let mut ordered: Vec<_> = shards.iter().collect();
    ordered.sort_unstable_by_key(|(shard, _)| **shard);
    for (_, bytes) in ordered {
        if let Ok(window) = Window::decode(bytes) {
            sum.merge(&window);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(shard: u32, step: i64) -> ProgressRow {
        ProgressRow { shard, step, ..ProgressRow::default() }
    }

    fn row(shard: u32, second: i64, checks: u32) -> WindowRow {
        let bytes = Window { checks, ..Window::default() }.encode();
        WindowRow { shard, second, step: 1, bytes }
    }

    #[test]
    fn a_second_is_the_sum_of_its_shards_and_a_window_replaces_the_one_before() {
        let mut windows = Windows::default();
        let told = windows.take(vec![row(0, 990, 3), row(1, 990, 4)], &[], 1_000);
        assert_eq!(told.iter().map(|(at, one)| (*at, one.checks)).collect::<Vec<_>>(), [(990, 7)]);
        let told = windows.take(vec![row(1, 990, 6)], &[], 1_000);
        assert_eq!(told.first().map(|(_, one)| one.checks), Some(9));
        assert!(windows.take(vec![row(0, 600, 1)], &[], 1_000).is_empty(), "long over");
    }

    #[test]
    fn shards_that_stand_still_are_not_read_again() {
        let mut windows = Windows::default();
        let all = [progress(0, 5), progress(1, 7)];
        let first = windows.wanted(&all, 1_000_000).expect("all is new");
        assert_eq!((first.known, first.after_s), (vec![(0, -1), (1, -1)], 700));
        windows.take(Vec::new(), &all, 1_000);
        assert!(windows.wanted(&all, 1_001_000).is_none());
        let moved = [progress(0, 5), progress(1, 8)];
        let next = windows.wanted(&moved, 1_001_000).expect("one has moved");
        assert_eq!((next.known, next.after_s), (vec![(1, 7)], 971));
        windows.take(Vec::new(), &moved, 1_001);
        // Whatever was written into older seconds meanwhile is read as well, some time later.
        let whole = windows.wanted(&moved, 1_011_000).expect("older seconds may have changed");
        assert_eq!((whole.known, whole.after_s), (vec![(1, 7)], 711));
    }
}
