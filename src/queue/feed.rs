//! `Feed`: jobs that somebody else's schedule has made, on their way to the scheduler beside it, and
//! those of them that come back without a poll.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::target::Target;

/// A job that somebody else's schedule has made.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What is to be polled; its number is one of this process.
    pub target: Arc<Target>,
    /// When it fell due, in Unix milliseconds.
    pub due_ms: i64,
    /// When it means nothing any more, in Unix milliseconds.
    pub valid_until_ms: i64,
    /// When it was handed in, in monotonic microseconds.
    pub offered_us: u64,
}

/// What a scheduler is told by a feed, in this order.
#[derive(Debug)]
pub enum Fed {
    /// Poll this.
    Offer(Offer),
    /// The job of the target with this number that fell due then, in Unix milliseconds, is somebody
    /// else's now: make no poll of it, if that has not begun.
    Withdraw(u32, i64),
    /// The number will be another target's; no job of it is on its way.
    Forget(u32),
}

/// Why a job comes back without a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpolled {
    /// The last poll of its target still ran, or waited for its recheck.
    Running,
    /// No place was free as long as it meant something.
    Saturated,
    /// It waited for the sake of its host as long as it meant something.
    Politeness,
    /// It came when it meant nothing any more.
    Late,
    /// It was withdrawn.
    Withdrawn,
}

/// A job that comes back without a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The number of its target.
    pub target: u32,
    /// When it fell due, in Unix milliseconds.
    pub due_ms: i64,
    /// Why.
    pub reason: Unpolled,
}

/// The way of jobs to one scheduler, and of some of them back. Who hands them in sees to it that
/// they are not too many: every one of them either comes back or has an outcome that is not
/// provisional.
#[derive(Debug, Default)]
pub struct Feed {
    fed: Mutex<VecDeque<Fed>>,
    came: Notify,
    returned: Mutex<Vec<Return>>,
}

impl Feed {
    /// Hands in what `fed` has, which is empty then.
    pub fn hand_in(&self, fed: &mut Vec<Fed>) {
        if !fed.is_empty() {
            self.fed.lock().extend(fed.drain(..));
            self.came.notify_one();
        }
    }

    /// Takes out what came first, `most` at most, and tells whether more is there.
    pub fn take(&self, fed: &mut Vec<Fed>, most: usize) -> bool {
        let mut waiting = self.fed.lock();
        let count = waiting.len().min(most);
        fed.extend(waiting.drain(..count));
        !waiting.is_empty()
    }

    /// Waits until something is handed in.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    /// Notes that something is left to take.
    pub fn note_left(&self) {
        self.came.notify_one();
    }

    /// Hands a job back.
    pub fn hand_back(&self, job: Return) {
        self.returned.lock().push(job);
    }

    /// Exchanges what has come back for `empty`, so that its memory is used again.
    pub fn exchange(&self, empty: &mut Vec<Return>) {
        empty.clear();
        std::mem::swap(&mut *self.returned.lock(), empty);
    }
}
