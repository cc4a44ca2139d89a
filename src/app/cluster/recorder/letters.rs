//! `Letters`: dead letters, which nobody could read, kept on a topic of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use crate::queue::kafka::topics::TopicsError;
use crate::queue::kafka::{Connection, Topic};

/// How long to wait while Kafka takes no more.
const PAUSE: Duration = Duration::from_millis(100);

/// Puts dead letters on their topic.
#[derive(Debug)]
pub(super) struct Letters {
    producer: Producer,
    topic: String,
    open: Arc<Open>,
}

/// Letters that have no end yet.
#[derive(Debug, Default)]
struct Open {
    count: AtomicUsize,
    ended: Notify,
}

struct Told(Arc<Open>);

impl Deliveries for Told {
    fn delivered(&self, _: usize, delivery: Delivery<'_>) {
        if let Delivery::Failed(reason) = delivery {
            tracing::warn!(reason, "a record that nobody could read is not kept");
        }
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

/// A record that nobody could use.
pub(super) struct Letter<'a> {
    /// Its partition of the topic of outcomes.
    pub(super) shard: u32,
    /// Its offset there.
    pub(super) offset: i64,
    /// Its key.
    pub(super) key: &'a [u8],
    /// Its bytes.
    pub(super) bytes: &'a [u8],
    /// Why.
    pub(super) reason: &'a str,
}

impl Letters {
    /// A way to the topic of dead letters.
    ///
    /// # Errors
    /// What `connection` says makes no sense.
    pub(super) fn new(connection: &Connection) -> Result<Self, TopicsError> {
        let open = Arc::new(Open::default());
        let producer = Producer::new(connection, Told(Arc::clone(&open)))?;
        Ok(Self { producer, topic: connection.topic(Topic::Outcomes), open })
    }

    /// Sends `letter`, as soon as Kafka takes it.
    pub(super) async fn send(&self, letter: &Letter<'_>) {
        let Letter { shard, offset, key, bytes, reason } = letter;
        tracing::warn!(shard, offset, reason, "a record cannot be used and is set aside");
        let (partition, place) = (shard.to_string(), offset.to_string());
        let headers = [
            ("topic", self.topic.as_str()),
            ("partition", partition.as_str()),
            ("offset", place.as_str()),
            ("reason", *reason),
        ];
        loop {
            self.open.count.fetch_add(1, Ordering::AcqRel);
            match self.producer.send_with((Topic::Dead, 0), key, bytes, (0, &headers)) {
                Ok(()) => return,
                Err(error) => {
                    self.open.count.fetch_sub(1, Ordering::AcqRel);
                    if error != SendError::Full {
                        tracing::warn!(%error, "a record that nobody could read is not kept");
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until all letters have an end.
    pub(super) async fn settle(&self) {
        while self.open.count.load(Ordering::Acquire) > 0 {
            let ended = self.open.ended.notified();
            if self.open.count.load(Ordering::Acquire) == 0 {
                return;
            }
            // A word that came in between is not waited for for long.
            let _ = tokio::time::timeout(PAUSE, ended).await;
        }
    }
}
