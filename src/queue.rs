//! The ports `Source`, `Sink` and `Outlet`: where jobs come from, where outcomes go, and where they
//! come out again; and `JobSink`, where jobs go that others do. Their edges live in `queue/`.

mod feed;
mod hosts;
mod jobs;
#[cfg(feature = "distributed")]
pub mod kafka;
pub mod local;
mod places;
mod rechecks;
mod running;

use std::future::Future;
use std::time::Duration;

use crate::outcome::{Job, Outcome};

pub use feed::{Fed, Feed, Offer, Return, Unpolled};
pub use hosts::{Entrance, Gate, Hosts, Inbox, Pass, host_key};
pub use jobs::{Full, JobSink, Mark, Settled, Slot};
pub use places::Places;
pub use rechecks::Rechecks;

/// Where a worker gets its jobs.
pub trait Source: Send {
    /// Waits until something is due and there is a place for it, and appends it to `launches`, for
    /// each of which it has taken a place. Dropping the future loses nothing. False: there will be
    /// no more.
    fn next(
        &mut self,
        places: &Places,
        launches: &mut Vec<Launch>,
    ) -> impl Future<Output = bool> + Send;
}

/// A job that is to be done now.
#[derive(Debug)]
pub struct Launch {
    /// The job.
    pub job: Job,
    /// What its host bears of it, until this is dropped.
    pub pass: Option<Pass>,
}

impl From<Job> for Launch {
    /// A job that no host needs to be asked for.
    fn from(job: Job) -> Self {
        Self { job, pass: None }
    }
}

/// Where a worker puts what it found.
pub trait Sink<F = ()>: Clone + Send + Sync + 'static {
    /// Takes one outcome and the facts that the check tells beside it, without ever waiting.
    fn put(&self, outcome: Outcome, facts: F);

    /// Asks for `job` to be made again when `after` has passed, whatever becomes of the clock.
    fn again(&self, job: Job, after: Duration);
}

/// Where a recorder gets what workers put into their sinks.
pub trait Outlet: Send + Sync + 'static {
    /// Exchanges what has come for `empty`, so that its memory is used again; never waits.
    fn exchange(&self, empty: &mut Vec<Outcome>);

    /// How many outcomes found no room so far.
    fn lost(&self) -> u64;
}
