//! Members that are killed at random, a broker and a database that go away and come back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, LEASE};
use super::engines::Brokers;
use super::rig::Site;
use super::{Span, all_up, list};

/// Two of each role.
const ROLES: [&str; 6] = ["scheduler", "scheduler", "checker", "checker", "recorder", "recorder"];

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let (targets, kills) = if is_trial { (200, 3) } else { (2_000, 20) };
    let (broker_s, database_s) = if is_trial { (5, 5) } else { (20, 60) };
    let site = Site::start();
    let mut cluster = Cluster::start(Brokers::One, 16);
    cluster.import(&list(&site, targets, 5, "/"));
    for role in ROLES {
        cluster.begin(role, &[]);
    }
    all_up(&cluster, targets);
    println!("  {targets} targets at 5 s, two of each role, a lease is {} s", LEASE.as_secs());
    let span = Span::begin(&cluster, 5);
    let mut drawn = u64::from(std::process::id());
    let mut draw = |below: u64| {
        // xorshift (Marsaglia 2003): any numbers will do.
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        drawn % below
    };
    let mut killed = Vec::new();
    for _ in 0..kills {
        sleep(Duration::from_millis(500 + draw(4_000)));
        let place = draw(ROLES.len() as u64) as usize;
        cluster.members[place].kill();
        killed.push(ROLES[place]);
        sleep(Duration::from_millis(draw(4_000)));
        cluster.begin_again(place, &[]);
    }
    println!("  killed: {}", killed.join(", "));
    sleep(Duration::from_secs(15));
    span.tell(&cluster);
    away(
        "the broker is stopped",
        broker_s,
        &cluster,
        |cluster| cluster.kafka.stop(1),
        |cluster| {
            cluster.kafka.start_node(1);
        },
    );
    away(
        "the database is stopped",
        database_s,
        &cluster,
        |cluster| cluster.postgres.stop(),
        |cluster| {
            cluster.postgres.start_again();
        },
    );
}

/// Takes something away for so many seconds, and tells what came of it.
fn away(
    what: &str,
    seconds: u64,
    cluster: &Cluster,
    take: impl Fn(&Cluster),
    give: impl Fn(&Cluster),
) {
    let span = Span::begin(cluster, 5);
    sleep(Duration::from_secs(5));
    println!("  {what} for {seconds} s");
    take(cluster);
    sleep(Duration::from_secs(seconds));
    give(cluster);
    let back = Instant::now();
    cluster.wait_until(
        "polls of now are recorded again",
        "max(due) > clock_timestamp() - interval '6 seconds' FROM sample WHERE kind < 3",
    );
    println!("  recorded again {:.1} s after it was back", back.elapsed().as_secs_f64());
    sleep(Duration::from_secs(20));
    span.tell(cluster);
}
