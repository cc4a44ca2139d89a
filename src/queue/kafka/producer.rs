//! `Producer`: puts records on the topics and tells what became of each, without ever waiting.
//!
//! What was taken stays in memory until brokers have it for sure, however long that takes; the room
//! for it is bounded. The broker that leads a partition keeps each record once and in the order in
//! which they were sent (an idempotent producer).

mod telling;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{
    DeliveryResult, Header as KafkaHeader, Message as _, OwnedHeaders, Timestamp,
};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, ProducerContext};

use self::telling::Telling;
use super::topics::is_too_large;
use super::trouble::Heard;
use super::{Connection, Topic};

/// Records that wait for brokers at most.
pub(super) const MOST_RECORDS: u32 = 100_000;
/// Bytes that go to a partition at once at most, unless a record alone is larger.
pub(super) const BATCH: usize = 262_144;
/// What they hold at most, in KB.
pub(super) const MOST_KB: u32 = 131_072;

/// How long records wait for others that go the same way, where nothing else is said.
const LINGER: Duration = Duration::from_millis(10);
/// How often it is looked whether all have an end.
const BLINK: Duration = Duration::from_millis(2);

/// Who is told what became of records. Called by a thread of the producer: it must not wait.
pub trait Deliveries: Send + Sync + 'static {
    /// The record that was sent with `token` has an end.
    fn delivered(&self, token: usize, delivery: Delivery<'_>);

    /// The record with `payload` that was sent with `token` is larger than its topic takes, and will be
    /// however often it is sent.
    fn refused(&self, token: usize, payload: &[u8], reason: &str) {
        let _ = payload;
        self.delivered(token, Delivery::Failed(reason));
    }

    /// The producer can go on no more, for `reason`: it has to be made anew.
    fn fatal(&self, reason: &str) {
        let _ = reason;
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// Brokers have it for sure.
    Acknowledged {
        /// Its offset.
        offset: i64,
        /// When, by the broker's clock, in Unix milliseconds; none: its topic does not tell.
        at_ms: Option<i64>,
    },
    /// It is not on the topic as far as we know; it may be nevertheless.
    Failed(&'a str),
}

/// Why a record was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many wait for brokers already; try again later.
    #[error("too many records wait for Kafka")]
    Full,
    /// It is larger than brokers take.
    #[error("the record is larger than Kafka takes")]
    TooLarge,
    /// The producer can go on no more.
    #[error("the producer of Kafka has failed: {0}")]
    Fatal(String),
}

/// Puts records on the topics. Clones are the same producer.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Telling>,
    context: Shared,
    topics: Arc<[String; 3]>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Producer({} in flight)", self.in_flight())
    }
}

impl Producer {
    /// A producer that tells `deliveries` what becomes of records. It connects by itself, and again
    /// when brokers come back.
    ///
    /// # Errors
    /// What `connection` says makes no sense.
    pub fn new(
        connection: &Connection,
        deliveries: impl Deliveries,
    ) -> Result<Self, super::topics::TopicsError> {
        Self::gathering(connection, LINGER, deliveries)
    }

    /// The same, which waits for so long until it sends what has gathered for a partition: a request
    /// costs the same however much is in it.
    ///
    /// # Errors
    /// What `connection` says makes no sense.
    pub fn gathering(
        connection: &Connection,
        linger: Duration,
        deliveries: impl Deliveries,
    ) -> Result<Self, super::topics::TopicsError> {
        let context = Shared::default();
        let told = Context { shared: context.clone(), deliveries: Box::new(deliveries) };
        let mut config = connection.config();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", linger.as_millis().to_string())
            // Nothing is given up for being old.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", MOST_RECORDS.to_string())
            .set("queue.buffering.max.kbytes", MOST_KB.to_string())
            .set("batch.num.messages", "10000")
            .set("batch.size", BATCH.to_string());
        let client = config.create_with_context(told).map_err(|error| connection.blamed(&error))?;
        let inner = Arc::new(Telling::start(client)?);
        let topics =
            [Topic::Jobs, Topic::Outcomes, Topic::Dead].map(|topic| connection.topic(topic));
        Ok(Self { inner, context, topics: Arc::new(topics) })
    }

    /// Has `payload` put on a partition of a topic with `key`, or with none when it is empty; never
    /// waits. What becomes of it is told with `token`.
    ///
    /// # Errors
    /// It was not taken, and nothing will be told.
    pub fn send(
        &self,
        to: (Topic, u32),
        key: &[u8],
        payload: &[u8],
        token: usize,
    ) -> Result<(), SendError> {
        self.put(self.record(to, key, token).payload(payload))
    }

