//! `OfRole`: what a role is asked and told, whatever it shows.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{Answer, Facts, Feed};
use crate::app::cluster::view::Viewer;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// What a role shows.
pub(in crate::app) trait Shown: Send + Sync + 'static {
    /// What is said when it is to read its list again.
    const RELOAD: &str;

    /// What is going on.
    fn summary(&self, lists: Lists) -> Summary;

    /// Polls that run now.
    fn in_flight(&self) -> InFlight;

    /// The targets that `query` asks for.
    ///
    /// # Errors
    /// They cannot be found out; says why.
    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String>;
}

/// A role, and what it shows.
pub(super) struct OfRole<S> {
    shown: Arc<S>,
    viewer: Viewer,
    feed: Feed,
}

impl<S: Shown> OfRole<S> {
    /// The role of `viewer`, which shows `shown`.
    pub(super) fn new(shown: &Arc<S>, viewer: &Viewer) -> Self {
        Self { shown: Arc::clone(shown), viewer: viewer.clone(), feed: Feed::default() }
    }
}

impl<S: Shown> Facts for OfRole<S> {
    fn summary(&self, lists: Lists) -> Summary {
        self.shown.summary(lists)
    }

    fn in_flight(&self, _: Lists) -> InFlight {
        self.shown.in_flight()
    }

    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String> {
        self.shown.targets(query)
    }

    fn reload(&self) -> Answer<'_, Result<String, String>> {
        Box::pin(async { Err(S::RELOAD.to_owned()) })
    }

    fn stop(&self) -> Duration {
        self.viewer.stop.cancel();
        Duration::from_secs(10)
    }

    fn readiness(&self) -> Result<(), String> {
        self.viewer.health.readiness()
    }

    fn liveness(&self) -> Result<(), String> {
        self.viewer.health.liveness()
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }
}
