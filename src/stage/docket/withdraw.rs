//! Taking back what a checker told, because it was probably the checker that failed.

use std::ops::RangeInclusive;

use super::{Docket, key};
use crate::health::votes::Rest;
use crate::target::State;

impl Docket {
    /// Takes back what a checker at `location` told, as it says at `offset`: of each target by its
    /// polls of the slots that fell due within a span (Unix milliseconds). Tells of how many targets
    /// there was something to take back.
    pub fn take_back(
        &mut self,
        offset: i64,
        location: u16,
        doubted: impl IntoIterator<Item = (u32, RangeInclusive<i64>)>,
        now_ms: i64,
    ) -> usize {
        let mut count = 0;
        for (target, slots) in doubted {
            count += usize::from(self.take_back_of(offset, location, (target, &slots), now_ms));
        }
        self.pass(offset, now_ms);
        count
    }

    fn take_back_of(
        &mut self,
        offset: i64,
        location: u16,
        (target, slots): (u32, &RangeInclusive<i64>),
        now_ms: i64,
    ) -> bool {
        // What is taken in again is in the record already, unless that could not be written.
        if !self.ledger.lacks(target, key(offset)) {
            return false;
        }
        let Some((votes, rule)) = self.votes_of(target) else { return false };
        let Some(rest) = votes.take_back(location, slots, rule) else { return false };
        let founded_ms = slots.start().saturating_sub(rule.fresh_ms());
        let is_older = self.ledger.record(target).is_some_and(|record| {
            record.health.state == State::Down && record.health.since_ms < founded_ms
        });
        // No vote counts for that long: others found it down, whatever they say by now.
        let rest = if is_older { Rest::Down } else { rest };
        self.ledger.take_back_as(key(offset), (target, rest), now_ms);
        true
    }
}
