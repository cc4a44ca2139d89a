//! Topics and records, against a real Kafka.
#![cfg(feature = "distributed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use poller::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use poller::queue::kafka::topics::TopicsError;
use poller::queue::kafka::{Connection, Topic};

fn connection(brokers: &str, prefix: &str) -> Connection {
    Connection {
        brokers: vec![brokers.to_owned()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: prefix.to_owned(),
        client: "test".to_owned(),
    }
}

fn kafka() -> String {
    std::env::var("KAFKA").expect("KAFKA")
}

#[derive(Clone, Default)]
struct Counted(Arc<[AtomicU64; 3]>);

impl Deliveries for Counted {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Acknowledged { at_ms, .. } => {
                self.0[0].fetch_add(1, Ordering::SeqCst);
                self.0[2].store(u64::try_from(at_ms.unwrap_or(0)).unwrap(), Ordering::SeqCst);
                assert!(token < 1_000);
            }
            Delivery::Failed(reason) => {
                eprintln!("{reason}");
                self.0[1].fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

#[tokio::test]
async fn topics_are_made_once_and_fit_the_shards() {
    let connection = connection(&kafka(), "made");
    assert!(matches!(connection.shards().await, Err(TopicsError::Missing(_))));
    let (one, other) = tokio::join!(connection.ensure_topics(8), connection.ensure_topics(8));
    assert_eq!((one, other), (Ok(()), Ok(())));
    assert_eq!(connection.shards().await, Ok(8));
    let refused = connection.ensure_topics(16).await.expect_err("another number");
    assert!(!refused.is_passing());
    eprintln!("{refused}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_with_its_reason() {
    let away = connection("127.0.0.1:1", "away").ensure_topics(8).await.expect_err("nobody");
    eprintln!("{away}");
    assert!(away.is_passing());
}

#[tokio::test]
async fn each_record_has_an_end_that_is_told_with_the_brokers_time() {
    let connection = connection(&kafka(), "sent");
    connection.ensure_topics(4).await.expect("topics");
    let counted = Counted::default();
    let producer = Producer::new(&connection, counted.clone()).expect("a producer");
    for token in 0..1_000 {
        producer
            .send((Topic::Jobs, u32::try_from(token % 4).unwrap()), b"key", b"payload", token)
            .expect("room");
    }
    assert!(producer.flush(Duration::from_secs(10)));
    assert_eq!(counted.0[0].load(Ordering::SeqCst), 1_000);
    eprintln!("{}", counted.0[2].load(Ordering::SeqCst));
    let large = vec![0; 2_000_000];
    assert_eq!(producer.send((Topic::Jobs, 0), b"", &large, 1), Err(SendError::TooLarge));
    let elsewhere = producer.send((Topic::Jobs, 99), b"", b"", 1);
    assert!(matches!(elsewhere, Err(SendError::Fatal(_))), "{elsewhere:?}");
}
