//! `Stoppable`: checks that end at once when the run does.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::check::{Check, Facts, Telling};
use crate::outcome::{Cause, Detail, Finding};
use crate::target::Target;

/// Checks that end at once when the run does.
#[derive(Debug)]
pub(super) struct Stoppable {
    pub(super) checks: Telling,
    pub(super) stop: CancellationToken,
}

/// What a check told.
#[derive(Debug)]
pub(super) enum Told {
    /// What it saw.
    Facts(Facts),
    /// Nothing: the run ended before it did.
    Stopped,
}

impl Default for Told {
    fn default() -> Self {
        Self::Facts(Facts::default())
    }
}

impl Check for Stoppable {
    type Facts = Told;

    async fn check(&self, target: Arc<Target>) -> (Finding, Told) {
        tokio::select! {
            biased;
            (finding, facts) = self.checks.check(target) => (finding, Told::Facts(facts)),
            () = self.stop.cancelled() => {
                (Finding::default().with_cause(Cause::Internal, Detail::None), Told::Stopped)
            }
        }
    }
}
