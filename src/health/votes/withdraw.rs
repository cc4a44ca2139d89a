//! Taking back what a location said, because it was probably its checker that failed.

use std::ops::RangeInclusive;

use super::{Rule, Seat, Votes};
use crate::outcome::Verdict;

/// What is left of what was said of a target when something of it has been taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nobody said anything that still counts.
    Nothing,
    /// Some said that it is not well, and too few of them to say it of the target.
    Undecided,
    /// It is up.
    Up,
    /// Enough of them want it to be watched.
    Warning,
    /// Enough of them say that it is down.
    Down,
}

impl Votes {
    /// Takes back what `location` said by its polls of the slots that fell due within `slots` (Unix
    /// milliseconds), as if it had said then that it cannot tell; tells what is left of all votes. None,
    /// and nothing is changed, if its vote rests on another poll as well: a later one, or one before
    /// these that had found the target down already.
    pub fn take_back(
        &mut self,
        location: u16,
        slots: &RangeInclusive<i64>,
        rule: Rule,
    ) -> Option<Rest> {
        let seat = self.seats.iter_mut().find(|seat| seat.location == location)?;
        seat.take_back(slots).then(|| self.rest(rule))
    }

    fn rest(&self, rule: Rule) -> Rest {
        let count = |verdict| self.count(verdict, rule);
        let (up, warning, down) =
            (count(Verdict::Up), count(Verdict::Warning), count(Verdict::Down));
        match () {
            () if down >= rule.quorum => Rest::Down,
            () if warning >= rule.quorum => Rest::Warning,
            () if up > 0 => Rest::Up,
            () if warning > 0 || down > 0 => Rest::Undecided,
            () => Rest::Nothing,
        }
    }
}

impl Seat {
    /// Takes back what was said of `slots`; whether there was anything.
    fn take_back(&mut self, slots: &RangeInclusive<i64>) -> bool {
        let is_down = self.verdict == Some(Verdict::Down);
        let first_ms = self.said_ms.saturating_sub(self.failing_ms.into());
        if (is_down || self.failing_ms > 0) && !slots.contains(&first_ms) {
            return false;
        }
        let is_after = |polled_ms: i64| self.verdict.is_none() || polled_ms > self.said_ms;
        // Of what came after its last word only a recheck was to decide.
        let suspected = self.polled_ms().filter(|ms| slots.contains(ms) && is_after(*ms));
        let said_ms = Some(self.said_ms).filter(|ms| is_down && slots.contains(ms));
        let Some(said_ms) = suspected.or(said_ms) else { return false };
        (self.verdict, self.said_ms, self.failing_ms) = (Some(Verdict::Unknown), said_ms, 0);
        true
    }

