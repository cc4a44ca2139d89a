//! How much room the store takes: within its budget, beside others, and on a small disk.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]
#![allow(clippy::print_stdout, reason = "what was skipped is told")]

#[path = "support/disk.rs"]
mod disk;
#[path = "support/store.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use poller::clock::Clock;
use poller::stage::recorder::resume;
use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, Excess, Sample, Store};
use support::{NOW_MS, outcome, samples, targets};

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

#[test]
fn the_store_stays_within_its_budget_and_keeps_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let options = SqliteOptions { max_bytes: 4_000_000, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    let mut most = 0;
    for round in 0..60_i64 {
        let at_ms = |row: i64| NOW_MS + round * 1_000 + row / 5;
        let outcomes: Vec<_> = (0..5_000).map(|row| outcome(7, at_ms(row), 80_000)).collect();
        let samples = samples(&outcomes);
        let settled = samples.last().unwrap().key;
        store.append(&Batch { samples, settled, ..Batch::default() }).unwrap();
        while store.trim(at_ms(5_000)).unwrap().has_more {}
        most = most.max(store.bytes());
    }
    assert!(most < 4_000_000, "{most} bytes");
    let restored = store.restore(NOW_MS).unwrap();
    assert!((10_000..60_000).contains(&restored.samples), "{}", restored.samples);
    assert_eq!(restored.newest.at_ms(), NOW_MS + 59_999);
}

/// A store with so little room that it has to drop samples all the time, and the ledger that
/// writes into it: 50 targets that are polled 40 times a second.
fn run_in_little_room(path: &Path, rounds: i64) -> u64 {
    let options = SqliteOptions { max_bytes: 2_000_000, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(path, options).unwrap();
    let clock = Clock::with_wall(|| NOW_MS * 1_000);
    let mut journal = Spill::open(&path.with_extension("spill")).unwrap();
    let resumed = resume(&mut store, &mut journal, targets(50), &clock).unwrap();
    let mut ledger = resumed.ledger;
    let mut dropped = 0;
    let mut is_held_up = false;
    for round in 0..rounds {
        let now_ms = NOW_MS + round * 400;
        for row in 0..2_000 {
            let target = u32::try_from(row % 50 + 1).unwrap();
            ledger.observe(&outcome(target, now_ms + row / 5, 80_000));
        }
        let batch =
            if is_held_up { ledger.take_hurried_batch(now_ms) } else { ledger.take_batch(now_ms) };
        store.append(&batch).unwrap();
        loop {
            let trimmed = store.trim(now_ms).unwrap();
            assert_eq!(trimmed.excess, None);
            dropped += trimmed.samples;
            is_held_up = trimmed.is_held_up;
            if !trimmed.has_more {
                break;
            }
        }
        assert!(store.bytes() < 2_000_000, "{} bytes in round {round}", store.bytes());
    }
    dropped
}

#[test]
fn what_is_dropped_for_room_is_in_the_tallies_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let dropped = run_in_little_room(&path, 100);
    assert!(dropped > 100_000, "{dropped} of 200,000 samples");
    // The run ended without a word; the next one takes in what is in no record yet.
    let mut store = open(&path);
    let clock = Clock::with_wall(|| NOW_MS * 1_000);
    let mut journal = Spill::open(&path.with_extension("spill")).unwrap();
    let ledger = resume(&mut store, &mut journal, targets(50), &clock).unwrap().ledger;
    let counted: u32 = (1..=50).map(|number| ledger.record(number).unwrap().tally.checks).sum();
    assert_eq!((counted, ledger.fleet().totals.checks), (200_000, 200_000));
}

#[test]
fn what_has_nothing_left_to_drop_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let options = SqliteOptions { max_bytes: 500_000, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    store.enrol(&mut targets(5_000)).unwrap();
    while store.trim(NOW_MS).unwrap().has_more {}
    assert_eq!(store.trim(NOW_MS).unwrap().excess, Some(Excess::NothingLeft));
}

#[test]
fn a_smaller_budget_gives_room_back_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = open(&path);
    let outcomes: Vec<_> = (0..60_000).map(|row| outcome(7, NOW_MS + row, 80_000)).collect();
    let samples = samples(&outcomes);
    let settled = samples.last().unwrap().key;
    store.append(&Batch { samples, settled, ..Batch::default() }).unwrap();
    drop(store);
    let options = SqliteOptions {
        max_bytes: 1_500_000,
        keep_samples: Duration::from_secs(1 << 40),
        ..SqliteOptions::default()
    };
    let mut store = SqliteStore::open(&path, options).unwrap();
    let before = store.bytes();
    let mut calls = 0;
    while store.trim(NOW_MS).unwrap().has_more {
        calls += 1;
        assert!(calls < 1_000, "it never ends");
    }
    drop(store);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(before > 2_500_000 && after < 1_500_000, "{before} to {after} bytes");
}

#[test]
fn a_reader_that_holds_the_log_costs_no_samples_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let options = SqliteOptions { max_bytes: 2_000_000, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    let outcomes: Vec<_> = (0..40_000).map(|row| outcome(7, NOW_MS + row, 80_000)).collect();
    let all = samples(&outcomes);
    let mut append = |samples: &[Sample]| {
        let settled = samples.last().unwrap().key;
        store.append(&Batch { samples: samples.to_vec(), settled, ..Batch::default() }).unwrap();
        store.trim(NOW_MS).unwrap()
    };
    append(&all[..10]);
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sample").unwrap();
    let mut last = None;
    for samples in all[10..15_010].chunks(100) {
        let trimmed = append(samples);
        assert_eq!(trimmed.samples, 0);
        last = trimmed.excess;
    }
    assert_eq!(last, Some(Excess::LogHeld));
    reader.execute_batch("ROLLBACK").unwrap();
    append(&all[15_010..15_020]);
    assert_eq!(append(&all[15_020..15_030]).excess, None);
    assert!(store.bytes() < 1_500_000, "{} bytes", store.bytes());
    assert_eq!(store.restore(NOW_MS).unwrap().samples, 15_030);
}

#[test]
fn a_disk_that_is_smaller_than_the_budget_holds_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("disk");
    let Some(disk) = disk::Disk::mount(&mount, 4) else {
        println!("skipped: this user may not mount a small disk");
        return;
    };
    let mut store = open(&mount.join("poller.db"));
    let outcomes: Vec<_> = (0..140_000).map(|row| outcome(7, NOW_MS + row, 80_000)).collect();
    let all = samples(&outcomes);
    for samples in all.chunks(200) {
        let settled = samples.last().unwrap().key;
        store.append(&Batch { samples: samples.to_vec(), settled, ..Batch::default() }).unwrap();
        while store.trim(NOW_MS).unwrap().has_more {}
    }
    assert_eq!(store.restore(NOW_MS).unwrap().newest, all.last().unwrap().key);
    drop((store, disk));
}

#[test]
fn trimming_writes_nothing_when_there_is_nothing_to_drop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = open(&path);
    store
        .append(&Batch { samples: samples(&[outcome(1, NOW_MS, 5)]), ..Batch::default() })
        .unwrap();
    let log = || std::fs::read(directory.path().join("poller.db-wal")).unwrap();
    let before = log();
    assert_eq!(store.trim(NOW_MS).unwrap().samples, 0);
    assert!(log() == before);
}
