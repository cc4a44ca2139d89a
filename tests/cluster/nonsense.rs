//! Records that nobody can use, on every partition of both topics.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::time::Duration;

use poller::queue::kafka::messages::{
    JobMessage, MemberMessage, MissedMessage, OutcomeMessage, Report, Told,
};
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer};
use poller::queue::kafka::{Connection, Topic};

use super::cluster::Cluster;

const SHARDS: u32 = 8;
/// A number that no target has.
const NOBODY: u32 = 4_000_000_000;
const TIMES: [i64; 6] = [i64::MIN, -1, 0, 1, 253_402_300_800_000, i64::MAX];

struct Sent;

impl Deliveries for Sent {
    fn delivered(&self, _: usize, delivery: Delivery<'_>) {
        assert!(matches!(delivery, Delivery::Acknowledged { .. }), "{delivery:?}");
    }
}

/// Puts nonsense on all partitions of `cluster`.
pub(crate) fn tell(cluster: &Cluster) {
    let connection = Connection {
        brokers: vec![cluster.kafka.bootstrap().to_owned()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: "poller".to_owned(),
        client: "stranger".to_owned(),
    };
    let producer = Producer::new(&connection, Sent).expect("a producer");
    let now_ms = cluster.now_ms();
    let outcomes = [reports(now_ms), noise(&Report::default().to_bytes())].concat();
    let jobs = [jobs(now_ms), noise(&job(now_ms).to_bytes())].concat();
    for shard in 0..SHARDS {
        for (topic, records) in [(Topic::Jobs, &jobs), (Topic::Outcomes, &outcomes)] {
            for record in records {
                producer.send((topic, shard), b"x", record, 0).expect("room");
            }
        }
    }
    assert!(producer.flush(Duration::from_mins(1)), "Kafka takes no records");
}

/// What is no message, and the beginning of `message`.
fn noise(message: &[u8]) -> Vec<Vec<u8>> {
    let random = |seed: u32, count: u32| {
        let byte = |n: u32| ((n ^ seed).wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0];
        (0..count).map(byte).collect::<Vec<u8>>()
    };
    let cut = message[..message.len() / 2].to_vec();
    vec![vec![], vec![255; 50], random(1, 300), random(2, 250_000), cut]
}

/// A job of nobody that could be polled.
fn job(now_ms: i64) -> JobMessage {
    let entry = "{\"url\": \"http://127.0.0.1:9/\", \"interval\": 1}".into();
    let (due_ms, valid_until_ms) = (now_ms, now_ms + 1_000);
    JobMessage { target: NOBODY, id: 7, due_ms, valid_until_ms, entry, ..JobMessage::default() }
}

fn jobs(now_ms: i64) -> Vec<Vec<u8>> {
    let usual = || job(now_ms);
    let mut jobs = vec![
        JobMessage { needs: 99, ..usual() },
        JobMessage { due_ms: now_ms + 1_000_000_000, valid_until_ms: i64::MAX, ..usual() },
        JobMessage { locations: vec![String::new(); 1_000], ..usual() },
        JobMessage { epoch: i64::MIN, revision: u64::MAX, ..usual() },
    ];
    for due_ms in TIMES {
        jobs.push(JobMessage { due_ms, valid_until_ms: i64::MAX, ..usual() });
        jobs.push(JobMessage { valid_until_ms: due_ms, ..usual() });
    }
    let deep = "[".repeat(100_000);
    for (place, entry) in (1..).zip([
        "",
        "no JSON",
        "[]",
        "5",
        "{}",
        "null",
        "[\"http://a.example/\", \"http://b.example/\"]",
        "{\"url\": \"http://127.0.0.1:9/\", \"interval\": -5}",
        "{\"url\": \"http://127.0.0.1:9/\", \"interval\": 1e30}",
        "{\"url\": \"http://127.0.0.1:9/\", \"defaults\": 5, \"written\": [1]}",
        "{\"url\": \"exec:///bin/true\"}",
        &deep,
    ]) {
        let entry = entry.to_owned().into();
        jobs.push(JobMessage { target: NOBODY + place, id: place.into(), entry, ..usual() });
    }
    jobs.iter().map(JobMessage::to_bytes).collect()
}

fn reports(now_ms: i64) -> Vec<Vec<u8>> {
    let outcome = || OutcomeMessage { target: NOBODY, due_ms: now_ms, ..OutcomeMessage::default() };
    let missed = || MissedMessage { target: NOBODY, due_ms: now_ms, ..MissedMessage::default() };
    let (name, role) = ("stranger".to_owned(), "checker".to_owned());
    let member = || MemberMessage { name: name.clone(), role: role.clone(), ..Default::default() };
    let mut told = vec![
        Told::Outcome(outcome()),
        Told::Outcome(OutcomeMessage { verdict: 9, ..outcome() }),
        Told::Outcome(OutcomeMessage { cause: 300, tries: u32::MAX, ..outcome() }),
        Told::Outcome(OutcomeMessage { phases: vec![u32::MAX; 5_000], ..outcome() }),
        Told::Missed(missed()),
        Told::Missed(MissedMessage { reason: 300, ..missed() }),
        Told::Missed(MissedMessage { locations: vec!["x\0y".to_owned()], ..missed() }),
        Told::Member(MemberMessage { name: "a\0b".to_owned(), ..member() }),
        Told::Member(MemberMessage { role: "scheduler".to_owned(), ..member() }),
        Told::Member(MemberMessage { role: "recorder".to_owned(), ..member() }),
        Told::Member(MemberMessage { facts: "{\"a\": \"\\u0000\"}".to_owned(), ..member() }),
        Told::Member(MemberMessage { facts: "{\"a\": 1e99999}".to_owned(), ..member() }),
        Told::Member(MemberMessage { facts: "{\"a\": \"\\ud800\"}".to_owned(), ..member() }),
    ];
    for time in TIMES {
        let (name, started_ms, ahead_ms) = (format!("stranger{time}"), time, time);
        told.push(Told::Outcome(OutcomeMessage { due_ms: time, finished_us: time, ..outcome() }));
        told.push(Told::Outcome(OutcomeMessage { certificate_until: time, ..outcome() }));
        told.push(Told::Missed(MissedMessage { due_ms: time, ..missed() }));
        told.push(Told::Member(MemberMessage { name, started_ms, ahead_ms, ..member() }));
    }
    let report = |told: Told| Report::new("here", told).to_bytes();
    told.into_iter().map(report).collect()
}
