//! `OwnFaults`: what of ours went wrong in the last minute, for whoever shows it.

use crate::outcome::{Cause, Detail, Outcome, Verdict};

/// Kinds of faults that are kept at a time.
const MOST: usize = 16;
/// Parts of the last minute, and their length in microseconds.
const PARTS: usize = 12;
const PART_US: u64 = 5_000_000;

/// Faults of ours that polls met in the last minute.
#[derive(Debug, Default)]
pub struct OwnFaults {
    met: Vec<Met>,
}

/// A fault of ours that polls met in the last minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFault {
    /// The cause.
    pub cause: Cause,
    /// What exactly went wrong.
    pub detail: Detail,
    /// Polls that met it in the last minute.
    pub count: u64,
    /// When it was met last, in Unix milliseconds.
    pub last_ms: i64,
}

/// A kind of fault.
#[derive(Debug)]
struct Met {
    cause: Cause,
    detail: Detail,
    last_ms: i64,
    /// How often it was met in each part of the minute, with the number of that part.
    parts: [(u64, u64); PARTS],
}

impl OwnFaults {
    /// Takes in an outcome that came at `now_us`, in microseconds of the monotonic clock.
    pub fn note(&mut self, outcome: &Outcome, now_us: u64) {
        let (Verdict::Unknown, Some(cause)) = (outcome.finding.verdict, outcome.finding.cause)
        else {
            return;
        };
        // That is how it is meant to be.
        if outcome.finding.detail == Detail::ForbiddenAddress {
            return;
        }
        let (detail, part) = (outcome.finding.detail, now_us / PART_US);
        let known = self.met.iter().position(|met| (met.cause, met.detail) == (cause, detail));
        let place = known.unwrap_or_else(|| self.room(cause, detail, part));
        if let Some(met) = self.met.get_mut(place) {
            met.last_ms = outcome.finished_us.div_euclid(1_000);
            met.count(part);
        }
    }

    /// What was met in the minute before `now_us`, the most frequent first.
    #[must_use]
    pub fn told(&self, now_us: u64) -> Vec<OwnFault> {
        let mut told: Vec<OwnFault> =
            self.met.iter().filter_map(|met| met.told(now_us / PART_US)).collect();
        told.sort_by_key(|fault| (u64::MAX - fault.count, fault.cause, fault.detail));
        told
    }

    /// A place for a fault that was not met lately: a new one, or that of the oldest.
    fn room(&mut self, cause: Cause, detail: Detail, part: u64) -> usize {
        let new = Met { cause, detail, last_ms: 0, parts: Default::default() };
        self.met.retain(|met| met.told(part).is_some());
        if self.met.len() < MOST {
            self.met.push(new);
            return self.met.len() - 1;
        }
        let oldest = (0..).zip(&self.met).min_by_key(|(_, met)| met.last_ms);
        let place = oldest.map_or(0, |(place, _)| place);
        if let Some(met) = self.met.get_mut(place) {
            *met = new;
        }
        place
    }
}

impl Met {
    fn count(&mut self, part: u64) {
        let place = part % PARTS as u64;
        if let Some(counted) = usize::try_from(place).ok().and_then(|at| self.parts.get_mut(at)) {
            if counted.0 != part {
                *counted = (part, 0);
            }
            counted.1 += 1;
        }
    }

    fn told(&self, part: u64) -> Option<OwnFault> {
        let is_within = |at: u64| part.checked_sub(at).is_some_and(|ago| ago < PARTS as u64);
        let counted = self.parts.iter().filter(|(at, _)| is_within(*at));
        let count: u64 = counted.map(|(_, count)| count).sum();
        let Self { cause, detail, last_ms, .. } = *self;
        (count > 0).then_some(OwnFault { cause, detail, count, last_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Finding, SampleKind};

    const S: u64 = 1_000_000;

    fn poll(cause: Cause, detail: Detail, at_s: u64) -> Outcome {
        Outcome {
            target: 1,
            due_ms: 0,
            finished_us: i64::try_from(at_s * S).expect("seconds"),
            lag_us: 0,
            latency_us: 0,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding: Finding::default().with_cause(cause, detail),
        }
    }

    #[test]
    fn faults_of_ours_are_counted_for_a_minute_and_those_of_targets_never() {
        let mut faults = OwnFaults::default();
        for at_s in [100, 101, 130] {
            faults.note(&poll(Cause::NoResources, Detail::Descriptors, at_s), at_s * S);
        }
        faults.note(&poll(Cause::Resolver, Detail::Unanswered, 131), 131 * S);
        faults.note(&poll(Cause::Timeout, Detail::Waiting, 131), 131 * S);
        let told = |at_s: u64| -> Vec<_> {
            let told = faults.told(at_s * S);
            told.iter().map(|fault| (fault.cause, fault.count, fault.last_ms)).collect()
        };
        let ours = |count| (Cause::NoResources, count, 130_000);
        let resolver = (Cause::Resolver, 1, 131_000);
        assert_eq!(told(131), [ours(3), resolver]);
        assert_eq!(told(165), [resolver, ours(1)]);
        assert_eq!(told(195), []);
    }

    #[test]
    fn of_too_many_kinds_the_oldest_is_forgotten() {
        let mut faults = OwnFaults::default();
        for (at_s, &detail) in (100..).zip(Detail::ALL.iter().take(MOST + 5)) {
            faults.note(&poll(Cause::Internal, detail, at_s), at_s * S);
        }
        let told = faults.told(125 * S);
        assert_eq!(told.len(), MOST);
        assert!(told.iter().all(|fault| fault.last_ms >= 105_000));
    }
}
