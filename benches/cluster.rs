//! What a whole cluster carries and bears, as real processes over a real Kafka and PostgreSQL.
//!
//! `cargo bench --features distributed --bench cluster`; `POLLER_BENCH_SCENES` names those that are
//! played, with commas between them:
//!
//! * `whole`: 10,000 targets at 5 s for 3 minutes; one scheduler, two checkers, one recorder
//! * `kills`: 2,000 targets at 5 s; members are killed twenty times at random, then the broker is
//!   stopped for 20 s and the database for 60 s
//! * `cut`: a checker in a network of its own, whose way to Kafka is cut for 20 s
//! * `scale`: slow targets; a second checker, then a second scheduler
//! * `schedulers`: what a second scheduler adds where each may use 3 % of a processor

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a bench prints, and fails loudly"
)]

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[path = "cluster/cut.rs"]
mod cut;
#[path = "../tests/support/engines.rs"]
mod engines;
#[path = "cluster/kills.rs"]
mod kills;
#[path = "support/rig.rs"]
mod rig;
#[path = "cluster/scale.rs"]
mod scale;
#[path = "cluster/schedulers.rs"]
mod schedulers;
#[path = "cluster/whole.rs"]
mod whole;

use std::thread::sleep;
use std::time::{Duration, Instant};

use cluster::Cluster;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rig::Site;
use serde_json::{Value, json};

/// A scene: its name, and what plays it, shortly if that is a trial.
type Scene = (&'static str, fn(bool));

fn main() {
    if rig::plays_a_part() {
        return;
    }
    if let Some(reason) = engines::why_not() {
        println!("skipped: {reason}");
        return;
    }
    let wanted = std::env::var("POLLER_BENCH_SCENES").ok();
    let scenes: [Scene; 5] = [
        ("whole", whole::play),
        ("kills", kills::play),
        ("cut", cut::play),
        ("scale", scale::play),
        ("schedulers", schedulers::play),
    ];
    for (name, play) in scenes {
        let is_wanted =
            wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|one| one.trim() == name));
        if is_wanted {
            println!("{name}");
            play(rig::is_a_trial());
        }
    }
}

/// So many targets of `site` that are up, polled every so many seconds.
fn list(site: &Site, targets: u32, every_s: u32, path: &str) -> Value {
    let entry = |number| json!({"url": site.url(number, path), "interval": every_s});
    (0..targets).map(entry).collect()
}

/// Waits until all targets of `cluster` were found to be up.
fn all_up(cluster: &Cluster, targets: u32) {
    let condition = format!("count(*) = {targets} FROM record WHERE state = 1");
    cluster.wait_until("every target was polled", &condition);
}

/// How many records ever came to a topic of `cluster`, which has so many shards.
fn records(cluster: &Cluster, topic: &str, shards: u32) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.kafka.bootstrap())
        .create()
        .expect("a consumer");
    let topic = format!("poller.{topic}");
    let end = |shard: u32| {
        let shard = i32::try_from(shard).expect("few");
        consumer.fetch_watermarks(&topic, shard, Duration::from_secs(20)).expect("watermarks").1
    };
    (0..shards).map(end).sum()
}

/// A span of `cluster`'s time that began when this was made.
struct Span {
    from_ms: i64,
    every_ms: i64,
}

impl Span {
    /// Begins with the next full interval of so many seconds.
    fn begin(cluster: &Cluster, seconds: u32) -> Self {
        let every_ms = i64::from(seconds) * 1_000;
        Self { from_ms: (cluster.now_ms() / every_ms + 1) * every_ms, every_ms }
    }

    /// Prints what became of all slots of the span until two intervals ago, once that is known.
    fn tell(&self, cluster: &Cluster) {
        let until_ms = (cluster.now_ms() - 2 * self.every_ms) / self.every_ms * self.every_ms;
        let began = Instant::now();
        let amiss = || cluster.wrong_targets((self.from_ms, until_ms), self.every_ms, "");
        let mut left = amiss();
        while left > 0 && began.elapsed() < Duration::from_mins(3) {
            sleep(Duration::from_secs(1));
            left = amiss();
        }
        let samples = format!(
            "FROM sample WHERE due >= to_timestamp({} / 1000.0) AND due < to_timestamp({until_ms} / \
             1000.0) AND tries = 0",
            self.from_ms
        );
        let one = |what: &str| cluster.sql(&format!("SELECT {what} {samples}"));
        println!(
            "  {} s, {} slots in the database, of these {} missed ({}); {left} targets with a slot \
             too few or too many",
            (until_ms - self.from_ms) / 1_000,
            one("count(*)"),
            one("count(*) FILTER (WHERE kind = 3)"),
            cluster.sql(&format!(
                "SELECT coalesce(string_agg(detail || ': ' || n, ', '), 'none') FROM (SELECT detail, \
                 count(*) AS n {samples} AND kind = 3 GROUP BY detail) AS by_reason"
            )),
        );
        println!(
            "  lag of polls: p50 {} ms, p99 {} ms, most {} ms; told to be down: {}; unknown: {}",
            one("round((percentile_cont(0.5) WITHIN GROUP (ORDER BY lag_us) \
                 FILTER (WHERE kind < 3))::numeric / 1000, 1)"),
            one("round((percentile_cont(0.99) WITHIN GROUP (ORDER BY lag_us) \
                 FILTER (WHERE kind < 3))::numeric / 1000, 1)"),
            one("max(lag_us) FILTER (WHERE kind < 3) / 1000"),
            cluster.sql("SELECT count(*) FROM transition WHERE to_state = 3"),
            cluster.sql("SELECT count(*) FROM transition WHERE to_state = 4"),
        );
    }
}
