//! The recorder with a store that stalls, freezes or is slow: what is stored, noted down and lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/recording.rs"]
mod recording;
#[path = "support/store.rs"]
mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use poller::outcome::Outcome;
use poller::store::memory::MemoryStore;
use poller::store::spill::Spill;
use poller::store::{Journal, SampleKey, Store};
use recording::{Rig, SharedJournal, SharedStore, TARGETS, wait_until};
use support::{NOW_MS, failed, outcome};

const GRACE: Duration = Duration::from_secs(10);
/// When the first poll ends: behind the start of the recorder, which takes some milliseconds.
const FIRST_MS: i64 = NOW_MS + 1_000;

/// The polls number `from` to `to`, one every millisecond and a few of them failed.
fn polls(from: u32, to: u32) -> Vec<Outcome> {
    (from..to).map(poll).collect()
}

fn poll(index: u32) -> Outcome {
    let (target, at_ms) = (1 + index % TARGETS, FIRST_MS + i64::from(index));
    if index % 97 < 40 && target == 3 {
        return Outcome { is_provisional: false, ..failed(target, at_ms) };
    }
    outcome(target, at_ms, 1_000 + index)
}

/// What a store holds in the end when nothing gets in the way.
fn undisturbed(outcomes: &[Outcome]) -> MemoryStore {
    let store = SharedStore::default();
    let rig = Rig::start(&store, SharedJournal::default());
    rig.put(outcomes);
    rig.recorder.stop(GRACE);
    store.content()
}

fn outcomes_in(store: &MemoryStore) -> Vec<Outcome> {
    store.samples.values().map(|sample| sample.outcome).collect()
}

/// Checks that two stores hold the same but for the runs.
fn assert_same(one: &MemoryStore, other: &MemoryStore) {
    assert!(one.samples == other.samples, "samples differ");
    assert_eq!(one.totals, other.totals);
    assert_eq!(one.records, other.records);
    assert_eq!(one.transitions, other.transitions);
    assert_eq!(one.incidents, other.incidents);
    assert_eq!(one.seconds, other.seconds);
    assert_eq!(one.fleet_hours, other.fleet_hours);
    assert_eq!((&one.hours, &one.days), (&other.hours, &other.days));
}

#[test]
fn every_outcome_is_stored_once_and_in_order() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal.clone());
    let outcomes = polls(0, 20_000);
    outcomes.chunks(1_000).for_each(|chunk| rig.put(chunk));
    wait_until("all is stored", || rig.recorder.storage().samples == 20_000);
    rig.recorder.stop(GRACE);
    assert_eq!(outcomes_in(&store.content()), outcomes);
    assert_eq!(store.content().totals.checks, 20_000);
    assert_eq!(store.content().settled, *store.content().samples.keys().last().unwrap());
    assert!(journal.samples().is_empty());
}

#[test]
fn what_a_stalled_store_does_not_take_goes_to_the_journal_and_is_stored_later() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal.clone());
    rig.put(&polls(0, 500));
    wait_until("the first are stored", || store.count() == 500);
    store.stall(true);
    rig.put(&polls(500, 1_500));
    wait_until("all is noted down", || rig.recorder.storage().spilled == 1_000);
    let facts = rig.recorder.storage();
    assert_eq!((facts.fault.as_deref(), facts.queued, facts.lost), (Some("disk full"), 1_000, 0));
    store.stall(false);
    wait_until("all is stored", || store.count() == 1_500);
    wait_until("the journal is cleared", || rig.recorder.storage().spilled == 0);
    assert_eq!(rig.recorder.storage().fault, None);
    rig.recorder.stop(GRACE);
    assert_same(&store.content(), &undisturbed(&polls(0, 1_500)));
}

