//! `World`: a Kafka, a fleet, and what a test puts on topics and finds there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use poller::queue::kafka::messages::{JobMessage, MemberMessage, Report, Told, VERSION};
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer};
use poller::queue::kafka::{Connection, Topic};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use xxhash_rust::xxh3::xxh3_64;

use crate::engines::{self, Brokers, Kafka, Security};
use crate::fleet::{Fleet, Options};

/// How long anything may take that is not being measured.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// Partitions of a cluster.
pub(crate) const SHARDS: u32 = 8;

/// A Kafka and a fleet.
pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) fleet: Fleet,
}

impl World {
    /// One that is there; none: there is no Kafka here.
    pub(crate) fn start() -> Option<Self> {
        engines::are_here().then(|| {
            let kafka = Kafka::start(Brokers::One, Security::None);
            Self { kafka, fleet: Fleet::start(Options::default()).expect("a fleet") }
        })
    }

    /// A cluster with topics of its own.
    pub(crate) async fn cluster(&self, name: &str) -> Cluster<'_> {
        let connection = self.connection(name);
        connection.ensure_topics(SHARDS).await.expect("topics");
        Cluster::of(self, connection)
    }

    /// How Kafka is reached by a cluster whose topics begin with `name`.
    pub(crate) fn connection(&self, name: &str) -> Connection {
        let brokers = self.kafka.bootstrap().split(',').map(ToOwned::to_owned).collect();
        let (prefix, client) = (name.to_owned(), "test".to_owned());
        Connection { brokers, ca: None, identity: None, sasl: None, prefix, client }
    }
}

/// A cluster: what is put on its topics, and what is found there.
pub(crate) struct Cluster<'w> {
    pub(crate) world: &'w World,
    pub(crate) connection: Connection,
    producer: Producer,
    acknowledged: Arc<AtomicUsize>,
    sent: AtomicUsize,
    reader: BaseConsumer,
    pub(crate) seen: Vec<Seen>,
}

/// A report that was found.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) key: Vec<u8>,
    pub(crate) report: Report,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// It was polled, with this verdict.
    Polled(u32),
    /// It was missed, for this reason.
    Missed(u32),
}

