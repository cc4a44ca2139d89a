//! Schedulers as processes, with a real Kafka and a real PostgreSQL.
#![cfg(feature = "distributed")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "tests say what they measured")]

#[path = "support/away.rs"]
mod away;
#[path = "support/engines.rs"]
mod engines;
#[path = "cluster_scheduler/stage.rs"]
mod stage;
#[path = "support/topic_reader.rs"]
mod topic_reader;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use engines::{Brokers, Kafka, Postgres, Security};
use poller::queue::kafka::messages::JobMessage;
use stage::{Cluster, SHARDS, wait};

/// Engines that all tests use which do not stop them.
fn shared() -> &'static (Kafka, Postgres) {
    static SHARED: OnceLock<(Kafka, Postgres)> = OnceLock::new();
    SHARED.get_or_init(|| (Kafka::start(Brokers::One, Security::None), Postgres::start()))
}

fn cluster(name: &str, lease: &'static str) -> Cluster {
    let (kafka, postgres) = shared();
    Cluster::new(postgres.fresh_database(name), kafka.bootstrap(), name, lease)
}

#[test]
fn every_slot_comes_on_its_partition_and_none_early() {
    if !engines::are_here() {
        return;
    }
    // It keeps its shards, however long it waits for the processor.
    let cluster = cluster("steady", "60s");
    cluster.fill(1_000, 1_000);
    let scheduler = cluster.scheduler("one");
    // From when it has begun, which takes its time on a busy machine.
    cluster.work_on(0);
    cluster.work_on(20_000);
    let (code, text) = scheduler.end();
    assert_eq!(code, Some(0), "{text}");
    let (slots, missed) = cluster.assert_complete(1_000);
    assert!(slots >= 20_000, "{slots}");
    let jobs = cluster.jobs();
    let once: BTreeSet<(u32, i64)> = jobs.iter().map(|(_, job)| (job.target, job.due_ms)).collect();
    assert_eq!(once.len(), jobs.len(), "one scheduler makes none twice");
    println!("{slots} slots, {missed} missed");
    for (record, job) in jobs {
        assert_eq!(record.partition, job.target % SHARDS);
        assert_eq!(record.key, Some(format!("{:016x}", job.id).into_bytes()));
        let entry = format!("{{\"url\":\"http://127.0.0.1:1/{}\"}}", job.target);
        assert_eq!(job.entry, entry.as_bytes());
        assert_eq!((job.valid_until_ms - job.due_ms, job.epoch), (1_000, 1));
        // Both clocks are this machine's; what is asked of the database's comes by a round trip.
        assert!(record.at_ms >= job.due_ms - 20, "{} early", job.due_ms - record.at_ms);
    }
}

#[test]
fn who_dies_is_replaced_within_a_lease_and_who_ends_at_once() {
    if !engines::are_here() {
        return;
    }
    let cluster = cluster("killed", "6s");
    cluster.fill(500, 5_000);
    let (mut one, two) = (cluster.scheduler("one"), cluster.scheduler("two"));
    let share = SHARDS / 2;
    wait("equal shares", || cluster.has("one") == share && cluster.has("two") == share);
    cluster.work_on(5_000);
    one.kill();
    let took = wait("taken over", || cluster.has("two") == SHARDS);
    println!("taken over after {took:?}");
    assert!(took < Duration::from_secs(30), "several leases: {took:?}");
    cluster.work_on(6_000);
    let three = cluster.scheduler("three");
    wait("shared again", || cluster.has("three") == share);
    cluster.work_on(2_000);
    let (code, text) = two.end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("our shards are free"), "{text}");
    let took = wait("handed over", || cluster.has("three") == SHARDS);
    println!("handed over after {took:?}");
    cluster.work_on(6_000);
    assert_eq!(three.end().0, Some(0));
    let (slots, missed) = cluster.assert_complete(5_000);
    println!("{slots} slots, {missed} missed");
}

