//! What a second scheduler adds, when each may use next to nothing of a processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Member};
use super::engines::Brokers;
use super::rig::Site;
use super::{list, records};

/// Percent of a processor that a scheduler may use: with more it makes all that the brokers take.
const PERCENT: u32 = 3;

const SHARDS: u32 = 16;

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let (targets, seconds) = if is_trial { (20_000, 5) } else { (400_000, 30) };
    let Some(_) = Quota::make("poller-trial") else {
        println!("  skipped: no share of a processor can be set here");
        return;
    };
    // Taken down last, since none goes while there is a member in it.
    let mut quotas = Vec::new();
    let site = Site::start();
    let mut cluster = Cluster::start(Brokers::One, SHARDS);
    cluster.import(&list(&site, targets, 10, "/"));
    println!(
        "  {} jobs a second are wanted, a scheduler may use {PERCENT} % of a processor",
        targets / 10
    );
    for count in ["one scheduler", "two schedulers"] {
        let place = cluster.begin("scheduler", &[]);
        // It has a whole processor to begin with.
        sleep(Duration::from_secs(20));
        let quota = Quota::make(&format!("poller-{place}")).expect("it was to be had before");
        quota.hold(&cluster.members[place]);
        quotas.push(quota);
        sleep(Duration::from_secs(10));
        let (before, began) = (records(&cluster, "jobs", SHARDS), Instant::now());
        sleep(Duration::from_secs(seconds));
        let made = records(&cluster, "jobs", SHARDS) - before;
        println!("  {count}: {:.0} jobs a second", made as f64 / began.elapsed().as_secs_f64());
    }
}

/// A control group of the kernel that bounds the processor time of whoever is in it (cgroups,
/// version 2 or 1); it goes away when dropped, once its members have ended.
struct Quota(PathBuf);

impl Quota {
    fn make(name: &str) -> Option<Self> {
        let period_us = 100_000;
        let allowed_us = period_us / 100 * PERCENT;
        let [new, old] =
            ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu"].map(|root| Path::new(root).join(name));
        let is_new = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let quota = Self(if is_new { new } else { old });
        fs::create_dir_all(&quota.0).ok()?;
        if is_new {
            fs::write(quota.0.join("cpu.max"), format!("{allowed_us} {period_us}")).ok()?;
        } else {
            fs::write(quota.0.join("cpu.cfs_period_us"), period_us.to_string()).ok()?;
            fs::write(quota.0.join("cpu.cfs_quota_us"), allowed_us.to_string()).ok()?;
        }
        Some(quota)
    }

    fn hold(&self, member: &Member) {
        fs::write(self.0.join("cgroup.procs"), member.child.id().to_string()).expect("it is held");
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
