//! What a second member adds, with targets that are slow, since the cores are shared; and what its
//! coming costs.

use std::thread::sleep;
use std::time::Duration;

use super::cluster::Cluster;
use super::engines::Brokers;
use super::list;
use super::rig::Site;

/// Polls that a checker has in flight at most: with answers that take a second, as many a second.
const PLACES: &str = "100";

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let seconds = if is_trial { 5 } else { 30 };
    let site = Site::start();
    let mut cluster = Cluster::start(Brokers::One, 16);
    // 180 polls a second, of a second each.
    cluster.import(&list(&site, 1_800, 10, "/d1000"));
    cluster.begin("scheduler", &[]);
    cluster.begin("recorder", &[]);
    cluster.begin("checker", &["--max-workers", PLACES]);
    sleep(Duration::from_secs(20));
    println!("  180 polls a second are wanted, a checker has places for {PLACES}");
    tell("one checker", &cluster, seconds);
    let before_ms = cluster.now_ms();
    cluster.begin("checker", &["--max-workers", PLACES]);
    sleep(Duration::from_secs(20));
    tell("two checkers", &cluster, seconds);
    let pause = cluster.sql(&format!(
        "SELECT round(extract(epoch FROM max(finished - before)), 1) FROM (SELECT finished, \
         lag(finished) OVER (PARTITION BY target % 16 ORDER BY finished) AS before FROM sample WHERE \
         kind < 3 AND finished BETWEEN to_timestamp({before_ms} / 1000.0) AND \
         to_timestamp({before_ms} / 1000.0) + interval '20 seconds') AS paused"
    ));
    println!(
        "  the longest that a shard stood still when the second one came: {pause} s (bound 5)"
    );
    cluster.begin("scheduler", &[]);
    sleep(Duration::from_secs(15));
    let held = "SELECT string_agg(owner || ' ' || n, ', ') FROM (SELECT owner, count(*) AS n FROM \
                lease WHERE role = 'scheduler' GROUP BY owner) AS shares";
    println!("  shards of two schedulers: {}", cluster.sql(held));
    tell("two schedulers", &cluster, seconds);
}

/// Prints what is carried for so many seconds.
fn tell(what: &str, cluster: &Cluster, seconds: u64) {
    let from_ms = cluster.now_ms();
    sleep(Duration::from_secs(seconds));
    let until_ms = cluster.now_ms();
    sleep(Duration::from_secs(3));
    let counted = |kind: &str| {
        cluster.count(&format!(
            "SELECT count(*) FROM sample WHERE {kind} AND finished BETWEEN to_timestamp({from_ms} / \
             1000.0) AND to_timestamp({until_ms} / 1000.0)"
        ))
    };
    let span_s = (until_ms - from_ms) as f64 / 1_000.0;
    println!(
        "  {what}: {:.0} polls a second, {:.0} slots missed a second",
        counted("kind < 3") as f64 / span_s,
        counted("kind = 3") as f64 / span_s
    );
}
