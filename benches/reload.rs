//! How long a reload takes that changes 1,000 of 100,000 targets, and how late polls begin meanwhile.
//!
//! `cargo bench --bench reload`; `POLLER_BENCH_TARGETS` (100000), `POLLER_BENCH_ROUNDS` (5).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use rig::{Poller, Site, median, pause, setting};

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 1_000.0 } else { 1e5 }) as u32;
    let rounds = setting("POLLER_BENCH_ROUNDS", if is_trial { 1.0 } else { 5.0 }) as u32;
    for threading in ["shared", "per-core"] {
        measure(threading, targets, rounds);
    }
}

fn measure(threading: &str, targets: u32, rounds: u32) {
    let site = Site::start();
    let list = site.room.path().join("urls.json");
    std::fs::write(&list, text(&site, targets, 0)).expect("it can be written");
    let mut poller = Poller::start(&site, &list, &["-t", threading]);
    pause(5.0);
    let (mut times, mut words) = (Vec::new(), String::new());
    for round in 1..=rounds {
        std::fs::write(&list, text(&site, targets, round)).expect("it can be written");
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_poller"))
            .args(["--reload", "--data"])
            .arg(&poller.data)
            .output()
            .expect("poller runs");
        times.push(began.elapsed().as_secs_f64());
        String::from_utf8_lossy(&output.stdout).trim().clone_into(&mut words);
        pause(2.0);
    }
    let live = poller.summary();
    poller.stop();
    println!(
        "{threading}: {words}: median {:.2} s of {rounds} (at most 2), lag p99 {:.1} ms \
         (at most 100), max {:.1} ms, missed {}",
        median(&mut times),
        live["schedule"]["lag_p99"].as_f64().unwrap_or(f64::NAN) * 1e3,
        live["schedule"]["lag_max"].as_f64().unwrap_or(f64::NAN) * 1e3,
        live["checks"]["missed"],
    );
}

/// A list of which every hundredth entry differs from round to round.
fn text(site: &Site, targets: u32, round: u32) -> String {
    let mut text = String::from("[\n");
    for target in 0..targets {
        let comma = if target > 0 { ",\n" } else { "" };
        let timeout = if target % 100 == 7 { 5 + round } else { 5 };
        let url = site.url(target, "/");
        let _ = write!(text, "{comma}{{\"url\":\"{url}\",\"interval\":60,\"timeout\":{timeout}}}");
    }
    text.push_str("\n]\n");
    text
}
