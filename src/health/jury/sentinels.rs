//! `Sentinels`: targets that are always there as long as we have a network.

use std::collections::BTreeMap;

use super::Sign;

/// For how many of its intervals what a sentinel found holds.
const FRESH_FOR: u32 = 2;

/// The sentinels by their numbers.
#[derive(Debug, Default)]
pub(super) struct Sentinels {
    seats: BTreeMap<u32, Sentinel>,
    /// When one of them answered last.
    answered: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sentinel {
    /// Ticks between its polls.
    every: u32,
    last: Last,
}

/// What its last poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    /// It has not been polled yet.
    #[default]
    Unheard,
    /// It answered at this tick.
    Answered(u32),
    /// Nothing answered, and a recheck is to come.
    Unsure,
    /// Nothing answered.
    Failed,
}

impl Sentinels {
    /// Takes those in that `seats` names with the ticks between their polls; the others leave.
    pub(super) fn convene(&mut self, seats: impl Iterator<Item = (u32, u32)>) {
        let old = std::mem::take(&mut self.seats);
        let last = |number| old.get(&number).map_or(Last::Unheard, |sentinel| sentinel.last);
        self.seats =
            seats.map(|(number, every)| (number, Sentinel { every, last: last(number) })).collect();
    }

    /// Takes in a poll of the target `number`, which may be none of them.
    pub(super) fn hear(&mut self, number: u32, sign: Sign, is_provisional: bool, tick: u32) {
        let Some(sentinel) = self.seats.get_mut(&number) else { return };
        sentinel.last = match sign {
            Sign::Silent => sentinel.last,
            Sign::Answered => {
                self.answered = Some(tick);
                Last::Answered(tick)
            }
            // One blip of a lone sentinel is not the end of the network.
            Sign::Failed if is_provisional && sentinel.last != Last::Failed => Last::Unsure,
            Sign::Failed => Last::Failed,
        };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.seats.len()).unwrap_or(u32::MAX)
    }

    /// How many of them failed.
    pub(super) fn failed(&self) -> u32 {
        let failed = self.seats.values().filter(|sentinel| sentinel.last == Last::Failed);
        u32::try_from(failed.count()).unwrap_or(u32::MAX)
    }

    /// Whether there are any, and the last polls of all of them failed.
    pub(super) fn all_fail(&self) -> bool {
        !self.is_empty() && self.seats.values().all(|sentinel| sentinel.last == Last::Failed)
    }

    /// Whether one of them answered in its last poll, and not too long ago.
    pub(super) fn any_answers(&self, tick: u32) -> bool {
        self.seats.values().any(|sentinel| match sentinel.last {
            Last::Answered(at) => {
                tick.saturating_sub(at) <= sentinel.every.saturating_mul(FRESH_FOR)
            }
            Last::Unheard | Last::Unsure | Last::Failed => false,
        })
    }

    /// The tick at which one of them answered last.
    pub(super) const fn answered(&self) -> Option<u32> {
        self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_must_have_failed_and_none_may_be_unsure() {
        let mut sentinels = Sentinels::default();
        assert!(!sentinels.all_fail());
        sentinels.convene([(1, 600), (2, 600)].into_iter());
        sentinels.hear(1, Sign::Failed, false, 5);
        sentinels.hear(7, Sign::Failed, false, 5);
        assert!(!sentinels.all_fail(), "one was not polled yet");
        sentinels.hear(2, Sign::Failed, true, 9);
        assert!(!sentinels.all_fail(), "a recheck may find it there");
        sentinels.hear(2, Sign::Failed, false, 19);
        assert!(sentinels.all_fail());
        sentinels.hear(2, Sign::Silent, false, 20);
        sentinels.hear(1, Sign::Failed, true, 21);
        assert!(sentinels.all_fail());
        sentinels.hear(1, Sign::Answered, false, 30);
        assert!(!sentinels.all_fail());
        assert_eq!((sentinels.failed(), sentinels.answered()), (1, Some(30)));
    }

    #[test]
    fn an_answer_holds_for_two_intervals_unless_the_next_poll_fails() {
        let mut sentinels = Sentinels::default();
        sentinels.convene([(1, 100)].into_iter());
        sentinels.hear(1, Sign::Answered, false, 1_000);
        assert!(sentinels.any_answers(1_200) && !sentinels.any_answers(1_201));
        sentinels.hear(1, Sign::Failed, true, 1_100);
        assert!(!sentinels.any_answers(1_100));
        sentinels.hear(1, Sign::Answered, false, 1_110);
        sentinels.convene([(2, 100)].into_iter());
        assert!(!sentinels.any_answers(1_110), "one that left says nothing more");
    }
}
