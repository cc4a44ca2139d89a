//! A cluster for tests of schedulers: its database, its topics, and schedulers as processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use poller::queue::kafka::messages::{JobMessage, Report, Told};
use poller::shards::Shards;
use poller::store::postgres::{Address, Database};

use crate::engines::sql_at;
use crate::topic_reader::{Record, read};

pub(crate) const SHARDS: u32 = 8;
/// How long anything may take that is not being measured.
const PATIENCE: Duration = Duration::from_mins(3);

/// A cluster of [`SHARDS`].
pub(crate) struct Cluster {
    pub(crate) url: String,
    pub(crate) brokers: String,
    pub(crate) topics: String,
    pub(crate) lease: &'static str,
}

impl Cluster {
    /// One in the empty database at `url`.
    pub(crate) fn new(url: String, brokers: &str, topics: &str, lease: &'static str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let address = Address { url: url.clone(), ca: None, client: "test".to_owned() };
        runtime.block_on(async {
            let database = Database::at(&address, 2).expect("an address");
            database.init(Shards::new(SHARDS).expect("some")).await.expect("set up");
        });
        Self { url, brokers: brokers.to_owned(), topics: topics.to_owned(), lease }
    }

    pub(crate) fn sql(&self, statement: &str) -> String {
        sql_at(&self.url, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Adds targets with numbers below `count`, each due every `every_ms`.
    pub(crate) fn fill(&self, count: u32, every_ms: u32) {
        self.fill_from(0, count, every_ms);
    }

    /// Adds targets with numbers from `first` on and below `count`, each due every `every_ms`.
    pub(crate) fn fill_from(&self, first: u32, count: u32, every_ms: u32) {
        self.sql(&format!(
            "UPDATE poller.cluster SET revision = revision + 1; \
             INSERT INTO poller.target (number, shard, id, url, kind, every_ms, timeout_ms, \
             priority, certificate_days, entry, revision) \
             SELECT n, n % {SHARDS}, ('x' || md5(n::text))::bit(64)::bigint, \
             'http://127.0.0.1:1/' || n, 0, {every_ms}, 1000, 1, 14, \
             '{{\"url\":\"http://127.0.0.1:1/' || n || '\"}}', (SELECT revision FROM poller.cluster) \
             FROM generate_series({first}, {count} - 1) AS n"
        ));
    }

    pub(crate) fn scheduler(&self, name: &str) -> Process {
        let log = tempfile::NamedTempFile::new().expect("a log");
        let said = File::options().append(true).open(log.path()).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_poller"))
            .arg("scheduler")
            .env("POLLER_POSTGRES", &self.url)
            .env("POLLER_KAFKA", &self.brokers)
            .env("POLLER_TOPICS", &self.topics)
            .env("POLLER_LEASE", self.lease)
            .env("POLLER_MEMBER", name)
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("started");
        Process { child, log }
    }

    /// How many shards `name` has, by the database.
    pub(crate) fn has(&self, name: &str) -> u32 {
        let told = self.sql(&format!(
            "SELECT count(*) FROM poller.lease WHERE role = 'scheduler' \
             AND split_part(owner, '#', 1) = '{name}' AND until > now()"
        ));
        told.parse().expect("a number")
    }

    /// Waits until all jobs of all shards that fell due `more_ms` after now are on the topic.
    pub(crate) fn work_on(&self, more_ms: u32) {
        let until = self.sql(&format!("SELECT now() + interval '{more_ms} milliseconds'"));
        wait(&format!("all jobs until {until}"), || {
            let behind = format!(
                "SELECT count(*) FROM poller.lease WHERE role = 'scheduler' AND \
                 (produced_until IS NULL OR produced_until < '{until}')"
            );
            sql_at(&self.url, &behind).is_ok_and(|count| count == "0")
        });
    }

    pub(crate) fn jobs(&self) -> Vec<(Record, JobMessage)> {
        let records = read(&self.brokers, &format!("{}.jobs", self.topics), SHARDS);
        let job = |record: Record| {
            let job = JobMessage::read(&record.payload).expect("a job");
            (record, job)
        };
        records.into_iter().map(job).collect()
    }

    /// The slots that schedulers told as missed.
    pub(crate) fn missed(&self) -> BTreeSet<(u32, i64)> {
        let records = read(&self.brokers, &format!("{}.outcomes", self.topics), SHARDS);
        let missed = |record: Record| match Report::read(&record.payload).expect("a report").told {
            Some(Told::Missed(missed)) => Some((missed.target, missed.due_ms)),
            _ => None,
        };
        records.into_iter().filter_map(missed).collect()
    }

    /// Until when all jobs of each shard are told as made, in Unix milliseconds.
    pub(crate) fn produced(&self) -> Vec<i64> {
        let told = self.sql(
            "SELECT (extract(epoch FROM produced_until) * 1000)::bigint FROM poller.lease \
             WHERE role = 'scheduler' ORDER BY shard",
        );
        told.lines().map(|line| line.parse().expect("a time")).collect()
    }

    /// Panics unless every slot from the first job of its shard on, until what is told as made, is a
    /// job or was told as missed. Returns how many slots there were, and how many of them missed.
    pub(crate) fn assert_complete(&self, every_ms: i64) -> (usize, usize) {
        let jobs = self.jobs();
        let missed = self.missed();
        let mut dues: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
        let made = jobs.iter().map(|(_, job)| (job.target, job.due_ms));
        for (target, due_ms) in made.chain(missed.iter().copied()) {
            dues.entry(target).or_default().insert(due_ms);
        }
        let count: u32 = self.sql("SELECT count(*) FROM poller.target").parse().expect("a number");
        assert_eq!(dues.len(), count as usize, "targets without a job");
        let produced = self.produced();
        for (target, dues) in &dues {
            let gaps = dues.iter().zip(dues.iter().skip(1));
            for (due_ms, next_ms) in gaps {
                assert_eq!(
                    next_ms - due_ms,
                    every_ms,
                    "of {target} between {due_ms} and {next_ms}"
                );
            }
            let until_ms = produced[(target % SHARDS) as usize];
            let last_ms = dues.last().copied().unwrap_or(0);
            assert!(last_ms > until_ms - every_ms, "of {target}: {last_ms} and {until_ms}");
        }
        (dues.values().map(BTreeSet::len).sum(), missed.len())
    }
}

/// Waits until `is_so`; the time that it took.
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: never");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    begun.elapsed()
}

/// A scheduler as a process.
pub(crate) struct Process {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Process {
    /// Ends it as the system does when it crashes.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Waits until it has said `what`.
    pub(crate) fn says(&self, what: &str) {
        wait(what, || self.text().contains(what));
    }

    /// What it has said so far.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("text")
    }

    /// Asks it to end, and returns its exit code and what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("asked");
        self.said()
    }

    /// Waits until it ends by itself; its exit code and what it said.
    pub(crate) fn said(&mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait("it ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        (status.expect("ended").code(), self.text())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("a scheduler said:\n{}", self.text());
        }
    }
}
