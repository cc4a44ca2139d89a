//! `Reader`: the records of the partitions that it is told to read, from given offsets on.
//!
//! It belongs to no group: who reads what is decided elsewhere, and so is how far that is done. A
//! thread of its own fetches, and waits when nobody takes what it has.

mod logs;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub use self::logs::Logs;
use super::messages::{MessageError, Report};
use super::topics::TopicsError;
use super::trouble::Heard;
use super::{Connection, Topic};

/// Records that are handed over together at most.
const AT_ONCE: usize = 500;
/// Bytes of records after which no more are handed over together: few are as long as they may be.
const BYTES_AT_ONCE: usize = 1_048_576;
/// Hand-overs that wait at most.
const WAITING: usize = 8;
/// Bytes of records that share a piece of memory, at least.
const PIECE: usize = 65_536;
/// How long the thread waits for a record before it looks for what it is told.
const TICK: Duration = Duration::from_millis(20);
/// How long after a refusal the same is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A record of the topic of outcomes.
#[derive(Debug)]
pub struct Arrival {
    /// Its partition.
    pub shard: u32,
    /// The epoch under which that was assigned.
    pub epoch: i64,
    /// Its offset.
    pub offset: i64,
    /// How many records there should have been before it that brokers have no more; negative when it
    /// lies before those that were wanted: the topic was made anew.
    pub skipped: i64,
    /// When brokers got it, in Unix milliseconds.
    pub at_ms: Option<i64>,
    /// What it holds, as it was read.
    pub bytes: Bytes,
    /// What that says.
    pub report: Result<Report, MessageError>,
}

/// Reads partitions of the topic of outcomes.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    logs: Logs,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    orders: Mutex<VecDeque<Order>>,
    is_over: AtomicBool,
    heard: Heard,
    /// The ends of partitions, by shard.
    ends: Mutex<BTreeMap<u32, i64>>,
    /// Whether those are new.
    has_ends: AtomicBool,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    Assign { shard: u32, epoch: i64, offset: i64 },
    Release { shard: u32 },
}

impl Reader {
    /// A reader of nothing yet, and where its records come.
    ///
    /// # Errors
    /// What `connection` says makes no sense, or the system allows no thread.
    pub fn start(connection: &Connection) -> Result<(Self, Receiver<Vec<Arrival>>), TopicsError> {
        let shared = Arc::new(Shared::default());
        let topic = connection.topic(Topic::Outcomes);
        let context = Context { shared: Arc::clone(&shared), topic: topic.clone() };
        let mut config = connection.config();
        config
            // The client library wants one; nothing is ever committed to it.
            .set("group.id", format!("{}.recorders", connection.prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("max.poll.interval.ms", "86400000")
            .set("queued.min.messages", "2000")
            .set("queued.max.messages.kbytes", "32768")
            .set("statistics.interval.ms", "2000");
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(|error| connection.blamed(&error))?;
        let consumer = Arc::new(consumer);
        let logs = Logs { consumer: Arc::clone(&consumer), topic: topic.clone() };
        let (sender, receiver) = channel(WAITING);
        let work = Work {
            consumer,
            topic,
            shared: Arc::clone(&shared),
            sender,
            parts: BTreeMap::new(),
            buffer: BytesMut::new(),
            again: None,
        };
        let thread = std::thread::Builder::new().name("reader".into()).spawn(move || work.run());
        let thread = thread.map_err(|error: io::Error| TopicsError::Settings(error.to_string()))?;
        Ok((Self { shared, logs, thread: Some(thread) }, receiver))
    }

    /// Has `shard` be read from `offset` on; its records carry `epoch`.
    pub fn assign(&self, shard: u32, epoch: i64, offset: i64) {
        self.shared.orders.lock().push_back(Order::Assign { shard, epoch, offset });
    }

    /// Has `shard` be read no more; some records of it may still come.
    pub fn release(&self, shard: u32) {
        self.shared.orders.lock().push_back(Order::Release { shard });
    }

    /// The offset behind the last record of `shard`, as far as is known.
    #[must_use]
    pub fn end(&self, shard: u32) -> Option<i64> {
        self.shared.ends.lock().get(&shard).copied()
    }

    /// Tells whether partitions are still those that were read before.
    #[must_use]
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// What was heard last of trouble with brokers, until something is read again.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.heard.last()
    }

    /// Whether that was a refusal, which waiting does not mend.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.shared.heard.is_refused()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Whoever drops the receiver before frees the thread from its wait; else it ends by itself.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

/// A partition that is read.
#[derive(Clone, Copy, Debug)]
struct Part {
    epoch: i64,
    /// The offset that is wanted next.
    next: i64,
    /// The offset that was asked for again, because another one came.
    asked_again: Option<i64>,
    /// Whether the client fetches it.
    is_fetched: bool,
    /// Where it ended when that was looked for last.
    end: Option<i64>,
}

/// What the thread works with.
struct Work {
    consumer: Arc<BaseConsumer<Context>>,
    topic: String,
    shared: Arc<Shared>,
    sender: Sender<Vec<Arrival>>,
    parts: BTreeMap<u32, Part>,
    /// Where the bytes of records go: those of many share one piece of memory.
    buffer: BytesMut,
    /// When the client is asked again to fetch what it would not, and whether that was told.
    again: Option<(Instant, Told)>,
}

/// Whether something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    NotYet,
}

impl Work {
    fn run(mut self) {
        while !self.shared.is_over.load(Ordering::Acquire) {
            self.obey();
            let arrivals = self.fetch();
            if self.shared.has_ends.swap(false, Ordering::AcqRel) {
                self.look_at_ends();
            }
            if !arrivals.is_empty() && self.sender.blocking_send(arrivals).is_err() {
                return;
            }
        }
    }

