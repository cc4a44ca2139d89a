//! Outcomes as whoever belongs to no group reads them.

use std::time::Duration;

use poller::queue::kafka::producer::Producer;
use poller::queue::kafka::reader::{Arrival, Reader};
use poller::queue::kafka::{Connection, Topic};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use tokio::sync::mpsc::Receiver;

use crate::{Told, connection, engines, shared};

/// How long anything may take that is not being measured.
const PATIENCE: Duration = Duration::from_mins(2);

/// Puts `count` records on the one partition of the topic of outcomes.
fn produce(connection: &Connection, count: usize) {
    let producer = Producer::new(connection, Told::default()).expect("a producer");
    for number in 0..count {
        producer.send((Topic::Outcomes, 0), b"", b"", number).expect("room");
    }
    assert!(producer.flush(PATIENCE));
}

/// The next `count` arrivals.
async fn read(arrivals: &mut Receiver<Vec<Arrival>>, count: usize) -> Vec<Arrival> {
    let mut read = Vec::new();
    while read.len() < count {
        let more = tokio::time::timeout(PATIENCE, arrivals.recv()).await;
        read.extend(more.expect("in time").expect("a reader"));
    }
    read
}

/// Removes the topic of outcomes, and makes it again.
async fn make_anew(connection: &Connection) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", shared().bootstrap())
        .create()
        .expect("an admin");
    let topic = connection.topic(Topic::Outcomes);
    let removed = admin.delete_topics(&[&topic], &AdminOptions::new()).await;
    assert_eq!(removed.expect("asked"), [Ok(topic)]);
    // Brokers may take a while to forget it.
    while connection.ensure_topics(1).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_known_although_it_has_grown_past_what_was_read() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "grown");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, 50);
    let (reader, mut arrivals) = Reader::start(&connection).expect("a reader");
    reader.assign(0, 1, 0);
    let times = read(&mut arrivals, 50).await.into_iter().map(|arrival| arrival.at_ms);
    let read_ms = times.max().flatten().expect("the brokers' time");
    let logs = reader.logs();
    produce(&connection, 5);
    for next in [0, 1, 50, 55, 1_000] {
        assert_eq!(logs.begins_anew(0, next, read_ms).await, None, "it is the same: {next}");
    }
    make_anew(&connection).await;
    produce(&connection, 60);
    let (reader, _arrivals) = Reader::start(&connection).expect("a reader");
    let logs = reader.logs();
    for next in [1, 50, 60, 1_000] {
        assert_eq!(logs.begins_anew(0, next, read_ms).await, Some(0), "it is another: {next}");
    }
    assert_eq!(logs.begins_anew(0, 0, read_ms).await, None, "all of it is to be read anyway");
    let away = Connection { brokers: vec!["127.0.0.1:1".to_owned()], ..connection };
    let (reader, _arrivals) = Reader::start(&away).expect("a reader");
    assert_eq!(reader.logs().begins_anew(0, 50, read_ms).await, None, "nobody says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_read_from_its_beginning() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "anew");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, 50);
    let (reader, mut arrivals) = Reader::start(&connection).expect("a reader");
    reader.assign(0, 1, 0);
    let before = read(&mut arrivals, 50).await;
    assert!(before.iter().all(|arrival| arrival.skipped == 0));
    make_anew(&connection).await;
    produce(&connection, 5);
    let after = read(&mut arrivals, 5).await;
    let places: Vec<(i64, i64)> =
        after.iter().map(|arrival| (arrival.offset, arrival.skipped)).collect();
    assert_eq!(places, [(0, -50), (1, 0), (2, 0), (3, 0), (4, 0)]);
}