#[test]
fn memory_alone_carries_what_neither_store_nor_journal_take() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal.clone());
    store.stall(true);
    journal.fill(true);
    for from in (0..3_000).step_by(500) {
        rig.put(&polls(from, from + 500));
    }
    wait_until("the store is tried", || rig.recorder.storage().fault.is_some());
    wait_until("all waits", || rig.recorder.storage().queued == 3_000);
    let facts = rig.recorder.storage();
    assert_eq!((facts.spilled, facts.lost), (0, 0));
    journal.fill(false);
    wait_until("all is noted down", || rig.recorder.storage().spilled == 3_000);
    store.stall(false);
    wait_until("all is stored", || store.count() == 3_000);
    rig.recorder.stop(GRACE);
    assert_same(&store.content(), &undisturbed(&polls(0, 3_000)));
}

#[test]
fn past_the_bound_of_memory_samples_are_read_back_from_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.spill");
    let store = SharedStore::default();
    let rig = Rig::with_room(&store, Spill::open(&path).unwrap(), 300);
    store.stall(true);
    for wave in 0..8 {
        rig.put(&polls(wave * 500, wave * 500 + 500));
        let noted = u64::from(wave * 500 + 500);
        wait_until("the wave is noted down", || rig.recorder.storage().spilled == noted);
    }
    // The first batch is in the writer's hands; of the others nothing needs to be in memory.
    wait_until("memory is light", || rig.recorder.storage().queued <= 500);
    store.stall(false);
    wait_until("all is stored", || store.count() == 4_000);
    wait_until("the journal is cleared", || rig.recorder.storage().spilled == 0);
    assert_eq!(rig.recorder.storage().lost, 0);
    rig.recorder.stop(GRACE);
    assert_same(&store.content(), &undisturbed(&polls(0, 4_000)));
}

#[test]
fn past_both_the_oldest_are_lost_and_counted() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::with_room(&store, journal.clone(), 1_000);
    store.stall(true);
    journal.fill(true);
    for wave in 0..8 {
        rig.put(&polls(wave * 500, wave * 500 + 500));
        let least = (u64::from(wave) * 500 + 500).min(1_000);
        wait_until("the wave waits", || rig.recorder.storage().queued >= least);
    }
    wait_until("memory is light", || rig.recorder.storage().lost == 3_000);
    store.stall(false);
    wait_until("the rest is stored", || store.count() == 1_000);
    wait_until("that is told", || {
        let facts = rig.recorder.storage();
        (facts.queued, facts.lost, facts.samples) == (0, 3_000, 1_000)
    });
    rig.recorder.stop(GRACE);
    let stored = outcomes_in(&store.content());
    let first = stored.iter().take_while(|outcome| **outcome == poll(index_of(outcome))).count();
    assert_eq!(first, 1_000);
    assert_eq!(stored.last(), Some(&poll(3_999)));
    // What was counted stays counted.
    assert_eq!(store.content().totals.checks, 4_000);
}

fn index_of(outcome: &Outcome) -> u32 {
    u32::try_from(outcome.finished_us / 1_000 - FIRST_MS).unwrap()
}

/// Stops a recorder whose store stalls or freezes, starts another one on what is left, and
/// checks that it makes no difference.
fn stop_disturbed(disturb: fn(&SharedStore, bool), journal: impl Fn() -> Box<dyn AnyJournal>) {
    let store = SharedStore::default();
    let rig = journal().start(&store);
    rig.put(&polls(0, 700));
    wait_until("the first are stored", || store.count() == 700);
    disturb(&store, true);
    rig.put(&polls(700, 1_500));
    let began = Instant::now();
    rig.recorder.stop(Duration::from_secs(4));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    disturb(&store, false);
    let rig = journal().start(&store);
    rig.put(&polls(1_500, 2_000));
    rig.recorder.stop(GRACE);
    assert_same(&store.content(), &undisturbed(&polls(0, 2_000)));
}

/// Starts a recorder on whatever journal it is.
trait AnyJournal {
    fn start(self: Box<Self>, store: &SharedStore) -> Rig;
}

impl<J: Journal> AnyJournal for J {
    fn start(self: Box<Self>, store: &SharedStore) -> Rig {
        Rig::start(store, *self)
    }
}

#[test]
fn a_stop_while_the_store_stalls_leaves_the_rest_to_the_next_start() {
    let journal = SharedJournal::default();
    stop_disturbed(SharedStore::stall, || Box::new(journal.clone()));
}

