//! The edges of one machine: outcomes wait in memory for the recorder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Outlet, Rechecks, Sink};
use crate::outcome::{Detail, Job, Outcome};

/// Outcomes that may wait for the recorder; it empties the outbox ten times a second.
pub const CAPACITY: usize = 1 << 20;

/// Where workers put what they found and the recorder fetches it.
#[derive(Debug, Default)]
pub struct Outbox {
    outcomes: Mutex<Vec<Outcome>>,
    lost: AtomicU64,
    without_file: AtomicU64,
}

impl Outbox {
    /// Adds one outcome; only a recorder that has stood still for minutes makes it lose one.
    pub fn put(&self, outcome: Outcome) {
        if outcome.finding.detail == Detail::Descriptors {
            self.without_file.fetch_add(1, Ordering::Relaxed);
        }
        let mut outcomes = self.outcomes.lock();
        if outcomes.len() < CAPACITY {
            outcomes.push(outcome);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Outcomes that wait for the recorder.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outcomes.lock().len()
    }

    /// Polls that found no file descriptor, since this was asked last.
    #[must_use]
    pub fn take_without_file(&self) -> u64 {
        self.without_file.swap(0, Ordering::Relaxed)
    }
}

impl Outlet for Outbox {
    fn exchange(&self, empty: &mut Vec<Outcome>) {
        empty.clear();
        std::mem::swap(&mut *self.outcomes.lock(), empty);
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// The way from one worker to the recorder and back to its scheduler.
#[derive(Clone, Debug)]
pub struct LocalSink {
    /// Where outcomes go.
    pub outbox: Arc<Outbox>,
    /// Where rechecks wait.
    pub rechecks: Arc<Rechecks>,
}

impl Sink for LocalSink {
    fn put(&self, outcome: Outcome, (): ()) {
        self.outbox.put(outcome);
    }

    fn again(&self, job: Job, after: Duration) {
        self.rechecks.add(job, after);
    }
}
