//! What readers see of a store, while a daemon writes it and after.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use poller::clock::rfc3339;
use poller::health::{Health, Transition};
use poller::outcome::{Cause, Code, Detail};
use poller::stats::{Recent, Tally};
use poller::store::reader::{Limits, Period, ReadError, Reader, Value, Wanted};
use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, ClosedHour, IncidentChange, Record, SampleKey, Store, Totals};
use poller::target::State;
use poller::view::{Expiring, Summary, stored_summary, tell_worst};
use support::{HOUR_MS, NOW_MS, failed, outcome, samples, targets};
use tempfile::TempDir;

const NOW_HOUR: u32 = 498_706;

/// A store in which target 1 is up, 2 is down since an hour, and 3 has not been polled.
fn store() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    store.enrol(&mut targets(3)).unwrap();
    store.restore(NOW_MS - 2 * HOUR_MS).unwrap();
    let outcomes =
        [outcome(1, NOW_MS - 9_000, 80_000), failed(2, NOW_MS - 8_000), outcome(1, NOW_MS, 90_000)];
    let mut recent = Recent::default();
    for outcome in &outcomes {
        recent.add(outcome);
    }
    let second = |at: i64| (at, recent.window(at).unwrap().encode());
    let samples = samples(&outcomes);
    let last = [samples[2].key, samples[1].key];
    store
        .append(&Batch {
            seconds: [-9, -8, 0].map(|back| second(NOW_MS / 1_000 + back)).to_vec(),
            transitions: vec![
                changed(1, NOW_MS - 2 * HOUR_MS, State::Pending, State::Up),
                changed(2, NOW_MS - 2 * HOUR_MS, State::Pending, State::Up),
                changed(2, NOW_MS - HOUR_MS, State::Up, State::Down),
            ],
            incidents: vec![began(2, NOW_MS - HOUR_MS)],
            records: vec![record(1, State::Up, last[0]), record(2, State::Down, last[1])],
            hours: vec![closed(1, 48), closed(1, 49)],
            totals: Totals { checks: 3, codes: [(200, 2), (1_001, 1)].into(), ..Totals::default() },
            settled: samples[1].key,
            watched_until_ms: NOW_MS,
            samples,
            ..Batch::default()
        })
        .unwrap();
    (directory, store)
}

fn changed(target: u32, at_ms: i64, from: State, to: State) -> Transition {
    Transition { target, from, to, at_ms, cause: None, detail: Detail::None }
}

fn began(target: u32, at_ms: i64) -> IncidentChange {
    IncidentChange::Began { target, at_ms, cause: Cause::Timeout, detail: Detail::Connecting }
}

fn tally() -> Tally {
    let mut tally = Tally::default();
    tally.add(&outcome(1, NOW_MS, 80_000));
    tally
}

fn closed(target: u32, hour: u32) -> ClosedHour {
    ClosedHour { target, hour, tally: tally() }
}

fn record(target: u32, state: State, last: SampleKey) -> Record {
    let cause = (state == State::Down).then_some(Cause::Timeout);
    let since_ms = NOW_MS - if state == State::Down { 1 } else { 2 } * HOUR_MS;
    Record {
        target,
        health: Health { state, since_ms, cause, detail: Detail::None, suspect_ms: 0 },
        has_incident: state == State::Down,
        last,
        last_code: if state == State::Down { 1_001 } else { 200 },
        last_latency_us: 80_000,
        certificate_until: 0,
        hour: NOW_HOUR,
        tally: tally(),
    }
}

fn reader(directory: &TempDir) -> Reader {
    Reader::open(&directory.path().join("poller.db")).unwrap()
}

/// The answer to `sql` with its values as text.
fn ask(reader: &Reader, sql: &str) -> Vec<Vec<String>> {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number}"),
        Value::Text(text) => text.clone(),
        Value::Blob(_) => "?".to_owned(),
    };
    let answer = reader.sql(sql, Limits::default()).unwrap();
    answer.rows.iter().map(|row| row.iter().map(text).collect()).collect()
}

#[test]
fn the_view_of_checks_says_in_words_what_is_stored_in_numbers() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    let rows = ask(
        &reader,
        "SELECT at, url, verdict, code, cause, detail, latency_ms, first_byte_ms, bytes, lag_ms, kind
         FROM checks ORDER BY key",
    );
    assert_eq!(
        rows[1].join(" "),
        "2026-11-22T09:59:52.000Z https://site-1.example/some/path?page=1 down timeout timeout \
         connecting 30000 - 0 1.7 recheck"
    );
    assert_eq!(rows[0][2..].join(" "), "up 200 - - 80 26.666 231274 1.7 slot");
    let columns = "at url target_id verdict code cause detail latency_ms resolve_ms connect_ms \
        tls_ms first_byte_ms transfer_ms bytes lag_ms kind key";
    let answer = reader.sql("SELECT * FROM checks", Limits::default()).unwrap();
    assert_eq!(answer.columns.join(" "), columns);
}

