//! From the list to the database: every slot once, and on time.

use std::thread::sleep;
use std::time::Duration;

use super::cluster::Cluster;
use super::engines::Brokers;
use super::rig::Site;
use super::{Span, all_up, list};

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let (targets, seconds) = if is_trial { (500, 10) } else { (10_000, 180) };
    let site = Site::start();
    let mut cluster = Cluster::start(Brokers::One, 64);
    cluster.import(&list(&site, targets, 5, "/"));
    for role in ["scheduler", "checker", "checker", "recorder"] {
        cluster.begin(role, &[]);
    }
    all_up(&cluster, targets);
    let span = Span::begin(&cluster, 5);
    sleep(Duration::from_secs(seconds + 15));
    println!("  {targets} targets at 5 s; bounds: every slot once, lag p99 below 1,000 ms");
    span.tell(&cluster);
    for member in &cluster.members {
        println!("  {}", memory(member.child.id(), &member.role));
    }
}

/// Memory and processor time of a process.
fn memory(pid: u32, role: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    format!("{role}: {rss}, {:.1} s of processor time", (ticks(12) + ticks(13)) as f64 / 100.0)
}
