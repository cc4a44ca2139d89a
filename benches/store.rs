//! What the store costs: rows a second, bytes a row, and how long a start with many targets takes.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "../tests/support/store.rs"]
mod support;

use std::time::{Duration, Instant};

use poller::health::Health;
use poller::outcome::Micros;
use poller::stats::Tally;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, Record, Sample, SampleKey, Store};
use support::{NOW_MS, failed, outcome, targets};

/// Rows of a batch.
const BATCH: usize = 5_000;

fn main() {
    let rows = number("POLLER_BENCH_ROWS", 1_000_000);
    append("https, 10,000 targets", rows, 10_000, 85_000);
    append("http on loopback, 1,000,000 targets", rows, 1_000_000, 420);
    start(u32::try_from(number("POLLER_BENCH_TARGETS", 1_000_000)).unwrap_or(u32::MAX));
    budget(number("POLLER_BENCH_SECONDS", 20));
}

/// The number in the environment variable `name`, else `default`.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `count` samples, `per_second` of them finishing in each second from `start_ms` on.
fn samples(start_ms: i64, count: usize, fleet: usize, latency_us: u32) -> Vec<Sample> {
    let mut last = vec![SampleKey::default(); fleet + 1];
    let mut key = SampleKey::default();
    (0..count)
        .map(|number| {
            let at_ms = start_ms + i64::try_from(number * 60_000 / fleet).expect("a short run");
            let target = number * 7_919 % fleet + 1;
            let jitter = u32::try_from(number * 31 % 1_000).expect("below 1,000");
            let number = u32::try_from(target).expect("a small fleet");
            let latency = latency_us + latency_us / 1_000 * jitter;
            let mut outcome =
                if jitter == 7 { failed(number, at_ms) } else { outcome(number, at_ms, latency) };
            if latency_us < 1_000 {
                outcome.finding.certificate_until = 0;
                outcome.finding.bytes = 1_256;
                outcome.finding.phases.tls = Micros::NONE;
                outcome.finding.phases.resolve = Micros::NONE;
            }
            key = key.next(at_ms);
            let previous = std::mem::replace(&mut last[target], key);
            Sample { key, previous, outcome }
        })
        .collect()
}

fn append(name: &str, rows: usize, fleet: usize, latency_us: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("poller.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default()).expect("a store");
    let empty = store.bytes();
    let batches: Vec<Batch> = samples(NOW_MS, rows, fleet, latency_us)
        .chunks(BATCH)
        .map(|samples| Batch { samples: samples.to_vec(), ..Batch::default() })
        .collect();
    let begin = Instant::now();
    let mut longest = Duration::ZERO;
    for batch in &batches {
        let commit = Instant::now();
        store.append(batch).expect("it is written");
        longest = longest.max(commit.elapsed());
    }
    let seconds = begin.elapsed().as_secs_f64();
    drop(store);
    let bytes = std::fs::metadata(&path).expect("a file").len() - empty.min(100_000);
    println!(
        "append ({name}): {:.0} rows/s, {:.1} bytes a row, longest batch {:.0} ms",
        rows as f64 / seconds,
        bytes as f64 / rows as f64,
        longest.as_secs_f64() * 1e3,
    );
}

fn start(count: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("poller.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default()).expect("a store");
    let mut list = targets(count);
    let begin = Instant::now();
    store.enrol(&mut list).expect("they are enrolled");
    println!("enrol {count} new: {:.2} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    store.enrol(&mut list).expect("they are enrolled");
    println!("enrol {count} known: {:.2} s", begin.elapsed().as_secs_f64());

    let mut tally = Tally::default();
    (0..60).for_each(|number| tally.add(&outcome(1, NOW_MS, 80_000 + number * 50)));
    let records: Vec<Record> = (1..=count).map(|target| record(target, &tally)).collect();
    let begin = Instant::now();
    for records in records.chunks(20_000) {
        store.append(&Batch { records: records.to_vec(), ..Batch::default() }).expect("written");
    }
    println!("write {count} records: {:.2} s", begin.elapsed().as_secs_f64());
    drop(records);
    let begin = Instant::now();
    let restored = store.restore(NOW_MS).expect("it is restored");
    println!("restore {} records: {:.2} s", restored.records.len(), begin.elapsed().as_secs_f64());
}

fn record(target: u32, tally: &Tally) -> Record {
    Record {
        target,
        health: Health::pending(NOW_MS),
        has_incident: false,
        last: SampleKey::first_of(NOW_MS),
        last_code: 200,
        last_latency_us: 80_000,
        certificate_until: 1_799_000_000,
        hour: 498_611,
        tally: tally.clone(),
    }
}

/// 5,000 rows a second with a minute of retention and 50 MB, as fast as it goes.
fn budget(seconds: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("poller.db");
    let options = SqliteOptions {
        keep_samples: Duration::from_mins(1),
        max_bytes: 50_000_000,
        ..SqliteOptions::default()
    };
    let mut store = SqliteStore::open(&path, options).expect("a store");
    let (mut most, mut longest, mut calls) = (0, Duration::ZERO, 0);
    let seconds = seconds * 20;
    let all = samples(NOW_MS, 5_000 * seconds, 300_000, 85_000);
    let begin = Instant::now();
    for samples in all.chunks(BATCH) {
        let settled = samples.last().map_or(SampleKey::default(), |sample| sample.key);
        let commit = Instant::now();
        store
            .append(&Batch { samples: samples.to_vec(), settled, ..Batch::default() })
            .expect("written");
        longest = longest.max(commit.elapsed());
        loop {
            let commit = Instant::now();
            let trimmed = store.trim(settled.at_ms()).expect("it is trimmed");
            longest = longest.max(commit.elapsed());
            calls += 1;
            most = most.max(store.bytes());
            if !trimmed.has_more {
                break;
            }
        }
    }
    println!(
        "budget of 50 MB: {:.1} MB at most, longest call {:.0} ms, {calls} trims, {:.0} rows/s",
        most as f64 / 1e6,
        longest.as_secs_f64() * 1e3,
        all.len() as f64 / begin.elapsed().as_secs_f64(),
    );
}
