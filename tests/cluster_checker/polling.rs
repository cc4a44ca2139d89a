//! What one checker does with jobs.

use std::time::Duration;

use poller::queue::kafka::messages::{JobMessage, Told};
use serde_json::Value;

use crate::cluster::{End, SHARDS, World, eventually, job, now_ms};
use crate::member::Member;

/// Rounds of jobs, one a second.
const ROUNDS: i64 = 5;

pub(crate) async fn every_job_has_one_end_and_all_are_committed(world: &World) {
    let mut cluster = world.cluster("every").await;
    let mut member = Member::start(&cluster.connection, "one", "eu", &["--max-workers", "200"]);
    let mut jobs = Vec::new();
    for _ in 0..ROUNDS {
        let due_ms = now_ms();
        for number in 0..300 {
            let url = world.fleet.url(number, if number % 10 == 0 { "/s500" } else { "/d5" });
            // Neither it nor its target, a thread of this test, is short of time.
            let one = job(number, due_ms, 60_000, &url);
            cluster.produce(&one);
            // Another scheduler that does not know yet that it is none makes the same.
            if number % 7 == 0 {
                cluster.produce(&one);
            }
            jobs.push(one);
        }
        for number in 300..320 {
            let one = job(number, due_ms, 1_000, "http://127.0.0.1:1/");
            cluster.produce(&JobMessage { locations: vec!["us".to_owned()], ..one });
        }
        cluster.flush();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let ends = cluster.all_ends(&jobs);
    assert_eq!(ends.len(), jobs.len(), "nothing is told of jobs for others");
    let once = ends.values().filter(|ends| ends.len() == 1).count();
    assert_eq!(once, jobs.len(), "a job has one end");
    let told = cluster.seen.iter().filter_map(|one| match &one.report.told {
        Some(Told::Outcome(told)) => Some((one, told)),
        _ => None,
    });
    for (one, told) in told {
        assert_eq!(one.partition, i32::try_from(told.target % SHARDS).expect("small"));
        assert_eq!((one.key.len(), one.report.location.as_str(), told.epoch), (16, "eu", 1));
        let is_down = told.target % 10 == 0;
        assert_eq!(told.verdict, if is_down { 2 } else { 0 }, "{told:?}");
    }
    assert!(member.drain().success(), "{}", member.said());
    assert_eq!(cluster.uncommitted("eu"), vec![0; SHARDS as usize]);
}

pub(crate) async fn what_is_no_job_is_put_aside_and_blocks_nobody(world: &World) {
    let mut cluster = world.cluster("dead").await;
    let mut member = Member::start(&cluster.connection, "one", "eu", &[]);
    let url = world.fleet.url(1, "/d1");
    cluster.produce_bytes(1, b"no job at all");
    cluster.produce_bytes(1, &vec![0xff; 950_000]);
    cluster.produce(&JobMessage { needs: 99, ..job(1, now_ms(), 60_000, &url) });
    let bad = JobMessage { entry: "{\"url\": 5}".into(), ..job(9, now_ms(), 60_000, &url) };
    let good = job(17, now_ms(), 60_000, &url);
    cluster.produce(&bad);
    cluster.produce(&good);
    cluster.flush();
    let ends = cluster.all_ends(&[bad.clone(), good.clone()]);
    assert_eq!(ends[&(9, bad.due_ms)], [End::Missed(5)]);
    assert_eq!(ends[&(17, good.due_ms)], [End::Polled(0)]);
    let dead = cluster.dead(3);
    let offsets: Vec<&str> = dead.iter().map(|(_, headers)| headers["offset"].as_str()).collect();
    assert_eq!(offsets, ["0", "1", "2"]);
    assert!(dead.iter().all(|(_, headers)| headers["partition"] == "1"), "{dead:?}");
    assert!(dead[2].1["reason"].contains("version 99"), "{:?}", dead[2].1);
    assert!(dead.iter().all(|(_, headers)| headers["topic"] == "dead.jobs"), "{dead:?}");
    assert_eq!((dead[0].0.as_slice(), dead[1].0.len()), (&b"no job at all"[..], 900_000));
    assert!(member.drain().success(), "{}", member.said());
    assert_eq!(cluster.uncommitted("eu"), vec![0; SHARDS as usize]);
}

pub(crate) async fn what_cannot_be_put_aside_blocks_nobody_either(world: &World) {
    let mut cluster = world.cluster("nowhere").await;
    cluster.remove_dead().await;
    let mut member = Member::start(&cluster.connection, "one", "eu", &[]);
    for _ in 0..3 {
        cluster.produce_bytes(1, b"no job at all");
    }
    let good = job(17, now_ms(), 60_000, &world.fleet.url(1, "/d1"));
    cluster.produce(&good);
    cluster.flush();
    let ends = cluster.all_ends(std::slice::from_ref(&good));
    assert_eq!(ends[&(17, good.due_ms)], [End::Polled(0)]);
    let told = "records that nobody could read are not kept";
    assert!(eventually(|| member.said().contains(told)), "{}", member.said());
    let is_all = || cluster.uncommitted("eu") == vec![0; SHARDS as usize];
    assert!(eventually(is_all), "{:?} {}", cluster.uncommitted("eu"), member.said());
    assert_eq!(member.said().matches(told).count(), 1, "{}", member.said());
    assert!(member.drain().success(), "{}", member.said());
}

pub(crate) async fn late_jobs_and_slow_targets_leave_no_job_without_an_end(world: &World) {
    let mut cluster = world.cluster("slow").await;
    let mut member = Member::start(&cluster.connection, "one", "eu", &["--max-workers", "1"]);
    // It has the only place for longer than the others mean something.
    let slow = job(1, now_ms(), 120_000, &world.fleet.url(1, "/d30000"));
    cluster.produce(&slow);
    cluster.flush();
    assert!(eventually(|| world.fleet.statistics().in_flight > 0), "{}", member.said());
    // More jobs than may be in hand.
    let (due_ms, mut jobs) = (now_ms(), vec![slow.clone()]);
    jobs.extend((2..3_000).map(|number| {
        let url = world.fleet.url(number, "/d1");
        job(number, due_ms, 10_000, &url)
    }));
    jobs.push(job(5_000, due_ms - 60_000, 60_000, &world.fleet.url(5_000, "/d1")));
    for one in &jobs[1..] {
        cluster.produce(one);
    }
    cluster.flush();
    let ends = cluster.all_ends(&jobs);
    assert!(ends.values().all(|ends| ends.len() == 1), "a job has one end");
    assert_eq!(ends[&(1, slow.due_ms)], [End::Polled(0)]);
    assert_eq!(ends[&(5_000, due_ms - 60_000)], [End::Missed(4)]);
    let count = |end| ends.values().filter(|ends| ends.contains(&end)).count();
    let (waited, came_late) = (count(End::Missed(1)), count(End::Missed(4)));
    assert_eq!(waited + came_late, jobs.len() - 1, "nothing else happens to them");
    assert!(waited > 0 && came_late > 0, "{waited} in hand, {came_late} on Kafka");
    let pauses = |facts: &str| {
        serde_json::from_str::<Value>(facts).expect("JSON")["pauses"].as_u64().unwrap_or(0)
    };
    let was_held = cluster.read_until(|seen| {
        seen.iter().any(|one| match &one.report.told {
            Some(Told::Member(member)) => pauses(&member.facts) > 0,
            _ => false,
        })
    });
    assert!(was_held, "no partition was paused");
    assert!(member.drain().success(), "{}", member.said());
    assert_eq!(cluster.uncommitted("eu"), vec![0; SHARDS as usize]);
}

pub(crate) async fn what_a_checker_says_of_itself_is_on_the_topic(world: &World) {
    let mut cluster = world.cluster("life").await;
    let member = Member::start(&cluster.connection, "the-one", "eu", &[]);
    let told = cluster.read_until(|seen| {
        let mut members = seen.iter().filter_map(|one| match &one.report.told {
            Some(Told::Member(member)) => Some(member),
            _ => None,
        });
        members.any(|member| {
            let facts: Value = serde_json::from_str(&member.facts).expect("JSON");
            member.name == "the-one"
                && member.role == "checker"
                && member.ahead_ms.abs() < 1_000
                && facts["partitions"] == SHARDS
                && facts["behind"] == 0
                && facts["limit"].as_u64().is_some_and(|limit| limit > 0)
                && facts["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000)
        })
    });
    assert!(told, "{:?} {}", cluster.members(), member.said());
}
