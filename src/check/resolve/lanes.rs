//! `Lanes`: look-ups that wait for their turn, apart by name server: a silent one holds up no other.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// How many times as many look-ups as are free a lane may have running: alone it gets three
/// quarters of all, two that are jammed get three sevenths each, and some are left for any other.
const SHARE: usize = 3;

/// Whose look-ups share their turns: those of a name server, and apart those that failed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) server: Option<SocketAddr>,
    pub(super) is_suspect: bool,
}

/// What waits for its turn, and how much runs.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    traffic: HashMap<Lane, Traffic<T>>,
    /// Lanes in which something waits, the next one first.
    turns: VecDeque<Lane>,
    running: usize,
    waiting: usize,
    max_running: usize,
    max_waiting: usize,
}

#[derive(Debug)]
struct Traffic<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<T> Lanes<T> {
    /// Lanes in which `max_running` run at most, at least one, and `max_waiting` wait.
    pub(super) fn new(max_running: usize, max_waiting: usize) -> Self {
        Self {
            traffic: HashMap::new(),
            turns: VecDeque::new(),
            running: 0,
            waiting: 0,
            max_running: max_running.max(1),
            max_waiting,
        }
    }

    /// Has `job` wait in `lane`; where too many do, what waits longest in the fullest is dropped.
    pub(super) fn push(&mut self, lane: Lane, job: T) {
        if self.waiting >= self.max_waiting {
            let fullest = self.traffic.values_mut().max_by_key(|traffic| traffic.waiting.len());
            if fullest.and_then(|traffic| traffic.waiting.pop_front()).is_some() {
                self.waiting -= 1;
            }
        }
        let new = || Traffic { waiting: VecDeque::new(), running: 0 };
        let traffic = self.traffic.entry(lane).or_insert_with(new);
        traffic.waiting.push_back(job);
        self.waiting += 1;
        if traffic.waiting.len() == 1 {
            self.turns.push_back(lane);
        }
    }

    /// The next job whose turn it is, and its lane, which has one more running then.
    pub(super) fn next(&mut self) -> Option<(Lane, T)> {
        let free = self.max_running.saturating_sub(self.running);
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            let Some(traffic) = self.traffic.get_mut(&lane) else { continue };
            if traffic.running >= SHARE * free {
                self.turns.push_back(lane);
                continue;
            }
            let Some(job) = traffic.waiting.pop_front() else { continue };
            traffic.running += 1;
            self.running += 1;
            self.waiting -= 1;
            if !traffic.waiting.is_empty() {
                self.turns.push_back(lane);
            }
            return Some((lane, job));
        }
        None
    }

    /// Notes that a job of `lane` has ended.
    pub(super) fn end(&mut self, lane: Lane) {
        let Some(traffic) = self.traffic.get_mut(&lane) else { return };
        traffic.running = traffic.running.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        if traffic.running == 0 && traffic.waiting.is_empty() {
            self.traffic.remove(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(last: u8) -> Lane {
        Lane { server: Some(([127, 0, 0, last], 53).into()), is_suspect: false }
    }

    fn begin_all(lanes: &mut Lanes<u32>) -> Vec<Lane> {
        std::iter::from_fn(|| lanes.next()).map(|(lane, _)| lane).collect()
    }

    #[test]
    fn a_lane_that_is_jammed_leaves_room_for_others() {
        let mut lanes = Lanes::new(256, 10_000);
        for (last, most) in [(1, 192), (2, 48), (3, 12)] {
            (0..1_000).for_each(|job| lanes.push(lane(last), job));
            assert_eq!(begin_all(&mut lanes), vec![lane(last); most]);
        }
    }

    #[test]
    fn lanes_take_turns_and_keep_their_order() {
        let mut lanes = Lanes::new(1, 10_000);
        (0..4).for_each(|job| lanes.push(lane(1), job));
        (10..12).for_each(|job| lanes.push(lane(2), job));
        let mut order = Vec::new();
        while let Some((lane, job)) = lanes.next() {
            assert!(lanes.next().is_none());
            lanes.end(lane);
            order.push(job);
        }
        assert_eq!(order, [0, 10, 1, 11, 2, 3]);
        assert!(lanes.traffic.is_empty() && lanes.turns.is_empty());
    }

    #[test]
    fn what_waits_longest_in_the_fullest_lane_goes_when_too_many_wait() {
        let mut lanes = Lanes::new(10, 3);
        (0..3).for_each(|job| lanes.push(lane(1), job));
        lanes.push(lane(2), 10);
        let mut left: Vec<u32> = std::iter::from_fn(|| lanes.next()).map(|(_, job)| job).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 10]);
    }
}
