//! A cluster with targets, whose jobs nobody makes and whose polls the test tells.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use poller::queue::kafka::messages::Report;
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use poller::queue::kafka::{Connection, Topic};
use poller::shards::Shards;
use poller::stats::Tally;
use poller::store::postgres::{Address, Database};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::engines::{self, Brokers, Kafka, Postgres, Security};
use crate::stream::Poll;

/// How long something may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Everything that is kept, as text, but for when it was written.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("samples", "SELECT * FROM sample ORDER BY due, target, location, tries"),
    (
        "records",
        "SELECT target, state, since, cause, detail, suspect_ms, has_incident, last_code, \
         last_latency_us, hour, tally, votes FROM record ORDER BY target",
    ),
    (
        "transitions",
        "SELECT at, target, from_state, to_state, cause, detail FROM transition \
         ORDER BY target, at",
    ),
    ("incidents", "SELECT * FROM incident ORDER BY target, began"),
    ("hours", "SELECT * FROM hour ORDER BY target, hour"),
    ("days", "SELECT * FROM day ORDER BY target, day"),
    ("hours of the fleet", "SELECT * FROM fleet_hour ORDER BY shard, hour"),
    (
        "progress",
        "SELECT shard, next_offset, settled_offset, checks, rechecks, missed, bytes, codes, \
         states, newest FROM progress ORDER BY shard",
    ),
];

/// A Kafka and a PostgreSQL.
pub(crate) struct Engines {
    pub(crate) kafka: Kafka,
    pub(crate) postgres: Postgres,
}

impl Engines {
    pub(crate) fn start() -> Self {
        let kafka = Kafka::start(Brokers::One, Security::None);
        Self { kafka, postgres: Postgres::start() }
    }
}

/// Those that all tests share; none where there are none.
pub(crate) fn engines() -> Option<&'static Engines> {
    static SHARED: OnceLock<Engines> = OnceLock::new();
    engines::are_here().then(|| SHARED.get_or_init(Engines::start))
}

/// A cluster.
pub(crate) struct Rig {
    connection: Connection,
    shards: Shards,
    url: String,
    producer: Producer,
}

struct Sent;

impl Deliveries for Sent {
    fn delivered(&self, _: usize, delivery: Delivery<'_>) {
        assert!(matches!(delivery, Delivery::Acknowledged { .. }), "{delivery:?}");
    }
}

