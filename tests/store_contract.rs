//! One suite that every edge of the port `Store` passes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use poller::health::{Health, Transition};
use poller::outcome::{Cause, Detail};
use poller::stats::Tally;
use poller::store::memory::MemoryStore;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{
    Batch, ClosedHour, IncidentChange, Record, SampleKey, Store, StoreError, Totals,
};
use poller::target::State;
use support::{HOUR_MS, NOW_MS, failed, outcome, samples, targets};

/// Runs `fact` on every edge.
fn on_every_edge(fact: impl Fn(&mut dyn Store)) {
    fact(&mut MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    fact(&mut SqliteStore::open(&path, SqliteOptions::default()).unwrap());
}

fn record(target: u32, tally: Tally) -> Record {
    Record {
        target,
        health: Health {
            state: State::Down,
            since_ms: NOW_MS - 5,
            cause: Some(Cause::Tls),
            detail: Detail::Expired,
            suspect_ms: 3,
        },
        has_incident: true,
        last: SampleKey::first_of(NOW_MS),
        last_code: 1_005,
        last_latency_us: 77,
        certificate_until: 1_900_000_000,
        hour: 498_611,
        tally,
    }
}

fn tally(checks: u32) -> Tally {
    let mut tally = Tally::default();
    (0..checks).for_each(|number| tally.add(&outcome(1, NOW_MS, 1_000 + number)));
    tally
}

#[test]
fn a_target_keeps_its_number_for_ever() {
    on_every_edge(|store| {
        let mut first = targets(3);
        store.enrol(&mut first).unwrap();
        assert_eq!(first.iter().map(|target| target.number).collect::<Vec<_>>(), [1, 2, 3]);

        store.enrol(&mut targets(1)).unwrap();
        let mut more = targets(5);
        more.reverse();
        store.enrol(&mut more).unwrap();
        let numbers: Vec<_> = more.iter().map(|target| target.number).collect();
        assert_eq!(numbers[2..], [3, 2, 1]);
        let mut new = numbers[..2].to_vec();
        new.sort_unstable();
        assert_eq!(new, [4, 5]);
    });
}

#[test]
fn all_that_was_appended_is_restored() {
    on_every_edge(|store| {
        store.enrol(&mut targets(3)).unwrap();
        store.restore(NOW_MS - 100_000).unwrap();
        let samples = samples(&[outcome(1, NOW_MS, 500), failed(2, NOW_MS + 3), failed(1, NOW_MS)]);
        let totals =
            Totals { checks: 3, codes: [(200, 1), (1_001, 2)].into(), bytes: 1 << 40, rechecks: 1 };
        let batch = Batch {
            samples: samples.clone(),
            seconds: vec![(NOW_MS / 1_000 - 299, vec![1]), (NOW_MS / 1_000 - 301, vec![2])],
            records: vec![record(1, tally(3)), record(3, Tally::default())],
            fleet_hours: vec![(498_610, tally(1)), (498_611, tally(2))],
            totals: totals.clone(),
            settled: samples[0].key,
            watched_until_ms: NOW_MS,
            ..Batch::default()
        };
        store.append(&batch).unwrap();

        let restored = store.restore(NOW_MS).unwrap();
        assert_eq!(restored.records, batch.records);
        assert_eq!(restored.seconds, batch.seconds[..1]);
        assert_eq!(restored.fleet_hour.as_ref(), batch.fleet_hours.last());
        assert_eq!(restored.totals, totals);
        assert_eq!(restored.unsettled, samples[1..]);
        assert_eq!(restored.newest, samples[2].key);
        assert_eq!(restored.samples, 3);
    });
}

#[test]
fn a_batch_may_arrive_twice() {
    on_every_edge(|store| {
        store.enrol(&mut targets(3)).unwrap();
        let batch = Batch {
            samples: samples(&[outcome(1, NOW_MS, 500), failed(2, NOW_MS)]),
            transitions: vec![transition(1, State::Up), transition(2, State::Down)],
            incidents: vec![began(2), IncidentChange::Ended { target: 2, at_ms: NOW_MS + 9 }],
            hours: vec![ClosedHour { target: 1, hour: 48, tally: tally(4) }],
            records: vec![record(2, tally(1))],
            totals: Totals { checks: 2, ..Totals::default() },
            number: 7,
            ..Batch::default()
        };
        store.append(&batch).unwrap();
        store.append(&batch).unwrap();
        let older = Totals { checks: 1, ..Totals::default() };
        store.append(&Batch { number: 6, totals: older, ..Batch::default() }).unwrap();
        let restored = store.restore(NOW_MS).unwrap();
        assert_eq!(restored.unsettled, batch.samples);
        assert_eq!(restored.samples, 2);
        assert_eq!(restored.totals.checks, 2);
    });
}

#[test]
fn records_of_targets_that_left_the_list_are_not_restored_but_kept() {
    on_every_edge(|store| {
        store.enrol(&mut targets(2)).unwrap();
        let records = vec![record(1, tally(1)), record(2, tally(2))];
        store.append(&Batch { records: records.clone(), ..Batch::default() }).unwrap();
        store.enrol(&mut targets(1)).unwrap();
        assert_eq!(store.restore(NOW_MS).unwrap().records, records[..1]);
        store.enrol(&mut targets(2)).unwrap();
        assert_eq!(store.restore(NOW_MS).unwrap().records[1].last, records[1].last);
    });
}

#[test]
fn a_gap_in_what_was_watched_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let sqlite = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    let (mut memory, mut sqlite) = (MemoryStore::default(), sqlite);
    let watched = |watched_since_ms, watched_until_ms| Batch {
        watched_since_ms,
        watched_until_ms,
        ..Batch::default()
    };
    for store in [&mut memory as &mut dyn Store, &mut sqlite] {
        store.restore(1_000).unwrap();
        store.append(&watched(0, 1_400)).unwrap();
        store.append(&watched(0, 1_500)).unwrap();
        store.append(&watched(9_000, 9_400)).unwrap();
        store.append(&watched(9_000, 9_800)).unwrap();
    }
    let mut rows = reader.prepare("SELECT * FROM run ORDER BY 1").unwrap();
    let runs: Vec<(i64, i64)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().flatten().collect();
    assert_eq!(runs, [(1_000, 1_500), (9_000, 9_800)]);
    assert_eq!(memory.runs, runs);
}

