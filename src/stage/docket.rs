//! `Docket`: what a recorder of a cluster keeps of one shard, brought forward record by record of its
//! partition.
//!
//! What is stored follows from that partition alone: whoever takes the shard over reads again what is
//! not yet in records of targets, and knows the same.

mod batches;
mod old;
mod pauses;
mod withdraw;

use std::collections::BTreeMap;

use crate::health::Transition;
use crate::health::votes::{Rule, Slot, Standing, Votes, Weighed};
use crate::ledger::Ledger;
use crate::outcome::{Finding, Outcome, SampleKind};
use crate::shards::Shards;
use crate::store::{KeptRecord, RestoredShard, Sample, SampleKey, ShardSample};
use old::Old;
use pauses::Pauses;

/// How a target is polled and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// From how many locations; 0: from all.
    pub locations: u16,
    /// How many of them must agree that it is down; 0: more than half of them.
    pub quorum: u16,
}

/// What is kept of one target beside its record.
#[derive(Debug, Default)]
struct Seat {
    /// None: it is polled no more.
    terms: Option<Terms>,
    votes: Votes,
}

/// What a recorder keeps of one shard.
#[derive(Debug)]
pub struct Docket {
    shards: Shards,
    shard: u32,
    epoch: i64,
    step: i64,
    ledger: Ledger,
    /// By place within the shard.
    seats: Vec<Option<Seat>>,
    /// How many locations there are.
    locations: u16,
    samples: Vec<ShardSample>,
    old: Old,
    next_offset: i64,
    written_offset: i64,
    /// What lies before this offset is stored, and only taken in again.
    settle_until: i64,
    /// Targets that are polled no more, to be given up when all is taken in again.
    leaving: Vec<u32>,
    pauses: Pauses,
    missed: u64,
    newest_us: i64,
    delay_ms: [i64; 3],
}

impl Docket {
    /// The docket of `shard` under the lease of `epoch`, as it was when `restored` was written. Its
    /// targets join it by [`Docket::enrol`].
    #[must_use]
    pub fn restore(
        shards: Shards,
        (shard, epoch): (u32, i64),
        restored: &RestoredShard,
        now_ms: i64,
    ) -> Self {
        Self {
            shards,
            shard,
            epoch,
            step: restored.step,
            ledger: Ledger::of_shard(shards, &restored.ledger, now_ms),
            seats: Vec::new(),
            locations: 1,
            samples: Vec::new(),
            old: Old::default(),
            next_offset: restored.settled_offset,
            written_offset: restored.next_offset,
            settle_until: restored.next_offset,
            leaving: Vec::new(),
            pauses: Pauses::default(),
            missed: restored.missed,
            newest_us: restored.newest_us,
            delay_ms: [0; 3],
        }
    }

    /// Takes the target `number` in, or what has changed of it, with what is kept of it.
    ///
    /// What cannot be read of votes is told, and begins anew. Of one that is new it is not told since
    /// when: what follows from the stream is the same whenever it is read.
    pub fn enrol(&mut self, number: u32, terms: Terms, kept: Option<KeptRecord>) {
        self.leaving.retain(|&leaving| leaving != number);
        let seat = self.seat_mut(number);
        let was_polled = seat.terms.replace(terms).is_some();
        if was_polled {
            return;
        }
        let (record, votes) = kept.map(|kept| (kept.record, kept.votes)).unzip();
        if let Some(bytes) = votes.filter(|_| seat.votes == Votes::default()) {
            seat.votes = Votes::decode(&bytes).unwrap_or_else(|error| {
                tracing::warn!(target = number, %error, "what locations said of it begins anew");
                Votes::default()
            });
        }
        self.ledger.enrol(number, record, 0);
    }

    /// Gives up the target `number`, as soon as all is taken in again.
    pub fn retire(&mut self, number: u32, now_ms: i64) {
        self.leaving.push(number);
        self.let_go(now_ms);
    }

    fn let_go(&mut self, now_ms: i64) {
        if self.is_settling() {
            return;
        }
        for number in std::mem::take(&mut self.leaving) {
            if self.seat_mut(number).terms.take().is_some() {
                self.ledger.retire(number, now_ms);
            }
        }
    }

