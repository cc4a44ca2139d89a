//! How long the API takes to tell of the past, over a store of millions of samples.
//!
//! `cargo bench --bench past`; `POLLER_BENCH_SAMPLES` (5000000), `POLLER_BENCH_TARGETS` (200000),
//! `POLLER_BENCH_RUNS` (200). Of the targets 10,000 were polled every minute.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "../tests/support/daemon.rs"]
mod daemon;
#[path = "../tests/support/history.rs"]
mod history;
#[path = "../tests/support/store.rs"]
mod store;

use std::time::Instant;

use daemon::Daemon;
use history::{ask, failed, now_ms, target, write};
use poller::outcome::{Cause, Detail};
use poller::target::Target;
use store::outcome;

/// Targets that were polled every minute.
const POLLED: i64 = 10_000;

fn main() {
    // As a test it only shows that it runs.
    let is_trial = std::env::args().any(|argument| argument == "--test");
    let samples = number("POLLER_BENCH_SAMPLES", if is_trial { 20_000 } else { 5_000_000 });
    let count = number("POLLER_BENCH_TARGETS", if is_trial { 10_000 } else { 200_000 });
    let runs = number("POLLER_BENCH_RUNS", if is_trial { 2 } else { 200 });
    let directory = tempfile::tempdir().expect("a directory");
    let mut targets: Vec<Target> =
        (1..=count.max(POLLED)).map(|number| target(&format!("t{number}"), None, None)).collect();
    let begin = now_ms() - samples * 60_000 / POLLED;
    let outcomes = (0..samples).map(|number| {
        let target = u32::try_from(number * 7_919 % POLLED + 1).expect("a small number");
        let at_ms = begin + number * 60_000 / POLLED;
        let latency = 50_000 + u32::try_from(number % 1_000).expect("below 1,000") * 100;
        if number % 10_000 == 7 {
            failed(target, at_ms, Cause::Timeout, Detail::Waiting)
        } else {
            outcome(target, at_ms, latency)
        }
    });
    let start = Instant::now();
    write(&directory.path().join("data"), &mut targets, outcomes);
    println!("written: {samples} samples in {:.1} s", start.elapsed().as_secs_f64());
    let daemon = history::daemon(directory, &targets);
    drop(targets);
    report(&daemon, "the first id", 1, |_| "targets/t1".to_owned());
    let id = |run: i64| run * 7_919 % POLLED + 1;
    report(&daemon, "a target", runs, |run| format!("targets/t{}", id(run)));
    report(&daemon, "its last day", runs, |run| format!("targets/t{}/history", id(run)));
    let days = format!("from={}&step=3600", begin / 1_000 - 86_400 * 20);
    report(&daemon, "20 days by the hour", runs, |run| {
        format!("targets/t{}/history?{days}", id(run))
    });
    let early = format!("from={}&to={}", begin / 1_000 + 60, begin / 1_000 + 3_660);
    report(&daemon, "an early hour", runs, |run| format!("targets/t{}/history?{early}", id(run)));
    report(&daemon, "100 polls", runs, |_| "checks".to_owned());
    report(&daemon, "1,000 polls", runs, |_| "checks?limit=1000".to_owned());
    report(&daemon, "100 of a target", runs, |run| format!("checks?target=t{}", id(run)));
    report(&daemon, "rare ones", runs, |_| "checks?verdict=unknown".to_owned());
    report(&daemon, "outages", runs, |_| "incidents".to_owned());
    report(&daemon, "its outages", runs, |run| format!("incidents?target=t{}", id(run)));
    report(&daemon, "latency, 24h", runs, |_| "latency?span=24h".to_owned());
    report(&daemon, "latency, 1h", runs, |_| "latency?span=1h".to_owned());
    report(&daemon, "sums of a month", runs, |_| "results/summary?period=month".to_owned());
    export(&daemon, samples);
    println!(
        "memory: {} MB",
        daemon.summary()["process"]["rss_bytes"].as_f64().unwrap_or(0.0) / 1e6
    );
}

/// Exports all samples in each format, and prints how long that took.
fn export(daemon: &Daemon, samples: i64) {
    for format in ["csv", "jsonl", "parquet"] {
        let start = Instant::now();
        let file = ask(daemon, &format!("/api/v1/export/samples?format={format}"));
        let seconds = start.elapsed().as_secs_f64();
        let (bytes, rate) = (file.body.len() as f64 / 1e6, samples as f64 / seconds);
        println!("export {format:>8}: {seconds:.1} s, {rate:.0} rows/s, {bytes:.0} MB");
    }
}

/// The number in the environment variable `name`, else `default`.
fn number(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Asks for `path` of each run, and prints how long that took.
fn report(daemon: &Daemon, name: &str, runs: i64, path: impl Fn(i64) -> String) {
    let mut times: Vec<f64> = (0..runs)
        .map(|run| {
            let path = format!("/api/v1/{}", path(run));
            let start = Instant::now();
            let answer = ask(daemon, &path);
            assert_eq!(answer.status, 200, "{path}");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let rank = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("{name:>20}: {:8.2} ms p50, {:8.2} ms p99", rank(50), rank(99));
}