    fn obey(&mut self) {
        let orders = std::mem::take(&mut *self.shared.orders.lock());
        for order in orders {
            match order {
                Order::Assign { shard, epoch, offset } => self.assign(shard, epoch, offset),
                Order::Release { shard } => self.release(shard),
            }
        }
        if self.again.is_some_and(|(at, _)| Instant::now() >= at) {
            self.attach();
        }
    }

    fn assign(&mut self, shard: u32, epoch: i64, offset: i64) {
        self.release(shard);
        let (next, end) = (offset, None);
        let part = Part { epoch, next, asked_again: None, is_fetched: false, end };
        self.parts.insert(shard, part);
        let told = self.again.map_or(Told::NotYet, |(_, told)| told);
        self.again = Some((Instant::now(), told));
    }

    fn release(&mut self, shard: u32) {
        if self.parts.remove(&shard).is_some_and(|part| part.is_fetched) {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition(shard));
            if let Err(error) = self.consumer.incremental_unassign(&list) {
                tracing::warn!(shard, %error, "Kafka does not let a partition go");
            }
        }
        self.shared.ends.lock().remove(&shard);
    }

    /// Has the client fetch all that is to be read; what it refuses is tried again.
    fn attach(&mut self) {
        let told = self.again.take().map_or(Told::NotYet, |(_, told)| told);
        let missing = self.parts.iter().filter(|(_, part)| !part.is_fetched);
        let missing: Vec<(u32, i64)> = missing.map(|(shard, part)| (*shard, part.next)).collect();
        // One that it refuses is not to keep it from the others.
        let (fetched, refused) = match self.fetch_from(&missing) {
            Ok(()) => (missing, None),
            Err(error) => {
                let alone = missing.into_iter().filter(|one| self.fetch_from(&[*one]).is_ok());
                (alone.collect(), Some(error))
            }
        };
        for (shard, _) in fetched {
            if let Some(part) = self.parts.get_mut(&shard) {
                part.is_fetched = true;
            }
        }
        if let Some(error) = refused.filter(|_| self.parts.values().any(|part| !part.is_fetched)) {
            if told == Told::NotYet {
                tracing::warn!(%error, "Kafka does not let a partition be read; it is asked again");
            }
            self.again = Some((Instant::now() + PAUSE, Told::Yes));
        }
    }

    fn fetch_from(&self, places: &[(u32, i64)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (shard, offset) in places {
            list.add_partition_offset(&self.topic, partition(*shard), Offset::Offset(*offset))?;
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_assign(&list) }
    }

    /// Looks for logs that end before where they ended: they are others.
    fn look_at_ends(&mut self) {
        let ends = self.shared.ends.lock().clone();
        for (shard, part) in &mut self.parts {
            let Some(end) = ends.get(shard).copied() else { continue };
            let before = part.end.replace(end);
            if before.is_some_and(|before| end < before) && end < part.next {
                // The client has asked for what is wanted, and goes on at the beginning by itself.
                part.asked_again = Some(part.next);
                let read = part.next;
                tracing::warn!(
                    shard,
                    read,
                    end,
                    "the topic of outcomes ends before what was read of it: it was made anew, and is \
                     read from its beginning"
                );
            }
        }
    }

    fn fetch(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let (mut bytes, mut astray) = (0, None);
        while arrivals.len() < AT_ONCE && bytes < BYTES_AT_ONCE && astray.is_none() {
            let patience = if arrivals.is_empty() { TICK } else { Duration::ZERO };
            match self.consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    let shard = u32::try_from(message.partition()).unwrap_or(u32::MAX);
                    let Some(part) = self.parts.get_mut(&shard) else { continue };
                    if message.offset() != part.next && part.asked_again != Some(part.next) {
                        astray = Some((shard, part.epoch, part.next));
                        continue;
                    }
                    bytes += message.payload_len();
                    arrivals.push(arrival(shard, *part, &message, &mut self.buffer));
                    part.next = message.offset() + 1;
                }
                // The context has heard of it, and in better words.
                Some(Err(_)) => {}
            }
        }
        if let Some((shard, epoch, offset)) = astray {
            // Nothing is given up for lost before it was asked for twice.
            self.assign(shard, epoch, offset);
            if let Some(part) = self.parts.get_mut(&shard) {
                part.asked_again = Some(offset);
            }
        }
        if !arrivals.is_empty() {
            self.shared.heard.forget();
        }
        arrivals
    }
}

fn partition(shard: u32) -> i32 {
    i32::try_from(shard).unwrap_or(i32::MAX)
}

fn arrival(
    shard: u32,
    part: Part,
    message: &BorrowedMessage<'_>,
    buffer: &mut BytesMut,
) -> Arrival {
    let bytes = message.payload().unwrap_or_default();
    let report = Report::read(bytes);
    if buffer.capacity() < bytes.len() {
        buffer.reserve(bytes.len().max(PIECE));
    }
    buffer.extend_from_slice(bytes);
    let bytes = buffer.split().freeze();
    let at_ms = message.timestamp().to_millis();
    let (epoch, offset) = (part.epoch, message.offset());
    Arrival { shard, epoch, offset, skipped: offset - part.next, at_ms, bytes, report }
}

/// What hears of brokers.
struct Context {
    shared: Arc<Shared>,
    topic: String,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.shared.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.heard.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut ends = self.shared.ends.lock();
        for part in topic.partitions.values() {
            if let Ok(shard) = u32::try_from(part.partition)
                && part.hi_offset >= 0
            {
                ends.insert(shard, part.hi_offset);
            }
        }
        self.shared.has_ends.store(true, Ordering::Release);
    }
}

impl ConsumerContext for Context {}