#[test]
fn the_newest_checks_are_found_without_looking_at_the_others() {
    let (directory, _store) = store();
    let plan = ask(
        &reader(&directory),
        "EXPLAIN QUERY PLAN SELECT * FROM checks ORDER BY key DESC LIMIT 20",
    );
    assert!(plan.iter().all(|step| !step[3].contains("TEMP B-TREE")), "{plan:?}");
    let plan = ask(
        &reader(&directory),
        "EXPLAIN QUERY PLAN SELECT * FROM checks
         WHERE key > unixepoch('2026-11-22T10:00:00Z') * 1000 << 21",
    );
    assert!(plan[0][3].contains("rowid>?"), "{plan:?}");
}

#[test]
fn the_other_views_hold_what_is_open_as_well() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    assert_eq!(
        ask(&reader, "SELECT url, state, since, interval_s, labels FROM targets")[1..],
        [
            "https://site-1.example/some/path?page=1 down 2026-11-22T09:00:00.000Z 60 {}",
            "https://site-2.example/some/path?page=2 pending - 60 {}",
        ]
        .map(|row| row.split(' ').map(str::to_owned).collect::<Vec<_>>())
    );
    assert_eq!(
        ask(&reader, "SELECT hour, checks, up, max_ms FROM hours ORDER BY hour").len(),
        4,
        "two that are over and the open ones of two targets"
    );
    assert_eq!(
        ask(&reader, "SELECT day, checks FROM days ORDER BY day")[0],
        ["1970-01-03T00:00:00.000Z", "2"]
    );
    assert_eq!(
        ask(&reader, "SELECT began, ended, cause, detail FROM incidents"),
        [["2026-11-22T09:00:00.000Z", "-", "timeout", "connecting"]]
    );
}

#[test]
fn queries_that_write_or_are_several_are_refused_in_words() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    for (sql, words) in [
        ("DELETE FROM sample", "only statements that read"),
        ("ATTACH 'other.db' AS other", "only statements that read"),
        ("PRAGMA journal_mode = DELETE", "only statements that read"),
        ("VACUUM INTO 'copy.db'", "only statements that read"),
        ("BEGIN", "only statements that read"),
        ("CREATE TEMP TABLE t (x)", "only statements that read"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELECT nonsense", "no such column"),
        ("SELEC 1", "syntax error"),
        ("SELECT ?", "placeholder"),
        ("-- nothing", "there is no query"),
    ] {
        let error = reader.sql(sql, Limits::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
    assert_eq!(ask(&reader, "SELECT 1; -- the only one"), [["1"]]);
    assert_eq!(ask(&reader, "PRAGMA user_version"), [["4"]]);
}

#[test]
fn a_query_has_limits() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
    let limits = Limits { rows: 7, ..Limits::default() };
    let answer = reader.sql(endless, limits).unwrap();
    assert_eq!((answer.rows.len(), answer.is_cut), (7, true));
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let error = reader.sql(&format!("SELECT sum(x) FROM ({endless})"), limits).unwrap_err();
    assert!(matches!(error, ReadError::TooLong(..)), "{error}");
    assert_eq!(ask(&reader, "SELECT 1"), [["1"]], "the connection is good for more");
}

#[test]
fn who_has_to_wait_for_a_connection_is_counted() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    let size = reader.pool_use().size;
    assert!(size > 1 && reader.pool_use().in_use == 0, "{:?}", reader.pool_use());
    ask(&reader, "SELECT count(*) FROM checks");
    assert_eq!(reader.pool_use().waits, 0);
    // It ends when its time is over.
    let endless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) \
                   SELECT count(*) FROM n";
    let end = Instant::now() + Duration::from_mins(1);
    // On a busy machine the first of them may be over before the last one begins.
    while reader.pool_use().waits == 0 && Instant::now() < end {
        thread::scope(|scope| {
            for _ in 0..=size {
                let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
                let reader = &reader;
                scope.spawn(move || reader.sql(endless, limits).unwrap_err());
            }
        });
    }
    assert!(reader.pool_use().waits > 0);
    assert_eq!(reader.pool_use().in_use, 0);
}

#[test]
fn a_stopped_daemon_is_summed_up_from_its_store() {
    let (directory, store) = store();
    drop(store);
    let reader = reader(&directory);
    let summary = stored_summary(&reader.stored(NOW_MS).unwrap(), NOW_MS);
    assert_eq!((summary.state.as_str(), summary.checks.total), ("stopped", 3));
    assert_eq!((summary.targets.up, summary.targets.down, summary.targets.pending), (1, 1, 1));
    assert_eq!(summary.top_codes[1].code, "timeout");
    let largest = summary.largest_delay_5m.unwrap();
    assert_eq!(
        (largest.url.as_str(), largest.seconds),
        ("https://site-1.example/some/path?page=1", 30.0)
    );
    assert!(summary.storage.bytes > 0 && summary.storage.samples == 3);

    let later = NOW_MS + 300_000;
    let summary = stored_summary(&reader.stored(later).unwrap(), later);
    assert_eq!((summary.largest_delay_5m, summary.checks.last_5m), (None, 0));
    assert_eq!(summary.as_of, rfc3339(later));
    assert_eq!(summary.stopped_at, Some(rfc3339(NOW_MS)), "states are of then");
}

