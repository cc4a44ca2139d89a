//! Whether store, log and spill stay under a small disk budget at 5,000 polls a second, with no
//! commit that takes long: `--keep 60s --max-disk 50MB`.
//!
//! `cargo bench --bench retention`; `POLLER_BENCH_SECONDS` (600), `POLLER_BENCH_TARGETS` (5000).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;

use std::path::Path;

use rig::{Poller, Site, pause, setting};

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let seconds = setting("POLLER_BENCH_SECONDS", if is_trial { 2.0 } else { 600.0 }) as u32;
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 50.0 } else { 5_000.0 }) as u32;
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 1.0)));
    let mut poller = Poller::start(&site, &list, &["--keep", "60s", "--max-disk", "50MB"]);
    let (mut largest, mut queued) = (0.0_f64, 0.0_f64);
    for _ in 0..seconds {
        pause(1.0);
        largest = largest.max(megabytes(&poller.data));
        let summary = poller.summary();
        queued = queued.max(summary["storage"]["queued"].as_f64().unwrap_or(0.0));
    }
    let live = poller.summary();
    poller.stop();
    let told = poller.summary();
    println!(
        "{seconds} s: at most {largest:.1} MB in the data directory (at most 50), at most {queued} \
         samples waiting, missed {}, lost {}, commit max {} s (at most 0.1)",
        live["checks"]["missed"], live["storage"]["lost"], live["storage"]["commit_max_seconds"]
    );
    println!(
        "told {} polls, hours hold {}, samples kept {}",
        told["checks"]["total"],
        poller.number("SELECT sum(checks) FROM hours"),
        poller.number("SELECT count(*) FROM checks"),
    );
}

fn megabytes(directory: &Path) -> f64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    bytes as f64 / 1e6
}
