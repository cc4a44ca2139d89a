//! What a poll costs in all, over the bare loop at the same rate against the same fleet: the
//! median of five rounds, for both kinds of threading.
//!
//! `cargo bench --bench cost`; `POLLER_BENCH_ROUNDS` (5), `POLLER_BENCH_SECONDS` (10),
//! `POLLER_BENCH_CASE` (all), `POLLER_BENCH_IDLE_SECONDS` (600, for the memory at 167 polls a second).

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails loudly")]

#[path = "support/rig.rs"]
mod rig;

use rig::{Poller, Site, median, pause, setting};

struct Case {
    name: &'static str,
    targets: u32,
    interval: f64,
    is_tls: bool,
    bound: f64,
}

const CASES: [Case; 4] = [
    Case { name: "http-1000/s", targets: 1_000, interval: 1.0, is_tls: false, bound: 1.5 },
    Case { name: "http-10000/s", targets: 10_000, interval: 1.0, is_tls: false, bound: 1.5 },
    Case { name: "https-1000/s", targets: 1_000, interval: 1.0, is_tls: true, bound: 1.4 },
    Case { name: "http-167/s", targets: 10_000, interval: 60.0, is_tls: false, bound: 1.4 },
];

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let wanted = std::env::var("POLLER_BENCH_CASE").unwrap_or_default();
    println!("case                      bare µs  poller µs   ratio (bound)    RSS MB");
    for threading in ["shared", "per-core"] {
        for case in &CASES {
            let name = format!("{threading} {}", case.name);
            if name.contains(&wanted) && !(is_trial && case.name != "http-1000/s") {
                measure(&name, threading, case, is_trial);
            }
        }
    }
}

fn measure(name: &str, threading: &str, case: &Case, is_trial: bool) {
    let rounds = setting("POLLER_BENCH_ROUNDS", if is_trial { 1.0 } else { 5.0 });
    let usual = if is_trial { 1.0 } else { 10.0 };
    let seconds = setting("POLLER_BENCH_SECONDS", usual).max(case.interval.min(30.0));
    let seconds = if is_trial { 1.0 } else { seconds };
    let site = Site::start();
    let url = |target| if case.is_tls { site.secure(target, "/") } else { site.url(target, "/") };
    let list = site.list((0..case.targets).map(|target| (url(target), case.interval)));
    let rate = f64::from(case.targets) / case.interval;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small positive numbers"
    )]
    let (rate, whole, rounds) = (rate.round() as u32, seconds as u32, rounds as usize);
    let (mut bare, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut rss: f64 = 0.0;
    for round in 0..rounds {
        let one = site.bare(rate, whole, case.targets, (threading, case.is_tls));
        let mut poller = Poller::start(&site, &list, &["-t", threading]);
        pause(3.0);
        let other = poller.cost(seconds);
        if case.interval > 1.0 && round + 1 == rounds {
            pause(setting("POLLER_BENCH_IDLE_SECONDS", 600.0));
        }
        rss = rss.max(poller.resident_mb());
        poller.stop();
        let _ = std::fs::remove_dir_all(&poller.data);
        bare.push(one);
        ours.push(other);
        ratios.push(other / one);
    }
    println!(
        "{name:24} {:>8.1} {:>10.1} {:>7.2} (at most {}) {rss:>8.1}",
        median(&mut bare),
        median(&mut ours),
        median(&mut ratios),
        case.bound
    );
}