#[test]
fn all_targets_that_are_down_and_certificates_that_run_out_are_listed() {
    let (directory, mut store) = store();
    let day_s = 86_400;
    let soon = Record {
        certificate_until: NOW_MS / 1_000 + 3 * day_s,
        ..record(1, State::Up, SampleKey(1))
    };
    store.append(&Batch { records: vec![soon], ..Batch::default() }).unwrap();
    let worst = reader(&directory).worst(NOW_MS / 1_000 + 4 * day_s).unwrap();
    let mut summary = Summary { certificates_expiring_total: 9, ..Summary::default() };
    tell_worst(&mut summary, &worst, NOW_MS);
    assert_eq!(summary.down.len(), 1);
    assert_eq!(summary.down[0].since, rfc3339(NOW_MS - HOUR_MS));
    assert_eq!(summary.down[0].cause, "timeout");
    let url = "https://site-0.example/some/path?page=0".to_owned();
    assert_eq!(summary.certificates_expiring, [Expiring { url, days: 3 }]);
    assert_eq!(reader(&directory).worst(NOW_MS / 1_000).unwrap().certificates, []);
}

#[test]
fn what_a_daemon_used_and_was_short_of_is_not_told_once_it_is_stopped() {
    let (directory, mut store) = store();
    let last = r#"{"checks": {"missed": 12, "missed_by": {"politeness": 12}},
        "places": {"state": "shrunk", "limit": 3, "most": 9}, "resources": {"outbox": 7}}"#;
    let summary = Some(last.to_owned());
    store.append(&Batch { summary, watched_until_ms: NOW_MS, ..Batch::default() }).unwrap();
    let summary = stored_summary(&reader(&directory).stored(NOW_MS).unwrap(), NOW_MS);
    assert_eq!(summary.checks.missed_by.politeness, 12);
    assert_eq!((summary.places, summary.resources), Default::default());
}

#[test]
fn what_waits_in_the_spill_file_and_the_days_that_passed_are_told_of_a_stopped_daemon() {
    let (directory, mut store) = store();
    let expiring = r#"{"certificates_expiring": [{"url": "https://a.example/", "days": 5}]}"#;
    let summary = Some(expiring.to_owned());
    store.append(&Batch { summary, watched_until_ms: NOW_MS, ..Batch::default() }).unwrap();
    let mut spill = Spill::open(&directory.path().join("poller.spill")).unwrap();
    spill.append(&samples(&[outcome(1, NOW_MS, 5), outcome(2, NOW_MS, 5)])).unwrap();
    let later = NOW_MS + 75 * HOUR_MS;
    let summary = stored_summary(&reader(&directory).stored(later).unwrap(), later);
    assert_eq!((summary.storage.spilled, summary.storage.state.as_str()), (2, "degraded"));
    assert_eq!(summary.certificates_expiring[0].days, 2);
}

#[test]
fn targets_come_with_their_uptime_over_the_time_that_was_watched() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    let rows = reader.targets(&Wanted::default(), NOW_MS).unwrap();
    assert_eq!(rows[0].uptime, [Some(1.0); 4]);
    assert_eq!(rows[1].uptime, [Some(0.5); 4]);
    assert_eq!(rows[2].uptime, [None; 4]);
    assert_eq!(rows[1].code, Some(Code::Cause(Cause::Timeout)));
    let wanted = Wanted { state: Some(State::Down), ..Wanted::default() };
    assert_eq!(reader.targets(&wanted, NOW_MS).unwrap().len(), 1);
    let wanted = Wanted { name: Some(rows[2].url.clone()), ..Wanted::default() };
    assert_eq!(reader.targets(&wanted, NOW_MS).unwrap()[0].number, 3);
}

#[test]
fn the_history_of_a_target_follows_its_samples_back() {
    let (directory, _store) = store();
    let reader = reader(&directory);
    let finished = |number| -> Vec<i64> {
        let samples = reader.history(number, 10).unwrap();
        samples.iter().map(|sample| sample.outcome.finished_us / 1_000).collect()
    };
    assert_eq!(finished(1).len(), 2);
    assert!(finished(1)[0] > finished(1)[1]);
    assert_eq!((finished(2).len(), finished(3).len()), (1, 0));
    let hours = reader.tallies(1, Period::Hour, (0, 100)).unwrap();
    assert_eq!(hours.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), [48, 49]);
    assert_eq!(reader.tallies(1, Period::Day, (0, 9)).unwrap()[0].1.checks, 2);
}

#[test]
fn a_reader_says_why_it_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    assert!(matches!(Reader::open(&path), Err(ReadError::Missing { .. })));
    drop(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    raise(&path, 99);
    let error = Reader::open(&path).unwrap_err();
    assert!(matches!(error, ReadError::Version { found: 99, .. }), "{error}");
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("use a newer poller"), "{error}");
    std::fs::write(&path, "this is not a database, however long one looks at it").unwrap();
    assert!(matches!(Reader::open(&path), Err(ReadError::Unreadable { .. })));
}

fn raise(path: &Path, version: i64) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
}