impl Rig {
    /// A cluster called `name` of so many targets, numbered from 1.
    pub(crate) fn new(engines: &Engines, name: &str, shards: u32, targets: u32) -> Self {
        let url = engines.postgres.fresh_database(name);
        let shards = Shards::new(shards).unwrap();
        let connection = Connection {
            brokers: vec![engines.kafka.bootstrap().to_owned()],
            ca: None,
            identity: None,
            sasl: None,
            prefix: name.to_owned(),
            client: "test".to_owned(),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let address = Address { url: url.clone(), ca: None, client: "test".to_owned() };
        runtime.block_on(async {
            Database::at(&address, 1).unwrap().init(shards).await.unwrap();
            connection.ensure_topics(shards.count()).await.unwrap();
        });
        let producer = Producer::new(&connection, Sent).unwrap();
        let rig = Self { connection, shards, url, producer };
        for target in 1..=targets {
            rig.add_target(target);
        }
        rig
    }

    /// Does `work` with the database.
    pub(crate) fn database<T>(&self, work: impl AsyncFnOnce(Database) -> T) -> T {
        let address = Address { url: self.url.clone(), ca: None, client: "test".to_owned() };
        let database = Database::at(&address, 2).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(work(database))
    }

    /// Adds a target.
    pub(crate) fn add_target(&self, number: u32) {
        let shard = self.shards.of(number);
        self.sql(&format!(
            "UPDATE cluster SET revision = revision + 1; \
             INSERT INTO target (number, shard, id, url, kind, every_ms, timeout_ms, priority, \
             locations, certificate_days, entry, revision) SELECT {number}, {shard}, {number}, \
             'http://localhost/{number}', 0, 60000, 30000, 1, 1, 14, '{{}}', revision FROM cluster"
        ));
    }

    /// Tells `polls`, and returns when Kafka has them.
    pub(crate) fn send_polls(&self, polls: &[Poll]) {
        for poll in polls {
            self.put(self.shards.of(poll.outcome.target), &poll.report().to_bytes());
        }
        self.flush();
    }

    pub(crate) fn send(&self, shard: u32, report: &Report) {
        self.send_bytes(shard, &report.to_bytes());
    }

    pub(crate) fn send_bytes(&self, shard: u32, bytes: &[u8]) {
        self.put(shard, bytes);
        self.flush();
    }

    fn put(&self, shard: u32, bytes: &[u8]) {
        while self.producer.send((Topic::Outcomes, shard), b"", bytes, 0) == Err(SendError::Full) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn flush(&self) {
        assert!(self.producer.flush(PATIENCE), "Kafka takes no records");
    }

    /// Removes the topic of outcomes, and makes it again.
    pub(crate) fn make_topic_anew(&mut self, engines: &Engines) {
        let topic = self.connection.topic(Topic::Outcomes);
        engines.kafka.remove_topic(&topic);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let end = Instant::now() + PATIENCE;
        // Brokers may take a while to forget it.
        while let Err(error) = runtime.block_on(self.connection.ensure_topics(self.shards.count()))
        {
            assert!(Instant::now() < end, "{error}");
        }
        // The one before counted for the old topic.
        self.producer = Producer::new(&self.connection, Sent).unwrap();
    }

    /// Starts a recorder.
    pub(crate) fn recorder(&self, name: &str) -> Recorder {
        self.start(name, "2s", &[])
    }

    /// Starts a recorder with a `lease` that says how long it waits for an answer of the database, too:
    /// one that is slow is soon away.
    pub(crate) fn recorder_with(&self, name: &str, lease: &str) -> Recorder {
        self.start(name, lease, &[])
    }

    /// Starts a recorder that answers at `port`.
    pub(crate) fn recorder_at(&self, name: &str, port: u16) -> Recorder {
        self.start(name, "6s", &["--listen", &format!("127.0.0.1:{port}")])
    }

    fn start(&self, name: &str, lease: &str, more: &[&str]) -> Recorder {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        command.args(["--postgres", &self.url, "--topics", &self.connection.prefix]);
        command.args(["--kafka", &self.connection.brokers[0], "--member", name, "--lease", lease]);
        command.args(more).arg("recorder");
        command.current_dir(std::env::temp_dir()).stdout(Stdio::null()).stderr(Stdio::piped());
        Recorder::new(command.spawn().unwrap())
    }

    pub(crate) fn sql(&self, asked: &str) -> String {
        self.try_sql(asked).unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    /// What `asked` gives, or why it does not.
    pub(crate) fn try_sql(&self, asked: &str) -> Result<String, String> {
        engines::sql_at(&self.url, &format!("SET search_path = poller; {asked}"))
    }

    /// Waits until `asked` gives `expected`.
    pub(crate) fn wait(&self, what: &str, asked: &str, expected: &str) {
        self.until(&format!("{what}: {expected}"), asked, |now| now == expected);
    }

    /// Waits until what `asked` gives is as it `is_so`.
    pub(crate) fn until(&self, what: &str, asked: &str, is_so: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.try_sql(asked).unwrap_or_else(|error| error);
            if is_so(&now) {
                return;
            }
            assert!(Instant::now() < end, "{what}, and it is {now}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Polls that are counted in hours, open ones among them.
    pub(crate) fn counted(&self) -> u64 {
        let closed = self.sql("SELECT coalesce(sum(checks), 0) FROM hour").parse::<u64>().unwrap();
        let open = self.sql("SELECT encode(tally, 'hex') FROM record");
        let checks = |hex: &str| {
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            u64::from(Tally::decode(&bytes).unwrap().checks)
        };
        closed + open.lines().map(checks).sum::<u64>()
    }

    /// The first so many dead letters: reason and offset of each, and what it holds. None has a key.
    pub(crate) fn dead(&self, count: usize) -> Vec<(String, Vec<u8>)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.connection.brokers[0])
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        let topic = self.connection.topic(Topic::Dead);
        list.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut told = Vec::new();
        let end = Instant::now() + PATIENCE;
        while told.len() < count {
            assert!(Instant::now() < end, "only {told:?}");
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let header = |name: &str| {
                let all = message.headers().unwrap();
                let found = all.iter().find(|header| header.key == name).unwrap();
                String::from_utf8_lossy(found.value.unwrap()).into_owned()
            };
            assert_eq!(message.key(), None);
            let place =
                format!("{} at {} of {}", header("reason"), header("offset"), header("partition"));
            told.push((place, message.payload().unwrap_or_default().to_vec()));
        }
        told
    }
}

/// A recorder that runs.
pub(crate) struct Recorder {
    child: Child,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Recorder {
    fn new(mut child: Child) -> Self {
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        let listener = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                heard.lock().unwrap().extend([&line, "\n"]);
            }
        });
        Self { child, said, listener: Some(listener) }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end by itself; what it said.
    pub(crate) fn stop(mut self) -> String {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        let said = self.said.lock().unwrap().clone();
        assert!(status.success(), "{said}");
        said
    }

    /// Waits until it says `what`.
    pub(crate) fn says(&self, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.said.lock().unwrap().contains(what) {
            assert!(Instant::now() < end, "it never said {what:?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Has it do nothing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Has it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let Some(listener) = self.listener.take() else { return };
        let _ = listener.join();
        if std::thread::panicking() {
            #[expect(clippy::print_stdout, reason = "a test that fails says why")]
            {
                println!("the recorder said:\n{}", self.said.lock().unwrap());
            }
        }
    }
}
