//! `Consumer`: takes the jobs of those partitions that the group gives us, and commits what is done.
//!
//! An offset is committed when all jobs before it are done, so whoever takes over makes again what was
//! not, and nothing is left out. Partitions are paused while too much is in hand; the group is told
//! that we live all the while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;

use super::offsets::{Offsets, Ticket};
use super::topics::TopicsError;
use super::trouble::Heard;
use super::{Connection, Topic};

/// Records of one partition from the first one on that is not done, at most: beyond, the partition
/// is paused.
const LONGEST_SPAN: usize = 200_000;
/// A group that never committed anything begins so many milliseconds before now: with what may
/// still mean something, and not with the jobs of a day.
const BEGINS_BACK_MS: i64 = 60_000;
/// How long brokers may take to say where a partition begins.
const PATIENCE: Duration = Duration::from_secs(10);

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
    inner: BaseConsumer<Context>,
    shared: Shared,
    topic: String,
    is_held: bool,
    /// The partitions that are paused.
    paused: BTreeSet<u32>,
    /// Those that may have a span that is too long.
    crowded: BTreeSet<u32>,
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
    /// What `connection` says makes no sense.
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
        let context = Context { shared: shared.clone(), heard, now_ms: membership.now_ms };
        let inner = config.create_with_context(context).map_err(settings)?;
        let topic = connection.topic(Topic::Jobs);
        BaseConsumer::subscribe(&inner, &[&topic]).map_err(settings)?;
        let (paused, crowded) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { inner, shared, topic, is_held: false, paused, crowded })
    }

    /// Waits for records, for `limit` at most, and has `take` take what is there, `most` at most.
    pub fn poll(&mut self, limit: Duration, most: usize, mut take: impl FnMut(Taken<'_>)) {
        let mut wait = limit;
        for _ in 0..most {
            self.adjust();
            let polled = self.inner.poll(wait);
            wait = Duration::ZERO;
            match polled {
                None => break,
                Some(Err(error)) => {
                    let code = error.rdkafka_error_code();
                    self.inner.context().heard.note(code, &error.to_string());
                }
                Some(Ok(message)) => {
                    self.inner.context().heard.forget();
                    let Ok(partition) = u32::try_from(message.partition()) else { continue };
                    let (ticket, span) = {
                        let state = &mut *self.shared.0.lock();
                        state.has_changed |= state.offsets.next(partition).is_none();
                        let ticket = state.offsets.take(partition, message.offset());
                        (ticket, state.offsets.span(partition))
                    };
                    if span >= LONGEST_SPAN {
                        self.crowded.insert(partition);
                    }
                    if let Some(ticket) = ticket {
                        take(Taken { ticket, payload: message.payload().unwrap_or_default() });
                    }
                }
            }
        }
    }

    /// Notes that the record of `ticket` is done, whenever it was taken.
    pub fn done(&self, ticket: Ticket) {
        let moved = self.shared.0.lock().offsets.done(ticket);
        if let Some(offset) = moved {
            let partition = i32::try_from(ticket.partition()).unwrap_or(i32::MAX);
            // A partition that is being taken away is stored by who gets it.
            let _ = self.inner.store_offset(&self.topic, partition, offset);
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
        if is_held != self.is_held {
            self.is_held = is_held;
            self.shared.0.lock().has_changed = true;
            self.adjust();
        }
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

    /// Pauses and resumes partitions as it is due.
    fn adjust(&mut self) {
        let mut state = self.shared.0.lock();
        if !std::mem::take(&mut state.has_changed) && self.crowded.is_empty() {
            return;
        }
        // A partition that came back is not paused, whatever it was before.
        for fresh in std::mem::take(&mut state.begun) {
            self.paused.remove(&fresh);
        }
        let (crowded, offsets) = (&mut self.crowded, &state.offsets);
        crowded.retain(|partition| offsets.span(*partition) >= LONGEST_SPAN / 2);
        let wanted: BTreeSet<u32> = offsets
            .partitions()
            .filter(|partition| self.is_held || crowded.contains(partition))
            // One of which nobody knows where to go on is not paused: what was fetched of it would be
            // skipped.
            .filter(|partition| offsets.next(*partition).is_some())
            .collect();
        let pause = self.list(wanted.difference(&self.paused));
        let ours = |partition: &&u32| offsets.next(**partition).is_some();
        let resume = self.list(self.paused.difference(&wanted).filter(ours));
        let mut back = TopicPartitionList::new();
        for partition in resume.elements().iter().map(TopicPartitionListElem::partition) {
            let next = u32::try_from(partition).ok().and_then(|ours| offsets.next(ours));
            let next = Offset::Offset(next.unwrap_or(0));
            let _ = back.add_partition_offset(&self.topic, partition, next);
        }
        drop(state);
        // One that was taken away in this very moment needs none of it.
        let _ = self.inner.pause(&pause);
        if back.count() > 0 {
            // The client throws away what it has fetched when it pauses a partition, and by itself goes
            // on behind that where nothing had been taken yet.
            let _ = self.inner.seek_partitions(back, Duration::ZERO);
            let _ = self.inner.resume(&resume);
        }
        self.paused = wanted;
    }

    fn list<'a>(&self, partitions: impl Iterator<Item = &'a u32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions.filter_map(|partition| i32::try_from(*partition).ok()) {
            list.add_partition(&self.topic, partition);
        }
        list
    }
}

/// What the consumer and its context both know.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    offsets: Offsets,
    /// Partitions that became ours since it was looked for those to pause.
    begun: Vec<u32>,
    has_changed: bool,
    has_lost: bool,
}

