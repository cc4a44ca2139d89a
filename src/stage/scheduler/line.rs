//! `Line`: who waits, the more urgent first, and among these who fell due first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::target::Priority;

/// Every so many times who waits longest goes first, whatever its priority.
const FAIRNESS: u32 = 16;

/// A poll that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    /// When it fell due, in Unix milliseconds.
    pub(super) due_ms: i64,
    /// The number of its target.
    pub(super) number: u32,
    /// How often it was tried before.
    pub(super) tries: u8,
}

/// Polls that wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    queues: [BinaryHeap<Reverse<Waiting>>; 3],
    turn: u32,
}

impl Line {
    pub(super) fn push(&mut self, priority: Priority, waiting: Waiting) {
        if let Some(queue) = self.queues.get_mut(priority as usize) {
            queue.push(Reverse(waiting));
        }
    }

    /// Who goes next, and whether that is urgent.
    pub(super) fn peek(&self) -> Option<(Waiting, bool)> {
        let next = self.next()?;
        let first = self.queues.get(next)?.peek();
        first.map(|Reverse(waiting)| (*waiting, next == Priority::High as usize))
    }

    /// Who goes next of the urgent ones.
    pub(super) fn peek_urgent(&self) -> Option<Waiting> {
        let [urgent, ..] = &self.queues;
        urgent.peek().map(|Reverse(waiting)| *waiting)
    }

    /// Whether it is the turn of who has waited longest, whatever its priority.
    pub(super) const fn is_turn_of_oldest(&self) -> bool {
        self.turn % FAIRNESS == FAIRNESS - 1
    }

    /// Takes out who goes next of the urgent ones, out of turn.
    pub(super) fn pop_urgent(&mut self) -> Option<Waiting> {
        self.turn = self.turn.wrapping_add(1);
        let [urgent, ..] = &mut self.queues;
        urgent.pop().map(|Reverse(waiting)| waiting)
    }

    /// Takes out who goes next.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let next = self.next()?;
        self.turn = self.turn.wrapping_add(1);
        self.queues.get_mut(next)?.pop().map(|Reverse(waiting)| waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(BinaryHeap::is_empty)
    }

    /// Moves all due times, as the clock was set.
    pub(super) fn shift(&mut self, by_ms: i64) {
        for queue in &mut self.queues {
            let mut waiting = std::mem::take(queue).into_vec();
            for Reverse(one) in &mut waiting {
                one.due_ms += by_ms;
            }
            *queue = waiting.into();
        }
    }

    /// The queue whose turn it is.
    fn next(&self) -> Option<usize> {
        let oldest =
            |queue: &BinaryHeap<Reverse<Waiting>>| queue.peek().map(|first| first.0.due_ms);
        let mut waiting = self
            .queues
            .iter()
            .enumerate()
            .filter_map(|(index, queue)| Some((index, oldest(queue)?)));
        let next = if self.is_turn_of_oldest() {
            waiting.min_by_key(|&(_, due_ms)| due_ms)
        } else {
            waiting.next()
        };
        next.map(|(index, _)| index)
    }
}

const _: () = assert!(Priority::High as usize == 0 && Priority::Low as usize == 2);

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(due_ms: i64, number: u32) -> Waiting {
        Waiting { due_ms, number, tries: 0 }
    }

    fn numbers(line: &mut Line, most: usize) -> Vec<u32> {
        std::iter::from_fn(|| line.pop()).take(most).map(|waiting| waiting.number).collect()
    }

    #[test]
    fn the_more_urgent_go_first_and_among_these_the_oldest() {
        let mut line = Line::default();
        line.push(Priority::Low, waiting(1, 1));
        line.push(Priority::Normal, waiting(5, 2));
        line.push(Priority::High, waiting(9, 3));
        line.push(Priority::Normal, waiting(2, 4));
        line.push(Priority::High, waiting(8, 5));
        assert_eq!(
            line.peek().map(|(waiting, is_urgent)| (waiting.number, is_urgent)),
            Some((5, true))
        );
        assert_eq!(numbers(&mut line, 10), [5, 3, 4, 2, 1]);
        assert!(line.is_empty());
    }

    #[test]
    fn who_waits_longest_is_not_kept_waiting_for_ever() {
        let mut line = Line::default();
        line.push(Priority::Low, waiting(0, 1));
        (0..100).for_each(|number| line.push(Priority::High, waiting(1, 1_000 + number)));
        assert_eq!(numbers(&mut line, 16).iter().position(|number| *number == 1), Some(15));
    }

    #[test]
    fn a_clock_that_was_set_changes_no_order() {
        let mut line = Line::default();
        (0..5).for_each(|number| line.push(Priority::Normal, waiting(i64::from(number), number)));
        line.shift(-3_600_000);
        assert_eq!(line.peek().map(|(waiting, _)| waiting.due_ms), Some(-3_600_000));
        assert_eq!(numbers(&mut line, 10), [0, 1, 2, 3, 4]);
    }
}
