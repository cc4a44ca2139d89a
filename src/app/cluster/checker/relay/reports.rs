//! `Reports`: what is said of jobs, on its way to the producer. While that is full they wait here; they
//! are no more than the jobs that are in hand, and a few rechecks.

use std::collections::VecDeque;

use prost::Message as _;

use crate::app::cluster::checker::opens::Open;
use crate::outcome::Outcome;
use crate::queue::kafka::Topic;
use crate::queue::kafka::messages::{MissedMessage, OutcomeMessage, Reason, Report, Told};
use crate::queue::kafka::producer::{Producer, SendError};
use crate::target::{State, Target};

/// A record on its way.
struct Record {
    token: usize,
    to: (Topic, u32),
    key: [u8; 16],
    payload: Vec<u8>,
}

/// What is said of jobs.
pub(super) struct Reports {
    location: String,
    waiting: VecDeque<Record>,
    /// Whether the producer had no room for all of them.
    is_held_up: bool,
}

impl Reports {
    /// Reports of a checker at `location`.
    pub(super) fn new(location: &str) -> Self {
        Self { location: location.to_owned(), waiting: VecDeque::new(), is_held_up: false }
    }

    /// Whether some wait for the producer to have room.
    pub(super) const fn are_held_up(&self) -> bool {
        self.is_held_up
    }

    /// Tells `outcome` of `job`, which is known by `token`.
    pub(super) fn tell(&mut self, token: usize, job: &Open, outcome: &Outcome) {
        let outcome = Outcome { target: job.number, ..*outcome };
        let told = Told::Outcome(OutcomeMessage::of(&outcome, job.tries, job.epoch));
        self.put(token, job, told);
    }

    /// Tells that no poll is made of `job`, which is known by `token`.
    pub(super) fn miss(&mut self, token: usize, job: &Open, reason: Reason) {
        let (target, due_ms, reason) = (job.number, job.due_ms, reason.number());
        let told = Told::Missed(MissedMessage { target, due_ms, reason, locations: Vec::new() });
        self.put(token, job, told);
    }

    /// Sends as many as the producer has room for.
    ///
    /// # Errors
    /// The producer can go on no more.
    pub(super) fn send(&mut self, producer: &Producer) -> Result<(), String> {
        self.is_held_up = false;
        while let Some(Record { token, to, key, payload }) = self.waiting.front() {
            match producer.send(*to, key, payload, *token) {
                Ok(()) => {}
                Err(SendError::Full) => {
                    self.is_held_up = true;
                    return Ok(());
                }
                Err(error) => return Err(error.to_string()),
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Has `target` know by `outcome` what state it is in, as its record will.
    pub(super) fn learn(target: &Target, outcome: &Outcome) {
        let (flight, state) = (target.flight(), State::from(outcome.finding.verdict));
        let is_final = !outcome.is_provisional || state == State::Up;
        if is_final && flight.known() != state {
            flight.learn(state, outcome.finished_us.div_euclid(1_000));
        }
    }

    fn put(&mut self, token: usize, job: &Open, told: Told) {
        let payload = Report::new(&self.location, told).encode_to_vec();
        let to = (Topic::Outcomes, job.ticket.partition());
        self.waiting.push_back(Record { token, to, key: key(job.id), payload });
    }
}

/// What records of the target with this id are keyed by: 16 hexadecimal digits.
fn key(id: u64) -> [u8; 16] {
    let mut key = [b'0'; 16];
    for (place, nibble) in key.iter_mut().rev().zip(0..16) {
        let digit = u32::try_from(id >> (nibble * 4) & 0xf).unwrap_or(0);
        *place = u8::try_from(char::from_digit(digit, 16).unwrap_or('0')).unwrap_or(b'0');
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetId;

    #[test]
    fn a_key_is_the_id_as_it_is_shown() {
        for id in [0, 0x1234_5678_9abc_def0, u64::MAX] {
            assert_eq!(String::from_utf8_lossy(&key(id)), TargetId(id).to_string());
        }
    }
}
