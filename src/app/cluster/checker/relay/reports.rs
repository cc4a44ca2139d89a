//! `Reports`: what is said of jobs, on its way to the producer. While that is full they wait here; they
//! are no more than the jobs that are in hand, a few rechecks, and what is taken back: as no job is
//! taken then, nothing more comes about that could be.

use std::collections::{BTreeMap, VecDeque};

use prost::Message as _;

use super::blamed::Blame;
use crate::app::cluster::checker::acks::TAKEN_BACK;
use crate::app::cluster::checker::opens::Open;
use crate::outcome::Outcome;
use crate::queue::kafka::Topic;
use crate::queue::kafka::messages::{
    MissedMessage, OutcomeMessage, Reason, Report, Told, WithdrawnMessage,
};
use crate::queue::kafka::producer::{Producer, SendError};
use crate::target::{State, Target};

/// A record on its way.
struct Record {
    token: usize,
    to: (Topic, u32),
    /// None: it is of no single target.
    key: Option<[u8; 16]>,
    payload: Vec<u8>,
}

/// What is said of jobs.
pub(super) struct Reports {
    location: String,
    waiting: VecDeque<Record>,
    /// Records of what is taken back that brokers do not have yet.
    taken_back: usize,
    /// Whether the producer had no room for all of them.
    is_held_up: bool,
}

impl Reports {
    /// Reports of a checker at `location`.
    pub(super) fn new(location: &str) -> Self {
        let (location, waiting) = (location.to_owned(), VecDeque::new());
        Self { location, waiting, taken_back: 0, is_held_up: false }
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

    /// Takes back what was told of `blamed`: in each partition behind all that was told before.
    pub(super) fn take_back(&mut self, blamed: &[Blame]) {
        let mut by_partition = BTreeMap::<u32, Vec<_>>::new();
        for one in blamed {
            let slots = one.first_ms..=one.last_ms;
            by_partition.entry(one.partition).or_default().push((one.number, slots));
        }
        for (partition, targets) in by_partition {
            for targets in targets.chunks(WithdrawnMessage::MOST) {
                let told = Told::Withdrawn(WithdrawnMessage::of(targets));
                let payload = Report::new(&self.location, told).encode_to_vec();
                let to = (Topic::Outcomes, partition);
                self.waiting.push_back(Record { token: TAKEN_BACK, to, key: None, payload });
                self.taken_back += 1;
            }
        }
    }

    /// Notes that brokers have a record of what is taken back.
    pub(super) fn note_taken_back(&mut self) {
        self.taken_back = self.taken_back.saturating_sub(1);
    }

    /// Records of what is taken back that brokers do not have yet.
    pub(super) const fn taken_back(&self) -> usize {
        self.taken_back
    }

    /// Sends as many as the producer has room for.
    ///
    /// # Errors
    /// The producer can go on no more.
    pub(super) fn send(&mut self, producer: &Producer) -> Result<(), String> {
        self.is_held_up = false;
        while let Some(Record { token, to, key, payload }) = self.waiting.front() {
            let key = key.as_ref().map_or(&[][..], |key| &key[..]);
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
        self.waiting.push_back(Record { token, to, key: Some(key(job.id)), payload });
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
    fn what_is_taken_back_waits_in_records_of_their_partitions_until_brokers_have_it() {
        let mut reports = Reports::new("here");
        let blame = |slot: u32| {
            let partition = if slot == 9 { 5 } else { 3 };
            Blame { slot, number: 100 + slot, partition, first_ms: 1_000, last_ms: 2_000 }
        };
        let most = WithdrawnMessage::MOST;
        let count = u32::try_from(most + 2).expect("small");
        reports.take_back(&(0..count).map(blame).collect::<Vec<_>>());
        let told: Vec<_> = reports
            .waiting
            .iter()
            .map(|record| {
                let report = Report::read(&record.payload).expect("a report");
                let Some(Told::Withdrawn(message)) = report.told else { panic!("another one") };
                assert_eq!((record.token, record.key, report.needs), (TAKEN_BACK, None, 2));
                let slots = message.slots().expect("lists").collect::<Vec<_>>();
                (record.to, slots.first().cloned(), slots.len())
            })
            .collect();
        let (first, own) = (Some((100, 1_000..=2_000)), Some((109, 1_000..=2_000)));
        let last = Some((99 + count, 1_000..=2_000));
        let to = |partition| (Topic::Outcomes, partition);
        assert_eq!(told, [(to(3), first, most), (to(3), last, 1), (to(5), own, 1)]);
        assert_eq!(reports.taken_back(), 3);
        (0..3).for_each(|_| reports.note_taken_back());
        assert_eq!(reports.taken_back(), 0);
    }

    #[test]
    fn a_key_is_the_id_as_it_is_shown() {
        for id in [0, 0x1234_5678_9abc_def0, u64::MAX] {
            assert_eq!(String::from_utf8_lossy(&key(id)), TargetId(id).to_string());
        }
    }
}
