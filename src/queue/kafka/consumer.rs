//! `Consumer`: takes the jobs of those partitions that the group gives us, and commits what is done.
//!
//! An offset is committed when all jobs before it are done, so whoever takes over makes again what was
//! not, and nothing is left out. All partitions are paused while too much is in hand; the group is told
//! that we live all the while.

mod scout;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use self::scout::{Scout, State};
use super::offsets::{Came, Ticket};
use super::topics::TopicsError;
use super::trouble::Heard;
use super::{Connection, Topic};

/// How long a question to brokers is waited for when we leave the group.
const LAST: Duration = Duration::from_secs(1);

/// A record that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// What it is known by until it is done.
    pub ticket: Ticket,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// How a group is joined.
pub struct Membership {
    /// The location of the group.
    pub location: String,
    /// How long a member may be silent before its partitions are given to others.
    pub session: Duration,
    /// Tells the time, in Unix milliseconds.
    pub now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Membership({}, {:?})", self.location, self.session)
    }
}

/// A member of the group of the checkers at one location. It belongs to one thread, which polls it
/// several times a second.
pub struct Consumer {
    inner: Arc<BaseConsumer<Context>>,
    scout: Scout,
    shared: Shared,
    topic: String,
    is_held: bool,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Consumer({}, {:?})", self.topic, self.shared.0.lock().offsets)
    }
}

