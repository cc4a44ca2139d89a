//! The ports `Source`, `Sink` and `Outlet`: where jobs come from, where outcomes go, and where they
//! come out again; their edges live in `queue/`.

pub mod local;
mod places;
mod rechecks;

use std::future::Future;
use std::time::Duration;

use crate::outcome::{Job, Outcome};

pub use places::Places;
pub use rechecks::Rechecks;

/// Where a worker gets its jobs.
pub trait Source: Send {
    /// Waits until something is due and there is a place for it, and appends the jobs to `jobs`,
    /// for each of which it has taken a place. Dropping the future loses nothing. False: there
    /// will be no more.
    fn next(&mut self, places: &Places, jobs: &mut Vec<Job>) -> impl Future<Output = bool> + Send;
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