#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Deliveries for Counting {
    fn delivered(&self, _: usize, delivery: Delivery<'_>) {
        assert!(matches!(delivery, Delivery::Acknowledged { .. }), "{delivery:?}");
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<'w> Cluster<'w> {
    fn of(world: &'w World, connection: Connection) -> Self {
        let counting = Counting::default();
        let acknowledged = Arc::clone(&counting.0);
        let producer = Producer::new(&connection, counting).expect("a producer");
        let reader: BaseConsumer = config(&connection).create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        let topic = connection.topic(Topic::Outcomes);
        for partition in 0..i32::try_from(SHARDS).expect("few") {
            all.add_partition_offset(&topic, partition, Offset::Beginning).expect("an offset");
        }
        reader.assign(&all).expect("an assignment");
        let (sent, seen) = (AtomicUsize::new(0), Vec::new());
        Self { world, connection, producer, acknowledged, sent, reader, seen }
    }

    /// Puts `job` on the topic.
    pub(crate) fn produce(&self, job: &JobMessage) {
        self.produce_bytes(job.target % SHARDS, &job.to_bytes());
    }

    /// Puts anything on `partition` of the topic of jobs.
    pub(crate) fn produce_bytes(&self, partition: u32, bytes: &[u8]) {
        self.producer.send((Topic::Jobs, partition), b"0", bytes, 0).expect("room");
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all of that is on the topic.
    pub(crate) fn flush(&self) {
        assert!(self.producer.flush(PATIENCE), "Kafka takes no jobs");
        let sent = self.sent.load(Ordering::SeqCst);
        assert!(eventually(|| self.acknowledged.load(Ordering::SeqCst) == sent));
    }

    /// Reads the topic of outcomes until `is_enough`, for some time at most; whether it was.
    pub(crate) fn read_until(&mut self, mut is_enough: impl FnMut(&[Seen]) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if is_enough(&self.seen) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            let wait = Duration::from_millis(200);
            let mut polled = self.reader.poll(wait);
            while let Some(Ok(message)) = polled {
                let report = Report::read(message.payload().unwrap_or_default()).expect("a report");
                let key = message.key().unwrap_or_default().to_vec();
                self.seen.push(Seen { partition: message.partition(), key, report });
                polled = self.reader.poll(Duration::ZERO);
            }
        }
    }

    /// The ends of all jobs so far, by target and due time.
    pub(crate) fn ends(seen: &[Seen]) -> BTreeMap<(u32, i64), Vec<End>> {
        let mut ends = BTreeMap::<_, Vec<End>>::new();
        for one in seen {
            let (job, end) = match &one.report.told {
                Some(Told::Outcome(told)) if !told.is_provisional => {
                    ((told.target, told.due_ms), End::Polled(told.verdict))
                }
                Some(Told::Missed(told)) => ((told.target, told.due_ms), End::Missed(told.reason)),
                _ => continue,
            };
            ends.entry(job).or_default().push(end);
        }
        ends
    }

    /// Reads until every one of `jobs` has an end, and tells all ends.
    pub(crate) fn all_ends(&mut self, jobs: &[JobMessage]) -> BTreeMap<(u32, i64), Vec<End>> {
        let is_all = |seen: &[Seen]| {
            let ends = Self::ends(seen);
            jobs.iter().all(|job| ends.contains_key(&(job.target, job.due_ms)))
        };
        let is_all = self.read_until(is_all);
        let ends = Self::ends(&self.seen);
        let left = jobs.iter().filter(|job| !ends.contains_key(&(job.target, job.due_ms)));
        assert!(is_all, "{} of {} jobs have no end", left.count(), jobs.len());
        ends
    }

    /// What members said of themselves last, by name.
    pub(crate) fn members(&self) -> BTreeMap<String, MemberMessage> {
        let told = self.seen.iter().filter_map(|one| match &one.report.told {
            Some(Told::Member(member)) => Some((member.name.clone(), member.clone())),
            _ => None,
        });
        told.collect()
    }

    /// How many jobs of the group at `location` are not committed yet, by partition.
    pub(crate) fn uncommitted(&self, location: &str) -> Vec<i64> {
        let mut config = config(&self.connection);
        config.set("group.id", self.connection.group(location));
        let asking: BaseConsumer = config.create().expect("a consumer");
        let topic = self.connection.topic(Topic::Jobs);
        let mut all = TopicPartitionList::new();
        (0..i32::try_from(SHARDS).expect("few")).for_each(|one| {
            all.add_partition(&topic, one);
        });
        let committed = asking.committed_offsets(all, PATIENCE).expect("committed offsets");
        let left = committed.elements().into_iter().map(|element| {
            let ends = asking.fetch_watermarks(&topic, element.partition(), PATIENCE);
            let (_, end) = ends.expect("offsets");
            match element.offset() {
                Offset::Offset(offset) => end - offset,
                _ => end,
            }
        });
        left.collect()
    }

    /// Takes the topic of dead records away.
    pub(crate) async fn remove_dead(&self) {
        let admin: AdminClient<DefaultClientContext> =
            config(&self.connection).create().expect("an admin");
        let topic = self.connection.topic(Topic::Dead);
        let removed = admin.delete_topics(&[&topic], &AdminOptions::new()).await.expect("asked");
        assert_eq!(removed, [Ok(topic)]);
    }

    /// What is on the topic of dead records: the bytes and the headers of each. None has a key.
    pub(crate) fn dead(&self, count: usize) -> Vec<(Vec<u8>, BTreeMap<String, String>)> {
        let reader: BaseConsumer = config(&self.connection).create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        let topic = self.connection.topic(Topic::Dead);
        all.add_partition_offset(&topic, 0, Offset::Beginning).expect("an offset");
        reader.assign(&all).expect("an assignment");
        let mut found = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while found.len() < count && Instant::now() < deadline {
            let Some(Ok(message)) = reader.poll(Duration::from_millis(200)) else { continue };
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
            };
            let headers = message.headers().map(|headers| {
                headers.iter().map(|one| (one.key.to_owned(), text(one.value))).collect()
            });
            let payload = message.payload().unwrap_or_default().to_vec();
            assert_eq!(message.key(), None);
            found.push((payload, headers.unwrap_or_default()));
        }
        found
    }
}

/// The settings of a client of the test's own.
fn config(connection: &Connection) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", connection.brokers.join(","))
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// The job of the target `number` that falls due at `due_ms`, every `every_ms`, with its `url`.
pub(crate) fn job(number: u32, due_ms: i64, every_ms: u32, url: &str) -> JobMessage {
    let seconds = f64::from(every_ms) / 1_000.0;
    let entry = format!("{{\"url\":\"{url}\",\"interval\":{seconds},\"timeout\":{seconds}}}");
    JobMessage {
        version: VERSION,
        needs: VERSION,
        target: number,
        id: xxh3_64(&number.to_le_bytes()),
        revision: 1,
        due_ms,
        valid_until_ms: due_ms + i64::from(every_ms),
        epoch: 1,
        locations: Vec::new(),
        entry: entry.into_bytes().into(),
    }
}

/// Now, in Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("small")
}

/// Whether `is_so` comes true in some time.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    false
}
