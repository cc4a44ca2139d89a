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
    pub(super) standing: Standing,
}

/// What is known of a name by its last look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    Good,
    /// That one failed, and the next may.
    Suspect,
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

    /// The next job whose turn it is, and its lane, which has one more running then; of a lane no
    /// more than are `allowed`.
    pub(super) fn next(&mut self, allowed: impl Fn(Lane) -> usize) -> Option<(Lane, T)> {
        let free = self.max_running.saturating_sub(self.running);
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            let Some(traffic) = self.traffic.get_mut(&lane) else { continue };
            if traffic.running >= (SHARE * free).min(allowed(lane)) {
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

    /// Takes out what waits for `server`.
    pub(super) fn drain(&mut self, server: Option<SocketAddr>) -> Vec<T> {
        let mut drained = Vec::new();
        let lanes = self.traffic.iter_mut().filter(|(lane, _)| lane.server == server);
        lanes.for_each(|(_, traffic)| drained.extend(traffic.waiting.drain(..)));
        self.traffic.retain(|lane, traffic| lane.server != server || traffic.running > 0);
        self.turns.retain(|lane| lane.server != server);
        self.waiting -= drained.len().min(self.waiting);
        drained
    }

    /// How many wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(last: u8) -> Lane {
        Lane { server: Some(([127, 0, 0, last], 53).into()), standing: Standing::Good }
    }

    fn begin_all(lanes: &mut Lanes<u32>) -> Vec<Lane> {
        std::iter::from_fn(|| lanes.next(|_| usize::MAX)).map(|(lane, _)| lane).collect()
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
        while let Some((lane, job)) = lanes.next(|_| usize::MAX) {
            assert!(lanes.next(|_| usize::MAX).is_none());
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
        let mut left: Vec<u32> =
            std::iter::from_fn(|| lanes.next(|_| usize::MAX)).map(|(_, job)| job).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 10]);
    }

    #[test]
    fn no_more_of_a_lane_run_than_are_allowed_and_others_take_their_turns() {
        let mut lanes = Lanes::new(256, 10_000);
        (0..100).for_each(|job| lanes.push(lane(1), job));
        (100..110).for_each(|job| lanes.push(lane(2), job));
        let allowed = |of: Lane| if of == lane(1) { 8 } else { usize::MAX };
        let begun: Vec<_> = std::iter::from_fn(|| lanes.next(allowed)).collect();
        let of = |last| begun.iter().filter(|(of, _)| *of == lane(last)).count();
        assert_eq!((of(1), of(2)), (8, 10));
        lanes.end(lane(1));
        assert_eq!(lanes.next(allowed), Some((lane(1), 8)));
        assert_eq!(lanes.next(allowed), None);
    }

    #[test]
    fn what_waits_for_a_server_is_taken_out_and_the_rest_goes_on() {
        let mut lanes = Lanes::new(2, 10_000);
        (0..5).for_each(|job| lanes.push(lane(1), job));
        lanes.push(Lane { standing: Standing::Suspect, ..lane(1) }, 5);
        (10..12).for_each(|job| lanes.push(lane(2), job));
        let first = lanes.next(|_| usize::MAX).expect("one that waits");
        assert_eq!(first, (lane(1), 0));
        let mut drained = lanes.drain(lane(1).server);
        drained.sort_unstable();
        assert_eq!((drained, lanes.waiting()), (vec![1, 2, 3, 4, 5], 2));
        assert_eq!(lanes.next(|_| usize::MAX), Some((lane(2), 10)));
        lanes.end(lane(1));
        assert_eq!(lanes.next(|_| usize::MAX), Some((lane(2), 11)));
        lanes.push(lane(1), 20);
        lanes.end(lane(2));
        assert_eq!(lanes.next(|_| usize::MAX), Some((lane(1), 20)));
    }
}
