//! How long `poller --viewstats` takes as a whole process, while 10,000 polls a second run and
//! with the daemon just stopped, over a store of 20 million samples.
//!
//! `cargo bench --bench viewstats`; `POLLER_BENCH_SAMPLES` (20000000), `POLLER_BENCH_RUNS` (200).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;
#[path = "../tests/support/store.rs"]
mod support;

use std::process::Command;
use std::time::Instant;

use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, Sample, SampleKey, Store};
use rig::{Poller, Site, pause, setting};

/// Rows of a batch.
const BATCH: u32 = 5_000;

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let samples = setting("POLLER_BENCH_SAMPLES", if is_trial { 10_000.0 } else { 2e7 }) as u32;
    let runs = setting("POLLER_BENCH_RUNS", if is_trial { 3.0 } else { 200.0 }) as usize;
    let targets = if is_trial { 10 } else { 10_000 };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 1.0)));
    fill(&site, samples);
    let mut poller = Poller::start(&site, &list, &[]);
    pause(if is_trial { 1.0 } else { 10.0 });
    println!("samples stored: {}", poller.summary()["storage"]["samples"]);
    report("live", &poller, runs);
    println!(
        "lag p99 {} s, missed {}",
        poller.summary()["schedule"]["lag_p99"],
        poller.summary()["checks"]["missed"]
    );
    poller.stop();
    report("stopped", &poller, runs);
}

/// Puts `samples` samples into the store, an hour old and older.
fn fill(site: &Site, samples: u32) {
    let data = site.room.path().join("data");
    std::fs::create_dir_all(&data).expect("it can be made");
    let mut store = SqliteStore::open(&data.join("poller.db"), SqliteOptions::default())
        .expect("the store opens");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(0) - 7_200_000;
    store.restore(now_ms).expect("it is empty");
    let mut key = SampleKey::default();
    let mut batch = Batch::default();
    for number in 0..samples {
        let at_ms = now_ms + i64::from(number / 6_000);
        key = key.next(at_ms);
        let mut outcome = support::outcome(number % 10_000 + 1, at_ms, 420);
        outcome.finished_us = at_ms * 1_000;
        batch.samples.push(Sample { key, previous: SampleKey::default(), outcome });
        if number % BATCH == BATCH - 1 {
            batch.settled = key;
            batch.totals.checks = u64::from(number) + 1;
            store.append(&batch).expect("it is stored");
            batch.samples.clear();
        }
    }
}

fn report(state: &str, poller: &Poller, runs: usize) {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_poller"))
                .args(["--viewstats", "--data"])
                .arg(&poller.data)
                .output()
                .expect("poller runs");
            assert!(output.status.success(), "it shows the summary");
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
    println!(
        "{state:8} --viewstats: median {:.1} ms (at most 20), p99 {:.1} ms (at most 60), {runs} runs",
        at(50),
        at(99)
    );
}
