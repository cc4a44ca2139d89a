//! A recorder at work on a store and a journal that tests can stop and look into.

#![allow(dead_code, reason = "each test uses its own part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};
use poller::clock::Clock;
use poller::outcome::Outcome;
use poller::queue::Outlet;
use poller::queue::local::Outbox;
use poller::stage::recorder::{self, Desk, MOST_HELD, Recorder, Resumed};
use poller::store::memory::MemoryStore;
use poller::store::{
    Batch, Journal, OwnChange, OwnStore, Record, Restored, Sample, SampleKey, Store, StoreError,
    Trimmed,
};
use poller::target::Target;

use crate::support::{NOW_MS, targets};

/// How long a test waits for what is bound to come.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `is_so`, and panics with `what` when that takes too long.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A store in memory that others look into; it can stall, and freeze in the midst of a call.
#[derive(Clone, Default)]
pub(crate) struct SharedStore(Arc<(Mutex<Inner>, Condvar)>);

#[derive(Default)]
struct Inner {
    store: MemoryStore,
    is_frozen: bool,
    batches: usize,
}

impl SharedStore {
    /// Refuses everything, or takes it again.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.0.0.lock().store.stalled = is_stalled.then(|| "disk full".to_owned());
    }

    /// Does not come back from any call, or does again.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.0.0.lock().is_frozen = is_frozen;
        self.0.1.notify_all();
    }

    /// Keeps samples for `keep_ms` milliseconds.
    pub(crate) fn keep(&self, keep_ms: i64) {
        self.0.0.lock().store.keep_samples_ms = Some(keep_ms);
    }

    /// What it holds.
    pub(crate) fn content(&self) -> MemoryStore {
        self.0.0.lock().store.clone()
    }

    /// How many samples it holds.
    pub(crate) fn count(&self) -> usize {
        self.0.0.lock().store.samples.len()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.0.0.lock();
        while inner.is_frozen {
            self.0.1.wait(&mut inner);
        }
        work(&mut inner)
    }
}

impl OwnStore for SharedStore {
    fn amend_own(
        &mut self,
        targets: &mut [Target],
        removed: &[u32],
        change: &OwnChange,
    ) -> Result<(), StoreError> {
        self.with(|inner| inner.store.amend_own(targets, removed, change))
    }
}

impl Store for SharedStore {
    fn enrol(&mut self, targets: &mut [Target]) -> Result<(), StoreError> {
        self.with(|inner| inner.store.enrol(targets))
    }

    fn amend(&mut self, targets: &mut [Target], removed: &[u32]) -> Result<(), StoreError> {
        self.with(|inner| inner.store.amend(targets, removed))
    }

    fn records(&mut self, numbers: &[u32]) -> Result<Vec<Record>, StoreError> {
        self.with(|inner| inner.store.records(numbers))
    }

    fn restore(&mut self, now_ms: i64) -> Result<Restored, StoreError> {
        self.with(|inner| inner.store.restore(now_ms))
    }

    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.with(|inner| {
            let known = |sample: &&Sample| inner.store.samples.contains_key(&sample.key);
            let repeated = batch.samples.iter().filter(known).count();
            inner.store.append(batch)?;
            assert_eq!(repeated, 0, "the recorder hands no sample in twice");
            inner.batches += 1;
            Ok(())
        })
    }

    fn trim(&mut self, now_ms: i64) -> Result<Trimmed, StoreError> {
        self.with(|inner| inner.store.trim(now_ms))
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// A journal in memory that others look into; it can be full.
#[derive(Clone, Default)]
pub(crate) struct SharedJournal(Arc<Mutex<(Vec<Sample>, bool)>>);

impl SharedJournal {
    /// Takes nothing, or does again.
    pub(crate) fn fill(&self, is_full: bool) {
        self.0.lock().1 = is_full;
    }

    /// What it holds.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.0.lock().0.clone()
    }
}

impl Journal for SharedJournal {
    fn append(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        let mut journal = self.0.lock();
        if journal.1 {
            return Err(StoreError::Stalled { reason: "disk full".to_owned() });
        }
        let last = journal.0.last().map(|sample| sample.key);
        let is_behind =
            samples.first().is_none_or(|first| last.is_none_or(|last| last < first.key));
        assert!(is_behind, "keys ascend in the journal");
        journal.0.extend(samples);
        Ok(())
    }

    fn read(&mut self, after: SampleKey, most: usize) -> Result<Vec<Sample>, StoreError> {
        let journal = self.0.lock();
        Ok(journal.0.iter().filter(|sample| sample.key > after).take(most).copied().collect())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.0.lock().0.clear();
        Ok(())
    }

    fn count(&self) -> u64 {
        self.0.lock().0.len() as u64
    }

    fn bytes(&self) -> u64 {
        100 * self.count()
    }
}

/// A recorder at work.
pub(crate) struct Rig {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) recorder: Recorder,
    pub(crate) seen: Arc<Mutex<Vec<Outcome>>>,
    pub(crate) clock: Clock,
    /// How far the wall clock was set, in microseconds.
    pub(crate) wall_us: Arc<AtomicI64>,
}

/// The targets that a rig polls; they are numbered from 1.
pub(crate) const TARGETS: u32 = 20;

impl Rig {
    /// Starts a recorder as a daemon would, on what `store` and `journal` hold.
    pub(crate) fn start(store: &SharedStore, journal: impl Journal) -> Self {
        Self::with_room(store, journal, MOST_HELD)
    }

    /// The same, with room for `most_held` samples in memory.
    pub(crate) fn with_room(
        store: &SharedStore,
        mut journal: impl Journal,
        most_held: usize,
    ) -> Self {
        let wall_us = Arc::new(AtomicI64::new(0));
        let (set_us, began) = (Arc::clone(&wall_us), Instant::now());
        let clock = Clock::with_wall(move || {
            let passed_us = i64::try_from(began.elapsed().as_micros()).unwrap_or(0);
            NOW_MS * 1_000 + passed_us + set_us.load(Ordering::Relaxed)
        });
        let mut opened = store.clone();
        let resumed = recorder::resume(&mut opened, &mut journal, targets(TARGETS), &clock);
        let Resumed { ledger, roster, samples } = resumed.expect("the store is good");
        let (outbox, seen) = (Arc::<Outbox>::default(), Arc::<Mutex<Vec<Outcome>>>::default());
        let outlet: Arc<dyn Outlet> = Arc::<Outbox>::clone(&outbox);
        let tapped = Arc::clone(&seen);
        let desk = Desk {
            outlet,
            ledger: Arc::new(Mutex::new(ledger)),
            court: Arc::default(),
            roster: Arc::new(RwLock::new(roster)),
            clock: clock.clone(),
            summarise: Box::new(|| "{}".to_owned()),
            tap: Box::new(move |outcomes, _| tapped.lock().extend(outcomes)),
            most_held,
        };
        let recorder =
            Recorder::start(desk, store.clone(), samples, journal).expect("there is a thread");
        Self { outbox, recorder, seen, clock, wall_us }
    }

    /// Hands outcomes in and waits until the recorder has seen them.
    pub(crate) fn put(&self, outcomes: &[Outcome]) {
        let before = self.seen.lock().len();
        for &outcome in outcomes {
            self.outbox.put(outcome);
        }
        wait_until("outcomes are seen", || self.seen.lock().len() == before + outcomes.len());
    }
}
