//! Whether every slot is polled, on time and stored: 10,000 and 16,667 polls a second over HTTP,
//! 1,000 over HTTPS, for both kinds of threading.
//!
//! `cargo bench --bench throughput`; `POLLER_BENCH_SECONDS` (60), `POLLER_BENCH_CASE` (all).

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails loudly")]

#[path = "support/rig.rs"]
mod rig;

use rig::{Poller, Site, pause, setting};

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let seconds = setting("POLLER_BENCH_SECONDS", if rig::is_a_trial() { 2.0 } else { 60.0 });
    let wanted = std::env::var("POLLER_BENCH_CASE").unwrap_or_default();
    let scale = if rig::is_a_trial() { 100 } else { 1 };
    println!(
        "case                       polls   missed  lag p50    p99    max   stored = told  CPU µs  RSS MB"
    );
    for threading in ["shared", "per-core"] {
        for (name, targets, interval) in [
            ("10000/s", 10_000 / scale, 1.0),
            ("16667/s", 16_667 / scale, 1.0),
            ("https-1000/s", 1_000 / scale, 1.0),
        ] {
            let case = format!("{threading} {name}");
            if case.contains(&wanted) {
                measure(&case, threading, (targets, interval), seconds);
            }
        }
    }
}

fn measure(case: &str, threading: &str, (targets, interval): (u32, f64), seconds: f64) {
    let site = Site::start();
    let url = |target: u32| match (case.contains("https"), target % 2) {
        (true, _) => site.secure(target, "/"),
        (false, 0) => site.named(target, "/"),
        (false, _) => site.url(target, "/"),
    };
    let list = site.list((0..targets).map(|target| (url(target), interval)));
    let mut poller = Poller::start(&site, &list, &["-t", threading]);
    pause(seconds);
    let cost = poller.cost(2.0);
    let rss = poller.resident_mb();
    let live = poller.summary();
    poller.stop();
    let told = poller.summary();
    let stored = poller.number("SELECT count(*) FROM checks");
    let figure = |name: &str| live["schedule"][name].as_f64().unwrap_or(f64::NAN) * 1e3;
    println!(
        "{case:22} {:>9} {:>8} {:>6.1}ms {:>5.1}ms {:>5.1}ms {:>9} = {:<9} {cost:>6.1} {rss:>6.1}",
        told["checks"]["since_start"],
        live["checks"]["missed"],
        figure("lag_p50"),
        figure("lag_p99"),
        figure("lag_max"),
        stored,
        told["checks"]["total"],
    );
    if live["targets"]["down"] != 0 || live["targets"]["unknown"] != 0 {
        println!("  not up: {}", live["causes_5m"]);
    }
}
