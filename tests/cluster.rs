//! The whole path of a cluster, with real processes over a real Kafka and a real PostgreSQL.

#![cfg(feature = "distributed")]
#![expect(
    clippy::disallowed_methods,
    reason = "processes run by the time of the wall; a test that cannot be set up fails"
)]

#[path = "cluster/blame.rs"]
mod blame;
#[path = "cluster/clocks.rs"]
mod clocks;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/engines.rs"]
mod engines;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "cluster/nonsense.rs"]
mod nonsense;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cluster::{Cluster, LEASE, PATIENCE};
use engines::Brokers;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

const TARGETS: u32 = 200;
const EVERY_MS: i64 = 1_000;

/// Targets of `fleet` that are up, polled once a second. They have time enough to answer: they are a
/// thread of this test, which has to wait for the processor like all others.
fn list(fleet: &Fleet) -> Value {
    let entry = |number| json!({"url": fleet.url(number, "/"), "interval": "1s", "timeout": "20s"});
    (0..TARGETS).map(entry).collect()
}

/// A cluster of a scheduler, two checkers and a recorder that polls `fleet` already.
fn polling(fleet: &Fleet) -> Cluster {
    polling_as(fleet, Cluster::program)
}

/// The same, each member being what `program` says.
fn polling_as(fleet: &Fleet, mut program: impl FnMut(&Cluster) -> Command) -> Cluster {
    let mut cluster = Cluster::start(Brokers::One, 8);
    cluster.import(&list(fleet));
    for role in ["scheduler", "checker", "checker", "recorder"] {
        let member = cluster.member(role, program(&cluster), &[]);
        cluster.members.push(member);
    }
    let all_up = format!("count(*) = {TARGETS} FROM record WHERE state = 1");
    cluster.wait_until("every target was polled", &all_up);
    cluster
}

/// Holds that every slot from `from_ms` (Unix milliseconds) to three intervals ago is told exactly once
/// before long, and that no target was ever told to be down.
fn hold(cluster: &Cluster, fleet: &Fleet, from_ms: i64) {
    let from_ms = from_ms / EVERY_MS * EVERY_MS;
    let until_ms = (cluster.now_ms() - 3 * EVERY_MS) / EVERY_MS * EVERY_MS;
    let wrong = || cluster.wrong_targets((from_ms, until_ms), EVERY_MS, "");
    let began = Instant::now();
    while wrong() != 0 && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(400));
    }
    assert_eq!(wrong(), 0, "targets lack a slot or have one twice\n{}", cluster.logs());
    let down = cluster.count("SELECT count(*) FROM transition WHERE to_state = 3");
    let why = || blame::told(cluster, fleet);
    assert_eq!(down, 0, "targets were told to be down\n{}\n{}", why(), cluster.logs());
}

#[test]
fn every_slot_is_told_once_from_the_list_to_the_database() {
    if !engines::are_here() {
        return;
    }
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let cluster = polling(&fleet);
    let from_ms = cluster.now_ms();
    sleep(Duration::from_secs(10));
    hold(&cluster, &fleet, from_ms);
    let tallied = cluster.count("SELECT sum(checks)::bigint FROM progress");
    let stored = cluster.count("SELECT count(*) FROM sample WHERE kind < 3");
    assert!(tallied <= stored, "{tallied} counted, {stored} stored a moment later");
}

#[test]
fn a_member_of_any_role_that_is_killed_costs_no_slot() {
    if !engines::are_here() {
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
    hold(&cluster, &fleet, from_ms);
}

#[test]
fn members_that_are_asked_to_end_hand_over_and_lose_nothing() {
    if !engines::are_here() {
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
    hold(&cluster, &fleet, from_ms);
}

#[test]
fn members_whose_clocks_are_wrong_say_so_and_tell_every_slot_once() {
    if !engines::are_here() {
        return;
    }
    let Some(clocks) = clocks::Clocks::here() else { return };
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let mut off_s = [3_600, -3_600, 90, 3_600].into_iter();
    let off = |cluster: &Cluster| clocks.off_by(cluster.program(), off_s.next().expect("four"));
    let mut cluster = polling_as(&fleet, off);
    let from_ms = cluster.now_ms();
    sleep(Duration::from_secs(10));
    hold(&cluster, &fleet, from_ms);
    let wrong =
        "SELECT count(*) FROM sample WHERE finished NOT BETWEEN due AND due + interval '60 s'";
    assert_eq!(cluster.count(wrong), 0, "polls are not of their time\n{}", cluster.logs());
    for member in &mut cluster.members {
        assert!(member.end().success());
        assert!(member.said().contains("set ours right"), "{}: {}", member.name, member.said());
    }
}

#[test]
fn what_nobody_can_use_costs_no_slot_and_ends_nobody() {
    if !engines::are_here() {
        return;
    }
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let mut cluster = polling(&fleet);
    let from_ms = cluster.now_ms();
    nonsense::tell(&cluster);
    sleep(Duration::from_secs(8));
    nonsense::tell(&cluster);
    hold(&cluster, &fleet, from_ms);
    for member in &mut cluster.members {
        assert!(member.child.try_wait().expect("a child").is_none(), "{}", member.said());
        assert!(member.end().success(), "{}", member.said());
        assert!(!member.said().contains("panicked"), "{}", member.said());
        assert!(member.said().lines().count() < 100, "{}", member.said());
    }
    let open = "SELECT count(*) FROM member WHERE role = 'scheduler' AND name LIKE 'stranger%'";
    assert_eq!(cluster.count(open), 0);
}
