//! `Letters`: dead letters, which nobody could read, kept on a topic of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use crate::queue::kafka::topics::TopicsError;
use crate::queue::kafka::{Connection, Topic};

/// How long to wait while Kafka takes no more.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a record that are kept at most, so that brokers take it with its headers.
const MOST_BYTES: usize = 900_000;
/// Letters of which the log tells one by one in a minute.
const MOST_TOLD: u64 = 20;
const MINUTE: Duration = Duration::from_mins(1);

/// Letters since a minute began.
#[derive(Debug, Default)]
struct Minute {
    began: Option<Instant>,
    count: u64,
}

/// Puts dead letters on their topic.
#[derive(Debug)]
pub(super) struct Letters {
    minute: Mutex<Minute>,
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
        Ok(Self {
            minute: Mutex::default(),
            producer,
            topic: connection.topic(Topic::Outcomes),
            open,
        })
    }

    /// Sends `letter`, as soon as Kafka takes it.
    pub(super) async fn send(&self, letter: &Letter<'_>) {
        let Letter { shard, offset, bytes, reason } = letter;
        self.tell(letter);
        let bytes = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        let (partition, place) = (shard.to_string(), offset.to_string());
        let headers = [
            ("topic", self.topic.as_str()),
            ("partition", partition.as_str()),
            ("offset", place.as_str()),
            ("reason", *reason),
        ];
        loop {
            self.open.count.fetch_add(1, Ordering::AcqRel);
            match self.producer.send_with((Topic::Dead, 0), b"", bytes, (0, &headers)) {
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

    /// Tells the first letters of a minute one by one, and of the others how many there were: whoever
    /// writes nonsense may write much of it.
    fn tell(&self, letter: &Letter<'_>) {
        let Letter { shard, offset, reason, .. } = letter;
        let mut minute = self.minute.lock();
        if minute.began.is_none_or(|began| began.elapsed() >= MINUTE) {
            let untold = minute.count.saturating_sub(MOST_TOLD);
            if untold > 0 {
                tracing::warn!(untold, "more records could not be used and were set aside");
            }
            *minute = Minute { began: Some(Instant::now()), count: 0 };
        }
        minute.count += 1;
        if minute.count <= MOST_TOLD {
            tracing::warn!(shard, offset, reason, "a record cannot be used and is set aside");
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