    /// The same with headers, each a name and a value.
    ///
    /// # Errors
    /// It was not taken, and nothing will be told.
    pub fn send_with(
        &self,
        to: (Topic, u32),
        key: &[u8],
        payload: &[u8],
        (token, headers): (usize, &[(&str, &str)]),
    ) -> Result<(), SendError> {
        let empty = OwnedHeaders::new_with_capacity(headers.len());
        let headers = headers
            .iter()
            .fold(empty, |all, (key, value)| all.insert(KafkaHeader { key, value: Some(*value) }));
        self.put(self.record(to, key, token).payload(payload).headers(headers))
    }

    /// Waits until the end of all that was sent was told, for `limit` at most; whether it was.
    /// Blocks its thread.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        // The library's own way has this thread tell ends as well, beside the producer's: out of
        // their order, and it returns before the last one is told.
        let deadline = Instant::now() + limit;
        while self.in_flight() > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::park_timeout(BLINK);
        }
        true
    }

    /// Records whose end was not told yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.context.in_flight.load(Ordering::Acquire)
    }

    /// Why it can go on no more, if that is so.
    #[must_use]
    pub fn fatal(&self) -> Option<String> {
        self.context.fatal.get().cloned()
    }

    /// What was heard last of trouble with brokers, until one of them takes a record.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.context.heard.last()
    }

    fn record<'a>(
        &'a self,
        (topic, partition): (Topic, u32),
        key: &'a [u8],
        token: usize,
    ) -> BaseRecord<'a, [u8], [u8], usize> {
        let [jobs, outcomes, dead] = &*self.topics;
        let topic = match topic {
            Topic::Jobs => jobs,
            Topic::Outcomes => outcomes,
            Topic::Dead => dead,
        };
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let record = BaseRecord::with_opaque_to(topic, token).partition(partition);
        // An empty key would be one.
        if key.is_empty() { record } else { record.key(key) }
    }

    fn put(&self, record: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), SendError> {
        use RDKafkaErrorCode as Code;
        // Before it is sent, since its end may be told before we go on.
        self.context.in_flight.fetch_add(1, Ordering::AcqRel);
        let Err((error, _)) = self.inner.client().send(record) else { return Ok(()) };
        self.context.in_flight.fetch_sub(1, Ordering::AcqRel);
        match error.rdkafka_error_code() {
            Some(Code::QueueFull) => Err(SendError::Full),
            Some(Code::MessageSizeTooLarge) => Err(SendError::TooLarge),
            _ => Err(SendError::Fatal(self.fatal().unwrap_or_else(|| error.to_string()))),
        }
    }
}

/// What the producer and its context both know.
#[derive(Clone, Default)]
struct Shared {
    heard: Heard,
    fatal: Arc<OnceLock<String>>,
    in_flight: Arc<AtomicUsize>,
}

struct Context {
    shared: Shared,
    deliveries: Box<dyn Deliveries>,
}

impl Context {
    fn fail(&self, reason: &str) {
        // Errors are told twice.
        if self.shared.fatal.set(reason.to_owned()).is_ok() {
            self.deliveries.fatal(reason);
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.shared.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            return self.fail(reason);
        }
        self.shared.heard.error(error, reason);
        // A new one reads its certificates anew.
        if let Some(reason) = self.shared.heard.shut_out() {
            self.fail(&reason);
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        match result {
            Ok(message) => {
                self.shared.heard.forget();
                // Any other time is our own.
                let at_ms = match message.timestamp() {
                    Timestamp::LogAppendTime(at_ms) => Some(at_ms),
                    Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
                };
                let offset = message.offset();
                self.deliveries.delivered(token, Delivery::Acknowledged { offset, at_ms });
            }
            Err((error, message)) => {
                let (reason, code) = (error.to_string(), error.rdkafka_error_code());
                self.shared.heard.note(code, &reason);
                let payload = message.payload().unwrap_or_default();
                // Of what is sent at once, one that is small is refused for the sake of the others.
                if code.is_some_and(is_too_large) && payload.len() > BATCH {
                    self.deliveries.refused(token, payload, &reason);
                } else {
                    self.deliveries.delivered(token, Delivery::Failed(&reason));
                }
            }
        }
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
