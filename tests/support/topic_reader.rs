//! Reads all that stands on a topic of Kafka.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedHeaders, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// A record of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) partition: u32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: BTreeMap<String, String>,
    /// When the broker took it, in Unix milliseconds.
    pub(crate) at_ms: i64,
}

/// All records of `topic` up to its present end, partition by partition in their order.
pub(crate) fn read(brokers: &str, topic: &str, partitions: u32) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let patience = Duration::from_mins(1);
    let (mut left, mut assigned) = (0_i64, TopicPartitionList::new());
    for partition in 0..i32::try_from(partitions).expect("few") {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition, patience).expect("watermarks");
        left += high - low;
        assigned.add_partition_offset(topic, partition, Offset::Beginning).expect("assigned");
    }
    consumer.assign(&assigned).expect("assigned");
    let (mut records, deadline) = (Vec::new(), Instant::now() + Duration::from_mins(3));
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} records of {topic} do not come");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(500)) else { continue };
        left -= 1;
        records.push(Record {
            partition: u32::try_from(message.partition()).expect("a partition"),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: message.headers().map(headers).unwrap_or_default(),
            at_ms: message.timestamp().to_millis().unwrap_or(0),
        });
    }
    records
}

fn headers(headers: &BorrowedHeaders) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|one| (one.key.to_owned(), one.value.map(text).unwrap_or_default()))
        .collect()
}
