//! What a recorder of a cluster takes in a second, into a table that holds a lot already.
//!
//! `cargo bench --features distributed --bench recorder`. The recorder has one core, PostgreSQL and
//! Kafka have the others. ROWS are there before (20 million), OUTCOMES wait on the topic (2 million),
//! of TARGETS (500,000).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails loudly")]
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

#[path = "../tests/support/engines.rs"]
mod engines;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engines::{Brokers, Kafka, Postgres, Security};
use poller::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind};
use poller::queue::kafka::messages::{OutcomeMessage, Report, Told};
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use poller::queue::kafka::{Connection, Topic};
use poller::shards::Shards;
use poller::store::postgres::{Address, Database};

const SHARDS: u32 = 64;
const EVERY_MS: i64 = 60_000;

struct Sent;

impl Deliveries for Sent {
    fn delivered(&self, _: usize, delivery: Delivery<'_>) {
        assert!(matches!(delivery, Delivery::Acknowledged { .. }), "{delivery:?}");
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

fn main() {
    if !engines::are_here() {
        return;
    }
    let (rows, outcomes) = (setting("ROWS", 20_000_000), setting("OUTCOMES", 2_000_000));
    let targets = u32::try_from(setting("TARGETS", 500_000)).expect("so many");
    let kafka = Kafka::start(Brokers::One, Security::None);
    let postgres = Postgres::with(&[
        "--set",
        "shared_buffers=2GB",
        "--set",
        "max_wal_size=16GB",
        "--set",
        "checkpoint_timeout=30min",
    ]);
    let connection = Connection {
        brokers: vec![kafka.bootstrap().to_owned()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: "bench".to_owned(),
        client: "bench".to_owned(),
    };
    let now_ms = poller::clock::Clock::system().now_ms();
    let first_ms = now_ms / 3_600_000 * 3_600_000 - 2 * 3_600_000;
    set_up(&postgres, &connection, now_ms);
    fill(&postgres, targets, rows, first_ms);
    produce(&connection, targets, outcomes, first_ms);
    measure(&postgres, &connection, outcomes, rows);
}

fn set_up(postgres: &Postgres, connection: &Connection, now_ms: i64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = Address { url: postgres.url().to_owned(), ca: None, client: "bench".to_owned() };
    runtime.block_on(async {
        let database = Database::at(&address, 1).unwrap();
        database.init(Shards::new(SHARDS).unwrap()).await.unwrap();
        database.partitions_ahead(now_ms, 7, 3).await.unwrap();
        connection.ensure_topics(SHARDS).await.unwrap();
    });
}

/// Targets, and rows of an older day and of today.
fn fill(postgres: &Postgres, targets: u32, rows: u64, first_ms: i64) {
    let began = Instant::now();
    postgres.sql(&format!(
        "SET search_path = poller; INSERT INTO target (number, shard, id, url, kind, every_ms, \
         timeout_ms, priority, locations, certificate_days, entry, revision) \
         SELECT n, n % {SHARDS}, n, 'http://localhost/' || n, 0, {EVERY_MS}, 30000, 1, 1, 14, '{{}}', \
         1 FROM generate_series(1, {targets}) n; UPDATE cluster SET revision = 1"
    ));
    let slots = rows / u64::from(targets);
    postgres.sql(&format!(
        "SET search_path = poller; INSERT INTO sample (due, target, location, tries, finished, \
         kind, verdict, code, cause, detail, latency_us, lag_us, bytes, flags, connect_us, \
         first_byte_us) \
         SELECT at, n, 1, 0, at + interval '20 ms', 0, 0, 200, 0, 0, 20000, 300, 4000, 0, 400, \
         15000 FROM generate_series(1, {slots}) slot, generate_series(1, {targets}) n, \
         LATERAL (SELECT timestamptz 'epoch' + (slot - 1 - {slots}) * interval '1 minute' \
         + {first_ms} * interval '1 millisecond' AS at) AS due"
    ));
    postgres.sql("ANALYZE poller.sample");
    println!("{rows} rows are there after {:.0} s", began.elapsed().as_secs_f64());
}

/// Polls in the order of their due times; a hundredth of them finds its target down.
fn produce(connection: &Connection, targets: u32, outcomes: u64, first_ms: i64) {
    let producer = Producer::new(connection, Sent).unwrap();
    let shards = Shards::new(SHARDS).unwrap();
    let phases = Phases {
        resolve: Micros::from_us(200),
        connect: Micros::from_us(400),
        first_byte: Micros::from_us(15_000),
        transfer: Micros::from_us(300),
        ..Phases::default()
    };
    let up = Finding { status: 200, bytes: 4_000, phases, ..Finding::default() };
    let down = Finding::default().with_cause(Cause::Timeout, Detail::None);
    for number in 0..outcomes {
        let target = u32::try_from(number % u64::from(targets)).unwrap() + 1;
        let slot = i64::try_from(number / u64::from(targets)).unwrap();
        let due_ms = first_ms + slot * EVERY_MS + i64::from(target) * EVERY_MS / i64::from(targets);
        let latency_us = 10_000 + target % 30_000;
        let outcome = Outcome {
            target,
            due_ms,
            finished_us: due_ms * 1_000 + i64::from(latency_us),
            lag_us: 300,
            latency_us,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding: if (target + u32::try_from(slot).unwrap() / 30) % 100 == 0 {
                down
            } else {
                up
            },
        };
        let told = Told::Outcome(OutcomeMessage::of(&outcome, 0, 1));
        let bytes = Report::new("here", told).to_bytes();
        let to = (Topic::Outcomes, shards.of(target));
        while producer.send(to, &u64::from(target).to_be_bytes(), &bytes, 0) == Err(SendError::Full)
        {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    assert!(producer.flush(Duration::from_mins(5)), "Kafka takes no more");
    println!("{outcomes} outcomes wait");
}

fn measure(postgres: &Postgres, connection: &Connection, outcomes: u64, rows: u64) {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", env!("CARGO_BIN_EXE_poller"), "--postgres", postgres.url()]);
    command.args(["--topics", "bench", "--kafka", &connection.brokers[0], "recorder"]);
    command.current_dir(std::env::temp_dir()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let count =
        || -> u64 { postgres.sql("SELECT sum(checks) FROM poller.progress").parse().unwrap() };
    let pause = || std::thread::park_timeout(Duration::from_millis(200));
    // What it restores and how it gets into its stride is no part of it.
    while count() < outcomes / 10 {
        pause();
    }
    let (began, first, used) = (Instant::now(), count(), processor_s(&child));
    let mut last = first;
    while last < outcomes {
        pause();
        last = count();
    }
    let (seconds, used) = (began.elapsed().as_secs_f64(), processor_s(&child) - used);
    #[expect(clippy::cast_precision_loss, reason = "rates, to three digits")]
    let done = (last - first) as f64;
    println!("{:.0} outcomes/s into a table of {rows} rows, tallies included", done / seconds);
    println!("{:.0} outcomes per second of processor time of the recorder", done / used);
    println!("{:.0} MB of memory", resident_mb(&child));
    println!("load: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// Seconds that `child` has had a processor.
fn processor_s(child: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn resident_mb(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}
