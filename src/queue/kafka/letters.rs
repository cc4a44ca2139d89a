//! `Letters`: records that nobody could use, kept on a topic of their own with the reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::producer::{Deliveries, Delivery, Producer, SendError};
use super::topics::TopicsError;
use super::{Connection, Topic};

/// Letters that wait for brokers at most.
const MOST: usize = 10_000;
/// Bytes of a record that are kept at most, so that brokers take it with its headers.
const MOST_BYTES: usize = 900_000;
/// How long to wait while Kafka takes no more.
const PAUSE: Duration = Duration::from_millis(100);
/// How long letters are waited for: those that brokers have not taken by then hold up nobody.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether all have an end.
const BLINK: Duration = Duration::from_millis(5);
/// How often the log tells of the same at most.
const QUIET: Duration = Duration::from_secs(10);

/// A record that nobody could use.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The partition that it came from.
    pub partition: u32,
    /// Its offset there.
    pub offset: i64,
    /// Its bytes, as they were read.
    pub bytes: &'a [u8],
    /// Why.
    pub reason: &'a str,
}

/// Puts letters on the topic of dead records.
pub struct Letters {
    producer: Producer,
    /// The name of the topic that they come from.
    from: String,
    ends: Ends,
    aside: Mutex<Seldom>,
    /// Letters were waited for in vain, and some of them still wait for brokers.
    is_stuck: AtomicBool,
}

impl std::fmt::Debug for Letters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Letters({}, {:?})", self.from, self.producer)
    }
}

impl Letters {
    /// A way for what is read `from` a topic. `ended` is told the token of each letter once there is
    /// nothing left to do about it, whether it is kept or not; it must not wait.
    ///
    /// # Errors
    /// What `connection` says makes no sense.
    pub fn new(
        connection: &Connection,
        from: Topic,
        ended: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Self, TopicsError> {
        let ends = Ends(Arc::new(Told { ended: Box::new(ended), unkept: Mutex::default() }));
        let producer = Producer::new(connection, ends.clone())?;
        Ok(Self {
            producer,
            from: connection.topic(from),
            ends,
            aside: Mutex::default(),
            is_stuck: AtomicBool::new(false),
        })
    }

    /// Sends `letter`, and gives it up where Kafka takes no more: never waits. Its end is told with
    /// `token`.
    pub fn send(&self, token: usize, letter: &Letter<'_>) {
        self.tell(letter);
        if let Err(error) = self.put(token, letter) {
            self.ends.give_up(token, &error.to_string());
        }
    }

    /// The same, which waits for some time until Kafka takes more.
    pub async fn insist(&self, token: usize, letter: &Letter<'_>) {
        self.tell(letter);
        let began = tokio::time::Instant::now();
        loop {
            match self.put(token, letter) {
                Ok(()) => return,
                Err(SendError::Full) if self.is_waited_for(began) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return self.ends.give_up(token, &error.to_string()),
            }
        }
    }

    /// Waits until all letters have an end, or for some time: those that brokers do not take, which
    /// have a topic without a leader, go on waiting by themselves.
    pub async fn settle(&self) {
        let began = tokio::time::Instant::now();
        while self.producer.in_flight() > 0 {
            if !self.is_waited_for(began) {
                return;
            }
            tokio::time::sleep(BLINK).await;
        }
        self.is_stuck.store(false, Ordering::Relaxed);
    }

    /// Whether what is waited for since `began` may still come soon.
    fn is_waited_for(&self, began: tokio::time::Instant) -> bool {
        if self.is_stuck.load(Ordering::Relaxed) {
            return false;
        }
        let is_late = began.elapsed() >= PATIENCE;
        if is_late {
            let topic = &self.from;
            tracing::warn!(topic, "brokers take no records that nobody could use: going on");
            self.is_stuck.store(true, Ordering::Relaxed);
        }
        !is_late
    }

    fn put(&self, token: usize, letter: &Letter<'_>) -> Result<(), SendError> {
        if self.producer.in_flight() >= MOST {
            return Err(SendError::Full);
        }
        let Letter { partition, offset, bytes, reason } = *letter;
        let (partition, offset) = (partition.to_string(), offset.to_string());
        let headers = [
            ("topic", self.from.as_str()),
            ("partition", &partition),
            ("offset", &offset),
            ("reason", reason),
        ];
        let bytes = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        self.producer.send_with((Topic::Dead, 0), b"", bytes, (token, &headers))
    }

    fn tell(&self, letter: &Letter<'_>) {
        let Letter { partition, offset, reason, .. } = letter;
        if let Some(count) = self.aside.lock().count() {
            let topic = &self.from;
            let told = "a record cannot be used and is set aside";
            tracing::warn!(topic, partition, offset, reason, count, "{told}");
        }
    }
}

/// What becomes of letters.
#[derive(Clone)]
struct Ends(Arc<Told>);

struct Told {
    ended: Box<dyn Fn(usize) + Send + Sync>,
    unkept: Mutex<Seldom>,
}

impl Ends {
    fn give_up(&self, token: usize, reason: &str) {
        if let Some(count) = self.0.unkept.lock().count() {
            tracing::warn!(count, reason, "records that nobody could read are not kept");
        }
        (self.0.ended)(token);
    }
}

impl Deliveries for Ends {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Acknowledged { .. } => (self.0.ended)(token),
            Delivery::Failed(reason) => self.give_up(token, reason),
        }
    }
}

/// What is told seldom however often it happens: whoever writes nonsense may write much of it.
#[derive(Debug, Default)]
struct Seldom {
    count: u64,
    told: Option<Instant>,
}

impl Seldom {
    /// Counts one more; when it is time to tell of it, how many there were since that was done last.
    fn count(&mut self) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|at| at.elapsed() < QUIET) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.count))
    }
}
