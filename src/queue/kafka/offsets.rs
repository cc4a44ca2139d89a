//! `Offsets`: which records of a topic are not done yet, and up to where all of them are.
//!
//! Records are done in any order; an offset may be committed when all before it are. Only what is not
//! done is kept, so one record that takes long costs nothing but its own place.

use std::collections::{BTreeMap, BTreeSet};

/// One record that was taken, until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    partition: u32,
    /// Which of our turns at the partition it was taken in.
    turn: u32,
    offset: i64,
}

impl Ticket {
    /// The partition of the record.
    #[must_use]
    pub const fn partition(self) -> u32 {
        self.partition
    }

    /// The offset of the record.
    #[must_use]
    pub const fn offset(self) -> i64 {
        self.offset
    }
}

/// What a record that came is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The next one.
    Next(Ticket),
    /// The next one that there is, after it was asked for twice.
    Astray {
        /// What it is known by.
        ticket: Ticket,
        /// How many there should have been before it; negative: it lies before what was taken already,
        /// so the log is another one.
        skipped: i64,
    },
    /// Another one than the one at this offset, which is to be asked for again.
    Wrong(i64),
    /// One of a partition that is not ours.
    Foreign,
}

/// The records that were taken of the partitions that are ours.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    partitions: BTreeMap<u32, Partition>,
    turns: u32,
}

#[derive(Debug)]
struct Partition {
    turn: u32,
    /// Offsets of the records that were taken and are not done.
    undone: BTreeSet<i64>,
    /// All before it were taken.
    next: i64,
    /// The offset that was asked for again, because another one came.
    asked_again: Option<i64>,
}

impl Offsets {
    /// `partition` is ours from now on, and goes on at the offset `next`: what was taken of it in a
    /// turn before counts no more.
    pub(super) fn begin(&mut self, partition: u32, next: i64) {
        self.turns = self.turns.wrapping_add(1);
        let (turn, undone) = (self.turns, BTreeSet::new());
        self.partitions.insert(partition, Partition { turn, undone, next, asked_again: None });
    }

    /// `partition` is not ours any more.
    pub(super) fn end(&mut self, partition: u32) {
        self.partitions.remove(&partition);
    }

    /// The partitions that are ours, each with the offset at which it goes on.
    pub(super) fn nexts(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.partitions.iter().map(|(partition, ours)| (*partition, ours.next))
    }

    /// How many partitions are ours.
    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Takes the record at `offset` of `partition`, if it is the one that is wanted. Nothing is given
    /// up for lost before it was asked for twice.
    pub(super) fn take(&mut self, partition: u32, offset: i64) -> Came {
        let Some(ours) = self.partitions.get_mut(&partition) else { return Came::Foreign };
        let skipped = offset - ours.next;
        if skipped != 0 && ours.asked_again != Some(ours.next) {
            ours.asked_again = Some(ours.next);
            return Came::Wrong(ours.next);
        }
        if skipped < 0 {
            // What is in hand is of another log, and says nothing of this one.
            self.turns = self.turns.wrapping_add(1);
            (ours.turn, ours.asked_again) = (self.turns, None);
            ours.undone.clear();
        }
        ours.next = offset + 1;
        ours.undone.insert(offset);
        let ticket = Ticket { partition, turn: ours.turn, offset };
        if skipped == 0 { Came::Next(ticket) } else { Came::Astray { ticket, skipped } }
    }

    /// Whether the partition of `ticket` has been ours since it was taken.
    pub(super) fn is_ours(&self, ticket: Ticket) -> bool {
        self.partitions.get(&ticket.partition).is_some_and(|ours| ours.turn == ticket.turn)
    }