#[test]
fn what_a_file_carries_over_a_stop_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.spill");
    stop_disturbed(SharedStore::stall, || Box::new(Spill::open(&path).unwrap()));
}

#[test]
fn a_store_that_is_frozen_for_ever_does_not_hold_up_the_stop() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal.clone());
    store.freeze(true);
    rig.put(&polls(0, 300));
    let began = Instant::now();
    rig.recorder.stop(Duration::from_secs(4));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let noted: Vec<_> = journal.samples().iter().map(|sample| sample.outcome).collect();
    assert_eq!(noted, polls(0, 300));
    store.freeze(false);
}

#[test]
fn a_store_that_hangs_without_a_word_is_told() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal);
    store.freeze(true);
    rig.put(&polls(0, 10));
    wait_until("it is told", || {
        let fault = rig.recorder.storage().fault;
        fault.is_some_and(|fault| fault.contains("taken nothing"))
    });
    store.freeze(false);
    wait_until("it goes on", || rig.recorder.storage().fault.is_none());
    rig.recorder.stop(GRACE);
    assert_eq!(store.count(), 10);
}

#[test]
fn work_with_the_store_is_done_between_batches_or_not_at_all() {
    let (store, journal) = (SharedStore::default(), SharedJournal::default());
    let rig = Rig::start(&store, journal);
    let amend = |store: &mut dyn Store| store.amend(&mut [], &[7]).is_ok();
    assert_eq!(rig.recorder.access().with_store(GRACE, amend), Some(true));
    store.stall(true);
    rig.put(&polls(0, 100));
    wait_until("the store is tried", || rig.recorder.storage().fault.is_some());
    assert_eq!(rig.recorder.access().with_store(GRACE, amend), Some(false));
    store.freeze(true);
    let began = Instant::now();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let marks = std::sync::Arc::clone(&done);
    let mark = move |_: &mut dyn Store| marks.store(true, std::sync::atomic::Ordering::SeqCst);
    // The writer may rest for a moment before it is caught in the frozen store.
    wait_until("the writer is caught", || {
        rig.recorder.access().with_store(Duration::from_millis(300), |_| ()).is_none()
    });
    assert_eq!(rig.recorder.access().with_store(Duration::from_millis(300), mark), None);
    assert!(began.elapsed() < GRACE);
    store.freeze(false);
    store.stall(false);
    wait_until("all is stored", || store.count() == 100);
    assert_eq!(rig.recorder.access().with_store(GRACE, |_| ()), Some(()));
    assert!(!done.load(std::sync::atomic::Ordering::SeqCst), "what was given up is not done later");
    rig.recorder.stop(GRACE);
    let last = store.content().samples.keys().last().copied();
    assert_eq!(last.map(SampleKey::at_ms), Some(FIRST_MS + 99));
}

#[test]
fn a_clock_that_was_set_far_ahead_drops_nothing_and_was_not_watched_over() {
    const MONTH_US: i64 = 30 * 86_400_000_000;
    let store = SharedStore::default();
    store.keep(86_400_000);
    let rig = Rig::start(&store, SharedJournal::default());
    rig.put(&polls(0, 500));
    wait_until("the first are stored", || store.count() == 500);
    rig.wall_us.store(MONTH_US, Ordering::Relaxed);
    assert!(rig.clock.follow_wall().is_some());
    rig.put(&polls(500, 1_000));
    wait_until("the second are stored", || store.count() == 1_000);
    rig.wall_us.store(0, Ordering::Relaxed);
    assert!(rig.clock.follow_wall().is_some());
    rig.put(&polls(1_000, 1_500));
    rig.recorder.stop(GRACE);
    assert_eq!(store.count(), 1_500);
    let runs = store.content().runs;
    let month_ms = MONTH_US / 1_000;
    assert!(runs.len() == 3 && runs.iter().all(|run| run.1 - run.0 < month_ms), "{runs:?}");
    assert!(runs[1].0 >= NOW_MS + month_ms, "{runs:?}");
}
