//! How long pages of a cluster's targets take, through the door that commands use.
//!
//! `cargo bench --features distributed --bench pages`. TARGETS (a million) lie in a PostgreSQL of its
//! own; each question is asked once while nothing is known of it, then ROUNDS (40) times for the first
//! page and the pages that follow it. Beside it UPDATES (5,000) records a second are written.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails loudly")]
#![allow(clippy::disallowed_methods, reason = "it waits for what it measures")]
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(dead_code, reason = "the modules are those of tests, which use more of them")]

#[path = "../tests/cluster_view/asked.rs"]
mod asked;
#[path = "../tests/support/engines.rs"]
mod engines;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use asked::Asked;
use engines::Postgres;
use poller::shards::Shards;
use poller::store::postgres::{Address, Database};

const SHARDS: u32 = 64;
const LIMIT: usize = 100;
const QUESTIONS: [&str; 20] = [
    "",
    "state=up",
    "state=down",
    "state=pending",
    "group=Front",
    "group=group-42",
    "group=nobody",
    "cause=timeout",
    "cause=timeout&group=Front",
    "state=warning&group=Front",
    "label=env%3Dlive",
    "label=team%3Dteam-33",
    "text=example",
    "text=host-4242",
    "sort=latency",
    "sort=latency&state=down",
    "sort=latency&group=Front",
    "sort=latency&label=env%3Dlive",
    "sort=downtime",
    "sort=downtime&group=Front",
];

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

fn main() {
    if !engines::are_here() {
        return;
    }
    let targets = setting("TARGETS", 1_000_000);
    let postgres = Postgres::with(&["--set", "shared_buffers=1GB", "--set", "max_wal_size=8GB"]);
    let address = Address { url: postgres.url().to_owned(), ca: None, client: "bench".to_owned() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = Database::at(&address, 1).unwrap();
    runtime.block_on(database.init(Shards::new(SHARDS).unwrap())).unwrap();
    fill(&postgres, targets);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| update(&postgres, targets, &is_over));
        measure(postgres.url());
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A quarter of all in one group, half in fifty others; 3 % not up, a thousandth never polled.
fn fill(postgres: &Postgres, targets: u64) {
    let began = Instant::now();
    postgres.sql(&format!(
        "SET search_path = poller; INSERT INTO target (number, shard, id, given_id, name, url, kind, \
         every_ms, timeout_ms, priority, certificate_days, group_name, labels, entry, revision) \
         SELECT n, n % {SHARDS}, hashint8extended(n, 0), CASE WHEN n % 10 = 0 THEN 'id-' || n END, \
         CASE WHEN n % 5 = 0 THEN 'Shop ' || n END, \
         'https://host-' || n % 200000 || '.example/' || n, 0, 60000, 30000, 1, 14, \
         CASE WHEN n % 4 = 1 THEN 'Front' WHEN n % 2 = 0 THEN 'group-' || n % 100 END, \
         CASE WHEN n % 3 = 0 THEN jsonb_build_object('team', 'team-' || n % 90, 'env', 'live') \
         ELSE '{{}}' END, '{{\"url\": \"https://host.example/' || n || '\"}}', 1 \
         FROM generate_series(64, {targets} + 63) n; UPDATE cluster SET revision = 1"
    ));
    postgres.sql(
        "SET search_path = poller; INSERT INTO record (target, shard, state, since, cause, detail, \
         suspect_ms, has_incident, last_offset, last_at, last_code, last_latency_us, \
         certificate_until, hour, tally, votes) SELECT number, shard, state, \
         now() - (hashint8(number) & 1048575) * interval '1 second', \
         CASE state WHEN 3 THEN 1 + (number / 100) % 5 WHEN 2 THEN 9 WHEN 4 THEN 12 ELSE 0 END, \
         0, 0, state = 3, number, now(), 200, 5000 + (hashint8(number + 1) & 262143), \
         now() + (number % 90) * interval '1 day', 480000, decode(repeat('ab', 60), 'hex'), \
         decode(repeat('cd', 40), 'hex') FROM (SELECT number, shard, CASE number % 100 \
         WHEN 7 THEN 3 WHEN 8 THEN 2 WHEN 9 THEN 4 ELSE 1 END AS state FROM target) AS every \
         WHERE number % 1000 <> 999",
    );
    postgres.sql(
        "SET search_path = poller; INSERT INTO progress (shard, step, states) \
         SELECT shard, 1, ARRAY[0, count(*) FILTER (WHERE state = 1), \
         count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3), \
         count(*) FILTER (WHERE state = 4), 0] FROM record GROUP BY shard \
         ON CONFLICT (shard) DO UPDATE SET states = excluded.states",
    );
    postgres.sql("VACUUM ANALYZE poller.target");
    postgres.sql("VACUUM ANALYZE poller.record");
    println!("{targets} targets are there after {:.0} s", began.elapsed().as_secs_f64());
}

/// Writes records as recorders do, and tells how many of their rows were updated in place.
fn update(postgres: &Postgres, targets: u64, is_over: &AtomicBool) {
    let (most, began) = (setting("UPDATES", 5_000), Instant::now());
    let mut done = 0;
    while !is_over.load(Ordering::Relaxed) && most > 0 {
        let first = 64 + done % targets;
        postgres.sql(&format!(
            "UPDATE poller.record SET last_at = now(), last_offset = last_offset + 1, \
             last_latency_us = 5000 + (hashint8(target + {done}) & 262143) \
             WHERE target >= {first} AND target < {first} + {most}"
        ));
        done += most;
        let due = Duration::from_secs(done / most);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    let hot = postgres.sql(
        "SELECT round(100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1), 1) \
         FROM pg_stat_user_tables WHERE relname = 'record'",
    );
    println!("{done} records written, {} % of them in place", hot.trim());
}

fn measure(url: &str) {
    let asked = Asked::of(url);
    let rounds = setting("ROUNDS", 40);
    println!("{:32} {:>8} {:>8} {:>8} {:>8} {:>8}", "ms", "cold", "p50", "p99", "most", "total");
    let mut cold = Vec::new();
    for question in QUESTIONS {
        cold.push(ask(&asked, question, "").0);
    }
    // Long enough for all that is kept in memory to be read.
    std::thread::sleep(Duration::from_secs(8));
    for (question, cold) in QUESTIONS.iter().zip(cold) {
        let (mut times, mut next, mut matches) = (Vec::new(), None, 0);
        for _ in 0..rounds {
            let after = next.map_or_else(String::new, |next: String| format!("&after={next}"));
            let (took, page) = ask(&asked, question, &after);
            times.push(took);
            (next, matches) = (page.next, page.total);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!(
            "{:32} {cold:8.1} {:8.1} {:8.1} {:8.1} {matches:8}",
            question.replace("%3D", "="),
            at(50),
            at(99),
            at(100)
        );
    }
}

/// How many milliseconds a page takes, and the page.
fn ask(asked: &Asked, question: &str, after: &str) -> (f64, poller::view::TargetPage) {
    let began = Instant::now();
    let text = format!("{question}&limit={LIMIT}{after}");
    let page = asked.door.client.targets(text.trim_start_matches('&'));
    let page = page.unwrap_or_else(|error| panic!("{question}: {error}"));
    (began.elapsed().as_secs_f64() * 1_000.0, page)
}