    /// Notes how many locations there are, from which targets are polled that name no number.
    pub fn locations_are(&mut self, count: u16) {
        self.locations = count.max(1);
    }

    /// Whether the target `number` is polled, as far as is known here.
    #[must_use]
    pub fn knows(&self, number: u32) -> bool {
        let place = self.shards.place(number) as usize;
        let seat = self.seats.get(place).and_then(Option::as_ref);
        self.shards.of(number) == self.shard && seat.is_some_and(|seat| seat.terms.is_some())
    }

    /// Whether what comes is stored already, and only taken in again.
    #[must_use]
    pub const fn is_settling(&self) -> bool {
        self.next_offset < self.settle_until
    }

    /// The offset that is wanted next.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The epoch of its lease.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The newest time at which a poll finished, in Unix microseconds; 0: never.
    #[must_use]
    pub const fn newest_us(&self) -> i64 {
        self.newest_us
    }

    /// What is known of the targets.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Goes on behind `offset`, at which there is nothing for this shard.
    pub fn pass(&mut self, offset: i64, now_ms: i64) {
        self.next_offset = self.next_offset.max(offset + 1);
        if !self.is_settling() && !self.leaving.is_empty() {
            self.let_go(now_ms);
        }
    }

    /// Takes in the outcome at `offset` at `now_ms` (Unix milliseconds); tells the change of state
    /// that it brought about.
    pub fn observe(
        &mut self,
        offset: i64,
        slot: Slot,
        outcome: Outcome,
        now_ms: i64,
    ) -> Option<Transition> {
        let is_settling = self.is_settling();
        let sample = ShardSample { slot, outcome, missed: None };
        let changed = if is_settling {
            self.settle(offset, &sample, now_ms);
            None
        } else {
            self.look_after_pause_before(outcome.target, slot.due_ms);
            match self.weigh(&sample) {
                Weighed::New(standing) => self.record(offset, sample, standing, now_ms),
                Weighed::InPlaceOfMissed(standing) => {
                    self.unmiss(&sample);
                    self.record(offset, sample, standing, now_ms)
                }
                Weighed::Repeated => None,
                Weighed::Old => {
                    self.old.push(offset, sample);
                    None
                }
            }
        };
        self.pass(offset, now_ms);
        changed
    }

    /// Takes in that the slots of `locations` passed without a poll for the reason with this number,
    /// as is told at `offset`.
    pub fn miss(
        &mut self,
        offset: i64,
        (target, due_ms): (u32, i64),
        (locations, reason): (&[u16], u8),
        now_ms: i64,
    ) {
        let is_lacking = self.ledger.lacks(target, key(offset));
        for &location in locations {
            let slot = Slot { due_ms, location, tries: 0 };
            let sample = passed(target, slot, reason, now_ms);
            if self.is_settling() {
                if is_lacking {
                    let weighed = self.weigh(&sample);
                    self.note_missed(offset, target, weighed, now_ms);
                }
                continue;
            }
            match self.weigh(&sample) {
                weighed @ (Weighed::New(_) | Weighed::InPlaceOfMissed(_)) => {
                    self.missed += 1;
                    self.samples.push(sample);
                    self.note_missed(offset, target, weighed, now_ms);
                }
                Weighed::Repeated => {}
                Weighed::Old => self.old.push(offset, sample),
            }
        }
        self.pass(offset, now_ms);
    }

    fn note_missed(&mut self, offset: i64, target: u32, weighed: Weighed, now_ms: i64) {
        if matches!(weighed, Weighed::New(_)) {
            self.ledger.touch(target, key(offset), now_ms);
        }
    }

    fn settle(&mut self, offset: i64, sample: &ShardSample, now_ms: i64) {
        if !self.ledger.lacks(sample.outcome.target, key(offset)) {
            return;
        }
        if let Weighed::New(standing) | Weighed::InPlaceOfMissed(standing) = self.weigh(sample) {
            self.ledger.settle_again(&as_sample(offset, sample), standing, now_ms);
        }
    }

    fn weigh(&mut self, sample: &ShardSample) -> Weighed {
        let Some((votes, rule)) = self.votes_of(sample.outcome.target) else {
            return Weighed::Old;
        };
        match sample.missed {
            None => votes.weigh(sample.slot, &sample.outcome, rule),
            Some(_) => votes.miss(sample.slot, rule),
        }
    }

