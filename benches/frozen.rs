//! What becomes of 1,000 polls a second while another program holds the store for a minute: polls go
//! on, no target turns down, nothing is lost.
//!
//! `cargo bench --bench frozen`; `POLLER_BENCH_SECONDS` (60), `POLLER_BENCH_TARGETS` (1000).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;

use rig::{Poller, Site, pause, setting};
use rusqlite::Connection;
use serde_json::Value;

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let seconds = setting("POLLER_BENCH_SECONDS", if is_trial { 2.0 } else { 60.0 }) as u32;
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 50.0 } else { 1_000.0 }) as u32;
    for threading in ["shared", "per-core"] {
        measure(threading, targets, seconds);
    }
}

fn measure(threading: &str, targets: u32, seconds: u32) {
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 1.0)));
    let mut poller = Poller::start(&site, &list, &["-t", threading]);
    pause(3.0);
    let holder = Connection::open(poller.data.join("poller.db")).expect("the store is there");
    holder.busy_timeout(std::time::Duration::from_secs(30)).expect("it can be set");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("nobody holds it for long");
    let (mut degraded, mut down) = (0, 0);
    let mut summary = Value::Null;
    for _ in 0..seconds {
        pause(1.0);
        summary = poller.summary();
        degraded += u32::from(summary["storage"]["state"] == "degraded");
        down = down.max(summary["targets"]["down"].as_u64().unwrap_or(u64::MAX));
    }
    println!(
        "{threading}: held for {seconds} s: degraded in {degraded} of them, {} samples noted down \
         beside it, {down} targets down at most, missed {}, lag p99 {:.1} ms",
        summary["storage"]["spilled"],
        summary["checks"]["missed"],
        summary["schedule"]["lag_p99"].as_f64().unwrap_or(f64::NAN) * 1e3,
    );
    holder.execute_batch("ROLLBACK").expect("it is ours");
    drop(holder);
    for _ in 0..60 {
        summary = poller.summary();
        if summary["storage"]["state"] == "ok" && summary["storage"]["spilled"] == 0 {
            break;
        }
        pause(0.5);
    }
    poller.stop();
    println!(
        "    afterwards: the store is {}, {} lost, {} samples stored of {} that the fleet answered",
        summary["storage"]["state"],
        summary["storage"]["lost"],
        poller.number("SELECT count(*) FROM checks"),
        site.figures()["answers"],
    );
}
