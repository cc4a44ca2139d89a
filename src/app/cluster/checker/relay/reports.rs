//! `Reports`: what is said of jobs, on its way to the producer. While that is full they wait here; they
//! are no more than the jobs that are in hand, and a few rechecks.

use std::collections::VecDeque;

use prost::Message as _;

use crate::app::cluster::checker::acks::{Acks, letter};
use crate::app::cluster::checker::opens::Open;
use crate::outcome::Outcome;
use crate::queue::kafka::messages::{MissedMessage, OutcomeMessage, Reason, Report, Told};
use crate::queue::kafka::producer::{Producer, SendError};
use crate::queue::kafka::{Ticket, Topic};
use crate::target::{State, Target};

/// Bytes of a record that nobody can read which are kept.
const MOST_DEAD: usize = 900_000;

/// A record on its way.
struct Record {
    token: usize,
    to: (Topic, u32),
    /// None: it is empty.
    key: Option<[u8; 16]>,
    payload: Vec<u8>,
    /// What is told beside a record that nobody can read.
    headers: Option<[(&'static str, String); 4]>,
}

/// What is said of jobs.
pub(super) struct Reports {
    location: String,
    /// The name of the topic of jobs.
    jobs: String,
    waiting: VecDeque<Record>,
    /// Whether the producer had no room for all of them.
    is_held_up: bool,
}

impl Reports {
    /// Reports of a checker at `location`, whose jobs come from the topic that is called `jobs`.
    pub(super) fn new(location: &str, jobs: &str) -> Self {
        let (location, jobs) = (location.to_owned(), jobs.to_owned());
        Self { location, jobs, waiting: VecDeque::new(), is_held_up: false }
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

    /// Puts `payload` aside, which nobody can read for `reason`.
    pub(super) fn bury(&mut self, token: usize, ticket: Ticket, reason: &str, payload: &[u8]) {
        let headers = [
            ("topic", self.jobs.clone()),
            ("partition", ticket.partition().to_string()),
            ("offset", ticket.offset().to_string()),
            ("reason", reason.to_owned()),
        ];
        let payload = payload.get(..MOST_DEAD).unwrap_or(payload).to_vec();
        let (to, headers, token) = ((Topic::Dead, 0), Some(headers), letter(token));
        self.waiting.push_back(Record { token, to, key: None, payload, headers });
    }

    /// Sends as many as the producer has room for. A record that nobody can read and that cannot be
    /// put aside is given up: nobody waits for it.
    ///
    /// # Errors
    /// The producer can go on no more.
    pub(super) fn send(&mut self, producer: &Producer, acks: &Acks) -> Result<(), String> {
        self.is_held_up = false;
        while let Some(record) = self.waiting.front() {
            let Record { token, to, key, payload, headers } = record;
            let key = key.as_ref().map_or(&[][..], |key| &key[..]);
            let sent = match headers {
                None => producer.send(*to, key, payload, *token).map_err(Unsent::Report),
                Some(headers) => {
                    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
                    put_aside(producer, acks, |producer| {
                        producer.send_with(*to, key, payload, (*token, &headers))
                    })
                }
            };
            match sent {
                Ok(()) => {}
                Err(Unsent::Report(SendError::Full)) => {
                    self.is_held_up = true;
                    return Ok(());
                }
                Err(Unsent::Report(error)) => return Err(error.to_string()),
                Err(Unsent::Letter(reason)) => acks.give_up(*token, &reason),
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
        let key = Some(key(job.id));
        self.waiting.push_back(Record { token, to, key, payload, headers: None });
    }
}

/// Why a record was not sent.
enum Unsent {
    /// It matters.
    Report(SendError),
    /// It is one that nobody can read, and cannot be put aside.
    Letter(String),
}

/// Has `send` send a record that nobody can read, where there is room for one.
fn put_aside(
    producer: &Producer,
    acks: &Acks,
    send: impl FnOnce(&Producer) -> Result<(), SendError>,
) -> Result<(), Unsent> {
    if !acks.admit_letter() {
        return Err(Unsent::Letter("too many of them wait for Kafka already".to_owned()));
    }
    send(producer).map_err(|error| {
        acks.end_letter();
        match error {
            SendError::Fatal(reason) if producer.fatal().is_none() => Unsent::Letter(reason),
            SendError::TooLarge => Unsent::Letter(error.to_string()),
            error => Unsent::Report(error),
        }
    })
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
