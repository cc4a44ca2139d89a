//! What becomes of 10,000 targets while the loopback interface is down for half a minute: nothing is
//! said of any of them, and all are back within one interval.
//!
//! `cargo bench --bench network`; `POLLER_BENCH_TARGETS` (10000), `POLLER_BENCH_SECONDS` (30),
//! `POLLER_BENCH_INTERVAL` (10). It makes a network of its own, with `unshare`.

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
use serde_json::Value;

/// Set for the copy that runs in a network of its own.
const INSIDE: &str = "POLLER_BENCH_INSIDE";

fn main() {
    if rig::plays_a_part() {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["-rn", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().expect("a name"))
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .status();
        if !status.is_ok_and(|status| status.success()) {
            println!("not measured: no network can be made here");
        }
        return;
    }
    measure();
}

fn measure() {
    let is_trial = rig::is_a_trial();
    let seconds = setting("POLLER_BENCH_SECONDS", if is_trial { 2.0 } else { 30.0 });
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 50.0 } else { 10_000.0 }) as u32;
    let interval = setting("POLLER_BENCH_INTERVAL", if is_trial { 1.0 } else { 10.0 });
    let site = Site::start();
    // Half by name, and a tenth of all slow.
    let url = |target: u32| {
        let path = if target.is_multiple_of(10) { "/d200" } else { "/" };
        if target.is_multiple_of(2) { site.url(target, path) } else { site.named(target, path) }
    };
    let list = site.list((0..targets).map(|target| (url(target), interval)));
    let mut poller = Poller::start(&site, &list, &[]);
    pause(3.0 * interval);
    println!("{targets} targets every {interval} s, half of them by name:");
    tell("all is well", &poller.summary());
    set_loopback("down");
    let mut most_down = 0;
    for _ in 0..seconds as u32 {
        pause(1.0);
        most_down = most_down.max(number(&poller.summary(), "down"));
    }
    tell("it is down", &poller.summary());
    set_loopback("up");
    let back = Instant::now();
    while number(&poller.summary(), "up") < u64::from(targets) && back.elapsed().as_secs() < 120 {
        most_down = most_down.max(number(&poller.summary(), "down"));
        pause(0.1);
    }
    println!(
        "  all were up again {:.1} s later; {most_down} down at most",
        back.elapsed().as_secs_f64()
    );
    tell("it is back", &poller.summary());
    tell_samples(&poller);
    poller.stop();
}

fn tell_samples(poller: &Poller) {
    let failed = "SELECT count(*) FROM checks WHERE verdict = 'down'";
    let ours = "SELECT count(*) FROM checks WHERE cause = 'no_network'";
    let others = "SELECT count(*) FROM checks WHERE verdict != 'up' AND cause != 'no_network'";
    let incidents = "SELECT count(*) FROM incidents";
    let [failed, ours, others, incidents] =
        [failed, ours, others, incidents].map(|query| poller.number(query));
    println!(
        "  {incidents} incidents; polls that failed: {failed}, by no_network: {ours}, by other \
         causes: {others}"
    );
}

fn set_loopback(state: &str) {
    let status = Command::new("ip").args(["link", "set", "lo", state]).status().expect("ip");
    assert!(status.success(), "ip link set lo {state}: {status}");
}

fn number(summary: &Value, state: &str) -> u64 {
    summary["targets"][state].as_u64().unwrap_or(0)
}

fn tell(what: &str, summary: &Value) {
    println!(
        "  {what}: {} up, {} down, {} unknown; {} in flight, missed {}, lag p99 {:.1} ms",
        number(summary, "up"),
        number(summary, "down"),
        number(summary, "unknown"),
        summary["in_flight"]["count"],
        summary["checks"]["missed"],
        summary["schedule"]["lag_p99"].as_f64().unwrap_or(f64::NAN) * 1e3,
    );
}