#[test]
fn changes_are_seen_without_reading_all_again() {
    if !engines::are_here() {
        return;
    }
    let cluster = cluster("changed", "60s");
    cluster.fill(100, 1_000);
    let scheduler = cluster.scheduler("one");
    cluster.work_on(3_000);
    let changed: i64 = cluster
        .sql(
            "BEGIN; UPDATE poller.cluster SET revision = revision + 1; \
             UPDATE poller.target SET entry = '{\"url\":\"http://changed.example/\"}', \
             revision = (SELECT revision FROM poller.cluster) WHERE number = 7; \
             UPDATE poller.target SET every_ms = 500, \
             revision = (SELECT revision FROM poller.cluster) WHERE number = 8; \
             UPDATE poller.target SET removed_at = now(), \
             revision = (SELECT revision FROM poller.cluster) WHERE number = 9; COMMIT; \
             SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        )
        .parse()
        .expect("a time");
    // They are looked for every few seconds, and all of them at once.
    let is_new = |job: &JobMessage| job.target == 7 && job.revision == 2;
    wait("they are seen", || cluster.jobs().iter().any(|(_, job)| is_new(job)));
    // Within five seconds, that is.
    let seen = changed + 5_000;
    cluster.work_on(8_000);
    assert_eq!(scheduler.end().0, Some(0));
    let later: Vec<_> = cluster.jobs().into_iter().filter(|(_, job)| job.due_ms > seen).collect();
    let of = |number| later.iter().filter(move |(_, job)| job.target == number);
    assert!(of(7).count() >= 2 && of(7).all(|(_, job)| job.revision == 2));
    assert!(of(7).all(|(_, job)| &job.entry[..] == b"{\"url\":\"http://changed.example/\"}"));
    let gaps = of(8).zip(of(8).skip(1)).map(|((_, a), (_, b))| b.due_ms - a.due_ms);
    assert!(gaps.into_iter().all(|gap| gap == 500));
    assert_eq!(of(9).count(), 0, "removed");
    assert!(of(10).count() >= 2 && of(10).all(|(_, job)| job.revision == 1));
}

#[test]
fn a_large_import_is_seen_whole() {
    if !engines::are_here() {
        return;
    }
    let cluster = cluster("imported", "60s");
    cluster.fill(10, 10_000);
    let scheduler = cluster.scheduler("one");
    cluster.work_on(1_000);
    // More than is asked for at a time.
    cluster.fill_from(10, 25_000, 10_000);
    cluster.work_on(20_000);
    let (code, text) = scheduler.end();
    assert_eq!(code, Some(0), "{text}");
    let told: usize = text
        .lines()
        .filter_map(|line| line.split_once(" targets have changed")?.0.split(' ').next_back())
        .map(|count| count.parse::<usize>().expect("a number"))
        .sum();
    assert_eq!(told, 24_990, "each once: {text}");
    cluster.assert_complete(10_000);
}

#[test]
fn locations_are_known_before_the_first_job() {
    if !engines::are_here() {
        return;
    }
    let cluster = cluster("located", "2s");
    cluster.sql(
        "INSERT INTO poller.location (name, is_retired) \
         VALUES ('a', false), ('b', false), ('c', true)",
    );
    cluster.fill(200, 1_000);
    cluster.sql("UPDATE poller.target SET locations = number % 2");
    let scheduler = cluster.scheduler("one");
    cluster.work_on(3_000);
    assert_eq!(scheduler.end().0, Some(0));
    let jobs = cluster.jobs();
    assert!(jobs.len() > 200);
    for (_, job) in jobs {
        match job.target % 2 {
            0 => assert_eq!(job.locations, ["a", "b"], "not where nobody polls any more"),
            _ => assert!(job.locations == ["a"] || job.locations == ["b"], "{job:?}"),
        }
    }
}

#[test]
fn a_broker_that_was_away_leaves_no_slot_out() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::None);
    let url = shared().1.fresh_database("broker");
    let cluster = Cluster::new(url, kafka.bootstrap(), "broker", "2s");
    cluster.fill(500, 4_000);
    let scheduler = cluster.scheduler("one");
    cluster.work_on(5_000);
    kafka.stop(1);
    scheduler.says("waiting for Kafka");
    std::thread::park_timeout(Duration::from_secs(15));
    kafka.start_node(1);
    cluster.work_on(10_000);
    wait("it is back", || away::is_back(&scheduler.text(), "Kafka"));
    let (code, text) = scheduler.end();
    assert_eq!(code, Some(0), "{text}");
    away::assert_said_once(&text, "Kafka");
    let (slots, missed) = cluster.assert_complete(4_000);
    println!("{slots} slots, {missed} missed");
}

#[test]
fn a_database_that_was_away_leaves_no_slot_out() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::start();
    let url = postgres.fresh_database("database");
    let cluster = Cluster::new(url, shared().0.bootstrap(), "database", "2s");
    cluster.fill(500, 4_000);
    let scheduler = cluster.scheduler("one");
    cluster.work_on(5_000);
    postgres.stop();
    scheduler.says("waiting for the database");
    std::thread::park_timeout(Duration::from_secs(10));
    postgres.start_again();
    cluster.work_on(8_000);
    wait("it is back", || away::is_back(&scheduler.text(), "the database"));
    let (code, text) = scheduler.end();
    assert_eq!(code, Some(0), "{text}");
    away::assert_said_once(&text, "the database");
    let (slots, missed) = cluster.assert_complete(4_000);
    println!("{slots} slots, {missed} missed");
    assert!(missed * 10 < slots, "it goes on without the database");
}

#[test]
fn what_does_not_fit_is_told_and_what_is_away_is_waited_for() {
    if !engines::are_here() {
        return;
    }
    let (kafka, postgres) = shared();
    let mut other = cluster("other", "2s");
    kafka.make_topic("few.jobs", 3);
    other.topics = "few".to_owned();
    let (code, text) = other.scheduler("one").said();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("few.jobs has 3 partitions and the database 8 shards"), "{text}");
    other.brokers = "127.0.0.1:1".to_owned();
    let waiting = other.scheduler("one");
    waiting.says("waiting for Kafka: no broker");
    // It asks again meanwhile.
    std::thread::park_timeout(Duration::from_secs(12));
    let (code, text) = waiting.end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("waiting for Kafka: no broker").count(), 1, "{text}");
    other.url = postgres.fresh_database("nothing");
    let (code, text) = other.scheduler("one").said();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("poller db init"), "{text}");
}