    /// What locations said of a target that is polled, and how it is judged.
    fn votes_of(&mut self, target: u32) -> Option<(&mut Votes, Rule)> {
        let place = self.shards.place(target) as usize;
        let Seat { terms, votes } = self.seats.get_mut(place)?.as_mut()?;
        let terms = (*terms)?;
        let polled_from = if terms.locations == 0 { self.locations } else { terms.locations };
        Some((votes, Rule::new(terms.every_ms, polled_from, terms.quorum)))
    }

    fn record(
        &mut self,
        offset: i64,
        sample: ShardSample,
        standing: Standing,
        now_ms: i64,
    ) -> Option<Transition> {
        self.newest_us = self.newest_us.max(sample.outcome.finished_us);
        self.samples.push(sample);
        self.ledger.observe_as(&as_sample(offset, &sample), standing, now_ms)
    }

    /// Takes back that a slot was told to have passed without a poll.
    fn unmiss(&mut self, sample: &ShardSample) {
        self.missed = self.missed.saturating_sub(1);
        // In the store it is replaced; two rows of one slot cannot be written together.
        self.samples.retain(|other| other.missed.is_none() || other.key() != sample.key());
    }

    /// What came so late that only the store knows whether it has it.
    pub fn doubted(&self) -> impl Iterator<Item = (u32, Slot)> + '_ {
        self.old.keys()
    }

    /// Takes in what came so late, now that it is known what of it is `stored`; of each whether that
    /// is only that there was no poll.
    pub fn resolve(&mut self, stored: &BTreeMap<(u32, Slot), bool>, now_ms: i64) {
        if self.old.len() == 0 {
            return;
        }
        // It may have come shortly before, when it was not yet old.
        let waiting = self.samples.iter().map(|sample| (sample.key(), sample.missed.is_some()));
        let stored = stored.iter().map(|(key, is_missed)| (*key, *is_missed));
        let known: BTreeMap<(u32, Slot), bool> = stored.chain(waiting).collect();
        for (offset, sample, replaces) in self.old.resolve(&known) {
            if replaces {
                self.unmiss(&sample);
            }
            self.samples.push(sample);
            if sample.missed.is_some() {
                self.missed += 1;
            } else {
                self.newest_us = self.newest_us.max(sample.outcome.finished_us);
                self.ledger.observe_old(&as_sample(offset, &sample), now_ms);
            }
        }
    }

    /// How many samples wait to be written.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.samples.len() + self.old.len()
    }

    /// Whether there is something to write; while it is taken in again nothing may be.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.is_settling() && (self.pending() > 0 || self.ledger.has_news())
    }

    /// Whether something is to be written now and then, be it without news.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let is_behind = self.next_offset != self.written_offset || !self.ledger.is_settled();
        !self.is_settling() && is_behind
    }

    /// Notes how long polls took lately from due to recorded, in milliseconds: p50, p99 and the most.
    pub const fn note_delay(&mut self, delay_ms: [i64; 3]) {
        self.delay_ms = delay_ms;
    }

    fn seat_mut(&mut self, number: u32) -> &mut Seat {
        let place = self.shards.place(number) as usize;
        if place >= self.seats.len() {
            self.seats.resize_with(place + 1, || None);
        }
        #[expect(clippy::indexing_slicing, reason = "there are so many by now")]
        self.seats[place].get_or_insert_default()
    }
}

/// What an offset is as the key of a sample; 0 stands for none.
const fn key(offset: i64) -> SampleKey {
    SampleKey(offset + 1)
}

fn as_sample(offset: i64, sample: &ShardSample) -> Sample {
    Sample { key: key(offset), previous: SampleKey::default(), outcome: sample.outcome }
}

/// A slot that passed without a poll, as was known at `now_ms`.
fn passed(target: u32, slot: Slot, reason: u8, now_ms: i64) -> ShardSample {
    let outcome = Outcome {
        target,
        due_ms: slot.due_ms,
        finished_us: now_ms * 1_000,
        lag_us: 0,
        latency_us: 0,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: Finding { verdict: crate::outcome::Verdict::Unknown, ..Finding::default() },
    };
    ShardSample { slot, outcome, missed: Some(reason) }
}
