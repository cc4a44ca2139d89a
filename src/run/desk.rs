//! `Desk`: what lies between the source, the checks that run and those who take their results.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::stoppable::Told;
use crate::outcome::{Job, Outcome};
use crate::queue::Sink;
use crate::target::Target;
use crate::view::result::{CheckResult, Identity};

/// Results that may wait to be taken beside those of checks that run; the source waits then.
const WAITING: usize = 1_024;

/// A check that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) index: usize,
    pub(super) identity: Identity,
    pub(super) target: Arc<Target>,
}

/// What came of a check.
#[derive(Debug)]
pub(super) enum Done {
    /// It ran.
    Ran(Outcome, Told),
    /// It did not, or not now.
    Ready(usize, Box<CheckResult>),
}

/// Checks that run, and results that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Desk {
    running: Mutex<HashMap<u32, Running>>,
    done: Mutex<Vec<Done>>,
    came: Notify,
    taken: Notify,
}

impl Desk {
    /// Notes that a check runs; it is told by the number of its target.
    pub(super) fn begin(&self, running: Running) {
        self.running.lock().insert(running.target.number, running);
    }

    /// Takes out the check that ran as `number`.
    pub(super) fn end(&self, number: u32) -> Option<Running> {
        self.running.lock().remove(&number)
    }

    /// Takes out all checks that run.
    pub(super) fn clear(&self) -> Vec<Running> {
        self.running.lock().drain().map(|(_, running)| running).collect()
    }

    /// Adds a result.
    pub(super) fn put(&self, done: Done) {
        self.done.lock().push(done);
        self.came.notify_one();
    }

    /// Exchanges the results that have come for `empty`; waits until there are some.
    pub(super) async fn take(&self, empty: &mut Vec<Done>) {
        loop {
            let came = self.came.notified();
            std::mem::swap(&mut *self.done.lock(), empty);
            if !empty.is_empty() {
                self.taken.notify_one();
                return;
            }
            came.await;
        }
    }

    /// The results that have come, without waiting.
    pub(super) fn rest(&self) -> Vec<Done> {
        std::mem::take(&mut *self.done.lock())
    }

    /// Waits until not too many results wait to be taken.
    pub(super) async fn has_room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.done.lock().len() < WAITING {
                return;
            }
            taken.await;
        }
    }
}

/// Where the worker puts what it found.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    pub(super) desk: Arc<Desk>,
    pub(super) witness: Option<Witness>,
}

/// Sees outcomes, each with the place of its check.
#[derive(Clone)]
pub(super) struct Witness(pub(super) Arc<See>);

/// Sees an outcome.
type See = dyn Fn(usize, &Outcome) + Send + Sync;

impl fmt::Debug for Witness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Witness")
    }
}

impl Sink<Told> for Collector {
    fn put(&self, outcome: Outcome, told: Told) {
        if let (Some(Witness(see)), Told::Facts(_)) = (&self.witness, &told) {
            see(outcome.target as usize, &outcome);
        }
        self.desk.put(Done::Ran(outcome, told));
    }

    fn again(&self, _job: Job, _after: Duration) {
        // Nothing is checked twice: a source of a list asks for no rechecks.
    }
}
