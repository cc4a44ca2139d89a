//! `Opens`: the jobs that are in hand, from when they are taken until brokers have their end.

use std::collections::HashMap;

use crate::queue::kafka::Ticket;

/// A job that is in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// The record that it came by; the last one, when it came by several.
    pub(super) ticket: Ticket,
    /// Our number of its target; none: it is polled by nobody.
    pub(super) slot: Option<u32>,
    /// The number of its target in the cluster.
    pub(super) number: u32,
    /// The id of its target.
    pub(super) id: u64,
    /// When it fell due, in Unix milliseconds.
    pub(super) due_ms: i64,
    /// When it means nothing any more, in Unix milliseconds.
    pub(super) valid_until_ms: i64,
    /// The epoch of the lease under which it was made.
    pub(super) epoch: i64,
    /// Outcomes of it so far.
    pub(super) tries: u8,
    /// Reports of it that brokers do not have yet.
    pub(super) unacknowledged: u32,
    /// Whether its last report was made.
    pub(super) is_ended: bool,
}

/// The jobs that are in hand.
#[derive(Debug, Default)]
pub(super) struct Opens {
    jobs: Vec<Option<Open>>,
    vacant: Vec<usize>,
    by_slot: HashMap<(u32, i64), usize>,
}

impl Opens {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.jobs.len() - self.vacant.len()
    }

    /// Takes `job` in, and tells what it is known by.
    pub(super) fn add(&mut self, job: Open) -> usize {
        let token = self.vacant.pop().unwrap_or_else(|| {
            self.jobs.push(None);
            self.jobs.len() - 1
        });
        if let Some(slot) = job.slot {
            self.by_slot.insert((slot, job.due_ms), token);
        }
        if let Some(place) = self.jobs.get_mut(token) {
            *place = Some(job);
        }
        token
    }

    /// The job that is known by `token`.
    pub(super) fn get(&mut self, token: usize) -> Option<&mut Open> {
        self.jobs.get_mut(token)?.as_mut()
    }

    /// What the job is known by of the target with our number `slot` that fell due at `due_ms` (Unix
    /// milliseconds).
    pub(super) fn of(&self, slot: u32, due_ms: i64) -> Option<usize> {
        self.by_slot.get(&(slot, due_ms)).copied()
    }

    /// Gives up the job that is known by `token`.
    pub(super) fn remove(&mut self, token: usize) -> Option<Open> {
        let job = self.jobs.get_mut(token)?.take()?;
        self.vacant.push(token);
        if let Some(slot) = job.slot {
            self.by_slot.remove(&(slot, job.due_ms));
        }
        Some(job)
    }

    /// All jobs that are in hand.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.jobs.iter().flatten()
    }
}
