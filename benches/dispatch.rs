//! What one scheduler does on one core: jobs a second to a real Kafka, and its memory for a million
//! targets of a real PostgreSQL.
//!
//! `cargo bench --features distributed --bench dispatch [-- TARGETS]`. The scheduler has the first
//! core, Kafka and PostgreSQL have the second one.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a measurement prints and may fail")]

#[path = "../tests/support/engines.rs"]
mod engines;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engines::{Brokers, Kafka, Postgres, Security, sql_at};
use poller::shards::Shards;
use poller::store::postgres::{Address, Database};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

const SHARDS: u32 = 64;
/// Milliseconds from one due time of a target to the next, in the measurement of the rate.
const EVERY_MS: u32 = 600_000;
/// Jobs a second that a scheduler has to make.
const LEAST_RATE: f64 = 50_000.0;
/// What it may take for a million targets, in MB.
const MOST_MB: f64 = 300.0;

fn main() {
    if !engines::are_here() {
        return;
    }
    let is_trial = !std::env::args().any(|text| text == "--bench");
    let usual = if is_trial { 1_000 } else { 1_000_000 };
    let targets: u32 = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(usual);
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-p", "-c", "1", &own]).output();
    assert!(pinned.expect("taskset").status.success(), "there is no second core");
    let (kafka, postgres) =
        (Kafka::start(Brokers::One, Security::None), Postgres::with(&["--fast"]));
    let url = postgres.fresh_database("bench");
    fill(&url, targets);
    println!("load {}", std::fs::read_to_string("/proc/loadavg").expect("Linux").trim());
    let scheduler = Scheduler::start(&url, kafka.bootstrap());
    let rate = rate(kafka.bootstrap(), f64::from(targets) * 0.94);
    let cpu = scheduler.cpu_seconds();
    println!(
        "{rate:.0} jobs/s on one core against a bound of {LEAST_RATE}: {:.2}",
        rate / LEAST_RATE
    );
    println!(
        "{:.1} us of processor time a job, its targets read and kept",
        cpu * 1e6 / f64::from(targets)
    );
    let (now, most) = (scheduler.memory_mb("VmRSS"), scheduler.memory_mb("VmHWM"));
    println!(
        "{now:.0} MB for {targets} targets, {most:.0} MB at most against a bound of {MOST_MB}: {:.2}",
        most / MOST_MB
    );
    println!("{:.0} bytes a target", most * 1e6 / f64::from(targets));
}

/// Sets a cluster up whose targets all have a slot that fell due and that nobody has made yet.
fn fill(url: &str, targets: u32) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let address = Address { url: url.to_owned(), ca: None, client: "bench".to_owned() };
    runtime.block_on(async {
        let database = Database::at(&address, 2).expect("an address");
        database.init(Shards::new(SHARDS).expect("some")).await.expect("set up");
    });
    let fill = format!(
        "UPDATE poller.cluster SET revision = 1; \
         INSERT INTO poller.target (number, shard, id, url, kind, every_ms, timeout_ms, priority, \
         certificate_days, entry, revision, polled_since) \
         SELECT n, n % {SHARDS}, ('x' || md5(n::text))::bit(64)::bigint, \
         'https://www.example-' || n || '.com/', 0, {EVERY_MS}, 30000, 1, 14, \
         '{{\"url\":\"https://www.example-' || n || '.com/\"}}', 1, now() - interval '1 day' \
         FROM generate_series(0, {targets} - 1) AS n; \
         ANALYZE poller.target; \
         UPDATE poller.lease SET produced_until = now() - interval '570 seconds' \
         WHERE role = 'scheduler'"
    );
    sql_at(url, &fill).expect("filled");
}

/// Jobs a second that come to the topic, from the first tenth of `count` to the last.
fn rate(brokers: &str, count: f64) -> f64 {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client");
    let there = || -> f64 {
        let high = |partition| {
            let marks = consumer.fetch_watermarks("bench.jobs", partition, Duration::from_secs(5));
            // Until the scheduler has made the topic there is none.
            marks.map_or(0, |(_, high)| u32::try_from(high).expect("few"))
        };
        f64::from((0..i32::try_from(SHARDS).expect("few")).map(high).sum::<u32>())
    };
    let (begun, mut first) = (Instant::now(), None);
    loop {
        assert!(begun.elapsed() < Duration::from_mins(8), "{} of {count} jobs came", there());
        let (now, seen) = (Instant::now(), there());
        if first.is_none() && seen >= count * 0.1 {
            first = Some((now, seen));
        }
        if let Some((since, before)) = first
            && seen >= count * 0.9
        {
            return (seen - before) / (now - since).as_secs_f64();
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// A scheduler on the first core.
struct Scheduler(Child);

impl Scheduler {
    fn start(url: &str, brokers: &str) -> Self {
        let child = Command::new("taskset")
            .args(["-c", "0", env!("CARGO_BIN_EXE_poller"), "scheduler"])
            .env("POLLER_POSTGRES", url)
            .env("POLLER_KAFKA", brokers)
            .env("POLLER_TOPICS", "bench")
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        Self(child)
    }

    fn memory_mb(&self, name: &str) -> f64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let number = line.trim_matches(|sign: char| !sign.is_ascii_digit());
        number.parse::<f64>().expect("a number") * 1_024.0 / 1e6
    }

    fn cpu_seconds(&self) -> f64 {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / 100.0
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("it runs")
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