    /// Notes that the record of `ticket` is done, and tells the offset before which all are, when that
    /// has moved.
    pub(super) fn done(&mut self, ticket: Ticket) -> Option<i64> {
        let ours = self.partitions.get_mut(&ticket.partition);
        let ours = ours.filter(|ours| ours.turn == ticket.turn)?;
        if !ours.undone.remove(&ticket.offset) {
            return None;
        }
        let first = ours.undone.first().copied().unwrap_or(ours.next);
        (first > ticket.offset).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(offsets: &mut Offsets, partition: u32, range: std::ops::Range<i64>) -> Vec<Ticket> {
        let take = |offset| match offsets.take(partition, offset) {
            Came::Next(ticket) => ticket,
            other => panic!("{other:?}"),
        };
        range.map(take).collect()
    }

    #[test]
    fn an_offset_moves_when_all_before_it_are_done() {
        let mut offsets = Offsets::default();
        offsets.begin(3, 10);
        let tickets = taken(&mut offsets, 3, 10..14);
        assert_eq!(offsets.done(tickets[1]), None);
        assert_eq!(offsets.done(tickets[0]), Some(12));
        assert_eq!(offsets.done(tickets[3]), None);
        assert_eq!(offsets.done(tickets[3]), None);
        assert_eq!(offsets.done(tickets[2]), Some(14));
        assert_eq!(offsets.done(tickets[2]), None);
    }

    #[test]
    fn one_record_that_takes_long_costs_no_more_than_its_place() {
        let mut offsets = Offsets::default();
        offsets.begin(0, 0);
        let [long] = taken(&mut offsets, 0, 0..1)[..] else { panic!("one") };
        for offset in 1..1_000_000 {
            let [ticket] = taken(&mut offsets, 0, offset..offset + 1)[..] else { panic!("one") };
            assert_eq!(offsets.done(ticket), None);
        }
        assert_eq!(offsets.partitions[&0].undone.len(), 1);
        assert_eq!(offsets.done(long), Some(1_000_000));
    }

    #[test]
    fn a_partition_that_was_lost_forgets_what_was_taken_of_it() {
        let mut offsets = Offsets::default();
        offsets.begin(0, 5);
        let [first] = taken(&mut offsets, 0, 5..6)[..] else { panic!("one") };
        offsets.end(0);
        assert_eq!((offsets.done(first), offsets.take(0, 6)), (None, Came::Foreign));
        offsets.begin(0, 5);
        let [again] = taken(&mut offsets, 0, 5..6)[..] else { panic!("one") };
        assert_eq!(offsets.done(first), None, "it is of another turn");
        assert!(!offsets.is_ours(first) && offsets.is_ours(again));
        assert_eq!(offsets.done(again), Some(6));
    }

    #[test]
    fn what_is_gone_is_asked_for_again_before_it_is_given_up() {
        let mut offsets = Offsets::default();
        offsets.begin(0, 5);
        let before = taken(&mut offsets, 0, 5..8);
        assert_eq!(offsets.take(0, 20), Came::Wrong(8));
        let Came::Astray { ticket, skipped: 12 } = offsets.take(0, 20) else { panic!("gone") };
        assert_eq!(offsets.take(0, 30), Came::Wrong(21), "each gap is asked about");
        assert_eq!(taken(&mut offsets, 0, 21..22).len(), 1);
        assert_eq!(offsets.done(before[0]), Some(6));
        assert_eq!((offsets.done(before[2]), offsets.done(before[1])), (None, Some(20)));
        assert_eq!(offsets.done(ticket), Some(21));
    }

    #[test]
    fn a_log_that_was_made_anew_is_taken_from_its_beginning() {
        let mut offsets = Offsets::default();
        offsets.begin(0, 1_000);
        let [old] = taken(&mut offsets, 0, 1_000..1_001)[..] else { panic!("one") };
        assert_eq!(offsets.take(0, 0), Came::Wrong(1_001));
        let Came::Astray { ticket, skipped: -1_001 } = offsets.take(0, 0) else { panic!("anew") };
        assert!(offsets.is_ours(ticket) && !offsets.is_ours(old));
        assert_eq!((offsets.done(old), offsets.done(ticket)), (None, Some(1)));
    }

    #[test]
    fn a_record_that_comes_again_in_the_same_turn_is_not_taken_twice() {
        let mut offsets = Offsets::default();
        offsets.begin(0, 5);
        taken(&mut offsets, 0, 5..8);
        assert_eq!((offsets.take(0, 6), offsets.take(1, 0)), (Came::Wrong(8), Came::Foreign));
        assert_eq!(taken(&mut offsets, 0, 8..9).len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_told_never_passes_a_record_that_is_not_done(
            order in Just((0..50_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut offsets = Offsets::default();
            offsets.begin(0, 7);
            let tickets = taken(&mut offsets, 0, 7..57);
            let (mut is_done, mut told) = (vec![false; 50], 7);
            for index in order {
                is_done[index] = true;
                told = offsets.done(tickets[index]).unwrap_or(told);
                let low = is_done.iter().position(|done| !done).unwrap_or(50);
                prop_assert_eq!(told, 7 + i64::try_from(low).expect("small"));
            }
        }
    }
}
