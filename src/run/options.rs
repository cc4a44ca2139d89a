//! `RunOptions`: how a list of checks is run.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::event::Event;

/// Checks that run at once at most where nobody says.
pub const MAX_WORKERS: NonZeroUsize = match NonZeroUsize::new(64) {
    Some(workers) => workers,
    None => NonZeroUsize::MIN,
};

/// How a list of checks is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Checks that run at once at most.
    pub max_workers: NonZeroUsize,
    /// Checks that are read ahead of those that run, at most.
    pub batch_size: NonZeroUsize,
    /// When the run ends whatever still runs: results that are missing by then say so.
    pub deadline: Option<Duration>,
    /// What an error means for the checks that follow.
    pub on_error: OnError,
    /// Cancelled by whoever wants the run to end; it returns what is done.
    pub cancel: CancellationToken,
    /// Who follows the run. The channel has a bound, so it must be read, or dropped: the run waits
    /// for whoever follows it, though not past its deadline.
    pub events: Option<mpsc::Sender<Event>>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            max_workers: MAX_WORKERS,
            batch_size: MAX_WORKERS,
            deadline: None,
            on_error: OnError::GoOn,
            cancel: CancellationToken::new(),
            events: None,
        }
    }
}

/// What an error means for the checks that follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Nothing.
    #[default]
    GoOn,
    /// They are not run any more, and what still runs is given up.
    Stop,
}
