//! From the list to the database: every slot once, and on time.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::cluster::Cluster;
use super::engines::Brokers;
use super::rig::Site;
use super::{Span, all_up, list, records};

const SHARDS: u32 = 64;

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let (targets, seconds) = if is_trial { (500, 10) } else { (10_000, 180) };
    let site = Site::start();
    let mut cluster = Cluster::start(Brokers::One, SHARDS);
    cluster.import(&list(&site, targets, 5, "/"));
    for role in ["scheduler", "checker", "checker", "recorder"] {
        cluster.begin(role, &[]);
    }
    all_up(&cluster, targets);
    let span = Span::begin(&cluster, 5);
    sleep(Duration::from_secs(seconds + 15));
    println!("  {targets} targets at 5 s; bounds: every slot once, lag p99 below 1,000 ms");
    span.tell(&cluster);
    for topic in ["jobs", "outcomes"] {
        let bytes = on_disk(cluster.kafka.directory(), &format!("poller.{topic}-"));
        let count = records(&cluster, topic, SHARDS);
        println!("  {topic}: {:.0} bytes a record in Kafka", bytes as f64 / count as f64);
    }
    for member in &cluster.members {
        println!("  {}", memory(member.child.id(), &member.role));
    }
}

/// Bytes of the logs below `directory` that lie in folders whose names begin with `topic`.
fn on_disk(directory: &Path, topic: &str) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() {
            return on_disk(&path, topic);
        }
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let is_meant = folder.to_string_lossy().starts_with(topic)
            && path.extension().is_some_and(|extension| extension == "log");
        if is_meant { entry.metadata().map_or(0, |metadata| metadata.len()) } else { 0 }
    };
    entries.map(of).sum()
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
