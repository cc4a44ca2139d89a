//! What the store still holds after crashes and full disks, and how much room it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use std::io::Write;
use std::path::Path;

use poller::health::Health;
use poller::outcome::{Cause, Detail, Finding, Micros, Phases, SampleKind, Verdict};
use poller::stats::Tally;
use poller::store::reader::{Limits, Reader, Value};
use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{
    Batch, ClosedHour, Journal as _, Record, Sample, SampleKey, Store, StoreError,
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
fn an_hour_that_comes_back_is_added_to_what_was_closed_of_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = open(&path);
    store.enrol(&mut targets(1)).unwrap();
    store.restore(NOW_MS).unwrap();
    let mut tally = Tally::default();
    (0..4).for_each(|number| tally.add(&outcome(1, NOW_MS, 1_000 + number)));
    let hour = u32::try_from(NOW_MS / HOUR_MS).unwrap();
    let hours = vec![ClosedHour { target: 1, hour, tally: tally.clone() }];
    for number in [1, 1, 2, 1] {
        store.append(&Batch { number, hours: hours.clone(), ..Batch::default() }).unwrap();
    }
    assert_eq!(number(&path, "SELECT checks FROM hours"), 8);
    assert_eq!(number(&path, "SELECT checks FROM days"), 8);
    // What is counted in it before it is over again is told as well.
    let health = Health::pending(NOW_MS);
    let open = Record { hour, tally, ..record(health) };
    store.append(&Batch { number: 3, records: vec![open], ..Batch::default() }).unwrap();
    assert_eq!(number(&path, "SELECT checks FROM hours"), 12);
    assert_eq!(number(&path, "SELECT checks FROM days"), 12);
    // A start without the target closes its hour.
    store.enrol(&mut targets(0)).unwrap();
    assert_eq!(number(&path, "SELECT checks FROM closed_hour"), 12);
    assert_eq!(number(&path, "SELECT checks FROM closed_day"), 12);
    assert_eq!(number(&path, "SELECT checks FROM record"), 0);
}

fn record(health: Health) -> Record {
    Record {
        target: 1,
        health,
        has_incident: false,
        last: SampleKey::first_of(NOW_MS),
        last_code: 200,
        last_latency_us: 77,
        certificate_until: 0,
        hour: 0,
        tally: Tally::default(),
    }
}
