//! `Blamed`: the targets that were told to be down by causes of the network, and by which polls: until
//! something else is told of them, that may have been us.

use std::collections::HashMap;

use crate::health::jury::is_of_network;
use crate::outcome::{Outcome, Verdict};

/// A target that was told to be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blame {
    /// Our number of it.
    pub(super) slot: u32,
    /// Its number in the cluster.
    pub(super) number: u32,
    /// The partition that it was told in.
    pub(super) partition: u32,
    /// When the first slot fell due that was told so since anything else was told, in Unix
    /// milliseconds.
    pub(super) first_ms: i64,
    /// When the last one did.
    pub(super) last_ms: i64,
}

/// The targets that were told to be down, by our numbers: 40 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Blamed(HashMap<u32, Blame>);

impl Blamed {
    /// Notes that `outcome` is told of the target that has a number in the cluster, in a partition.
    pub(super) fn note(&mut self, (number, partition): (u32, u32), outcome: &Outcome) {
        let (slot, due_ms) = (outcome.target, outcome.due_ms);
        let (verdict, cause) = (outcome.finding.verdict, outcome.finding.cause);
        if verdict != Verdict::Down || !is_of_network(cause, outcome.finding.detail) {
            if !self.0.is_empty() {
                self.0.remove(&slot);
            }
            return;
        }
        let new = Blame { slot, number, partition, first_ms: due_ms, last_ms: due_ms };
        let blame = self.0.entry(slot).or_insert(new);
        if blame.number == number {
            blame.first_ms = blame.first_ms.min(due_ms);
            blame.last_ms = blame.last_ms.max(due_ms);
        } else {
            // Our number was given to another target.
            *blame = new;
        }
    }

    /// Takes out those of `suspects` that were told to be down.
    pub(super) fn acquit(&mut self, suspects: impl Iterator<Item = u32>) -> Vec<Blame> {
        suspects.filter_map(|slot| self.0.remove(&slot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Cause, Detail, Finding, SampleKind};

    fn outcome(target: u32, due_ms: i64, cause: Option<Cause>) -> Outcome {
        let finding = Finding::default();
        let finding = cause.map_or(finding, |cause| finding.with_cause(cause, Detail::None));
        let (kind, finished_us) = (SampleKind::Slot, due_ms * 1_000);
        let (lag_us, latency_us, is_provisional) = (0, 0, false);
        Outcome { target, due_ms, finished_us, lag_us, latency_us, kind, is_provisional, finding }
    }

    #[test]
    fn a_target_is_blamed_from_its_first_failure_to_its_last_one() {
        let mut blamed = Blamed::default();
        let mut tell = |due_ms, cause| blamed.note((700, 4), &outcome(7, due_ms, cause));
        tell(10, Some(Cause::Timeout));
        tell(20, None);
        for due_ms in [30, 50, 40] {
            tell(due_ms, Some(Cause::Connect));
        }
        blamed.note((800, 0), &outcome(8, 30, Some(Cause::Timeout)));
        let blame = Blame { slot: 7, number: 700, partition: 4, first_ms: 30, last_ms: 50 };
        assert_eq!(blamed.acquit([6, 7].into_iter()), [blame]);
        assert_eq!(blamed.acquit([6, 7].into_iter()), [], "nobody is acquitted twice");
        assert_eq!(blamed.acquit([8].into_iter()).len(), 1);
    }

    #[test]
    fn who_answers_or_of_whom_nobody_can_tell_is_not_blamed() {
        let mut blamed = Blamed::default();
        for last in [Some(Cause::Status), Some(Cause::Resolver), Some(Cause::NoNetwork)] {
            blamed.note((1, 1), &outcome(1, 10, Some(Cause::Timeout)));
            blamed.note((1, 1), &outcome(1, 20, last));
            assert_eq!(blamed.acquit([1].into_iter()), [], "{last:?}");
        }
    }

    #[test]
    fn a_number_that_was_given_away_is_the_other_target_s() {
        let mut blamed = Blamed::default();
        blamed.note((100, 0), &outcome(1, 10, Some(Cause::Timeout)));
        blamed.note((201, 1), &outcome(1, 20, Some(Cause::Timeout)));
        let blame = Blame { slot: 1, number: 201, partition: 1, first_ms: 20, last_ms: 20 };
        assert_eq!(blamed.acquit([1].into_iter()), [blame]);
    }
}