struct Context {
    shared: Shared,
    heard: Heard,
    now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
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
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<u32> = list
            .elements()
            .iter()
            .filter_map(|element| u32::try_from(element.partition()).ok())
            .collect();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let placed = self.placed(consumer, list);
            let mut state = self.shared.0.lock();
            for element in placed.as_ref().unwrap_or(list).elements() {
                if let Ok(partition) = u32::try_from(element.partition()) {
                    state.offsets.begin(partition, at(element.offset()));
                }
            }
            state.begun.extend(&partitions);
            state.has_changed = true;
            drop(state);
            consumer.incremental_assign(placed.as_ref().unwrap_or(list))
        } else {
            let mut state = self.shared.0.lock();
            for partition in &partitions {
                state.offsets.end(*partition);
            }
            (state.has_changed, state.has_lost) = (true, true);
            drop(state);
            // What is stored of them is committed by this.
            consumer.incremental_unassign(list)
        };
        let partitions = partitions.len();
        match done {
            Ok(()) => tracing::debug!(partitions, ?event, "the group shares out its partitions"),
            Err(error) => tracing::warn!(%error, ?event, "partitions were not taken over"),
        }
    }
}

/// The offset that is meant, where it is one.
const fn at(offset: Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

impl Context {
    /// Where each partition of `list` goes on; none: brokers do not say so in time, and the client
    /// asks again by itself.
    ///
    /// Where the group never was it begins a little before now, and writes that down at once: so
    /// whoever takes over begins at the same place.
    fn placed(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Option<TopicPartitionList> {
        let committed = consumer.committed_offsets(list.clone(), PATIENCE).ok()?;
        let mut fresh = TopicPartitionList::new();
        let begins_ms = (self.now_ms)() - BEGINS_BACK_MS;
        for element in committed.elements() {
            if element.offset() == Offset::Invalid {
                let at = Offset::Offset(begins_ms);
                fresh.add_partition_offset(element.topic(), element.partition(), at).ok()?;
            }
        }
        if fresh.count() == 0 {
            return Some(committed);
        }
        let mut placed = committed;
        let found = consumer.offsets_for_times(fresh, PATIENCE).ok()?;
        let mut begun = TopicPartitionList::new();
        for element in found.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                _ => consumer.fetch_watermarks(topic, partition, PATIENCE).ok()?.1,
            };
            begun.add_partition_offset(topic, partition, Offset::Offset(offset)).ok()?;
            placed.set_partition_offset(topic, partition, Offset::Offset(offset)).ok()?;
        }
        let written: KafkaResult<()> = consumer.commit(&begun, CommitMode::Async);
        written.ok()?;
        Some(placed)
    }
}
