//! A whole cluster in virtual time, with members that die: what holds of its schedule.

#[path = "support/simulation.rs"]
mod simulation;

use simulation::{LEASE_MS, Plan, drawn, play};

fn plan(seed: u64) -> Plan {
    let minutes = 8;
    let at = |what: u64, count: u64| -> Vec<i64> {
        let length = minutes * 60_000 / 2;
        (0..count).map(|n| drawn(seed ^ (what << 32) ^ n, length).cast_signed() + 80_000).collect()
    };
    Plan {
        targets: 20_000,
        every_ms: 60_000,
        shards: 64,
        schedulers: 4,
        checkers: 10,
        capacity: 80,
        length_ms: minutes.cast_signed() * 60_000,
        schedulers_die_ms: at(1, 3),
        checkers_die_ms: at(2, 6),
        brokers_away_ms: (100_000, 120_000),
    }
}

#[test]
fn whoever_dies_every_slot_is_told_and_none_begins_early() {
    for seed in 0..6 {
        let told = play(&plan(seed));
        assert_eq!((told.untold, told.early), (0, 0), "seed {seed}: {told:?}");
        assert!(told.slots > 100_000, "{told:?}");
        assert!(told.repeated > 0, "somebody died with polls that were not committed: {told:?}");
        assert_eq!(told.missed, 0, "an interval is longer than any outage here: {told:?}");
    }
}

#[test]
fn while_nothing_is_amiss_polls_are_on_time_and_the_load_is_flat() {
    let calm = Plan {
        schedulers_die_ms: Vec::new(),
        checkers_die_ms: Vec::new(),
        brokers_away_ms: (0, 0),
        ..plan(1)
    };
    let told = play(&calm);
    assert_eq!((told.untold, told.repeated, told.missed), (0, 0, 0), "{told:?}");
    assert!(told.calm_lag_ms <= 1_000, "{told:?}");
    let bound = told.calm_mean + 5.0 * told.calm_mean.sqrt();
    #[expect(clippy::cast_precision_loss, reason = "a count of a second")]
    let peak = told.calm_peak as f64;
    assert!(peak <= bound, "{told:?}");
}

#[test]
fn a_lease_is_the_most_that_the_death_of_a_scheduler_costs() {
    let deaths = Plan {
        schedulers_die_ms: vec![90_000, 200_000],
        checkers_die_ms: Vec::new(),
        brokers_away_ms: (0, 0),
        ..plan(2)
    };
    let told = play(&deaths);
    assert_eq!((told.untold, told.missed), (0, 0), "{told:?}");
    // A lease, what it was renewed later than it could, and what is to be caught up with.
    assert!(told.lag_ms > 3_000 && told.lag_ms < 2 * LEASE_MS, "{told:?}");
}
