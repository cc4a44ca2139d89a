//! Ten million targets at 60 s over 100 checkers, in virtual time, with members that die and brokers
//! that go away: every slot is told, none early, and late only while something is amiss.
//!
//! `cargo bench --bench simulation`

#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../tests/support/simulation.rs"]
mod simulation;

use std::time::Instant;

use simulation::{Plan, drawn, play};

fn main() {
    let is_trial = !std::env::args().any(|argument| argument == "--bench");
    let targets = if is_trial { 100_000 } else { 10_000_000 };
    let length_ms = 900_000;
    let at = |what: u64, count: u64| -> Vec<i64> {
        (0..count).map(|n| drawn(what << 32 | n, 600_000).cast_signed() + 100_000).collect()
    };
    let plan = Plan {
        targets,
        every_ms: 60_000,
        shards: 512,
        schedulers: 8,
        checkers: 100,
        // Twice what they need.
        capacity: (targets / 60 / 100 * 2).max(100),
        length_ms,
        schedulers_die_ms: at(1, 8),
        checkers_die_ms: at(2, 40),
        brokers_away_ms: (300_000, 330_000),
    };
    let began = Instant::now();
    let told = play(&plan);
    let (took, peak) = (began.elapsed().as_secs_f64(), told.calm_peak);
    println!(
        "{targets} targets at 60 s for {} s, 512 shards, 8 schedulers of which 8 die, 100 checkers \
         of which 40 die, brokers away for 30 s; played in {took:.1} s",
        length_ms / 1_000
    );
    println!(
        "{} slots: {} told by nobody, {} polled, {} missed, {} told again, {} early",
        told.slots, told.untold, told.polled, told.missed, told.repeated, told.early
    );
    println!(
        "lag at most {} ms, {} ms while nothing was amiss; the fullest second of calm {peak} jobs, \
         mean {:.0}, bound {:.0}",
        told.lag_ms,
        told.calm_lag_ms,
        told.calm_mean,
        told.calm_mean + 5.0 * told.calm_mean.sqrt()
    );
    assert_eq!((told.untold, told.early), (0, 0), "slots were left out, or came early");
}
