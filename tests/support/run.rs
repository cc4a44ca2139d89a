//! Runs of a ledger on a store in memory, cut by whatever happens to them.

use poller::clock::Clock;
use poller::ledger::Ledger;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
use poller::stage::recorder::{Resumed, resume};
use poller::store::memory::MemoryStore;
use poller::store::{Batch, Journal, Record, Sample, SampleKey, Store, StoreError};
use proptest::prelude::*;

use crate::support::{HOUR_MS, NOW_MS, outcome, targets};

/// The targets of every run; they are numbered from 1.
pub(crate) const TARGETS: u32 = 5;

/// What happens to a run.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A poll finishes, some time after the one before.
    Poll { target: u32, after_ms: i64, kind: Kind },
    /// A batch is closed and stored.
    Store,
    /// A batch is closed and noted down in the journal; the store takes it later.
    Stall,
    /// The run ends without a word, and another one begins.
    Crash,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Up,
    Warning,
    Provisional,
    Down,
    Unknown,
    Manual,
    /// The certificate was renewed, or is about to end.
    Certified(i64),
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Up),
        1 => Just(Kind::Warning),
        2 => Just(Kind::Provisional),
        2 => Just(Kind::Down),
        1 => Just(Kind::Unknown),
        1 => Just(Kind::Manual),
        1 => (0_i64..200).prop_map(Kind::Certified),
    ]
}

/// Mostly seconds pass between polls, sometimes hours; sometimes the clock is set back.
pub(crate) fn after_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => 0_i64..2_000,
        4 => 100_000_i64..900_000,
        1 => HOUR_MS..3 * HOUR_MS,
        1 => -2 * HOUR_MS..0,
    ]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let poll = (1..=TARGETS, after_ms(), kind()).prop_map(|(target, after_ms, kind)| Event::Poll {
        target,
        after_ms,
        kind,
    });
    prop_oneof![12 => poll, 2 => Just(Event::Store), 1 => Just(Event::Stall), 1 => Just(Event::Crash)]
}

pub(crate) fn poll(target: u32, at_ms: i64, kind: Kind) -> Outcome {
    let up = outcome(target, at_ms, 20_000 + target * 7);
    let ended = |cause, detail| Finding { status: 0, ..up.finding.with_cause(cause, detail) };
    match kind {
        Kind::Up => up,
        Kind::Warning => {
            Outcome { finding: up.finding.with_cause(Cause::Assertion, Detail::Json), ..up }
        }
        Kind::Provisional => {
            Outcome { is_provisional: true, finding: ended(Cause::Timeout, Detail::Waiting), ..up }
        }
        Kind::Down => Outcome {
            kind: SampleKind::Recheck,
            finding: ended(Cause::Connect, Detail::Refused),
            ..up
        },
        Kind::Unknown => Outcome { finding: ended(Cause::Resolver, Detail::Unanswered), ..up },
        Kind::Manual => Outcome { kind: SampleKind::Manual, ..up },
        Kind::Certified(days) => {
            let certificate_until = NOW_MS / 1_000 + days * 86_400;
            Outcome { finding: Finding { certificate_until, ..up.finding }, ..up }
        }
    }
}

/// A journal in memory.
#[derive(Clone, Default)]
pub(crate) struct Notes(Vec<Sample>);

impl Journal for Notes {
    fn append(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        self.0.extend(samples);
        Ok(())
    }

    fn read(&mut self, after: SampleKey, most: usize) -> Result<Vec<Sample>, StoreError> {
        Ok(self.0.iter().filter(|sample| sample.key > after).take(most).copied().collect())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.0.clear();
        Ok(())
    }

    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// A run: the ledger, what it is stored in, and the batches that wait.
pub(crate) struct Run {
    pub(crate) ledger: Ledger,
    pub(crate) store: MemoryStore,
    pub(crate) journal: Notes,
    /// When nothing may get in the way.
    pub(crate) is_undisturbed: bool,
    pub(crate) waiting: Vec<Batch>,
    /// What was taken in and is neither stored nor noted down.
    pub(crate) unsafe_yet: Vec<Outcome>,
    pub(crate) now_ms: i64,
    /// Windows of a time that comes twice may be counted again after a restart.
    pub(crate) was_set_back: bool,
}

pub(crate) fn start(store: &mut MemoryStore, journal: &mut Notes, now_ms: i64) -> Ledger {
    let clock = Clock::with_wall(move || now_ms * 1_000);
    let Resumed { ledger, .. } = resume(store, journal, targets(TARGETS), &clock).unwrap();
    ledger
}

impl Run {
    pub(crate) fn new(is_undisturbed: bool) -> Self {
        let (mut store, mut journal) = (MemoryStore::default(), Notes::default());
        let ledger = start(&mut store, &mut journal, NOW_MS - 60_000);
        let (waiting, unsafe_yet) = (Vec::new(), Vec::new());
        let (now_ms, was_set_back) = (NOW_MS, false);
        let mut run = Self {
            ledger,
            store,
            journal,
            is_undisturbed,
            waiting,
            unsafe_yet,
            now_ms,
            was_set_back,
        };
        for target in 1..=TARGETS {
            run.ledger.observe(&poll(target, NOW_MS, Kind::Up));
        }
        run.flush();
        run
    }

    pub(crate) fn meet(&mut self, event: &Event) {
        match *event {
            Event::Poll { target, after_ms, kind } => {
                self.now_ms += after_ms;
                self.was_set_back |= after_ms < 0;
                let outcome = poll(target, self.now_ms, kind);
                self.ledger.observe(&outcome);
                self.unsafe_yet.push(outcome);
            }
            Event::Stall if !self.is_undisturbed => {
                let batch = self.ledger.take_lean_batch(self.now_ms);
                self.journal.append(&batch.samples).unwrap();
                self.waiting.push(batch);
                self.unsafe_yet.clear();
            }
            Event::Crash if !self.is_undisturbed => self.crash(),
            Event::Store | Event::Stall | Event::Crash => self.flush(),
        }
    }

    pub(crate) fn flush(&mut self) {
        self.waiting.push(self.ledger.take_batch(self.now_ms));
        for batch in self.waiting.drain(..) {
            self.store.append(&batch).unwrap();
        }
        self.journal.clear().unwrap();
        self.unsafe_yet.clear();
    }

    /// Begins again from what is stored and noted down. What is neither is polled once more, so
    /// that in the end all runs have seen the same.
    pub(crate) fn crash(&mut self) {
        self.waiting.clear();
        self.ledger = start(&mut self.store, &mut self.journal, self.now_ms);
        for outcome in &self.unsafe_yet {
            self.ledger.observe(outcome);
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        (1..=TARGETS).map(|number| self.ledger.record(number).unwrap().clone()).collect()
    }
}
