//! The whole path of a cluster, with real processes over a real Kafka and a real PostgreSQL.

#![cfg(feature = "distributed")]
#![expect(
    clippy::disallowed_methods,
    reason = "processes run by the time of the wall; a test that cannot be set up fails"
)]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/engines.rs"]
mod engines;
#[path = "support/fleet.rs"]
mod fleet;

use std::thread::sleep;
use std::time::Duration;

use cluster::{Cluster, LEASE};
use engines::Brokers;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

const TARGETS: u32 = 200;
const EVERY_MS: i64 = 1_000;

/// Targets of `fleet` that are up, polled once a second.
fn list(fleet: &Fleet) -> Value {
    let entry = |number| json!({"url": fleet.url(number, "/"), "interval": "1s"});
    (0..TARGETS).map(entry).collect()
}

/// A cluster of a scheduler, two checkers and a recorder that polls `fleet` already.
fn polling(fleet: &Fleet) -> Cluster {
    let mut cluster = Cluster::start(Brokers::One, 8);
    cluster.import(&list(fleet));
    for role in ["scheduler", "checker", "checker", "recorder"] {
        cluster.begin(role, &[]);
    }
    let all_up = format!("count(*) = {TARGETS} FROM record WHERE state = 1");
    cluster.wait_until("every target was polled", &all_up);
    cluster
}

/// Holds that every slot from `from_ms` (Unix milliseconds) to three intervals ago is told exactly once
/// before long, and that no target was ever told to be down.
fn hold(cluster: &Cluster, from_ms: i64) {
    let from_ms = from_ms / EVERY_MS * EVERY_MS;
    let until_ms = (cluster.now_ms() - 3 * EVERY_MS) / EVERY_MS * EVERY_MS;
    let mut wrong = 0;
    for _ in 0..150 {
        wrong = cluster.wrong_targets((from_ms, until_ms), EVERY_MS, "");
        if wrong == 0 {
            break;
        }
        sleep(Duration::from_millis(400));
    }
    assert_eq!(wrong, 0, "targets lack a slot or have one twice\n{}", cluster.logs());
    let down = cluster.count("SELECT count(*) FROM transition WHERE to_state = 3");
    assert_eq!(down, 0, "targets were told to be down\n{}", cluster.logs());
}

#[test]
fn every_slot_is_told_once_from_the_list_to_the_database() {
    if engines::why_not().is_some() {
        return;
    }
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let cluster = polling(&fleet);
    let from_ms = cluster.now_ms();
    sleep(Duration::from_secs(10));
    hold(&cluster, from_ms);
    let tallied = cluster.count("SELECT sum(checks)::bigint FROM progress");
    let stored = cluster.count("SELECT count(*) FROM sample WHERE kind < 3");
    assert!(tallied <= stored, "{tallied} counted, {stored} stored a moment later");
}

#[test]
fn a_member_of_any_role_that_is_killed_costs_no_slot() {
    if engines::why_not().is_some() {
        return;
    }
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let mut cluster = polling(&fleet);
    cluster.begin("scheduler", &[]);
    cluster.begin("recorder", &[]);
    let from_ms = cluster.now_ms();
    for place in 0..4 {
        sleep(Duration::from_secs(2));
        cluster.members[place].kill();
        sleep(LEASE);
        cluster.begin_again(place, &[]);
    }
    sleep(2 * LEASE);
    hold(&cluster, from_ms);
}

#[test]
fn members_that_are_asked_to_end_hand_over_and_lose_nothing() {
    if engines::why_not().is_some() {
        return;
    }
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let mut cluster = polling(&fleet);
    let from_ms = cluster.now_ms();
    for place in 0..4 {
        let status = cluster.members[place].end();
        assert!(status.success(), "{status}\n{}", cluster.logs());
        cluster.begin_again(place, &[]);
    }
    sleep(2 * LEASE);
    hold(&cluster, from_ms);
}
