//! `Offsets`: which records of a topic are done, and up to where all of them are.
//!
//! Records are done in any order; an offset may be committed when all before it are.

use std::collections::{BTreeMap, VecDeque};

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

/// The records that were taken of the partitions that are ours.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    partitions: BTreeMap<u32, Partition>,
    turns: u32,
}

#[derive(Debug)]
struct Partition {
    turn: u32,
    /// Offsets in their order from the first one that is not done, and whether each is.
    taken: VecDeque<(i64, bool)>,
    /// All before it were taken; none: nobody has said yet where it begins.
    next: Option<i64>,
}

impl Offsets {
    /// `partition` is ours from now on, and goes on at the offset `next` if that is known: what was
    /// taken of it in a turn before counts no more.
    pub(super) fn begin(&mut self, partition: u32, next: Option<i64>) {
        self.turns = self.turns.wrapping_add(1);
        let begun = Partition { turn: self.turns, taken: VecDeque::new(), next };
        self.partitions.insert(partition, begun);
    }

    /// The offset at which `partition` goes on, if that is known.
    pub(super) fn next(&self, partition: u32) -> Option<i64> {
        self.partitions.get(&partition)?.next
    }

    /// `partition` is not ours any more.
    pub(super) fn end(&mut self, partition: u32) {
        self.partitions.remove(&partition);
    }

    /// The partitions that are ours.
    pub(super) fn partitions(&self) -> impl Iterator<Item = u32> + '_ {
        self.partitions.keys().copied()
    }

    /// How many partitions are ours.
    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Takes the record at `offset` of `partition`; none: it is not ours, or was taken before.
    pub(super) fn take(&mut self, partition: u32, offset: i64) -> Option<Ticket> {
        let ours = self.partitions.get_mut(&partition)?;
        if ours.next.is_some_and(|next| offset < next) {
            return None;
        }
        ours.next = Some(offset + 1);
        ours.taken.push_back((offset, false));
        Some(Ticket { partition, turn: ours.turn, offset })
    }

    /// Whether the partition of `ticket` has been ours since it was taken.
    pub(super) fn is_ours(&self, ticket: Ticket) -> bool {
        self.partitions.get(&ticket.partition).is_some_and(|ours| ours.turn == ticket.turn)
    }

    /// Notes that the record of `ticket` is done, and tells the last offset up to which all are, when
    /// that has moved.
    pub(super) fn done(&mut self, ticket: Ticket) -> Option<i64> {
        let ours = self.partitions.get_mut(&ticket.partition);
        let ours = ours.filter(|ours| ours.turn == ticket.turn)?;
        let index = ours.taken.binary_search_by_key(&ticket.offset, |&(offset, _)| offset).ok()?;
        ours.taken.get_mut(index)?.1 = true;
        let mut last = None;
        while let Some((offset, _)) = ours.taken.front().copied().filter(|&(_, is_done)| is_done) {
            last = Some(offset);
            ours.taken.pop_front();
        }
        last
    }

    /// Records of `partition` that were taken, from the first one on that is not done.
    pub(super) fn span(&self, partition: u32) -> usize {
        self.partitions.get(&partition).map_or(0, |ours| ours.taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(offsets: &mut Offsets, partition: u32, range: std::ops::Range<i64>) -> Vec<Ticket> {
        range.map(|offset| offsets.take(partition, offset).expect("ours and new")).collect()
    }

    #[test]
    fn an_offset_moves_when_all_before_it_are_done() {
        let mut offsets = Offsets::default();
        offsets.begin(3, None);
        let tickets = taken(&mut offsets, 3, 10..14);
        assert_eq!(offsets.done(tickets[1]), None);
        assert_eq!(offsets.done(tickets[0]), Some(11));
        assert_eq!(offsets.done(tickets[3]), None);
        assert_eq!((offsets.done(tickets[3]), offsets.span(3)), (None, 2));
        assert_eq!(offsets.done(tickets[2]), Some(13));
        assert_eq!((offsets.done(tickets[2]), offsets.span(3)), (None, 0));
    }

    #[test]
    fn a_partition_that_was_lost_forgets_what_was_taken_of_it() {
        let mut offsets = Offsets::default();
        offsets.begin(0, Some(0));
        let [first] = taken(&mut offsets, 0, 5..6)[..] else { panic!("one") };
        offsets.end(0);
        assert_eq!((offsets.done(first), offsets.take(0, 6)), (None, None));
        offsets.begin(0, Some(0));
        let [again] = taken(&mut offsets, 0, 5..6)[..] else { panic!("one") };
        assert_eq!(offsets.done(first), None, "it is of another turn");
        assert!(!offsets.is_ours(first) && offsets.is_ours(again));
        assert_eq!(offsets.done(again), Some(5));
    }

    #[test]
    fn a_record_that_comes_again_in_the_same_turn_is_not_taken_twice() {
        let mut offsets = Offsets::default();
        offsets.begin(0, Some(0));
        taken(&mut offsets, 0, 5..8);
        assert_eq!((offsets.take(0, 6), offsets.take(1, 0)), (None, None));
        // Offsets may have gaps.
        assert!(offsets.take(0, 20).is_some());
    }

    proptest! {
        #[test]
        fn what_is_told_never_passes_a_record_that_is_not_done(
            order in Just((0..50_usize).collect::<Vec<_>>()).prop_shuffle(),
            gaps in proptest::collection::vec(1_i64..4, 50),
        ) {
            let mut offsets = Offsets::default();
            offsets.begin(0, Some(0));
            let mut at = 0;
            let mut tickets = Vec::new();
            for gap in gaps {
                at += gap;
                tickets.push(offsets.take(0, at).expect("ours and new"));
            }
            let (mut is_done, mut told) = (vec![false; 50], None);
            for index in order {
                is_done[index] = true;
                told = offsets.done(tickets[index]).or(told);
                let low = is_done.iter().position(|done| !done).unwrap_or(50);
                let expected = low.checked_sub(1).map(|last| tickets[last].offset());
                prop_assert_eq!(told, expected);
            }
            prop_assert_eq!(offsets.span(0), 0);
        }
    }
}