impl Consumer {
    /// Joins the group of the checkers at one location, when it is polled.
    ///
    /// # Errors
    /// What `connection` says makes no sense, or the system allows no thread.
    pub fn join(connection: &Connection, membership: Membership) -> Result<Self, TopicsError> {
        let settings = |error: KafkaError| TopicsError::Settings(error.to_string());
        let session_ms = membership.session.as_millis();
        let mut config = connection.config();
        config
            .set("group.id", connection.group(&membership.location))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_ms.to_string())
            .set("heartbeat.interval.ms", (session_ms / 6).clamp(500, 3_000).to_string())
            .set("max.poll.interval.ms", "300000")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            // What was deleted is not ours to poll any more; what is left is.
            .set("auto.offset.reset", "earliest")
            .set("topic.metadata.refresh.interval.ms", "30000")
            // A request costs the same however much comes of it; a job may wait a little for others.
            .set("fetch.min.bytes", "100000")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "16384");
        let (shared, heard) = (Shared::default(), Heard::default());
        let topic = connection.topic(Topic::Jobs);
        let context = Context { shared: shared.clone(), heard, topic: topic.clone() };
        let inner = Arc::new(
            config.create_with_context(context).map_err(|error| connection.blamed(&error))?,
        );
        let scout = Scout::start(&inner, membership.now_ms)
            .map_err(|error| TopicsError::Settings(format!("no thread: {error}")))?;
        BaseConsumer::subscribe(&inner, &[&topic]).map_err(settings)?;
        Ok(Self { inner, scout, shared, topic, is_held: false })
    }

    /// Waits for records, for `limit` at most, and has `take` take what is there, `most` at most.
    pub fn poll(&mut self, limit: Duration, most: usize, mut take: impl FnMut(Taken<'_>)) {
        self.assign();
        let mut wait = limit;
        for _ in 0..most {
            let polled = self.inner.poll(wait);
            wait = Duration::ZERO;
            match polled {
                None => break,
                // The context has heard of it, and in better words.
                Some(Err(_)) => {}
                Some(Ok(message)) => {
                    self.inner.context().heard.forget();
                    let Ok(partition) = u32::try_from(message.partition()) else { continue };
                    if let Some(ticket) = self.take(partition, message.offset()) {
                        take(Taken { ticket, payload: message.payload().unwrap_or_default() });
                    }
                }
            }
        }
    }

    /// Takes the record at `offset` of `partition`, unless another one has to come first.
    fn take(&self, partition: u32, offset: i64) -> Option<Ticket> {
        let came = self.shared.0.lock().offsets.take(partition, offset);
        match came {
            Came::Next(ticket) => Some(ticket),
            Came::Astray { ticket, skipped } => {
                self.note_astray(ticket, skipped);
                Some(ticket)
            }
            Came::Wrong(next) => {
                // One that fails is noticed by what comes then.
                let _ = self.inner.seek_partitions(self.at([(partition, next)]), Duration::ZERO);
                None
            }
            Came::Foreign => None,
        }
    }

    /// Tells that `skipped` records are gone before that of `ticket`, or that the log is another one.
    fn note_astray(&self, ticket: Ticket, skipped: i64) {
        let (partition, offset) = (ticket.partition(), ticket.offset());
        if let Ok(gone) = u64::try_from(skipped) {
            self.shared.0.lock().gone += gone;
            tracing::warn!(partition, gone, "jobs were gone from Kafka before they were taken");
            return;
        }
        tracing::warn!(
            partition,
            offset,
            "the topic of jobs was made anew: its jobs are taken from their beginning"
        );
        // By itself the client commits nothing that lies before what it committed already.
        let back = self.inner.commit(&self.at([(partition, offset)]), CommitMode::Async);
        if let Err(error) = back {
            tracing::debug!(%error, partition, "offsets are not committed");
        }
    }

    /// Notes that the record of `ticket` is done, whenever it was taken.
    pub fn done(&self, ticket: Ticket) {
        let moved = self.shared.0.lock().offsets.done(ticket);
        if let Some(first) = moved {
            let partition = i32::try_from(ticket.partition()).unwrap_or(i32::MAX);
            // A partition that is being taken away is stored by who gets it.
            let _ = self.inner.store_offset(&self.topic, partition, first - 1);
        }
    }

    /// Commits what is done, and tells whether brokers have that. Waits for their answer.
    #[must_use]
    pub fn commit(&self) -> bool {
        match self.inner.commit_consumer_state(CommitMode::Sync) {
            // There was nothing left to commit.
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => true,
            Err(error) => {
                tracing::debug!(%error, "offsets are not committed");
                false
            }
        }
    }

    /// Whether the partition of `ticket` has been ours since it was taken.
    #[must_use]
    pub fn is_ours(&self, ticket: Ticket) -> bool {
        self.shared.0.lock().offsets.is_ours(ticket)
    }

    /// Takes no further records from now on, or takes some again.
    pub fn hold(&mut self, is_held: bool) {
        if is_held == self.is_held {
            return;
        }
        self.is_held = is_held;
        let ours: Vec<(u32, i64)> = self.shared.0.lock().offsets.nexts().collect();
        let list = self.at(ours);
        if list.count() == 0 {
            return;
        }
        // One that was taken away in this very moment needs none of it.
        if is_held {
            let _ = self.inner.pause(&list);
            return;
        }
        // The client throws away what it has fetched when it pauses a partition, and by itself goes on
        // behind that where nothing had been taken yet.
        let resumed = list.clone();
        let _ = self.inner.seek_partitions(list, Duration::ZERO);
        let _ = self.inner.resume(&resumed);
    }

    /// Whether no record is taken for now.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.is_held
    }

    /// How many partitions are ours.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.shared.0.lock().offsets.len()
    }

    /// How many records of our partitions were not taken yet, as of a few seconds ago; none: nobody
    /// knows where they end.
    #[must_use]
    pub fn behind(&self) -> Option<u64> {
        self.shared.0.lock().behind()
    }

    /// How many records were gone before they were taken.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.shared.0.lock().gone
    }

    /// Whether partitions were taken away since this was asked last.
    #[must_use]
    pub fn take_lost(&self) -> bool {
        std::mem::take(&mut self.shared.0.lock().has_lost)
    }

    /// A refusal that waiting does not mend, when that was heard last.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let heard = &self.inner.context().heard;
        heard.is_refused().then(|| heard.last()).flatten()
    }

    /// Begins with those partitions that the group has given us and whose places are known by now.
    fn assign(&self) {
        let Some(places) = self.shared.0.lock().take_places() else { return };
        if places.is_empty() {
            return self.scout.wake();
        }
        let list = self.at(places.iter().map(|place| (place.partition, place.offset)));
        if let Err(error) = self.inner.incremental_assign(&list) {
            tracing::warn!(%error, "partitions were not taken over; that is tried again");
            return self.shared.0.lock().try_again(&places);
        }
        if self.is_held {
            let _ = self.inner.pause(&list);
        }
        self.shared.0.lock().begin(&places);
        // So whoever takes over before anything is done begins at the same place.
        let fresh = places.iter().filter(|place| place.is_fresh);
        let fresh = self.at(fresh.map(|place| (place.partition, place.offset)));
        if fresh.count() > 0
            && let Err(error) = self.inner.commit(&fresh, CommitMode::Async)
        {
            tracing::debug!(%error, "offsets are not committed");
        }
    }

    /// Each of these partitions at its offset.
    fn at(&self, places: impl IntoIterator<Item = (u32, i64)>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in places {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            // There is no offset that it would not take.
            let _ = list.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
        }
        list
    }
}

impl Drop for Consumer {
    /// Leaves the group, which whoever holds the client last does: not the scout, if that can be helped.
    fn drop(&mut self) {
        self.shared.0.lock().is_over = true;
        self.scout.wait(LAST);
    }
}

/// What the consumer, its context and its scout all know.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<State>>);

struct Context {
    shared: Shared,
    heard: Heard,
    topic: String,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(error, reason);
    }
}

impl ConsumerContext for Context {
    /// Nothing is asked of brokers here, since whoever polls would wait for it: what we are given is
    /// begun with when its places are known.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let elements = list.elements();
        let partitions = elements.iter().filter_map(|one| u32::try_from(one.partition()).ok());
        let mut begun = TopicPartitionList::new();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.shared.0.lock().await_places(partitions);
            consumer.incremental_assign(&begun)
        } else {
            for partition in self.shared.0.lock().end(partitions) {
                begun.add_partition(&self.topic, i32::try_from(partition).unwrap_or(i32::MAX));
            }
            // What is stored of them is committed by this.
            consumer.incremental_unassign(&begun)
        };
        let partitions = list.count();
        match done {
            Ok(()) => tracing::debug!(partitions, ?event, "the group shares out its partitions"),
            Err(error) => tracing::warn!(%error, ?event, "partitions were not taken over"),
        }
    }
}
