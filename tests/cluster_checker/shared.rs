//! What several checkers do with the jobs of one location.

use std::time::{Duration, Instant};

use poller::queue::kafka::messages::{JobMessage, Told};
use serde_json::Value;

use crate::cluster::{Cluster, End, PATIENCE, SHARDS, Seen, World, job, now_ms};
use crate::member::Member;

/// Has jobs of 200 targets fall due every second, always of others, as long as `goes_on` says.
fn flow(
    cluster: &mut Cluster<'_>,
    jobs: &mut Vec<JobMessage>,
    mut goes_on: impl FnMut(&Cluster<'_>) -> bool,
) {
    let began = Instant::now();
    loop {
        let due_ms = now_ms();
        let first = u32::try_from(jobs.len()).expect("few");
        for number in first..first + 200 {
            let url = cluster.world.fleet.url(number, "/d20");
            let one = job(number, due_ms, 60_000, &url);
            cluster.produce(&one);
            jobs.push(one);
        }
        cluster.flush();
        let next = Instant::now() + Duration::from_secs(1);
        cluster.read_until(|_| Instant::now() >= next);
        if !goes_on(cluster) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", cluster.members());
    }
}

/// The partitions that a member had when it said so last.
fn partitions(cluster: &Cluster<'_>, name: &str) -> u64 {
    let members = cluster.members();
    let facts = members.get(name).map_or("{}", |member| member.facts.as_str());
    let facts: Value = serde_json::from_str(facts).expect("JSON");
    facts["partitions"].as_u64().unwrap_or(0)
}

/// The longest that a job had waited which fell due at `from_ms` or later and was polled, in
/// microseconds.
fn longest_lag_us(seen: &[Seen], from_ms: i64) -> u32 {
    let lag = |one: &Seen| match &one.report.told {
        Some(Told::Outcome(told)) if told.due_ms >= from_ms => told.lag_us,
        _ => 0,
    };
    seen.iter().map(lag).max().unwrap_or(0)
}

pub(crate) async fn a_second_checker_takes_half_and_nobody_waits_long(world: &World) {
    let mut cluster = world.cluster("half").await;
    let mut one = Member::start(&cluster.connection, "one", "eu", &[]);
    let mut jobs = Vec::new();
    flow(&mut cluster, &mut jobs, |cluster| partitions(cluster, "one") < SHARDS.into());
    // How long jobs wait here while nothing moves, which on a busy machine is long as well.
    let (since_ms, mut rounds) = (now_ms(), 0);
    flow(&mut cluster, &mut jobs, |_| {
        rounds += 1;
        rounds < 4
    });
    let calm_us = longest_lag_us(&cluster.seen, since_ms);
    let mut other = Member::start(&cluster.connection, "other", "eu", &[]);
    let half = u64::from(SHARDS / 2);
    flow(&mut cluster, &mut jobs, |cluster| {
        partitions(cluster, "one") != half || partitions(cluster, "other") != half
    });
    assert!(other.drain().success(), "{}", other.said());
    flow(&mut cluster, &mut jobs, |cluster| partitions(cluster, "one") < SHARDS.into());
    let ends = cluster.all_ends(&jobs);
    let missed = ends.values().flatten().filter(|end| **end != End::Polled(0)).count();
    assert_eq!(missed, 0, "of {}", ends.len());
    let longest = longest_lag_us(&cluster.seen, 0);
    assert!(longest < 5_000_000, "a rebalance cost {longest} us; {calm_us} us while nothing moved");
    assert!(one.drain().success(), "{}", one.said());
    assert_eq!(cluster.uncommitted("eu"), vec![0; SHARDS as usize]);
}

pub(crate) async fn who_is_killed_leaves_its_jobs_to_others(world: &World) {
    let mut cluster = world.cluster("killed").await;
    let mut one = Member::start(&cluster.connection, "one", "eu", &[]);
    let mut other = Member::start(&cluster.connection, "other", "eu", &[]);
    let mut jobs = Vec::new();
    let half = u64::from(SHARDS / 2);
    flow(&mut cluster, &mut jobs, |cluster| {
        partitions(cluster, "one") != half || partitions(cluster, "other") != half
    });
    one.kill();
    flow(&mut cluster, &mut jobs, |cluster| partitions(cluster, "other") < SHARDS.into());
    let ends = cluster.all_ends(&jobs);
    assert_eq!(ends.len(), jobs.len());
    assert!(other.drain().success(), "{}", other.said());
    assert_eq!(cluster.uncommitted("eu"), vec![0; SHARDS as usize]);
}
