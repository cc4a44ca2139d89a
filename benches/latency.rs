//! Whether the latency that is told is the target's: p50 and p99 beside what the fleet itself
//! measured from request to answer, for quick and slow answers at several rates.
//!
//! `cargo bench --bench latency`; `POLLER_BENCH_SECONDS` (20), `POLLER_BENCH_CASE` (all).

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails loudly")]

#[path = "support/rig.rs"]
mod rig;

use rig::{Poller, Site, pause, setting};

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let seconds = setting("POLLER_BENCH_SECONDS", if rig::is_a_trial() { 2.0 } else { 20.0 });
    let wanted = std::env::var("POLLER_BENCH_CASE").unwrap_or_default();
    println!(
        "case                            told p50       p99    fleet p50       p99   difference (at most 2 ms)"
    );
    for threading in ["shared", "per-core"] {
        for (delay_ms, rate) in [(50, 200), (50, 1_000), (50, 10_000), (1_000, 5_000)] {
            let case = format!("{threading} {delay_ms} ms at {rate}/s");
            if case.contains(&wanted) && !(rig::is_a_trial() && rate > 200) {
                measure(&case, threading, (delay_ms, rate), seconds);
            }
        }
    }
}

fn measure(case: &str, threading: &str, (delay_ms, rate): (u32, u32), seconds: f64) {
    let site = Site::start();
    // Every target is polled each five seconds: a slow answer never meets its next slot.
    let path = format!("/d{delay_ms}");
    let list = site.list((0..rate * 5).map(|target| (site.url(target, &path), 5.0)));
    let mut poller = Poller::start(&site, &list, &["-t", threading, "--timeout", "4"]);
    pause(seconds + 5.0);
    let told = poller.summary();
    let fleet = site.figures();
    poller.stop();
    let ours = |name: &str| told["latency_5m"][name].as_f64().unwrap_or(f64::NAN) * 1e3;
    let theirs = |name: &str| fleet["delay_us"][name].as_f64().unwrap_or(f64::NAN) / 1e3;
    println!(
        "{case:28} {:>9.2}ms {:>8.2}ms {:>9.2}ms {:>8.2}ms {:>8.2}ms {:>8.2}ms   missed {}",
        ours("p50"),
        ours("p99"),
        theirs("p50"),
        theirs("p99"),
        ours("p50") - theirs("p50"),
        ours("p99") - theirs("p99"),
        told["checks"]["missed"],
    );
}
