//! What becomes of the daemon in its worst minutes, each a scene with real sockets.
//!
//! `cargo bench --bench hardship`; `POLLER_BENCH_SCENES` names those that are played, with commas
//! between them (all but `soak`, which takes half an hour):
//!
//! * `outage`: half of 10,000 targets at 10 s go silent, and come back
//! * `files`: 10,000 targets at 60 s with 256 files
//! * `priorities`: 50 places for 2,000 slow targets of three priorities
//! * `stopped`: the process is stopped for a minute
//! * `starved`: other programs take both cores for a minute
//! * `slower`: 5,000 targets turn ten times slower
//! * `soak`: 5,000 polls a second for half an hour (`POLLER_BENCH_MINUTES`)

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "hardship/files.rs"]
mod files;
#[path = "hardship/outage.rs"]
mod outage;
#[path = "hardship/priorities.rs"]
mod priorities;
#[path = "support/rig.rs"]
mod rig;
#[path = "hardship/slower.rs"]
mod slower;
#[path = "hardship/soak.rs"]
mod soak;
#[path = "hardship/starved.rs"]
mod starved;
#[path = "hardship/stopped.rs"]
mod stopped;
#[path = "hardship/watch.rs"]
mod watch;

use serde_json::Value;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("burn") {
        starved::burn();
    }
    if rig::plays_a_part() {
        return;
    }
    let wanted = std::env::var("POLLER_BENCH_SCENES").ok();
    let is_wanted = |scene: &str| match &wanted {
        Some(wanted) => wanted.split(',').any(|one| one.trim() == scene),
        None => scene != "soak" || rig::is_a_trial(),
    };
    let scenes: [Scene; 7] = [
        ("outage", outage::play),
        ("files", files::play),
        ("priorities", priorities::play),
        ("stopped", stopped::play),
        ("starved", starved::play),
        ("slower", slower::play),
        ("soak", soak::play),
    ];
    for (name, play) in scenes {
        if is_wanted(name) {
            println!("{name}");
            play(rig::is_a_trial());
        }
    }
}

/// A scene: its name, and what plays it, shortly if that is a trial.
type Scene = (&'static str, fn(bool));

/// A number of the summary, by its path.
fn figure(summary: &Value, path: &str) -> f64 {
    summary.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
