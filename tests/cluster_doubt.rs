//! Checkers whose network fails, over a real Kafka and a real PostgreSQL: what they told of targets
//! before they knew is taken back.

#![cfg(feature = "distributed")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/engines.rs"]
mod engines;
#[path = "cluster_doubt/origins.rs"]
mod origins;
#[path = "cluster_doubt/recorded.rs"]
mod recorded;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "cluster_recorder/rig.rs"]
mod rig;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "cluster_recorder/stream.rs"]
mod stream;

use cluster::Cluster;
use engines::Brokers;
use origins::Origins;
use poller::store::postgres::Address;
use poller::store::postgres::read::Reader;
use serde_json::{Value, json};

const TARGETS: usize = 40;

/// Targets at `origins`, polled once a second.
fn list(origins: &Origins) -> Value {
    let entry = |url| json!({"url": url, "interval": "1s", "timeout": "900ms", "retries": 0});
    origins.urls().map(entry).collect()
}

/// Holds that the changes of each target follow from each other as they are told.
fn hold_changes(cluster: &Cluster) {
    let numbers = cluster.sql("SELECT string_agg(number::text, ' ') FROM target");
    let address = Address { url: cluster.url.clone(), ca: None, client: "test".to_owned() };
    let reader = Reader::at(&address, 1).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for number in numbers.split(' ').map(|number| number.parse().unwrap()) {
            for since_ms in [0, i64::MAX / 1_000] {
                let changes = reader.changes_of(number, since_ms).await.unwrap();
                assert!(changes.windows(2).all(|two| two[0].to == two[1].from), "{changes:?}");
                let state = changes.last().unwrap().to.code().to_string();
                let known = format!("SELECT state FROM record WHERE target = {number}");
                assert_eq!(cluster.sql(&known), state, "{changes:?}");
            }
        }
    });
}

#[test]
fn a_checker_whose_network_fails_takes_back_what_it_told_and_one_target_alone_is_down() {
    if engines::why_not().is_some() {
        return;
    }
    let origins = Origins::start(TARGETS);
    let mut cluster = Cluster::start(Brokers::One, 4);
    cluster.import(&list(&origins));
    for role in ["scheduler", "checker", "recorder"] {
        cluster.begin(role, &[]);
    }
    let all = |state: &str| format!("count(*) = {TARGETS} FROM record WHERE state = {state}");
    cluster.wait_until("every target is up", &all("1"));
    // For long enough that it is known how things are.
    let polls = format!("count(*) > {} FROM sample", TARGETS * 12);
    cluster.wait_until("every target was polled for some time", &polls);

    origins.silence();
    cluster.wait_until("nothing is known of any target", &all("4"));
    let told = cluster.count("SELECT count(*) FROM transition WHERE to_state = 3");
    assert!(told > 10, "{told} targets were told to be down\n{}", cluster.logs());
    // Whoever was told to be down is so for no time at all.
    let blamed = "SELECT count(*) FROM transition AS down WHERE to_state = 3 AND NOT EXISTS \
                  (SELECT FROM transition AS back WHERE back.target = down.target \
                  AND back.at = down.at AND back.from_state = 3 AND back.to_state = 4)";
    assert_eq!(cluster.count(blamed), 0, "{}", cluster.logs());
    assert_eq!(cluster.count("SELECT count(*) FROM incident"), 0, "{}", cluster.logs());
    let said = cluster.members[1].said();
    assert!(said.contains(&format!("taken_back={told}")), "{told}: {said}");

    hold_changes(&cluster);
    origins.answer();
    cluster.wait_until("every target is up again", &all("1"));
    origins.silence_one(7);
    cluster.wait_until("the one target is down", "count(*) = 1 FROM record WHERE state = 3");
    assert_eq!(cluster.count("SELECT count(*) FROM incident WHERE ended IS NULL"), 1);
    assert_eq!(cluster.count("SELECT count(*) FROM incident"), 1, "{}", cluster.logs());
    for member in &mut cluster.members {
        assert!(member.end().success(), "{}", member.said());
    }
    let other = "SELECT count(*) FROM sample WHERE kind < 3 AND verdict = 3 AND cause <> 31";
    assert_eq!(cluster.count(other), 0, "what is in doubt is ours");
}
