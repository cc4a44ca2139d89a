//! What a poll costs a checker that gets its jobs from a real Kafka, beside what it costs the daemon:
//! plain HTTP, the same fleet, each on one core of its own.
//!
//! `cargo bench --features distributed --bench checker`; `POLLER_BENCH_SECONDS` (15),
//! `POLLER_BENCH_RATE` (3000), `POLLER_BENCH_ROUNDS` (3): the daemon and the checker take turns, at that
//! rate and at one that no core can do. The fleet, Kafka and who makes the jobs share the other core.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a measurement prints and may fail"
)]

#[path = "../tests/support/engines.rs"]
mod engines;
#[path = "support/rig.rs"]
mod rig;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engines::{Brokers, Kafka, Security};
use poller::queue::kafka::messages::{JobMessage, VERSION};
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer};
use poller::queue::kafka::{Connection, Topic};
use rig::{Site, pause, setting};
use xxhash_rust::xxh3::xxh3_64;

/// Partitions of the cluster.
const SHARDS: u32 = 16;
/// The part of what the daemon does that a checker has to do.
const BOUND: f64 = 0.8;
/// Seconds in which everything gets under way.
const WARM: f64 = 6.0;
/// Polls a second that are wanted where a core is to do as many as it can.
const FULL: f64 = 20_000.0;

fn main() {
    if rig::plays_a_part() || !engines::are_here() {
        return;
    }
    let usual = if rig::is_a_trial() { (2.0, 100.0, 1.0) } else { (15.0, 3_000.0, 3.0) };
    let seconds = setting("POLLER_BENCH_SECONDS", usual.0);
    let rate = setting("POLLER_BENCH_RATE", usual.1);
    let rounds = setting("POLLER_BENCH_ROUNDS", usual.2) as usize;
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-p", "-c", "1", &own]).output();
    assert!(pinned.expect("taskset").status.success(), "there is no second core");
    let rates = if rig::is_a_trial() { vec![rate] } else { vec![rate, FULL] };
    for threading in ["shared", "per-core"] {
        for rate in &rates {
            compare(threading, *rate as u32, seconds, rounds);
        }
    }
}

/// Measures both by turns, and tells how they compare.
fn compare(threading: &str, targets: u32, seconds: f64, rounds: usize) {
    let mut parts = Vec::new();
    for _ in 0..rounds.max(1) {
        let daemon = daemon(threading, targets, seconds);
        let checker = checker(threading, targets, seconds);
        parts.push(daemon.cost_us / checker.cost_us * 100.0);
        println!(
            "{threading}, {targets} polls/s wanted: daemon {:.0}/s at {:.1} us of processor a poll, \
             checker {:.0}/s at {:.1} us",
            daemon.rate, daemon.cost_us, checker.rate, checker.cost_us,
        );
    }
    parts.sort_by(f64::total_cmp);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{threading}, {targets} polls/s wanted: a checker does {:.0} % of what the daemon does with a \
         core ({:.0} to {:.0}), against a bound of {:.0} % (load {})",
        parts.get(parts.len() / 2).copied().unwrap_or(f64::NAN),
        parts.first().copied().unwrap_or(f64::NAN),
        parts.last().copied().unwrap_or(f64::NAN),
        BOUND * 100.0,
        load.trim()
    );
}

/// What was measured of one process.
struct Measured {
    /// Polls a second, as the fleet counts them.
    rate: f64,
    /// Processor time of a poll in microseconds.
    cost_us: f64,
}

/// Measures the process `pid`, which polls the fleet of `site`.
fn measure(site: &Site, pid: u32, seconds: f64) -> Measured {
    let served = || site.figures()["requests"].as_f64().unwrap_or(f64::NAN);
    let (began, before, cpu) = (Instant::now(), served(), cpu_seconds(pid));
    pause(seconds);
    let (polls, cpu) = (served() - before, cpu_seconds(pid) - cpu);
    Measured { rate: polls / began.elapsed().as_secs_f64(), cost_us: cpu * 1e6 / polls }
}

/// Processor time of a process so far, in seconds.
fn cpu_seconds(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

/// `program`, on the first core.
fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", program]).env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn daemon(threading: &str, targets: u32, seconds: f64) -> Measured {
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 1.0)));
    let mut command = pinned(env!("CARGO_BIN_EXE_poller"));
    command.args(["--foreground", "--log-level", "error", "-t", threading, "--urls"]).arg(list);
    command.arg("--data").arg(site.room.path().join("data"));
    let running = Running(command.spawn().expect("poller starts"));
    pause(WARM);
    measure(&site, running.0.id(), seconds)
}

fn checker(threading: &str, targets: u32, seconds: f64) -> Measured {
    let kafka = Kafka::start(Brokers::One, Security::None);
    let site = Site::start();
    let connection = Connection {
        brokers: vec![kafka.bootstrap().to_owned()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: "bench".to_owned(),
        client: "bench".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let made = runtime.expect("a runtime").block_on(connection.ensure_topics(SHARDS));
    made.expect("topics");
    let mut command = pinned(env!("CARGO_BIN_EXE_poller"));
    command.args(["--log-level", "error", "-t", threading, "--kafka", kafka.bootstrap()]);
    command.args(["--topics", "bench", "checker"]).current_dir(Path::new(site.room.path()));
    let running = Running(command.spawn().expect("poller starts"));
    let mut jobs: Vec<JobMessage> = (0..targets).map(|target| job(&site, target)).collect();
    let producer = Producer::new(&connection, Unheard).expect("a producer");
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(&producer, &mut jobs, WARM + seconds + 1.0));
        pause(WARM);
        let measured = measure(&site, running.0.id(), seconds);
        feeding.join().expect("jobs are made");
        measured
    })
}

/// The job of a target that is polled once a second.
fn job(site: &Site, target: u32) -> JobMessage {
    let entry = format!("{{\"url\":\"{}\",\"interval\":1}}", site.url(target, "/"));
    JobMessage {
        version: VERSION,
        needs: VERSION,
        target,
        id: xxh3_64(&target.to_le_bytes()),
        revision: 1,
        epoch: 1,
        entry: entry.into_bytes().into(),
        ..JobMessage::default()
    }
}

/// Puts each of `jobs` on its topic once a second, spread evenly, as a scheduler does.
fn feed(producer: &Producer, jobs: &mut [JobMessage], seconds: f64) {
    let (began, count) = (Instant::now(), jobs.len());
    let began_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let began_ms = i64::try_from(began_ms).expect("small");
    let mut made = 0_usize;
    while began.elapsed().as_secs_f64() < seconds {
        let due = (began.elapsed().as_secs_f64() * count as f64) as usize;
        while made < due {
            let job = &mut jobs[made % count];
            job.due_ms = began_ms + i64::try_from(made * 1_000 / count).expect("small");
            job.valid_until_ms = job.due_ms + 1_000;
            let to = (Topic::Jobs, job.target % SHARDS);
            producer.send(to, b"0", &job.to_bytes(), 0).expect("room");
            made += 1;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Nobody asks what becomes of the jobs.
struct Unheard;

impl Deliveries for Unheard {
    fn delivered(&self, _: usize, _: Delivery<'_>) {}
}
