//! What the store still holds after crashes and full disks, and how much room it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/disk.rs"]
mod disk;
#[path = "support/store.rs"]
mod support;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use poller::clock::Clock;
use poller::outcome::{Cause, Detail, Finding, Micros, Phases, SampleKind, Verdict};
use poller::stage::recorder::resume;
use poller::stats::Tally;
use poller::store::reader::{Limits, Reader, Value};
use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{
    Batch, ClosedHour, Excess, Journal as _, Sample, SampleKey, Store, StoreError,
};
use proptest::prelude::*;
use support::{HOUR_MS, NOW_MS, failed, outcome, samples, targets};

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

/// The first number of the answer to `sql`.
fn number(path: &Path, sql: &str) -> i64 {
    match Reader::open(path).unwrap().sql(sql, Limits::default()).unwrap().rows[0][0] {
        Value::Integer(number) => number,
        ref other => panic!("{other:?} is no number"),
    }
}

prop_compose! {
    fn any_phases()(us in any::<[Option<u32>; 5]>()) -> Phases {
        let [resolve, connect, tls, first_byte, transfer] =
            us.map(|us| us.map_or(Micros::NONE, Micros::from_us));
        Phases { resolve, connect, tls, first_byte, transfer }
    }
}

prop_compose! {
    fn any_finding()(
        cause in proptest::option::of(proptest::sample::select(Cause::ALL)),
        detail in proptest::sample::select(Detail::ALL),
        (status, redirects) in (0_u16..1_000, any::<u8>()),
        (is_at_least, is_reused) in any::<(bool, bool)>(),
        bytes in 0_u64..1 << 60,
        certificate_until in prop_oneof![Just(0), 1_i64..1 << 50],
        retry_after_s in 0_u32..1 << 23,
        phases in any_phases(),
        verdict in 0..4,
    ) -> Finding {
        let verdict = [Verdict::Up, Verdict::Warning, Verdict::Down, Verdict::Unknown]
            [usize::try_from(verdict).unwrap()];
        Finding {
            verdict, cause, detail, status, bytes, is_at_least, redirects, is_reused,
            certificate_until, retry_after_s, phases,
        }
    }
}

prop_compose! {
    fn any_sample()(
        finding in any_finding(),
        (target, lag_us, latency_us) in any::<(u32, u32, u32)>(),
        due_ms in 0_i64..1 << 41,
        finished_us in 0_i64..1 << 51,
        at_ms in 1_i64..1 << 41,
        previous in prop_oneof![Just(0), 1_i64..1 << 62],
        is_provisional: bool,
        kind in 0..3,
    ) -> Sample {
        let kind = [SampleKind::Slot, SampleKind::Recheck, SampleKind::Manual]
            [usize::try_from(kind).unwrap()];
        let outcome = poller::outcome::Outcome {
            target, due_ms, finished_us, lag_us, latency_us, kind, is_provisional, finding,
        };
        Sample { key: SampleKey::first_of(at_ms), previous: SampleKey(previous), outcome }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_sample_comes_back_exactly_as_it_was(
        mut samples in proptest::collection::vec(any_sample(), 1..60),
    ) {
        samples.sort_by_key(|sample| sample.key);
        samples.dedup_by_key(|sample| sample.key);
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(&directory.path().join("poller.db"));
        store.append(&Batch { samples: samples.clone(), ..Batch::default() }).unwrap();
        prop_assert_eq!(&store.restore(NOW_MS).unwrap().unsettled, &samples);

        let mut spill = Spill::open(&directory.path().join("poller.spill")).unwrap();
        spill.append(&samples).unwrap();
        let replayed: Vec<_> =
            spill.replay(0).unwrap().map(|sample| sample.unwrap().unwrap()).collect();
        prop_assert_eq!(replayed, samples);
    }
}

#[test]
fn a_crash_loses_no_batch_that_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = open(&path);
    for number in 0..20 {
        let samples = samples(&[outcome(1, NOW_MS + number, 5), failed(2, NOW_MS + number)]);
        store.append(&Batch { samples, ..Batch::default() }).unwrap();
    }
    // What lies on the disk while the store is open is what a crash leaves.
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(directory.path().join("poller.db-wal"), directory.path().join("copy.db-wal"))
        .unwrap();
    let log = std::fs::OpenOptions::new()
        .append(true)
        .open(directory.path().join("copy.db-wal"))
        .unwrap();
    log.set_len(log.metadata().unwrap().len() - 100).unwrap();
    let restored = open(&copy).restore(NOW_MS).unwrap();
    assert!(restored.samples >= 38, "all but the batch that was torn: {}", restored.samples);
    assert_eq!(restored.samples, restored.unsettled.len() as u64);
    assert_eq!(store.restore(NOW_MS).unwrap().samples, 40);
}

#[test]
fn a_directory_in_the_place_of_the_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nested/poller.db");
    drop(open(&path));
    let error = SqliteStore::open(directory.path(), SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 1").unwrap();
    drop(theirs);
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("another program's database"), "{error}");
    assert!(std::fs::read(&path).unwrap() == before, "not a byte is changed");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "and no file is added");
}

#[test]
fn hours_days_and_windows_go_when_their_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = open(&path);
    let now_hour = u32::try_from(NOW_MS / HOUR_MS).unwrap();
    let hours = [0, 30 * 24, 30 * 24 + 2, 401 * 24].map(|back| ClosedHour {
        target: 1,
        hour: now_hour - back,
        tally: Tally::default(),
    });
    let now_s = NOW_MS / 1_000;
    let seconds = vec![(now_s - 331, vec![1]), (now_s - 330, vec![1])];
    store.append(&Batch { hours: hours.to_vec(), seconds, ..Batch::default() }).unwrap();
    while store.trim(NOW_MS).unwrap().has_more {}
    assert_eq!(number(&path, "SELECT count(*) FROM hours"), 2);
    assert_eq!(number(&path, "SELECT count(*) FROM days"), 3 - 1);
    assert_eq!(number(&path, "SELECT count(*) FROM second"), 1);
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
fn a_torn_end_of_the_spill_is_left_out_and_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.spill");
    let samples = samples(&[outcome(1, NOW_MS, 5), failed(2, NOW_MS), outcome(3, NOW_MS, 6)]);
    let mut spill = Spill::open(&path).unwrap();
    spill.append(&samples[..2]).unwrap();
    drop(spill);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"half a record").unwrap();

    let mut spill = Spill::open(&path).unwrap();
    assert_eq!(spill.count(), 2);
    spill.append(&samples[2..]).unwrap();
    let rest: Vec<_> = spill.replay(1).unwrap().map(|sample| sample.unwrap().unwrap()).collect();
    assert_eq!(rest, samples[1..]);
    spill.clear().unwrap();
    assert_eq!((spill.count(), Spill::open(&path).unwrap().count()), (0, 0));
}

#[test]
fn a_damaged_record_of_the_spill_costs_itself_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.spill");
    let samples = samples(&[outcome(1, NOW_MS, 5), failed(2, NOW_MS), outcome(3, NOW_MS, 6)]);
    Spill::open(&path).unwrap().append(&samples).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16 + 100 + 9] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let replayed: Vec<_> =
        Spill::open(&path).unwrap().replay(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(replayed, [Some(samples[0]), None, Some(samples[2])]);
    assert_eq!(Spill::open(&path).unwrap().damaged().unwrap(), 1);
    std::fs::write(&path, "something else altogether").unwrap();
    assert!(Spill::open(&path).is_err());
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
