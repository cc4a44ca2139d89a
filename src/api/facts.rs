//! `Facts`: what the daemon can be asked and told, whoever asks.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::follow::Feed;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The answer to a wish that the daemon stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct Stopping {
    /// How long it may take until it is gone.
    pub within_seconds: f64,
}

/// What the daemon knows and does. Questions are answered on a thread of their own, so an answer
/// may take some milliseconds; it must not hold a lock that a poll waits for any longer.
pub trait Facts: Send + Sync + 'static {
    /// What is going on.
    fn summary(&self, lists: Lists) -> Summary;

    /// The short summary as JSON, of a tenth of a second ago at most.
    fn told_summary(&self) -> Bytes {
        // It is made of values alone, which JSON can always tell.
        serde_json::to_vec(&self.summary(Lists::Short)).unwrap_or_default().into()
    }

    /// Polls that run now, the longest-running first.
    fn in_flight(&self, lists: Lists) -> InFlight;

    /// The targets that `query` asks for.
    ///
    /// # Errors
    /// They cannot be found out now; says why.
    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String>;

    /// Reads list and settings again; says what changed, or why all stays as it is.
    fn reload(&self) -> Answer<'_, Result<String, String>>;

    /// Begins to stop, as the first TERM does; returns at once, and tells how long it may take.
    fn stop(&self) -> Duration;

    /// Whether polls are made; if not, why.
    ///
    /// # Errors
    /// The reason why not.
    fn readiness(&self) -> Result<(), String>;

    /// Whether the daemon works at all; if not, why, and only a restart helps.
    ///
    /// # Errors
    /// The reason why not.
    fn liveness(&self) -> Result<(), String>;

    /// Where finished polls are told as they finish.
    fn feed(&self) -> &Feed;
}
