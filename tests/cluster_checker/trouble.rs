//! What a checker does while brokers are away, or topics.

use std::time::Duration;

use poller::queue::kafka::Topic;

use crate::away;
use crate::cluster::{End, SHARDS, World, eventually, job, now_ms};
use crate::member::Member;

pub(crate) async fn nothing_is_lost_while_brokers_are_away(world: &World) {
    let mut cluster = world.cluster("away").await;
    let mut member = Member::start(&cluster.connection, "one", "eu", &[]);
    // They are in flight when the broker goes.
    let jobs: Vec<_> = (0..200)
        .map(|number| job(number, now_ms(), 60_000, &world.fleet.url(number, "/d3000")))
        .collect();
    for one in &jobs {
        cluster.produce(one);
    }
    cluster.flush();
    assert!(eventually(|| world.fleet.statistics().in_flight > 0), "nobody polls");
    world.kafka.stop(1);
    assert!(eventually(|| member.said().contains("waiting for Kafka")), "{}", member.said());
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.kafka.start_node(1);
    let ends = cluster.all_ends(&jobs);
    assert!(ends.values().all(|ends| ends.contains(&End::Polled(0))), "{ends:?}");
    assert!(eventually(|| away::is_back(&member.said(), "Kafka")), "{}", member.said());
    away::assert_said_once(&member.said(), "Kafka");
    let is_all = || cluster.uncommitted("eu") == vec![0; SHARDS as usize];
    assert!(eventually(is_all), "{:?}", cluster.uncommitted("eu"));
    assert!(member.drain().success(), "{}", member.said());
}

pub(crate) async fn topics_are_waited_for(world: &World) {
    let connection = world.connection("late");
    let kafka = world.kafka.bootstrap();
    let mut member = Member::spawn(&["--kafka", kafka, "--topics", "late"]);
    let name = connection.topic(Topic::Jobs);
    let told = format!("there is no topic {name}");
    assert!(eventually(|| member.said().contains(&told)), "{}", member.said());
    connection.ensure_topics(SHARDS).await.expect("topics");
    assert!(eventually(|| member.said().contains("polling what jobs")), "{}", member.said());
    assert_eq!(member.said().matches(&told).count(), 1, "{}", member.said());
    assert!(member.drain().success(), "{}", member.said());
}