#[test]
fn an_empty_store_restores_nothing() {
    on_every_edge(|store| {
        let restored = store.restore(NOW_MS).unwrap();
        assert_eq!(restored.newest, SampleKey::default());
        assert_eq!(restored.samples, 0);
        assert!(restored.records.is_empty() && restored.unsettled.is_empty());
        assert_eq!(store.trim(NOW_MS).unwrap().samples, 0);
    });
}

#[test]
fn old_samples_are_dropped_and_only_those() {
    let day = std::time::Duration::from_hours(24);
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { keep_samples: day, ..SqliteOptions::default() };
    let sqlite = SqliteStore::open(&directory.path().join("poller.db"), options).unwrap();
    let memory = MemoryStore { keep_samples_ms: Some(24 * HOUR_MS), ..MemoryStore::default() };
    let edges: [Box<dyn Store>; 2] = [Box::new(sqlite), Box::new(memory)];
    for mut store in edges {
        let samples = samples(&[
            outcome(1, NOW_MS - 24 * HOUR_MS - 1, 5),
            outcome(1, NOW_MS - 24 * HOUR_MS, 5),
            outcome(1, NOW_MS, 5),
        ]);
        let settled = samples[2].key;
        store.append(&Batch { samples, settled, ..Batch::default() }).unwrap();
        assert_eq!(store.trim(NOW_MS).unwrap().samples, 1);
        assert_eq!(store.trim(NOW_MS).unwrap().samples, 0);
        assert_eq!(store.restore(NOW_MS).unwrap().samples, 2);
    }
}

#[test]
fn a_store_that_stalls_says_so_and_goes_on_later() {
    let batch = Batch { samples: samples(&[outcome(1, NOW_MS, 5)]), ..Batch::default() };
    let mut memory = MemoryStore { stalled: Some("no".into()), ..MemoryStore::default() };
    assert!(matches!(memory.append(&batch), Err(StoreError::Stalled { .. })));
    memory.stalled = None;
    memory.append(&batch).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(&batch).unwrap_err();
    assert!(matches!(&error, StoreError::Stalled { .. }), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(&batch).unwrap();
    assert_eq!(store.restore(NOW_MS).unwrap().samples, 1);
}

#[test]
fn an_outage_that_was_none_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let sqlite = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    let (mut memory, mut sqlite) = (MemoryStore::default(), sqlite);
    for store in [&mut memory as &mut dyn Store, &mut sqlite] {
        store.enrol(&mut targets(3)).unwrap();
        let incidents = vec![began(1), began(2)];
        store.append(&Batch { incidents, ..Batch::default() }).unwrap();
        let withdrawn = |target, began_ms| IncidentChange::Withdrawn { target, began_ms };
        let incidents = vec![withdrawn(1, NOW_MS), withdrawn(2, NOW_MS - 1), withdrawn(3, NOW_MS)];
        let batch = Batch { incidents, ..Batch::default() };
        store.append(&batch).unwrap();
        store.append(&batch).unwrap();
        let incidents = vec![began(3), IncidentChange::Withdrawn { target: 3, began_ms: NOW_MS }];
        store.append(&Batch { incidents, ..Batch::default() }).unwrap();
    }
    let mut rows = reader.prepare("SELECT target, ended_ms FROM incident").unwrap();
    let stored: Vec<(u32, Option<i64>)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().flatten().collect();
    assert_eq!(stored, [(2, None)]);
    let kept: Vec<_> =
        memory.incidents.iter().map(|incident| (incident.target, incident.ended_ms)).collect();
    assert_eq!(kept, stored);
}

fn transition(target: u32, to: State) -> Transition {
    Transition {
        target,
        from: State::Pending,
        to,
        at_ms: NOW_MS,
        cause: None,
        detail: Detail::None,
    }
}

fn began(target: u32) -> IncidentChange {
    IncidentChange::Began { target, at_ms: NOW_MS, cause: Cause::Dns, detail: Detail::NoSuchName }
}
