//! A million targets at an hourly interval: how long until they are polled, how much memory they
//! take, and how flat the launches are beside what chance alone would bring.
//!
//! `cargo bench --bench million`; `POLLER_BENCH_TARGETS` (1000000), `POLLER_BENCH_SECONDS` (120).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;

use std::process::Command;
use std::time::Instant;

use rig::{Poller, Site, pause, setting};

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 1_000.0 } else { 1e6 }) as u32;
    let seconds = setting("POLLER_BENCH_SECONDS", if is_trial { 2.0 } else { 120.0 });
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 3600.0)));
    for threading in ["shared", "per-core"] {
        measure(&site, &list, threading, f64::from(targets), seconds);
    }
    let plan = Command::new(env!("CARGO_BIN_EXE_poller"))
        .args(["--check", "--urls"])
        .arg(&list)
        .arg("--data")
        .arg(site.room.path())
        .output()
        .expect("poller runs");
    println!("--check says:\n{}", String::from_utf8_lossy(&plan.stdout));
}

fn measure(site: &Site, list: &std::path::Path, threading: &str, targets: f64, seconds: f64) {
    for start in ["first", "second"] {
        let began = Instant::now();
        let mut poller = Poller::start(site, list, &["-t", threading]);
        let ready = began.elapsed().as_secs_f64();
        pause(if start == "first" { 5.0 } else { seconds });
        let rss = poller.resident_mb();
        let live = poller.summary();
        poller.stop();
        let mean = targets / 3_600.0;
        let busiest = poller.number(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM checks GROUP BY substr(at, 1, 19))",
        );
        println!(
            "{threading} {start} start: ready in {ready:.2} s (at most 10), {rss:.0} MB resident \
             (at most 500), {} polls, busiest second {busiest} (at most {:.0}), missed {}, \
             lag p99 {:.1} ms",
            live["checks"]["since_start"],
            mean + 5.0 * mean.sqrt(),
            live["checks"]["missed"],
            live["schedule"]["lag_p99"].as_f64().unwrap_or(f64::NAN) * 1e3,
        );
    }
    let _ = std::fs::remove_dir_all(site.room.path().join("data"));
}