    /// The newest slot that was polled, as far as is known.
    fn polled_ms(&self) -> Option<i64> {
        let polled = self.recorded & !self.missed;
        let back_ms = i64::from(polled.trailing_zeros()) * i64::from(self.every_ms);
        (polled != 0).then(|| self.due_ms.saturating_sub(back_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EVERY_MS, poll};
    use super::super::{Slot, Standing, Weighed};
    use super::*;
    use crate::outcome::Outcome;
    use proptest::prelude::*;

    fn rule(polled_from: u16) -> Rule {
        Rule::new(60_000, polled_from, 0)
    }

    fn tell(votes: &mut Votes, rule: Rule, (slot, outcome): (Slot, Outcome)) -> Weighed {
        votes.weigh(slot, &outcome, rule)
    }

    fn slots(slots: RangeInclusive<i64>) -> RangeInclusive<i64> {
        slots.start() * EVERY_MS..=slots.end() * EVERY_MS
    }

    /// A failure that a recheck has yet to confirm.
    fn suspicion(location: u16, slot: i64) -> (Slot, Outcome) {
        let (slot, outcome) = poll(location, slot, 0, Verdict::Down);
        (slot, Outcome { is_provisional: true, ..outcome })
    }

    #[test]
    fn what_rests_on_a_later_poll_or_on_an_earlier_one_as_well_is_not_taken_back() {
        let (mut votes, rule) = (Votes::default(), rule(1));
        for slot in 1..=3 {
            tell(&mut votes, rule, poll(1, slot, 0, Verdict::Down));
        }
        let before = votes.clone();
        assert_eq!(votes.take_back(1, &slots(2..=3), rule), None, "it was down before");
        assert_eq!(votes.take_back(1, &slots(1..=2), rule), None, "it was down afterwards");
        assert_eq!(votes.take_back(2, &slots(1..=3), rule), None, "somebody else said so");
        assert_eq!(votes, before);
        assert_eq!(votes.take_back(1, &slots(1..=3), rule), Some(Rest::Nothing));
        assert_eq!(votes.take_back(1, &slots(1..=3), rule), None, "it is taken back once");
    }

    #[test]
    fn an_outage_goes_on_while_its_location_cannot_tell() {
        let (mut votes, rule) = (Votes::default(), rule(1));
        for (slot, verdict) in [(1, Verdict::Down), (2, Verdict::Unknown), (3, Verdict::Down)] {
            tell(&mut votes, rule, poll(1, slot, 0, verdict));
        }
        assert_eq!(votes.take_back(1, &slots(3..=3), rule), None);
        tell(&mut votes, rule, poll(1, 4, 0, Verdict::Up));
        tell(&mut votes, rule, poll(1, 5, 0, Verdict::Down));
        assert_eq!(votes.take_back(1, &slots(3..=5), rule), Some(Rest::Nothing));
    }

    #[test]
    fn what_is_left_is_judged_by_the_quorum() {
        use Verdict::{Down, Unknown, Up, Warning};
        let rest = |others: [Verdict; 2]| {
            let (mut votes, rule) = (Votes::default(), rule(3));
            tell(&mut votes, rule, poll(1, 1, 0, Verdict::Down));
            tell(&mut votes, rule, poll(2, 1, 0, others[0]));
            tell(&mut votes, rule, poll(3, 1, 0, others[1]));
            votes.take_back(1, &slots(1..=1), rule).expect("it is taken back")
        };
        assert_eq!(rest([Down, Down]), Rest::Down);
        assert_eq!(rest([Down, Up]), Rest::Up);
        assert_eq!(rest([Warning, Warning]), Rest::Warning);
        assert_eq!(rest([Warning, Up]), Rest::Up);
        assert_eq!(rest([Down, Unknown]), Rest::Undecided);
        assert_eq!(rest([Down, Warning]), Rest::Undecided);
        assert_eq!(rest([Unknown, Unknown]), Rest::Nothing);
    }

    #[test]
    fn what_was_polled_afterwards_counts_as_ever() {
        let (mut votes, rule) = (Votes::default(), rule(1));
        tell(&mut votes, rule, poll(1, 1, 0, Verdict::Up));
        tell(&mut votes, rule, suspicion(1, 2));
        assert_eq!(votes.take_back(1, &slots(2..=2), rule), Some(Rest::Nothing));
        let recheck = poll(1, 2, 1, Verdict::Down);
        assert_eq!(tell(&mut votes, rule, recheck), Weighed::New(Standing::Full));
        assert_eq!(votes.count(Verdict::Down, rule), 1);
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        use Verdict::{Down, Unknown, Up, Warning};
        prop::sample::select(vec![Up, Warning, Down, Unknown])
    }

    proptest! {
        #[test]
        fn what_is_taken_back_leaves_what_there_would_be_had_it_been_doubted_at_once(
            before in prop::collection::vec((1_u16..=3, verdict()), 0..12),
            in_doubt in prop::collection::vec(any::<bool>(), 1..6),
            others in prop::collection::vec((2_u16..=3, verdict()), 0..6),
        ) {
            let (mut votes, rule) = (Votes::default(), rule(3));
            let mut slot = 0;
            for (location, verdict) in before {
                slot += 1;
                tell(&mut votes, rule, poll(location, slot, 0, verdict));
            }
            // An outage that began before is none of those in doubt.
            slot += 1;
            tell(&mut votes, rule, poll(1, slot, 0, Verdict::Up));
            let mut doubted = votes.clone();
            let first = slot + 1;
            for is_final in in_doubt {
                slot += 1;
                let told = if is_final { poll(1, slot, 0, Verdict::Down) } else { suspicion(1, slot) };
                tell(&mut votes, rule, told);
                tell(&mut doubted, rule, poll(1, slot, 0, Verdict::Unknown));
            }
            let last = slot;
            for (location, verdict) in others {
                slot += 1;
                let told = poll(location, slot, 0, verdict);
                tell(&mut votes, rule, told);
                tell(&mut doubted, rule, told);
            }
            prop_assert!(votes.take_back(1, &slots(first..=last), rule).is_some());
            prop_assert_eq!(&votes, &doubted);
            prop_assert_eq!(votes.take_back(1, &slots(first..=last), rule), None);
            prop_assert_eq!(Votes::decode(&votes.encode()), Ok(votes));
        }
    }
}
