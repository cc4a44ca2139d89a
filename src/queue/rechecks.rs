//! `Rechecks`: jobs that wait to be made again, between a sink and the source beside it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::outcome::Job;

/// Jobs that are to be made again, by their time; at most one for each target.
#[derive(Debug, Default)]
pub struct Rechecks {
    jobs: Mutex<BinaryHeap<Reverse<Recheck>>>,
    added: Notify,
}

#[derive(Debug)]
struct Recheck {
    at: Instant,
    job: Job,
}

impl Rechecks {
    /// Adds a job to be made again when `after` has passed.
    pub fn add(&self, job: Job, after: Duration) {
        self.jobs.lock().push(Reverse(Recheck { at: Instant::now() + after, job }));
        self.added.notify_one();
    }

    /// Takes out a job whose time has come.
    pub fn pop_due(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        let is_due = jobs.peek().is_some_and(|Reverse(first)| first.at <= Instant::now());
        if is_due { jobs.pop().map(|Reverse(recheck)| recheck.job) } else { None }
    }

    /// When the first of them falls due.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.jobs.lock().peek().map(|Reverse(first)| first.at)
    }

    /// Waits until a job is added.
    pub async fn added(&self) {
        self.added.notified().await;
    }
}

impl PartialEq for Recheck {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Recheck {}

impl PartialOrd for Recheck {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Recheck {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |recheck: &Self| (recheck.at, recheck.job.target.id);
        key(self).cmp(&key(other))
    }
}
